"""Transitions and the two places that hold them: D.env (real), D.model (imagined)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams


class Batch(NamedTuple):
    """n transitions of a decision process; the first axis of every field is n."""

    s: Tensor  # (n, ds) state
    a: Tensor  # (n, da) action, in [-1, 1]
    r: Tensor  # (n,)    reward
    s_next: Tensor  # (n, ds) next state
    d: Tensor  # (n,)    1 where s_next is terminal, 0 at a time limit

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """One batch after the other."""
        return Batch(*(torch.cat(field) for field in zip(*batches, strict=True)))

    def take(self, index) -> Batch:
        """The transitions at ``index``, gathered once per field."""
        return Batch(*(field[index] for field in self))


class Buffer:
    """The newest ``capacity`` transitions, kept on one device."""

    def __init__(self, capacity: int, ds: int, da: int, device: str = "cpu"):
        self.capacity = check.integer("capacity", capacity, low=1)
        ds, da = check.integer("ds", ds, low=1), check.integer("da", da, low=1)

        def empty(*shape):
            return torch.zeros(self.capacity, *shape, device=device)

        self.size = self.head = 0
        self.data = Batch(empty(ds), empty(da), empty(), empty(ds), empty())

    def __len__(self) -> int:
        return self.size

    def add(self, batch: Batch) -> None:
        """Write ``batch`` over the oldest transitions."""
        _same_shapes(batch, self.data)
        n = len(batch.r)
        kept = min(n, self.capacity)  # of more than fits, the newest remain
        at = torch.arange(self.head + n - kept, self.head + n, device=batch.r.device)
        for stored, new in zip(self.data, batch, strict=True):
            stored[at % self.capacity] = new[n - kept :]
        self.head = (self.head + n) % self.capacity
        self.size = min(self.size + n, self.capacity)

    def all(self) -> Batch:
        """Everything held, oldest first."""
        first = self.head if self.size == self.capacity else 0
        order = torch.arange(self.size, device=self.data.r.device)
        return self.data.take((first + order) % self.capacity)

    def state_dict(self) -> dict[str, Any]:
        """What is held, oldest first, for a checkpoint."""
        return self.all()._asdict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hold what ``state_dict`` found, and nothing else."""
        self.size = self.head = 0
        self.add(Batch(**state))

    def sample(self, n: int, g: torch.Generator, recent: int | None = None) -> Batch:
        """``n`` transitions drawn uniformly with replacement, from the ``recent``
        newest if given."""
        if not self.size:
            raise ValueError("The buffer is empty: add transitions before sampling.")
        span = self.size if recent is None else min(self.size, recent)
        age = torch.randint(span, (n,), generator=g, device=g.device)
        return self.data.take((self.head - 1 - age) % self.capacity)


class Window:
    """The imagined transitions of the last ``keep`` rollouts; each is added whole."""

    def __init__(self, keep: int):
        self.keep = check.integer("keep", keep, low=1)
        self.rollouts: list[Batch] = []
        self.data: Batch | None = None

    def __len__(self) -> int:
        return 0 if self.data is None else len(self.data.r)

    def add(self, batch: Batch) -> None:
        """Add one rollout and drop what is now too old."""
        self.rollouts = [*self.rollouts, batch][-self.keep :]
        self.data = Batch.cat(self.rollouts)

    def sample(self, n: int, g: torch.Generator) -> Batch:
        """``n`` transitions drawn uniformly with replacement."""
        if self.data is None:
            raise ValueError("Nothing is imagined yet: add a rollout before sampling.")
        return self.data.take(
            torch.randint(len(self), (n,), generator=g, device=g.device)
        )

    def state_dict(self) -> dict[str, Any]:
        """The rollouts held, for a checkpoint."""
        return {"rollouts": [batch._asdict() for batch in self.rollouts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hold what ``state_dict`` found, and nothing else."""
        self.rollouts = [Batch(**fields) for fields in state["rollouts"]]
        self.data = Batch.cat(self.rollouts) if self.rollouts else None


class Initial:
    """The states that real episodes began in."""

    def __init__(self):
        self.states: list[Tensor] = []  # (1, ds) each

    def add(self, s: Tensor) -> None:
        """One more start s (1, ds)."""
        self.states.append(s)

    def sample(self, n: int, g: torch.Generator) -> Tensor:
        """n starts drawn uniformly with replacement: (n, ds)."""
        if not self.states:
            raise ValueError("No episode has begun yet: add a start before sampling.")
        i = torch.randint(len(self.states), (n,), generator=g, device=g.device)
        return torch.cat(self.states)[i]


class Data:
    """``D.env``: real transitions. ``D.model``: imagined ones. ``D.initial``: the
    states that real episodes began in."""

    def __init__(self, env: Buffer, model: Window, initial: Initial | None = None):
        self.env, self.model = env, model
        self.initial = initial or Initial()

    def mix(self, n: int, real_ratio: float, rng: Streams) -> Batch:
        """``n`` transitions of which a share ``real_ratio`` is real, cut to a whole
        number (MBPO's code); all of them while nothing is imagined."""
        n_real = int(real_ratio * n) if len(self.model) else n
        parts = [self.env.sample(n_real, rng["mix/real"])] if n_real else []
        if n_real < n:
            parts.append(self.model.sample(n - n_real, rng["mix/model"]))
        return Batch.cat(parts)

    def state_dict(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "env": self.env.state_dict(),
            "model": self.model.state_dict(),
            "initial": list(self.initial.states),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hold what ``state_dict`` found, and nothing else, on the device of now."""
        device = self.env.data.r.device

        def here(fields: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: x.to(device) for name, x in fields.items()}

        self.env.load_state_dict(here(state["env"]))
        rollouts = [here(fields) for fields in state["model"]["rollouts"]]
        self.model.load_state_dict({"rollouts": rollouts})
        self.initial.states = [s.to(device) for s in state["initial"]]


def _same_shapes(batch: Batch, like: Batch) -> None:
    for name, new, held in zip(Batch._fields, batch, like, strict=True):
        if new.shape[1:] != held.shape[1:] or len(new) != len(batch.r):
            raise ValueError(
                f"batch.{name} has shape {tuple(new.shape)}, but must be "
                f"{('n', *held.shape[1:])} with n = {len(batch.r)}."
            )
