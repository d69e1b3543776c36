"""Settings for all tests."""

import os
import signal

# One thread a process, before torch is there: on a busy machine two are far slower.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from hypothesis import settings  # noqa: E402

# No time limit for one example: the machine may be busy with something else.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# A shell that starts its jobs in the background tells them not to hear Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
