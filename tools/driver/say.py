"""Telling the reader what happens, and running commands."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
_began = time.monotonic()


class Failed(Exception):
    """Ends a command; its message is the one plain line that says what failed."""


def clock(seconds: float) -> str:
    """``83.4`` -> ``"1:23"``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def elapsed() -> str:
    return clock(time.monotonic() - _began)


def step(text: str) -> None:
    """One line of progress, with the time since the command began."""
    print(f"[{elapsed():>5}] {text}", flush=True)


def environ(**extra: str) -> dict[str, str]:
    """The environment of every command that runs the project's code.

    One thread per process: several processes share the cores, and small products
    are slower on two threads than on one.
    """
    own = {
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(BUILD / "ipython"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    env = os.environ | own | extra
    if "MPLBACKEND" not in extra:
        env.pop("MPLBACKEND", None)  # notebooks show figures their own way
    return env


def run(command: list[str], env: dict[str, str] | None = None) -> int:
    """Run a command that prints for itself; its exit status.

    At Ctrl-C the child gets the signal too, and is given time to clean up.
    """
    child = subprocess.Popen(command, cwd=ROOT, env=env or environ())
    return wait_for(child)


def wait_for(child: subprocess.Popen) -> int:
    try:
        return child.wait()
    except KeyboardInterrupt:
        end(child)
        raise


def end(child: subprocess.Popen) -> None:
    """End a child that was interrupted with us: ask, wait, then insist."""
    for ask in (None, signal.SIGTERM, signal.SIGKILL):
        if ask is not None and child.poll() is None:
            child.send_signal(ask)
        try:
            child.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            continue


def quiet(command: list[str]) -> tuple[int, str]:
    """Run a short command; its exit status and what it said."""
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def tell(text: str) -> None:
    """A line without a clock: the last line of a command."""
    print(text, flush=True)
    sys.stdout.flush()
