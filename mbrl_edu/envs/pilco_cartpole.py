"""Cart-pole swing-up: the task of PILCO (Deisenroth and Rasmussen 2011)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.envs.small import Small

# The values of PILCO's code: m, kg, kg, N s / m, m / s^2, N at a = 1.
LENGTH, CART, POLE, FRICTION, GRAVITY, FORCE = 0.5, 0.5, 0.5, 0.1, 9.82, 10.0
DT, SUBSTEPS = 0.1, 10  # s per action, and in how many parts it is integrated
START = 0.1  # standard deviation of every entry of s at first
WIDTH = 0.25  # m, of the reward: far less than the 1 m from bottom to top
NOISE = 0.01  # standard deviation of readings in PILCO's code, where noise is given


class PilcoCartPole(Small):
    """Swing the pole up and hold it over x = 0; the rail has no ends.

    s = (x, theta, x', theta'), theta = 0 hangs down, theta grows without bound. A force
    of 10 a newtons pushes the cart for 0.1 s; a trial takes 4 s, and never ends sooner.
    r = exp(-|tip - (0, 0.5)|^2 / (2 0.25^2)) at s': one minus the cost of the paper.

    ``noise``: standard deviation of Gaussian noise on what is read of s (the paper's
    code: 0.01); the state itself moves without any.
    """

    def __init__(self, noise: float = 0.0, render_mode: str | None = None):
        self.noise = check.number("noise", noise, low=0)
        super().__init__(4, 1, render_mode)

    def start(self, g):
        return g.normal(0, START, 4)

    def move(self, s, a):
        return np.array(_move(tuple(s.tolist()), FORCE * a.item(), math.sin, math.cos))

    def pay(self, s, a, s_next):
        tensors = (torch.as_tensor(x) for x in (s, a, s_next))
        return reward(*tensors).item()

    def reset(self, *, seed: int | None = None, options=None):
        s, info = super().reset(seed=seed, options=options)
        return self._read(s), info

    def step(self, a):
        s, *rest = super().step(a)
        return self._read(s), *rest

    def _read(self, s: np.ndarray) -> np.ndarray:
        """What the agent reads when the state is ``s``."""
        if not self.noise:
            return s
        eps = self.noise * self.np_random.standard_normal(len(s))
        return (s + eps).astype(np.float32)


def tip(s: Tensor) -> Tensor:
    """The way from the tip's goal to the tip (..., 2), m, in s (..., 4)."""
    x, theta = s[..., 0], s[..., 1]
    return torch.stack([x + LENGTH * theta.sin(), -LENGTH * theta.cos() - LENGTH], -1)


def features(s: Tensor) -> Tensor:
    """(sin theta, cos theta, x, x', theta') (..., 5): what networks should see."""
    x, theta, x_dot, theta_dot = s.unbind(-1)
    return torch.stack([theta.sin(), theta.cos(), x, x_dot, theta_dot], -1)


def reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return torch.exp(-tip(s_next).square().sum(-1) / (2 * WIDTH**2))


def dynamics(s: Tensor, a: Tensor) -> Tensor:
    """s' (..., 4) after a (..., 1) in s (..., 4): Lagrange's equations of a cart and a
    uniform rod, integrated by the classical Runge-Kutta method."""
    force = FORCE * a[..., 0].clamp(-1, 1)
    return torch.stack(_move(s.unbind(-1), force, torch.sin, torch.cos), -1)


def _move(s: tuple, force: Any, sin: Callable, cos: Callable) -> tuple:
    """Four numbers, or four tensors: the environment steps with numbers, which is a
    hundred times as fast."""
    h = DT / SUBSTEPS
    for _ in range(SUBSTEPS):
        k1 = _rates(s, force, sin, cos)
        k2 = _rates(_along(s, h / 2, k1), force, sin, cos)
        k3 = _rates(_along(s, h / 2, k2), force, sin, cos)
        k4 = _rates(_along(s, h, k3), force, sin, cos)
        k = tuple((p + 2 * q + 2 * r + t) / 6 for p, q, r, t in zip(k1, k2, k3, k4))
        s = _along(s, h, k)
    return s


def _along(s: tuple, h: float, k: tuple) -> tuple:
    return tuple(x + h * rate for x, rate in zip(s, k))


def _rates(s: tuple, force: Any, sin: Callable, cos: Callable) -> tuple:
    """(cart + pole) x'' + arm (cos theta'' - sin theta'^2) = force - friction x' and,
    of a rod about its end, (2 / 3) l theta'' + cos x'' + g sin = 0."""
    _, theta, x_dot, theta_dot = s
    up, side, arm = cos(theta), sin(theta), POLE * LENGTH / 2
    push = force - FRICTION * x_dot + arm * side * theta_dot**2
    push = push + 0.75 * POLE * GRAVITY * side * up  # theta'' put in
    x_acc = push / (CART + POLE - 0.75 * POLE * up**2)
    theta_acc = -1.5 / LENGTH * (up * x_acc + GRAVITY * side)
    return x_dot, theta_dot, x_acc, theta_acc
