"""Exact mean and covariance of what comes out, when what goes in is Gaussian.

Every map here takes x ~ N(m, S) and returns a ``Gaussian`` with the exact mean and
covariance of f(x), and J = E[df/dx] (dx, df), so that cov(x, f(x)) = S J: Stein's
lemma, which is how a chain of maps keeps track of what depends on what.

Sources: Deisenroth and Rasmussen (2011), equations 10 to 23; Deisenroth (2010),
appendix A. All in 64 bits: differences of nearly equal numbers are taken. The maps of
tiny matrices are written for NumPy, slopes by hand: a rollout is a chain of a thousand
of them, and PyTorch's books for one small operation cost more than the operation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """N(m, S)."""

    m: Tensor  # (d,)
    S: Tensor  # (d, d), symmetric


def radial(
    x: Gaussian,
    centres: Tensor,
    l: Tensor,  # noqa: E741
    weights: Tensor,
) -> tuple[Gaussian, Tensor]:
    """sum_i w_i exp(-|(x - c_i) / l|^2 / 2): a Gaussian process without doubt.

    centres (n, dx), l (dx,), weights (df, n); differentiable in all of them.
    """
    m, S, J = _Radial.apply(x.m, x.S, centres, l, weights)
    return Gaussian(m, S), J


class _Radial(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, S: Tensor, *how: Tensor):
        c, l, w = (number(x) for x in how)  # noqa: E741
        nu = (c - number(m)) / l
        unit = number(S) / (l[:, None] * l)  # the covariance of x / l
        inv, log_det = inverse(np.eye(len(l)) + _ONE_TWO * unit)
        by = nu @ inv  # (2, n, dx)
        d = (by * nu).sum(2)
        q = np.exp(-0.5 * (d[0] + log_det[0]))  # E of each basis function
        # E of products: -|nu_i - nu_j|^2 / 4 - |their middle|^2 under (I + 2 S)^-1
        own = 0.25 * ((nu * nu).sum(1) + d[1] + log_det[1])
        Q = np.exp((0.5 * (nu - by[1])) @ nu.T - own[:, None] - own)
        mean, wq = w @ q, w * q
        J = (wq @ (by[0] / l)).T
        ctx.known = nu, unit, inv, by, q, Q, mean, wq, J, l, w
        return tensors(m, mean, w @ Q @ w.T - mean[:, None] * mean, J)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        nu, unit, inv, by, q, Q, mean, wq, J, l, w = ctx.known  # noqa: E741
        of_mean, of_cov, of_J = (number(x) for x in slopes)
        of_cov = of_cov + of_cov.T
        of_mean = of_mean - of_cov @ mean
        e = of_J / l[:, None]  # (dx, df)
        each = of_mean[:, None] + (by[0] @ e).T  # (df, n) slope of w_i q_i
        H = 0.5 * (w.T @ of_cov @ w) * Q
        row, power = H.sum(1), (wq * each).sum(0)
        of_w = of_cov @ w @ Q + each * q
        of_by = wq.T @ e.T
        H_nu = H @ nu
        of_nu = H_nu - H_nu @ inv[1] - row[:, None] * (nu + by[1])
        of_nu += of_by @ inv[0] - power[:, None] * by[0]
        # of the two inverses and their determinants, back to the covariance
        G0 = nu.T @ (of_by - 0.5 * power[:, None] * nu)
        G1 = -0.5 * nu.T @ (H_nu + row[:, None] * nu)
        of_unit = -inv[0] @ G0 @ inv[0] - 0.5 * power.sum() * inv[0]
        of_unit -= 2 * inv[1] @ G1 @ inv[1] + row.sum() * inv[1]
        of_unit = (of_unit + of_unit.T) / 2
        of_c = of_nu / l
        of_l = -(2 * of_unit * unit).sum(1) - (of_nu * nu).sum(0) - (of_J * J).sum(1)
        known = -of_c.sum(0), of_unit / (l[:, None] * l), of_c, of_l / l, of_w
        return tensors(slopes[0], *known)


_ONE_TWO = np.array([1.0, 2.0])[:, None, None]


def saturating(
    x: Gaussian, width: float, A: np.ndarray | None = None, b: Any = 0.0
) -> Tensor:
    """E exp(-|A x + b|^2 / (2 width^2)): one minus PILCO's cost (equation 25). Without
    A (k, d) it is that of x itself."""
    A = np.eye(len(x.m)) if A is None else A
    return _Saturating.apply(x.m, x.S, A / width, b / width)


class _Saturating(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, S: Tensor, A: np.ndarray, b: np.ndarray):
        miss = A @ number(m) + b
        inv, log_det = inverse(np.eye(len(A)) + A @ number(S) @ A.T)
        u = inv @ miss
        value = np.exp(-0.5 * (miss @ u + log_det))
        of_S = 0.5 * value * (u[:, None] * u - inv)
        ctx.known = -value * (u @ A), A.T @ of_S @ A
        return tensors(m, np.asarray(value))[0]

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        (slope,) = slopes
        of_m, of_S = tensors(slope, *ctx.known)
        return slope * of_m, slope * of_S, None, None


def number(x: Tensor) -> np.ndarray:
    """The same numbers for NumPy; on the CPU they are not copied."""
    return x.detach().cpu().numpy()


def tensors(like: Tensor, *arrays: np.ndarray) -> tuple[Tensor, ...]:
    """Arrays as tensors where ``like`` is."""
    return tuple(torch.from_numpy(x).to(like.device) for x in arrays)


def inverse(G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """G^-1 and ln |G| of symmetric positive definite matrices (..., d, d);
    FloatingPointError if they are not positive definite."""
    try:
        L = np.linalg.cholesky(G)
    except np.linalg.LinAlgError:
        text = "A covariance has lost its positive eigenvalues."
        raise FloatingPointError(text) from None
    log_det = 2 * np.log(L.diagonal(axis1=-2, axis2=-1)).sum(-1)
    return np.linalg.inv(G), log_det


@lru_cache(64)
def constant(values: tuple, device: torch.device) -> Tensor:
    """``values`` as a tensor; made once, since a rollout asks for it at every step."""
    return torch.tensor(values, dtype=torch.float64, device=device)
