"""The log as TensorBoard events, where TensorBoard is installed: nothing needs it."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

from mbrl_edu.experiment.metrics import RunWarning


class Events:
    """Writes every number of a log line as a scalar into `folder`.

    `MBRL_EDU_TENSORBOARD=0` switches it off. Steps from `purge` on that an earlier
    process wrote are no longer shown: they are logged again.
    """

    def __init__(self, folder: Path | None, purge: int | None = None):
        self._writer: Any = None
        self._folder = folder
        wanted = os.environ.get("MBRL_EDU_TENSORBOARD") != "0"
        if folder is None or not wanted or not importlib.util.find_spec("tensorboard"):
            return
        from torch.utils.tensorboard import SummaryWriter

        try:
            self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=10)
        except OSError as error:
            self._give_up(error)

    def log(self, row: dict[str, Any]) -> None:
        """One log line; words are left out."""
        if self._writer is None:
            return
        try:
            for name, value in row.items():
                if name != "step" and isinstance(value, (int, float)):
                    self._writer.add_scalar(name, value, row["step"])
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Its files are extra: a run does not end for them."""
        self._writer = None
        text = f"TensorBoard's events cannot be written: {error}."
        warnings.warn(RunWarning(text), stacklevel=4)

    def close(self) -> None:
        """Write what waits; file names lose the name of the machine."""
        if self._writer is None or self._folder is None:
            return
        try:
            self._writer.close()
            for i, file in enumerate(sorted(self._folder.glob("events.out.*.*.*"))):
                file.rename(file.with_name(f"{'.'.join(file.name.split('.')[:4])}.{i}"))
        except OSError:
            pass
        self._writer = None
