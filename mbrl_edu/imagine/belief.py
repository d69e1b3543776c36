"""Rollouts of a policy through a Gaussian process: of one Gaussian, or of particles.

Both are functions of the policy that give the expected reward of every step, without
any chance left in them, so that their gradient can be followed to the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.envs import pilco_cartpole
from mbrl_edu.envs.swingup import COST, LENGTH, VOLTS
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine.controllers import Controller
from mbrl_edu.models.gp import GP
from mbrl_edu.models.moments import (
    Gaussian,
    constant,
    saturating,
)
from mbrl_edu.models.moments_chain import joint, moved
from mbrl_edu.models.moments_process import Process
from mbrl_edu.models.moments_waves import with_angles

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # of (s, a, s'), one number a row


class Expected(Protocol):
    """E[r] in closed form."""

    def __call__(self, s: Gaussian, a: Gaussian, f_next: Gaussian) -> Tensor:
        """From s, a and the features of s', which may depend on each other: r must be
        a sum of functions of one of them each."""
        ...


@dataclass(frozen=True)
class Saturating:
    """r = exp(-|A f(s') + b|^2 / (2 width^2)) - price |a|^2.

    Without the price this is one minus PILCO's cost: near the target the agent is
    careful, far from it uncertainty pays.
    """

    A: tuple[tuple[float, ...], ...]  # features of s' -> what should be zero
    b: tuple[float, ...]
    width: float  # in the units of A f + b
    price: float = 0.0

    def __call__(self, s: Gaussian, a: Gaussian, f_next: Gaussian) -> Tensor:
        r = saturating(f_next, self.width, np.array(self.A), np.array(self.b))
        return r - self.price * _square(a) if self.price else r


@dataclass(frozen=True)
class Quadratic:
    """r = -sum of now * s^2 - sum of later * s'^2 - price |a|^2 (no angles)."""

    now: tuple[float, ...]
    later: tuple[float, ...]
    price: float

    def __call__(self, s: Gaussian, a: Gaussian, f_next: Gaussian) -> Tensor:
        cost = _square(s, self.now) + _square(f_next, self.later)
        return -cost - self.price * _square(a)


def _square(x: Gaussian, weight: tuple[float, ...] = ()) -> Tensor:
    """E of the weighted sum of squares."""
    each = x.m.square() + x.S.diagonal()
    return (each @ constant(weight, x.m.device)) if weight else each.sum()


@dataclass(frozen=True)
class Known:
    """What moment matching must know of a task."""

    reward: Expected  # E[r] in closed form
    ds: int
    angles: tuple[int, ...] = ()  # entries of s that are seen as sine and cosine


# from (sin, cos, x, x', theta') to the way from the tip to its place above the middle
_TIP = ((-LENGTH, 0.0, 1.0, 0.0, 0.0), (0.0, -LENGTH, 0.0, 0.0, 0.0))
_ROD = pilco_cartpole.LENGTH
_ROD_TIP = ((_ROD, 0.0, 1.0, 0.0, 0.0), (0.0, -_ROD, 0.0, 0.0, 0.0))
KNOWN: dict[str, Known] = {
    "CartPoleSwingUp-v0": Known(
        Saturating(_TIP, (0.0, -LENGTH), LENGTH / 2**0.5, COST * VOLTS**2), 4, (1,)
    ),
    "PilcoCartPole-v0": Known(
        Saturating(_ROD_TIP, (0.0, -_ROD), pilco_cartpole.WIDTH), 4, (1,)
    ),
    "LQR-v0": Known(Quadratic((1.0, 0.1), (0.0, 0.0), 1.0), 2),
    # without the price of leaving the line
    "Line-v0": Known(Quadratic((0.0, 0.0), (1.0, 0.0), 4.0), 2),
}


def known(task: Task) -> Known:
    """``KNOWN`` of this task; ValueError if it is not there."""
    found = KNOWN.get(task.name)
    if found is None or found.ds != task.ds:
        raise ValueError(
            f"propagation is 'moments', but the expected reward of {task.name} with "
            f"{task.ds} states is not known in closed form; 'particles' needs only the "
            f"reward itself, and moments are ready for {', '.join(KNOWN)}."
        )
    return found


class Step(NamedTuple):
    """One step of a Gaussian."""

    s: Gaussian  # before it
    a: Gaussian
    r: Tensor  # () expected reward
    s_next: Gaussian


class Belief:
    """The law of s_t as a Gaussian, moved on by moment matching (PILCO, equation 5).

    ``gp`` learns s' - s and sees (features of s, a); ``angles`` are those entries of s
    that its features replace by sine and cosine.
    """

    def __init__(
        self,
        gp: GP,
        start: Gaussian,
        reward: Expected,
        H: int,
        angles: tuple[int, ...] = (),
    ):
        self.H = check.integer("H", H, low=1)
        self.process, self.start, self.reward = Process(gp), start, reward
        self.angles = angles

    def __call__(self, policy: Controller) -> Tensor:
        """E[r_t] for t = 0 to H - 1: (H,)."""
        return torch.stack([step.r for step in self.path(policy)])

    def path(self, policy: Controller) -> list[Step]:
        """All H steps."""
        steps, s, policy = [], self.start, policy.fixed()
        f, to_f = with_angles(s, self.angles)
        for _ in range(self.H):
            a, to_a = policy.moments(f)
            s_next = self._next(s, f, to_f, a, to_a)
            f, to_f = with_angles(s_next, self.angles)
            steps.append(Step(s, a, self.reward(s, a, f), s_next))
            s = s_next
        return steps

    def _next(
        self, s: Gaussian, f: Gaussian, to_f: Tensor, a: Gaussian, to_a: Tensor
    ) -> Gaussian:
        """The law of s' = s + y, with y the process at x = (f, a)."""
        y, to_y = self.process(joint(f, a, to_a))
        return moved(s, to_f, to_a, y, to_y)


class Particles:
    """The law of s_t as P points; their noise is drawn once, here (MC-PILCO).

    Any differentiable reward will do, and no step is forced back into a Gaussian. The
    gradient runs through the drawn noise (reparameterisation).
    Source: Amadio et al. (2022), without their dropout; McHutchon (2014), chapter 3.
    """

    def __init__(
        self, gp: GP, s: Tensor, reward: Rule, H: int, P: int, g: torch.Generator
    ):
        self.H = check.integer("H", H, low=1)
        check.integer("P", P, low=1)
        self.gp, self.reward = gp, reward
        rows = torch.randint(len(s), (P,), generator=g, device=g.device)
        self.start = s[rows].double()
        shape = (H, *self.start.shape)
        self.eps = torch.randn(shape, generator=g, device=g.device, dtype=torch.float64)

    def __call__(self, policy: Controller) -> Tensor:
        """Mean r_t over the particles for t = 0 to H - 1: (H,)."""
        s, means, policy = self.start, [], policy.fixed()
        features = self.gp.layout.inputs
        for eps in self.eps:
            a = policy(s if features is None else features(s))
            mean, lv = self.gp.predict(s, a)
            s_next = s + mean[0] + (lv[0] / 2).exp() * eps
            means.append(self.reward(s, a, s_next).mean())
            s = s_next
        return torch.stack(means)
