"""Probes: tiny tasks whose values are known, each of which tests one thing.

A learner that fails the first probe cannot learn a value at all; one that passes it and
fails the third ignores what comes later; and so on. Their idea is folklore; these have
a continuous action, so that they fit actor-critic methods.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.envs.small import Small

BEST = 0.5  # the best action of the probes that pay for actions


class Probe(Small):
    """One number is seen, one action taken. ``V`` and ``Q`` are those of the best
    policy: s (..., 1), a (..., 1) -> (...)."""

    ends = True  # whether every step ends the episode

    def __init__(self, render_mode: str | None = None):
        super().__init__(1, 1, render_mode)

    def start(self, g):
        return np.zeros(1)

    def move(self, s, a):
        return np.zeros(1)

    def over(self, s_next):
        return self.ends

    def pay(self, s, a, s_next):
        return float(self.reward(*(torch.as_tensor(x) for x in (s, a, s_next))))

    @classmethod
    def terminal(cls, s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
        return torch.full_like(s_next[..., 0], float(cls.ends))

    @staticmethod
    def reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
        return torch.ones_like(s[..., 0])

    @staticmethod
    def best(s: Tensor) -> Tensor:
        """The best action (..., 1); 0 where all are equally good."""
        return torch.zeros_like(s)

    @classmethod
    def V(cls, s: Tensor, gamma: float) -> Tensor:
        return cls.Q(s, cls.best(s), gamma)

    @classmethod
    def Q(cls, s: Tensor, a: Tensor, gamma: float) -> Tensor:
        return cls.reward(s, a, torch.zeros_like(s))


class ProbeConstant(Probe):
    """One step, reward 1: V = 1. Fails if values are not learnt at all."""


class ProbeObservation(Probe):
    """One step, s is -1 or 1, reward s: V(s) = s. Fails if the critic is blind."""

    def start(self, g):
        return g.choice([-1.0, 1.0], size=1)

    @staticmethod
    def reward(s, a, s_next):
        return s[..., 0]


class ProbeDiscount(Probe):
    """s = 0, then 1, then the end (seen as 2) with reward 1: V(0) = gamma, V(1) = 1.
    Fails if the value of s' is left out, or not discounted."""

    def move(self, s, a):
        return s + 1

    def over(self, s_next):
        return s_next[0] > 1.5

    @classmethod
    def terminal(cls, s, a, s_next):
        return (~(s_next[..., 0] <= 1.5)).to(s_next)

    @staticmethod
    def reward(s, a, s_next):
        return (s_next[..., 0] > 1.5).to(s_next)

    @classmethod
    def Q(cls, s, a, gamma):
        return torch.where(s[..., 0] > 0.5, 1.0, gamma).to(s)


class ProbeAction(Probe):
    """One step, reward -(a - 0.5)^2: best a = 0.5. Fails if the policy stays as it
    is."""

    @staticmethod
    def reward(s, a, s_next):
        return -((a[..., 0] - BEST) ** 2)

    @staticmethod
    def best(s):
        return torch.full_like(s, BEST)


class ProbeBoth(Probe):
    """One step, s is -1 or 1, reward -(a - s / 2)^2: best a = s / 2. Fails if the
    policy does not look at s."""

    def start(self, g):
        return g.choice([-1.0, 1.0], size=1)

    @staticmethod
    def reward(s, a, s_next):
        return -((a[..., 0] - BEST * s[..., 0]) ** 2)

    @staticmethod
    def best(s):
        return BEST * s


class ProbeTimeLimit(Probe):
    """Reward 1 for ever, cut off after 5 steps: V = 1 / (1 - gamma). Fails if a time
    limit is taken for an end."""

    ends = False

    @classmethod
    def Q(cls, s, a, gamma):
        return torch.full_like(s[..., 0], 1 / (1 - gamma))


PROBES: tuple[type[Probe], ...] = (
    ProbeConstant,
    ProbeObservation,
    ProbeDiscount,
    ProbeAction,
    ProbeBoth,
    ProbeTimeLimit,
)
