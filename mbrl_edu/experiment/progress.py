"""One progress bar for terminals and notebooks; silent where nobody watches.

In a terminal it is tqdm on stderr. In a notebook it is one line that updates in place
through a display handle: no widgets, which are dead in a built page, and nothing on
stderr. It ends as a short plain line. `MBRL_EDU_PROGRESS=0` silences both.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import Any

WIDTH = 24  # characters of a notebook's bar
PERIOD = 0.2  # seconds between two drawings in a notebook
SPAN = 20.0  # seconds back that a speed is measured over


class Speed:
    """How much gets done per second at present: over the last ``SPAN`` seconds, or
    since the last time before that anything was heard."""

    def __init__(self, done: float = 0):
        self._marks = deque([(time.perf_counter(), done)])

    def __call__(self, done: float) -> float:
        """Per second, now that so much is done."""
        now, marks = time.perf_counter(), self._marks
        if now - marks[-1][0] >= SPAN / 20:
            marks.append((now, done))
        while len(marks) > 2 and marks[1][0] <= now - SPAN:
            marks.popleft()
        then, before = marks[0]
        return (done - before) / max(now - then, 1e-9)


class Progress:
    """`update` as work gets done, `close` with the line that stays.

    Use it as a context manager: a block that raises leaves no half-drawn bar.
    """

    def __init__(
        self,
        label: str,
        total: int | None,
        unit: str = "runs",
        show: bool = True,
        start: int = 0,
    ):
        self.label, self.total, self.unit = label, total, unit
        self.start = self.done = start  # what was done before, in another process
        self.began, self._last = time.perf_counter(), 0.0
        self.speed, self.note = Speed(start), ""
        self.kind = where() if show else "silent"
        self._closed = False
        if self.kind == "terminal":
            from tqdm import tqdm

            # miniters: else quick steps at first make tqdm wait for as many slow ones
            known = {"total": total, "initial": start, "miniters": 1, "leave": False}
            self._bar = tqdm(desc=label, unit=f" {unit}", **known)
        elif self.kind == "notebook":
            from IPython.display import display

            self._handle: Any = display(_plain(label), raw=True, display_id=True)

    def update(self, done: int, note: str | None = None) -> None:
        """`done` of the total is done; `note` is shown behind the bar, from now on."""
        step, self.done = done - self.done, done
        speed = self.speed(done)
        if self.kind == "terminal":
            if note is not None:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(step)
        elif self.kind == "notebook":
            now, self.note = time.perf_counter(), self.note if note is None else note
            if now - self._last >= PERIOD:
                self._last = now
                self._handle.update(_plain(self._line(speed)), raw=True)

    def advance(self, note: str | None = None) -> None:
        """One more is done."""
        self.update(self.done + 1, note)

    def _line(self, speed: float) -> str:
        spent = time.perf_counter() - self.began
        if not self.total:
            known = f"{self.label}  {self.done:,} {self.unit}  {spent:.0f} s"
            return f"{known}  {self.note}"
        share = min(self.done / self.total, 1.0)
        full = round(share * WIDTH)
        bar = "█" * full + "░" * (WIDTH - full)
        ahead = ""
        if self.done > self.start and speed > 0:
            ahead = f"{max(self.total - self.done, 0) / speed:.0f} s left"
        return f"{self.label}  {bar} {share:4.0%}  {ahead}  {self.note}".rstrip()

    def close(self, line: str = "") -> None:
        """Remove the bar and leave `line`."""
        if self._closed:
            return
        self._closed = True
        if self.kind == "terminal":
            self._bar.close()
            if line:
                print(line, file=sys.stderr)
        elif self.kind == "notebook":
            self._handle.update(_plain(line), raw=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        stopped = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        self.close("" if error is None else f"{self.label}: {stopped}")


def _plain(text: str) -> dict[str, str]:
    return {"text/plain": text}


def where() -> str:
    """'notebook', 'terminal' or 'silent': where a bar would be seen."""
    if os.environ.get("MBRL_EDU_PROGRESS") == "0":
        return "silent"
    if in_notebook():
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "silent"


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook (Jupyter, Colab, ...)."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None
