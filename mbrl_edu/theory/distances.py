"""Distances between finite probability laws, and the size of a function they need.

An integral probability metric is d_F(p, q) = sup_{f in F} E_p f - E_q f. The class F is
`|f| <= 1` for twice the total variation, `Lipschitz constant <= 1` for the
Wasserstein-1 distance, `norm <= 1` in a reproducing-kernel space for the MMD. Where a
function lies in the ball of radius B of its class, |E_p f - E_q f| <= B d_F(p, q).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, law, real, scalar


def tv(p: ArrayLike, q: ArrayLike, axes: int = 1) -> Any:
    """Total variation, half the L1 distance, over the last `axes` axes; in [0, 1]."""
    over = tuple(range(-axes, 0))
    return scalar(0.5 * np.abs(np.asarray(p) - np.asarray(q)).sum(axis=over))


def kl(p: ArrayLike, q: ArrayLike) -> Any:
    """KL(p || q) = sum p ln(p / q) over the last axis; infinite where q misses p."""
    p, q = law("p", p), law("q", q)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / q), 0.0)
    return scalar(np.maximum(terms.sum(axis=-1), 0.0))  # rounding may dip below zero


def w1_line(x: ArrayLike, p: ArrayLike, q: ArrayLike) -> Any:
    """Wasserstein-1 distance of laws p, q (..., n) on points x (..., n) of a line.

    The integral of |F_p - F_q| over x (F the distribution functions).
    """
    x, p, q = real("x", x, 1), law("p", p), law("q", q)
    order = np.argsort(x, axis=-1)
    order = np.broadcast_to(order, np.broadcast_shapes(x.shape, p.shape, q.shape))
    x, p, q = (np.broadcast_to(v, order.shape) for v in (x, p, q))
    gaps = np.diff(np.take_along_axis(x, order, axis=-1), axis=-1)
    F = np.cumsum(np.take_along_axis(p - q, order, axis=-1), axis=-1)[..., :-1]
    return scalar((np.abs(F) * gaps).sum(axis=-1))


def w1(metric: ArrayLike, p: ArrayLike, q: ArrayLike) -> float:
    """Wasserstein-1 distance of laws p, q (n,) under the distances `metric` (n, n).

    Solves the transport problem: minimise sum_ij metric_ij x_ij over x >= 0 with row
    sums p and column sums q (a linear programme; needs scipy). Raises ValueError where
    `metric` is not symmetric with zero diagonal, RuntimeError where the solver fails.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    D, p, q = real("metric", metric, 2), law("p", p), law("q", q)
    n = p.shape[-1]
    if D.shape != (n, n) or p.shape != (n,) or q.shape != (n,):
        raise ValueError(
            f"metric {D.shape}, p {p.shape} and q {q.shape} do not fit; they must be"
            " (n, n), (n,) and (n,)."
        )
    if (D < 0).any() or not np.allclose(D, D.T) or np.diag(D).any():
        raise ValueError(
            "metric must be symmetric, non-negative, zero on its diagonal."
        )
    row, col = np.divmod(np.arange(n * n), n)
    entries = np.concatenate([row, n + col]), np.tile(np.arange(n * n), 2)
    sums = coo_array((np.ones(2 * n * n), entries), shape=(2 * n, n * n)).tocsr()
    # the last condition follows from the others; leaving it out absorbs rounding
    target = np.concatenate([p, q])
    exact = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    answer = linprog(
        D.ravel(), A_eq=sums[:-1], b_eq=target[:-1], method="highs", options=exact
    )
    if answer.status != 0:
        raise RuntimeError(f"The transport problem was not solved: {answer.message}")
    return float(answer.fun)


def mmd(gram: ArrayLike, p: ArrayLike, q: ArrayLike) -> Any:
    """Maximum mean discrepancy: sqrt((p - q)^T gram (p - q)), gram (..., n, n).

    gram[i, j] = k(x_i, x_j) of a positive definite kernel; p, q are laws (..., n).
    Equal to sqrt(E k(x, x') + E k(y, y') - 2 E k(x, y)).
    """
    d = law("p", p) - law("q", q)
    square = np.einsum("...i,...ij,...j->...", d, real("gram", gram, 2), d)
    return scalar(np.sqrt(np.maximum(square, 0.0)))


def lipschitz_constant(metric: ArrayLike, f: ArrayLike) -> Any:
    """Smallest L with |f_i - f_j| <= L metric_ij, for f (..., n) and metric (n, n)."""
    D, f = real("metric", metric, 2), real("f", f, 1)
    i, j = np.triu_indices(D.shape[-1], 1)
    return scalar((np.abs(f[..., i] - f[..., j]) / D[i, j]).max(axis=-1, initial=0.0))


def kernel_norm(gram: ArrayLike, f: ArrayLike) -> Any:
    """Norm of f (..., n) in the space of the kernel: sqrt(f^T gram^{-1} f)."""
    K, f = real("gram", gram, 2), real("f", f, 1)
    weights = np.linalg.solve(K, f[..., None])[..., 0]
    return scalar(np.sqrt(np.maximum((f * weights).sum(axis=-1), 0.0)))


def half_span(f: ArrayLike, axes: int = 1) -> Array:
    """(max f - min f) / 2 over the last `axes` axes: |E_p f - E_q f| <= it * 2 TV."""
    f, over = real("f", f, axes), tuple(range(-axes, 0))
    return scalar((f.max(axis=over) - f.min(axis=over)) / 2)
