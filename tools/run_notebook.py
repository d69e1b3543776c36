"""Run one notebook and keep its outputs in the cache that the book is built from.

    python tools/run_notebook.py CACHE_FOLDER NOTEBOOK

Exit status: 0 it ran, 3 it had run before, 1 it failed (the error is printed).
Started by ``make book`` with the Python of ``.venv``, once for every notebook.
"""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import single_nb_execution
from sqlalchemy.exc import OperationalError

T = TypeVar("T")
CELL_SECONDS = 900


def patiently(action: Callable[[], T]) -> T:
    """The notebooks run side by side and share one small database."""
    for wait in (0.2, 0.5, 1, 2, 4):
        try:
            return action()
        except OperationalError:
            time.sleep(wait)
    return action()


def has_run(cache: JupyterCacheAbstract, notebook: nbformat.NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
        return True
    except KeyError:
        return False


def main(folder: str, path: str) -> int:
    cache = get_cache(folder)
    notebook = nbformat.read(path, as_version=4)
    if patiently(lambda: has_run(cache, notebook)):
        return 3
    done = single_nb_execution(
        notebook,
        cwd=str(Path(path).parent),
        timeout=CELL_SECONDS,
        allow_errors=False,
        extra_arguments=["--log-level=ERROR"],
    )
    if done.err is not None:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", str(done.err))
        print(f"---- {Path(path).name} ----\n{plain}", flush=True)
        return 1
    bundle = CacheBundleIn(done.nb, path, data={"execution_seconds": done.time})
    patiently(
        lambda: cache.cache_notebook_bundle(
            bundle, check_validity=False, overwrite=True
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
