"""What goes into a model of (r, s') and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.data import Batch

Reward = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Layout:
    """Inputs and targets of a model: sizes, features of s, and what is learned.

    Learned is y = (r, s' - s), reward first (MBPO); a state in ``absolute`` is learned
    as s' itself, and with a known ``reward`` function y = s' - s alone (PETS).
    """

    ds: int  # entries of a state
    da: int  # entries of an action
    inputs: Callable[[Tensor], Tensor] | None = None  # s (n, ds) -> features (n, dz)
    absolute: tuple[int, ...] = ()  # states that are learned as s', not as s' - s
    reward: Reward | None = None  # r(s, a, s') -> (n,), or None: learned

    def __post_init__(self):
        check.integer("ds", self.ds, low=1)
        check.integer("da", self.da, low=0)
        for i in self.absolute:
            check.integer("absolute", i, low=0, high=self.ds - 1)

    @property
    def dx(self) -> int:
        """Entries of the input vector."""
        return self.x(torch.zeros(1, self.ds), torch.zeros(1, self.da)).shape[1]

    @property
    def dy(self) -> int:
        """Entries of y: 1 + ds, or ds where the reward is known."""
        return self.ds + (self.reward is None)

    def x(self, s: Tensor, a: Tensor) -> Tensor:
        """The input (features of s, a): (n, dx)."""
        if s.dim() != 2 or s.shape[1] != self.ds:
            raise ValueError(
                f"s has shape {tuple(s.shape)}, but must be (n, {self.ds})."
            )
        if a.shape != (len(s), self.da):
            allowed = (len(s), self.da)
            raise ValueError(f"a has shape {tuple(a.shape)}, but must be {allowed}.")
        return torch.cat([s if self.inputs is None else self.inputs(s), a], 1)

    def target(self, batch: Batch) -> Tensor:
        """What is learned from n transitions: (n, dy)."""
        change = batch.s_next - batch.s * self._relative(batch.s)
        return torch.cat([batch.r[:, None], change], 1) if not self.reward else change

    def change(self, s: Tensor, learned: Tensor) -> Tensor:
        """y = (r, s' - s) from what a network gives for it: (..., n, dy)."""
        if not self.absolute:
            return learned
        shift = s * (1 - self._relative(s))
        return learned - torch.nn.functional.pad(shift, (self.dy - self.ds, 0))

    def apply(self, s: Tensor, a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """r (n,) and s' (n, ds) from y (n, dy) = (r, s' - s)."""
        s_next = s + y[:, self.dy - self.ds :]
        if self.reward is None:
            return y[:, 0], s_next
        return one_each("reward", self.reward(s, a, s_next), len(s)), s_next

    def _relative(self, s: Tensor) -> Tensor:
        """1 where s' - s is learned, 0 where s' is: (ds,)."""
        relative = torch.ones(self.ds, dtype=s.dtype, device=s.device)
        relative[list(self.absolute)] = 0.0
        return relative


@dataclass(frozen=True)
class Angles:
    """Features of s in which every angle is replaced by its sine and cosine: the
    entries in ``angles`` go, sin and cos of them come first, those in ``drop`` go too.
    """

    angles: tuple[int, ...]  # entries of s that are angles, in radians
    drop: tuple[int, ...] = ()  # entries of s that the model must not see

    def __call__(self, s: Tensor) -> Tensor:
        left_out = {*self.angles, *self.drop}
        rest = [i for i in range(s.shape[-1]) if i not in left_out]
        theta = s[..., list(self.angles)]
        return torch.cat([theta.sin(), theta.cos(), s[..., rest]], -1)


def one_each(name: str, values: Tensor, n: int) -> Tensor:
    """What the function ``name`` gave for n rows; ValueError if its shape is not (n,).

    Returned as it is.
    """
    if getattr(values, "shape", None) != (n,):
        shape = tuple(getattr(values, "shape", ()))
        raise ValueError(f"{name} gave the shape {shape}, but must give ({n},).")
    return values


def no_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    """r = 0, for a model of s' alone."""
    return s.new_zeros(len(s))


def check_batch(batch: Batch, ds: int, da: int) -> None:
    """Raises ValueError naming the first field of n transitions that is no tensor of
    floats, has the wrong shape, or holds NaN or infinity."""
    n = len(batch.s)
    shapes = ((n, ds), (n, da), (n,), (n, ds), (n,))
    for (name, value), shape in zip(batch._asdict().items(), shapes):
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"batch.{name} is {kind}, but must be a tensor of floats.")
        if value.shape != shape:
            raise ValueError(
                f"batch.{name} has shape {tuple(value.shape)}, but must have {shape}."
            )
        bad = ~torch.isfinite(value)
        if bad.any():
            row = int(bad.nonzero()[0, 0])
            raise ValueError(
                f"batch.{name} holds a value that is not finite (first in row {row}), "
                "but a model learns from finite numbers only."
            )
