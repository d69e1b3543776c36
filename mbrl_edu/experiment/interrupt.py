"""Ctrl-C: what may be interrupted, what may not, and what is said afterwards."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(KeyboardInterrupt):
    """A run or a sweep was interrupted; the message says how to go on."""


@contextmanager
def finished_first() -> Iterator[None]:
    """Ctrl-C inside the block takes effect when the block has ended."""
    pressed: list[Any] = []
    with handled(lambda number, frame: pressed.append(number)):
        yield
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C, which a terminal sends to all of
    them: ending workers is the parent's business. The block itself takes milliseconds.
    """
    with handled(signal.SIG_IGN):
        yield


@contextmanager
def handled(what: Any) -> Iterator[None]:
    """Ctrl-C does `what` inside the block, unless this process is deaf to it."""
    before = signal.getsignal(signal.SIGINT)
    only_here = threading.current_thread() is threading.main_thread()
    if not only_here or before in (signal.SIG_IGN, None):
        yield  # only the main thread receives signals, or may ask for this
        return
    signal.signal(signal.SIGINT, what)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
