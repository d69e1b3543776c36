"""Policies whose answer to a Gaussian is known in closed form: PILCO's two."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.models.moments import Gaussian, radial
from mbrl_edu.models.moments_waves import squash, squashed


class Controller(Protocol):
    """a = pi(f) in [-1, 1], for features f of the state."""

    def __call__(self, f: Tensor) -> Tensor:
        """Actions (n, da) at points f (n, df)."""
        ...

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        """The Gaussian of a with the exact mean and covariance of u, squashed, and J
        (df, da) with cov(f, a) = S J; u, before the squashing, is taken as Gaussian."""
        ...

    def fixed(self) -> Controller:
        """The same, with all that does not depend on f computed: for many steps."""
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
        return a, self.W.T @ slope

    def fixed(self) -> Linear:
        return self


NOISE = 0.01  # of the readings y that a radial policy goes through (PILCO's code)


class Radial(nn.Module):
    """a = squash(u(f)), where u is the mean of a Gaussian process that has read y at n
    points c: a sum of n radial basis functions with the weights w = (K + NOISE^2)^-1 y.

    Parameters: centres c (n, df), one length-scale per feature l (df,), readings y
    (da, n); all are learned. Where basis functions overlap their weights must change
    together, but each y by itself: the gradient finds its way in y, not in w.
    ``f`` (n, df): where the centres are at first; the length-scales begin as ``width``
    times the spread of these, and y is drawn from N(0, scale^2).
    """

    def __init__(
        self,
        f: Tensor,
        da: int,
        g: torch.Generator,
        scale: float = 1.0,
        width: float = 1.0,
    ):
        super().__init__()
        check.integer("da", da, low=1)
        f = f.double()
        std = width * f.std(0, correction=0)
        self.centres = nn.Parameter(f.clone())
        self.log_l = nn.Parameter(torch.where(std > 0, std, 1.0).log())
        self.y = nn.Parameter(scale * _normal((da, len(f)), g))

    def fixed(self) -> Basis:
        l = self.log_l.exp()  # noqa: E741
        d = (self.centres.unsqueeze(1) - self.centres) / l
        noise = NOISE**2 * torch.eye(len(d), dtype=d.dtype, device=d.device)
        K = (-0.5 * d.square().sum(2)).exp() + noise
        return Basis(self.centres, l, torch.linalg.solve(K, self.y.T).T)

    def forward(self, f: Tensor) -> Tensor:
        return self.fixed()(f)

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        return self.fixed().moments(f)


class Basis(NamedTuple):
    """a = squash(sum_i w_i exp(-|(f - c_i) / l|^2 / 2))."""

    centres: Tensor  # (n, df)
    l: Tensor  # (df,)  # noqa: E741
    w: Tensor  # (da, n)

    def fixed(self) -> Basis:
        return self

    def __call__(self, f: Tensor) -> Tensor:
        u = (f.unsqueeze(-2) - self.centres) / self.l
        return squashed((-0.5 * u.square().sum(-1)).exp() @ self.w.T)

    def moments(self, f: Gaussian) -> tuple[Gaussian, Tensor]:
        u, J = radial(f, *self)
        a, slope = squash(u)
        return a, J @ slope


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
            with np.errstate(over="ignore", invalid="ignore"):  # looked at below
                value = J()
                slopes = torch.autograd.grad(value, x)
        except FloatingPointError:  # a step too far: a covariance has broken
            return too_far()
        slope = parameters_to_vector(slopes).cpu().numpy()
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
    # the way begins where rewards and slopes are tiny; and memory costs nothing here
    options = {"maxiter": check.integer("most", most, low=1), "maxcor": 50}
    options |= {"ftol": 1e-10, "gtol": 1e-9}
    found = minimize(
        cost, begin, jac=True, method="L-BFGS-B", callback=note, options=options
    )
    vector_to_parameters(torch.from_numpy(found.x).to(like), x)
    return values


def _normal(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=g, device=g.device, dtype=torch.float64)
