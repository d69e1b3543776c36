"""A point mass on a line, small enough for the exact solution to be known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.envs.lqr import LinearQuadratic
from mbrl_edu.envs.small import Small

DT, FAR, FALL = 0.2, 3.0, 20.0  # s, m, price of leaving the line
EFFORT = 4.0  # price of a^2: so high that the best action stays inside its bounds
START = np.array([1.5, 0.3])  # episodes begin uniformly within +- these: m, m/s


class Line(Small):
    """s = (x, v), a pushes with 1 m/s^2: v' = v + 0.2 a, x' = x + 0.2 v'.

    r = -x'^2 - 4 a^2, less 20 when the mass falls off the line (abs(x') > 3), which
    ends the episode.
    """

    def __init__(self, render_mode: str | None = None):
        super().__init__(2, 1, render_mode)

    def start(self, g):
        return g.uniform(-START, START)

    def move(self, s, a):
        v = s[1] + DT * a[0]
        return np.array([s[0] + DT * v, v])

    def pay(self, s, a, s_next):
        return -(s_next[0] ** 2) - EFFORT * a[0] ** 2 - FALL * self.over(s_next)

    def over(self, s_next):
        return abs(s_next[0]) > FAR


def exact(gamma: float = 0.99) -> LinearQuadratic:
    """The line without its two limits, a linear-quadratic problem.

    From every state that ``Line`` begins in, the optimum here keeps abs(a) <= 1 and
    abs(x) <= 3, so it can be followed there too, and no policy of ``Line`` does better:
    the limits take choices away, and the one that they add, to fall off and pay 20,
    does not pay (the tests compute the cheapest fall).
    """
    A, B = np.array([[1, DT], [0, 1]]), np.array([[DT * DT], [DT]])
    x_next = np.array([[1, DT, DT * DT]])  # x' as a function of (x, v, a)
    C = x_next.T @ x_next + np.diag([0, 0, EFFORT])
    return LinearQuadratic(A, B, C, gamma)


def dynamics(s: Tensor, a: Tensor) -> Tensor:
    v = s[..., 1] + DT * a[..., 0]
    return torch.stack([s[..., 0] + DT * v, v], -1)


def terminal(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return (~(s_next[..., 0].abs() <= FAR)).to(s_next)


def reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    r = -(s_next[..., 0] ** 2) - EFFORT * a[..., 0] ** 2
    return r - FALL * terminal(s, a, s_next)
