"""The hidden directory of a run that is not finished, and who may write there.

The same run always has the same one, so that a run that is started again finds what it
left. One process at a time holds its lock; the operating system frees the lock of a
process that ended, in whatever way.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: two processes are not kept apart there
    fcntl = None  # type: ignore[assignment]

from mbrl_edu.experiment import store
from mbrl_edu.experiment.checkpoint import PATTERN

LOCK = "lock"
PLAN = "plan.json"
_STAYING: set[Path] = set()


def hidden(path: Path) -> Path:
    """Where the run that will be `path` lies until it is finished."""
    return path.with_name(f".{path.name}{store.PARTIAL}run")


def unfinished(folder: Path) -> list[Path]:
    """The directories of unfinished runs inside `folder`, by name."""
    return sorted(p.parent for p in folder.glob(f".*{store.PARTIAL}run/{PLAN}"))


def resumable(partial: Path) -> bool:
    """Whether there is a checkpoint to go on from."""
    return any(partial.glob(PATTERN))


@contextmanager
def writing(path: Path, plan: dict[str, Any]) -> Iterator[Path]:
    """The directory of the unfinished run `path`, for this process alone.

    `plan` is kept there, so that the run can be resumed by its place. When the block
    raises, what a later start can go on from stays, and so does everything when it was
    the disk that failed, or when ``stay`` says so; else a run without a checkpoint
    leaves nothing.

    Raises StoreError when `path` cannot be written or another process writes there.
    """
    partial, keep = hidden(path), False
    with store.explained(path.parent):
        handle = _locked(partial)
    try:
        with store.explained(path.parent):
            store.write_json(partial / f"{PLAN}.new", plan)
            (partial / f"{PLAN}.new").replace(partial / PLAN)
        yield partial
    except store.StoreError:
        keep = True
        raise
    finally:
        # after `finish` there is nothing left here
        if not (keep or partial in _STAYING or resumable(partial)):
            shutil.rmtree(partial, ignore_errors=True)
        _STAYING.discard(partial)
        if handle is not None:
            os.close(handle)


def stay(partial: Path) -> None:
    """Let all in ``partial`` stay when its block ends: the run is done, but the disk
    did not take it."""
    _STAYING.add(partial)


def finish(partial: Path, path: Path) -> None:
    """Make `partial` the finished run `path`; StoreError when the disk refuses."""
    with store.explained(path.parent):
        store.flush(partial)
        store.rename(partial, path)  # with its checkpoints, in case this fails
        for file in [path / PLAN, path / LOCK, *path.glob(PATTERN)]:
            file.unlink(missing_ok=True)
    shutil.rmtree(partial, ignore_errors=True)  # when another process was faster


def _locked(partial: Path) -> int | None:
    """Make the directory and lock it: an open file, or None where locks are unknown."""
    while True:
        partial.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        file = partial / LOCK
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = file.exists() and os.path.samestat(os.fstat(handle), file.stat())
        except BlockingIOError:
            who = os.read(handle, 20).decode() or "?"
            os.close(handle)
            raise store.StoreError(
                f"folder {partial.parent} holds this run already, and process {who} is "
                "writing it: wait until it ends, or stop it."
            ) from None
        except OSError:  # a file system without locks
            os.close(handle)
            return None
        if same:  # else the run was finished or removed meanwhile
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            return handle
        os.close(handle)


def tidy(paths: list[Path], patience: float = 5.0) -> None:
    """Remove what the unfinished runs `paths` cannot go on from, once their processes
    have ended; those that still run after `patience` seconds are left alone."""
    until = time.monotonic() + patience
    for partial in map(hidden, paths):
        while partial.is_dir() and not resumable(partial):
            try:
                handle = _locked(partial)
            except OSError:
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
                continue
            shutil.rmtree(partial, ignore_errors=True)
            if handle is not None:
                os.close(handle)
