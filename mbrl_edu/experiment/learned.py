"""What a run learned: kept beside its numbers, and made whole again from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mbrl_edu.experiment import store
from mbrl_edu.experiment.checkpoint import pack, unpack
from mbrl_edu.experiment.registry import METHODS, find_task

if TYPE_CHECKING:
    from torch import Tensor

    from mbrl_edu.experiment.record import Run

FILE = "weights.pt"


class Learned(Protocol):
    """What a continuous method learns with; ``policy`` is s (n, ds) -> a (n, da)."""

    policy: Callable[[Tensor], Tensor]

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Any) -> Any: ...


def of_result(result: Any) -> Learned | None:
    """What learned, if the result holds it."""
    for name in ("parts", "agent"):
        if getattr(result, name, None) is not None:
            return getattr(result, name)
    return None


def write(folder: Path, result: Any) -> None:
    """Keep the state of what learned, if there is any, in ``folder``."""
    learned = of_result(result)
    if learned is None:
        return
    import torch

    state = pack(dict(learned.state_dict()))
    try:
        torch.save(state, folder / FILE)
    except RuntimeError as error:  # torch's words for a disk that is full
        raise store.StoreError(
            f"folder {folder.parent} cannot be used: {FILE} could not be written "
            "whole; is the disk full?"
        ) from error


def read(run: Run) -> Learned:
    """What the stored ``run`` learned, on the CPU.

    Raises ValueError where its method learns no policy, was given a `Task` that has no
    name and is not handed over here, where no weights were kept or they do not fit;
    StoreError where the file is spoilt.
    """
    method = METHODS.get(run.method)
    if method is None or method.learner is None:
        raise ValueError(
            f"{run.method} learns no policy for states: see the fields of run.result."
        )
    if run.own is None and not run.manifest["command"]:
        raise ValueError(
            f"the run in {run.folder} had a Task of its own, which has no name: load "
            "it with load(path, task=...)."
        )
    if run.folder is None or not (run.folder / FILE).is_file():
        raise ValueError(
            f"the run in {run.folder} was kept without its weights, by older code: "
            f"{run.manifest['command'] or 'the same call'} makes it anew."
        )
    import torch

    from mbrl_edu.core.rng import Streams

    task = run.own or find_task(run.task).task
    try:
        state = torch.load(run.folder / FILE, map_location="cpu", weights_only=True)
    except Exception as error:  # what spoilt bytes raise depends on the bytes
        raise store.StoreError(
            f"file {run.folder / FILE} cannot be read: it is not whole."
        ) from error
    try:
        made = method.learner(task, run.config, Streams(run.seed, "cpu"))
        made.load_state_dict(unpack(state))
    except (AttributeError, KeyError, RuntimeError) as error:  # other fields or sizes
        raise ValueError(
            f"the run in {run.folder} does not fit: it was made by other code, or with "
            f"another task than {task.name}."
        ) from error
    return made
