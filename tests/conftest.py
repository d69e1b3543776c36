"""Settings for all tests."""

import os

# One thread a process, before torch is there: on a busy machine two are far slower.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from hypothesis import settings  # noqa: E402

# No time limit for one example: the machine may be busy with something else.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
