"""The front door of the project's commands: ``python tools/project.py book``.

This file alone is written so that any Python, however old, can read it far enough
to say in one sentence what is missing. Everything else is in the files beside it.
"""

import os
import sys

NEEDED = (3, 11)

if sys.version_info < NEEDED:
    sys.exit(
        "mbrl-edu needs Python %d.%d or newer, and this one (%s) is %d.%d: "
        "name a newer one, for example 'make %s PYTHON=python3.12'."
        % (
            NEEDED
            + (sys.executable,)
            + tuple(sys.version_info[:2])
            + (sys.argv[1] if len(sys.argv) > 1 else "book",)
        )
    )

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver.commands import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
