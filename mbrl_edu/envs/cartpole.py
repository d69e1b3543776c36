"""Cart-pole with a continuous force: keep the pole up (Barto, Sutton & Anderson 1983;
the constants and the Euler steps are those of Gymnasium's CartPole)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.envs.small import Small

GRAVITY, CART, POLE, HALF = 9.8, 1.0, 0.1, 0.5  # m/s^2, kg, kg, m (half the pole)
FORCE, DT = 10.0, 0.02  # N at a = 1, s
FAR, STEEP = 2.4, math.radians(12)  # beyond these an episode ends: m, rad


class ContinuousCartPole(Small):
    """s = (x, x', theta, theta'), theta = 0 upright; force 10 a newtons; reward 1 per
    step, the last one included; ends when abs(x) > 2.4 m or abs(theta) > 12 degrees."""

    def __init__(self, render_mode: str | None = None):
        super().__init__(4, 1, render_mode)

    def start(self, g):
        return g.uniform(-0.05, 0.05, 4)

    def move(self, s, a):
        x, x_dot, theta, theta_dot = s
        total, sin, cos = CART + POLE, math.sin(theta), math.cos(theta)
        push = (FORCE * a[0] + POLE * HALF * theta_dot**2 * sin) / total
        theta_acc = GRAVITY * sin - cos * push
        theta_acc /= HALF * (4 / 3 - POLE * cos**2 / total)
        x_acc = push - POLE * HALF * theta_acc * cos / total
        return s + DT * np.array([x_dot, x_acc, theta_dot, theta_acc])

    def pay(self, s, a, s_next):
        return 1.0

    def over(self, s_next):
        return abs(s_next[0]) > FAR or abs(s_next[2]) > STEEP


def dynamics(s: Tensor, a: Tensor) -> Tensor:
    """s' (..., 4) after a (..., 1) in s (..., 4)."""
    _, x_dot, theta, theta_dot = s.unbind(-1)
    total, sin, cos = CART + POLE, torch.sin(theta), torch.cos(theta)
    push = (FORCE * a[..., 0] + POLE * HALF * theta_dot**2 * sin) / total
    theta_acc = GRAVITY * sin - cos * push
    theta_acc = theta_acc / (HALF * (4 / 3 - POLE * cos**2 / total))
    x_acc = push - POLE * HALF * theta_acc * cos / total
    return s + DT * torch.stack([x_dot, x_acc, theta_dot, theta_acc], -1)


def terminal(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    up = (s_next[..., 0].abs() <= FAR) & (s_next[..., 2].abs() <= STEEP)
    return (~up).to(s_next)


def reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return torch.ones_like(s_next[..., 0])
