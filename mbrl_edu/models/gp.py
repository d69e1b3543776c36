"""Exact Gaussian-process regression, one independent process per output."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.data import Batch
from mbrl_edu.models.layout import Layout, check_batch

ROWS = 1024  # rows predicted at once
JITTER = (0.0, 1e-10, 1e-8, 1e-6)  # tried in turn, as shares of the signal variance


@dataclass(frozen=True)
class Config:
    """Settings of a Gaussian process."""

    iterations: int = 100  # of L-BFGS-B, per output
    snr: float = 1000.0  # sf / sn stays below about this (PILCO's code, in training)
    reach: float = 100.0  # length-scales stay within this factor of std x (same)
    fit_on: int = 500  # hyper-parameters are chosen on at most so many rows
    limit: int = 5000  # refuses more rows than this: the cost grows as their cube

    def __post_init__(self):
        check.integer("iterations", self.iterations, low=0)
        check.number("snr", self.snr, low=1, open_low=True)
        check.number("reach", self.reach, low=1, open_low=True)
        check.integer("fit_on", self.fit_on, low=2)
        check.integer("limit", self.limit, low=2)


def kernel(x: Tensor, x2: Tensor, l: Tensor, sf: Tensor) -> Tensor:  # noqa: E741
    """sf^2 exp(-|(x - x2) / l|^2 / 2), one length-scale per input (SE-ARD).

    x (n, dx), x2 (m, dx), l (dy, dx), sf (dy,) -> (dy, n, m).
    """
    u, v = x / l[:, None], x2 / l[:, None]
    # |u - v|^2 as three terms: no (dy, n, m, dx) array
    d2 = (u**2).sum(2)[:, :, None] + (v**2).sum(2)[:, None] - 2 * u @ v.mT
    return sf[:, None, None] ** 2 * torch.exp(-0.5 * d2.clamp_min(0))


def cholesky(K: Tensor) -> Tensor:
    """Lower factor of K (dy, N, N), with the least jitter that works; ValueError if
    none does."""
    eye = torch.eye(K.shape[-1], dtype=K.dtype, device=K.device)
    scale = K.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    for jitter in JITTER:
        L, failed = torch.linalg.cholesky_ex(K + jitter * scale * eye)
        if not failed.any():
            return L
    raise ValueError(
        "The kernel matrix is singular: inputs repeat while the noise is too small to "
        "tell them apart; give more noise (a lower snr) or remove repeated rows."
    )


def log_likelihood(x: Tensor, y: Tensor, theta: Tensor) -> Tensor:
    """ln p(y | x, theta) of each output: -y' K^-1 y / 2 - ln|K| / 2 - N ln(2 pi) / 2.

    x (N, dx), y (N, dy), theta (dy, dx + 2) = ln of (l, sf, sn), K with noise -> (dy,).
    """
    L = _factor(x, theta)
    w = torch.linalg.solve_triangular(L, y.T[..., None], upper=False)
    log_det = 2 * L.diagonal(dim1=-2, dim2=-1).log().sum(1)
    return -0.5 * (w.square().sum((1, 2)) + log_det + len(x) * math.log(2 * math.pi))


def _factor(x: Tensor, theta: Tensor) -> Tensor:
    l, sf, sn = theta[:, :-2].exp(), theta[:, -2].exp(), theta[:, -1].exp()  # noqa: E741
    eye = torch.eye(len(x), dtype=x.dtype, device=x.device)
    noise = eye * sn[:, None, None] ** 2
    return cholesky(kernel(x, x, l, sf) + noise)


class GP:
    """A Gaussian over y = (r, s' - s) for (s, a); zero prior mean: nothing changes.

    Hyper-parameters maximise the marginal likelihood, with the penalties that PILCO's
    code uses against extreme ones. All in 64 bits; results have the dtype of ``s``.
    Source: Rasmussen and Williams (2006), algorithm 2.1; Deisenroth and Rasmussen
    (2011).
    """

    theta: Tensor  # (dy, dx + 2) ln of length-scales, signal sd sf, noise sd sn
    X: Tensor  # (N, dx) inputs
    Y: Tensor  # (N, dy) targets
    L: Tensor  # (dy, N, N) lower factor of K + sn^2 I
    beta: Tensor  # (dy, N) (K + sn^2 I)^-1 y

    def __init__(self, layout: Layout, cfg: Config | None = None):
        self.layout, self.cfg = layout, cfg or Config()
        self.B, self.elites = 1, torch.zeros(1, dtype=torch.long)

    def fit(self, batch: Batch, g: torch.Generator | None = None) -> list[float]:
        """Choose hyper-parameters, then condition on all of ``batch``.

        Beyond ``fit_on`` rows the hyper-parameters see a random part, drawn from ``g``.
        Returns the log marginal likelihood per output on those rows.
        """
        check_batch(batch, self.layout.ds, self.layout.da)
        n = len(batch.r)
        if n < 2:
            raise ValueError(f"batch has {n} transitions, but a GP needs at least 2.")
        if n > self.cfg.limit:
            raise ValueError(
                f"batch has {n} transitions, but the exact GP takes at most "
                f"{self.cfg.limit} (limit): its cost grows as their cube."
            )
        x = self.layout.x(batch.s, batch.a).double()
        y = self.layout.target(batch).double()
        rows = torch.arange(n)
        if n > self.cfg.fit_on:
            device = g.device if g else None
            order = torch.randperm(n, generator=g, device=device)
            rows = order[: self.cfg.fit_on].cpu()
        # on the CPU, where the optimiser is
        xs, ys = x.cpu()[rows], y.cpu()[rows]
        theta = torch.stack([self._maximise(xs, y_[:, None]) for y_ in ys.T])
        self.condition(x, y, theta.to(x.device))
        return log_likelihood(xs, ys, theta).tolist()

    def condition(self, x: Tensor, y: Tensor, theta: Tensor) -> None:
        """The posterior given inputs x (N, dx) and targets y (N, dy) under theta."""
        self.theta, self.X, self.Y = theta, x, y
        self.L = _factor(x, theta)
        self.beta = torch.cholesky_solve(y.T[..., None], self.L)[..., 0]

    def state_dict(self) -> dict[str, Tensor]:
        """Data and hyper-parameters; nothing before there are any."""
        names = ("X", "Y", "theta") if hasattr(self, "L") else ()
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if state:
            self.condition(state["X"], state["Y"], state["theta"])

    def _maximise(self, x: Tensor, y: Tensor) -> Tensor:
        """ln (l, sf, sn) of one output: y (N, 1) -> (dx + 2,)."""
        from scipy.optimize import minimize

        std_x = _scale(x)
        std_y = _scale(y)
        start = torch.cat([std_x, std_y, std_y / 10]).log()

        def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
            theta = torch.tensor(v, requires_grad=True)
            value = self.penalty(theta, std_x) - log_likelihood(x, y, theta[None])[0]
            (slope,) = torch.autograd.grad(value, theta)
            return value.item(), slope.numpy()

        # far enough to reach any optimum, near enough that exp does not overflow
        box = [(v - 12, v + 12) for v in start.tolist()]
        options = {"maxiter": self.cfg.iterations}
        found = minimize(
            objective, start.numpy(), jac=True, method="L-BFGS-B", bounds=box,
            options=options,
        )  # fmt: skip
        return torch.from_numpy(found.x)

    def penalty(self, theta: Tensor, std_x: Tensor) -> Tensor:
        """((ln sf - ln sn) / ln snr)^30 + sum ((ln l - ln std x) / ln reach)^30:
        nothing inside the range, a wall at its end (PILCO's code)."""
        noise = (theta[-2] - theta[-1]) / math.log(self.cfg.snr)
        length = (theta[:-2] - std_x.log()) / math.log(self.cfg.reach)
        return noise**30 + (length**30).sum()

    def predict(self, s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of (r, s' - s), noise included: (1, n, dy) each."""
        mean, var = self.latent(self.layout.x(s, a))
        sn2 = (2 * self.theta[:, -1]).exp()
        mean, lv = mean.to(s.dtype), (var + sn2).log().to(s.dtype)
        return self.layout.change(s, mean)[None], lv[None]

    def latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the noise-free targets at x (n, dx):
        k' beta and k(x, x) - |L^-1 k|^2, (n, dy) each."""
        if not hasattr(self, "L"):
            raise ValueError("The GP has no data yet: call fit before predicting.")
        l, sf = self.theta[:, :-2].exp(), self.theta[:, -2].exp()  # noqa: E741
        means, variances = [], []
        for part in x.double().split(ROWS):
            k = kernel(self.X, part, l, sf)  # (dy, N, n)
            v = torch.linalg.solve_triangular(self.L, k, upper=False)
            means.append((self.beta[:, None] @ k)[:, 0])
            variances.append(sf[:, None] ** 2 - v.square().sum(1))
        floor = 1e-12 * sf[:, None] ** 2  # rounding may leave less than nothing
        mean, var = torch.cat(means, 1), torch.cat(variances, 1)
        return mean.T, torch.maximum(var, floor).T

    def sample(
        self, s: Tensor, a: Tensor, g: torch.Generator, who: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One draw of r (n,) and s' (n, ds), every row for itself; differentiable."""
        mean, lv = self.predict(s, a)
        eps = torch.randn(mean.shape[1:], generator=g, dtype=s.dtype, device=s.device)
        return self.layout.apply(s, a, mean[0] + (lv[0] / 2).exp() * eps)


def _scale(x: Tensor) -> Tensor:
    """Standard deviation per column; of a constant one its size, or 1 if it is 0."""
    std, size = x.std(0, correction=0), x.square().mean(0).sqrt()
    std = torch.where(std > 1e-6 * size, std, size)
    return torch.where(std > 0, std, torch.ones_like(std))
