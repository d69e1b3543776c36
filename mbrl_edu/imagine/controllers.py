"""Policies whose answer to a Gaussian is known in closed form: PILCO's two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.models.moments import Gaussian, radial, squash, squashed


class Controller(Protocol):
    """a = pi(f) in [-1, 1], for features f of the state."""

    def __call__(self, f: Tensor) -> Tensor:
        """Actions (n, da) at points f (n, df)."""
        ...

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        """The Gaussian of a with the exact mean and covariance of u, squashed, and J
        (df, da) with cov(f, a) = S J; u, before the squashing, is taken as Gaussian."""
        ...


class Linear(nn.Module):
    """a = squash(W f + b)."""

    def __init__(self, df: int, da: int, g: torch.Generator, scale: float = 0.1):
        super().__init__()
        check.integer("df", df, low=1)
        check.integer("da", da, low=1)
        self.W = nn.Parameter(scale * _normal((da, df), g))
        self.b = nn.Parameter(torch.zeros_like(self.W[:, 0]))

    def forward(self, f: Tensor) -> Tensor:
        return squashed(f @ self.W.T + self.b)

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        u = Gaussian(self.W @ f.m + self.b, self.W @ f.S @ self.W.T)
        a, slope = squash(u)
        return a, self.W.T * slope


class Radial(nn.Module):
    """a = squash(sum_i w_i exp(-|(f - c_i) / l|^2 / 2)): n radial basis functions.

    Parameters: centres c (n, df), one length-scale per feature l (df,), weights w
    (da, n); all are learned. ``f`` (n, df): where the centres are at first; the
    length-scales begin with the spread of these.
    """

    def __init__(self, f: Tensor, da: int, g: torch.Generator, scale: float = 1.0):
        super().__init__()
        check.integer("da", da, low=1)
        f = f.double()
        std = f.std(0, correction=0)
        self.centres = nn.Parameter(f.clone())
        self.log_l = nn.Parameter(torch.where(std > 0, std, 1.0).log())
        self.w = nn.Parameter(scale * _normal((da, len(f)), g))

    def forward(self, f: Tensor) -> Tensor:
        u = (f.unsqueeze(-2) - self.centres) / self.log_l.exp()
        return squashed((-0.5 * u.square().sum(-1)).exp() @ self.w.T)

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        u, J = radial(f, self.centres, self.log_l.exp(), self.w)
        a, slope = squash(u)
        return a, J * slope


def ascend(J: Callable[[], Tensor], x: list[nn.Parameter], most: int) -> list[float]:
    """Move x to where J() is large, by L-BFGS with at most ``most`` iterations.

    J must be without chance. Returns J before and after every iteration.
    """
    from scipy.optimize import minimize
    from torch.nn.utils import parameters_to_vector, vector_to_parameters

    like = parameters_to_vector(x).detach()

    def cost(v: np.ndarray) -> tuple[float, np.ndarray]:
        vector_to_parameters(torch.from_numpy(v).to(like), x)
        try:
            value = J()
            slope = parameters_to_vector(torch.autograd.grad(value, x)).cpu().numpy()
        except FloatingPointError:  # a step too far: a covariance has broken
            return too_far()
        fine = np.isfinite(value.item()) and np.isfinite(slope).all()
        return (-value.item(), -slope) if fine else too_far()

    def too_far() -> tuple[float, np.ndarray]:
        if not values:
            raise ValueError("J or its slope is not finite where the search begins.")
        return 1000 + 10 * abs(values[0]), np.zeros(len(like))

    values: list[float] = []

    def note(intermediate_result) -> None:  # SciPy goes by this name
        values.append(-float(intermediate_result.fun))

    begin = like.cpu().numpy()
    values.append(-cost(begin)[0])
    options = {"maxiter": check.integer("most", most, low=1), "ftol": 1e-10}
    found = minimize(
        cost, begin, jac=True, method="L-BFGS-B", callback=note, options=options
    )
    vector_to_parameters(torch.from_numpy(found.x).to(like), x)
    return values


def _normal(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=g, device=g.device, dtype=torch.float64)
