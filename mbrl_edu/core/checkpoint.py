"""What a train function may expect of the checkpoint that it is given.

A method that can be stopped and resumed loads once, before its first step, and saves
at the end of each episode:

    parts = {"model": model, "rng": rng, "diary": diary}
    if checkpoint:
        restore(checkpoint.load(), parts)
    ...
    if checkpoint:
        checkpoint.save(t, gather(parts))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Checkpoint(Protocol):
    """Where a run keeps the state that it can go on from.

    A state is a dict of tensors, NumPy arrays, numbers, strings, None, and lists,
    tuples and dicts of these. It comes back equal, except that tensors are on the CPU
    and that a named tuple is a plain one.
    """

    def load(self) -> dict[str, Any] | None:
        """The newest state, or None where a run begins."""

    def save(self, t: int, state: dict[str, Any]) -> None:
        """Keep ``state``, reached after ``t`` real steps. It may be left out where the
        last one was kept a moment ago."""


class Part(Protocol):
    """A part of a run whose state can be taken and put back: networks, streams, ..."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any) -> Any: ...


def gather(parts: Mapping[str, Part]) -> dict[str, Any]:
    """The state of every part, by name."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(state: Mapping[str, Any] | None, parts: Mapping[str, Part]) -> None:
    """Put every part back to where ``gather`` found it; nothing happens for None."""
    if state is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
