"""Checkpoints: a run that was killed at any moment goes on from the newest one.

A checkpoint is one file, `checkpoint-STEPS.pt`, written under another name, brought to
the disk and renamed, so that it is whole or not there. The last two are kept. It holds
the state, what run it belongs to, and how many log lines there were: what was logged
later is cut off when the run goes on, and logged again.

Loading never unpickles code (`torch.load(..., weights_only=True)`).
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.experiment.interrupt import finished_first
from mbrl_edu.experiment.metrics import Metrics, RunWarning
from mbrl_edu.experiment.store import explained, synced

PATTERN = "checkpoint-*.pt"
KEEP = 2  # files, so that one that the disk has spoilt is not the only one
EVERY = 10.0  # s, the least time between two checkpoints
SHARE = 0.05  # ... and of a run's time, saving takes at most about so much


class Checkpoint:
    """The checkpoints of one run in `folder`; see `mbrl_edu.core.checkpoint`.

    Parameters
    ----------
    folder : the run's directory.
    run : what run it is (method, config, code, ...), as words by name; one of another
        run is refused.
    metrics : its log, cut back to the checkpoint that is loaded.
    every : seconds; what is saved sooner after the last one is left out. 0: nothing is.
    """

    def __init__(
        self,
        folder: str | Path,
        run: Mapping[str, str] | None = None,
        metrics: Metrics | None = None,
        every: float = EVERY,
    ):
        self.folder, self.run = Path(folder), dict(run or {})
        self.metrics = metrics
        self.every = check.number("every", every, low=0)
        self.seconds = 0.0  # that the run took before it was stopped
        self.t: int | None = None  # the step of the newest checkpoint
        self.t0: int | None = None  # of the one that this process began with
        self._found: dict[str, Any] | None = None
        self._began = self._saved = time.perf_counter()
        self._cost = 0.0  # s, of the last save
        self._warned = False

    def begin(self) -> None:
        """Find the newest checkpoint whose file is whole and cut the log back to it;
        without one the log is emptied. Newer files, which are of no use, are removed.
        Raises ValueError for one of another run."""
        self._found, useless = None, []
        for file in reversed(self._files()):
            found = _read(file)
            if found is not None:
                self._check(found, file)
                if self.metrics is None or self.metrics.keep(found["lines"]):
                    self._found, self.seconds = found, found["seconds"]
                    self.t = self.t0 = found["t"]
                    break
            useless.append(file)
        if self._found is None and self.metrics is not None:
            self.metrics.keep(0)
        for file in useless:
            file.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The state of the newest checkpoint, or None where the run begins."""
        if self._found is None:
            self.begin()
        found, self._found = self._found, None  # it may be large
        return unpack(found["state"]) if found else None

    def save(self, t: int, state: dict[str, Any]) -> None:
        """Keep `state`, reached after `t` steps, unless the last one is too young.

        Ctrl-C waits until the file is written. A disk that takes no more is a warning:
        the run goes on, and the checkpoint before stays.
        """
        now = time.perf_counter()
        if self.every and now - self._saved < max(self.every, self._cost / SHARE):
            return
        packed = pack(state)
        with finished_first():
            try:
                with explained(self.folder.parent):
                    self._write(t, packed)
                self._warned = False
            except OSError as error:
                self._warn(error)
        self._saved = time.perf_counter()
        self._cost = self._saved - now

    def _write(self, t: int, state: Any) -> None:
        import torch

        from mbrl_edu.experiment.provenance import versions

        if self.metrics is not None and not self.metrics.flush(sync=True):
            return  # without its log lines it would be of no use
        seconds = self.seconds + time.perf_counter() - self._began
        kept = {"run": self.run, "versions": versions(), "t": int(t), "state": state}
        kept |= {"lines": len(self.metrics.rows) if self.metrics else 0}
        new = self.folder / "checkpoint.new"
        try:
            with new.open("wb") as handle:
                torch.save(kept | {"seconds": seconds}, handle)
                handle.flush()
                os.fsync(handle.fileno())
            new.replace(self.folder / PATTERN.replace("*", f"{int(t):012d}"))
        except RuntimeError as error:  # torch's words for a disk that is full
            raise OSError(
                f"{new.name} could not be written whole; is the disk full?"
            ) from error
        finally:
            new.unlink(missing_ok=True)
        synced(self.folder)
        self.t = int(t)
        for old in self._files()[:-KEEP]:
            old.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(PATTERN))

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            kept = "none is kept" if self.t is None else f"that of step {self.t} is"
            text = (
                f"no checkpoint could be saved: {error} The run goes on; {kept} kept."
            )
            warnings.warn(RunWarning(text.replace("kept kept", "kept")), stacklevel=3)
        self._warned = True

    def _check(self, kept: dict[str, Any], file: Path) -> None:
        for name, value in self.run.items():
            if kept["run"].get(name) != value:
                raise ValueError(
                    f"checkpoint {file} is of a run with {name} "
                    f"{kept['run'].get(name)}, but this one has {value}: start it in "
                    "another folder."
                )
        from mbrl_edu.experiment.provenance import versions

        now = versions()
        changed = [k for k, v in kept["versions"].items() if now.get(k, v) != v]
        if changed:
            text = f"the checkpoint was made with another version of {changed[0]}: "
            text += "the run goes on, but it may not end as it would have."
            warnings.warn(RunWarning(text), stacklevel=3)


def _read(file: Path) -> dict[str, Any] | None:
    """What a checkpoint holds, or None where the file is not whole."""
    import torch

    try:
        kept = torch.load(file, map_location="cpu", weights_only=True)
        return kept if kept.keys() >= {"run", "t", "lines", "seconds"} else None
    except Exception:  # what reading spoilt bytes raises depends on the bytes
        return None


def pack(value: Any, where: str = "state") -> Any:
    """`value` as what `torch.load(weights_only=True)` accepts; TypeError for others.

    Tensors go to the CPU and lose what they are only a view of. NumPy arrays and
    numbers become marked tensors.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {k: pack(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [pack(v, f"{where}[{i}]") for i, v in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if hasattr(value, "untyped_storage"):
        x = value.detach()
        whole = x.untyped_storage().nbytes() == x.numel() * x.element_size()
        return (x if whole else x.clone()).cpu()
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
        import torch

        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {f"numpy {kind}": torch.from_numpy(np.array(value))}
    raise TypeError(
        f"{where} is {type(value).__name__}, but a checkpoint holds tensors, arrays, "
        "numbers, words, None, and lists, tuples and dicts of these only."
    )


def unpack(value: Any) -> Any:
    """What `pack` was given."""
    if isinstance(value, dict):
        if list(value) == ["numpy array"]:
            return value["numpy array"].numpy()
        if list(value) == ["numpy number"]:
            return value["numpy number"].numpy()[()]
        return {k: unpack(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(unpack(v) for v in value)
    return value
