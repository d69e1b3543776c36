"""Log lines: kept in memory, and appended to a file of strict JSON, one object a line.

A metric that is NaN or infinite is written as null and read back as NaN.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

from mbrl_edu.experiment.store import StoreError, dumps, explained

FILE = "metrics.jsonl"


class RunWarning(UserWarning):
    """Something outside went wrong, and the run goes on."""


class Metrics:
    """The log lines of a run.

    With `patient`, a file that cannot be written is a warning: lines wait in memory
    and are written as soon as there is room again. Otherwise it is a StoreError.
    """

    def __init__(self, file: Path | None = None, patient: bool = False):
        self.rows: list[dict[str, Any]] = []
        self._file, self._patient = file, patient
        self._waiting: list[str] = []  # lines that the file lacks
        self._whole = 0  # bytes of the file that are whole lines
        self._torn = False  # whether something may follow them

    def keep(self, lines: int) -> bool:
        """Cut the file back to its first `lines` lines; False if it has fewer."""
        if self._file is None:
            return lines == 0
        with explained(self._folder):
            old = self._file.read_bytes() if self._file.is_file() else b""
        whole = old.split(b"\n")[:-1]  # what follows the last newline was cut off
        if len(whole) < lines:
            return False
        self.rows = [read_row(line.decode()) for line in whole[:lines]]
        self._whole, self._torn = sum(len(x) + 1 for x in whole[:lines]), True
        return self.flush()

    def log(self, step: int, metrics: dict[str, Any]) -> None:
        """Add one line; values are numbers, or words such as the name of a phase."""
        row = {"step": int(step)} | {k: _scalar(k, v) for k, v in metrics.items()}
        self.rows.append(row)
        if self._file is not None:
            self._waiting.append(dumps(_nulls(row)) + "\n")
            self.flush()

    def flush(self, sync: bool = False) -> bool:
        """Write what waits; whether the file holds every line now. With `sync` the
        disk holds them too, not only the operating system."""
        if self._file is None:
            return True
        was_fine = not self._torn
        try:
            with explained(self._folder):
                self._write(self._file, sync)
        except StoreError as error:
            if not self._patient:
                raise
            if was_fine:
                text = f"{error} The run goes on, and its log waits for room."
                warnings.warn(RunWarning(text), stacklevel=2)
            return False
        return True

    @property
    def _folder(self) -> Path:
        assert self._file is not None
        return self._file.parent.parent  # what the user named; a run lies inside

    def _write(self, file: Path, sync: bool) -> None:
        data = "".join(self._waiting).encode()
        if self._torn and file.exists():
            os.truncate(file, self._whole)
        self._torn = True  # until everything has arrived
        with file.open("ab") as handle:
            handle.write(data)
            if sync:
                handle.flush()
                os.fsync(handle.fileno())
        self._whole, self._torn = self._whole + len(data), False
        self._waiting.clear()


def _scalar(name: str, value: Any) -> Any:
    """A plain Python number or word; 0-d arrays and tensors are unpacked."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"metric {name} is {value!r}, but must be a number or a word.")


def _nulls(row: dict[str, Any]) -> dict[str, Any]:
    finite = {k: not isinstance(v, float) or math.isfinite(v) for k, v in row.items()}
    return {k: v if finite[k] else None for k, v in row.items()}


def read_row(line: str) -> dict[str, Any]:
    """One line of the file; null comes back as NaN."""
    return {k: math.nan if v is None else v for k, v in json.loads(line).items()}


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The log lines of a finished run."""
    with explained(folder):
        lines = (folder / FILE).read_text(encoding="utf-8").split("\n")
    return [read_row(line) for line in lines if line]
