"""Exact mean and covariance of what comes out, when what goes in is Gaussian.

Every map here takes x ~ N(m, S) and returns a ``Gaussian`` with the exact mean and
covariance of f(x), and J = E[df/dx] (dx, df), so that cov(x, f(x)) = S J: Stein's
lemma, which is how a chain of maps keeps track of what depends on what.

Sources: Deisenroth and Rasmussen (2011), equations 10 to 23; Deisenroth (2010),
appendix A. All in 64 bits: differences of nearly equal numbers are taken.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mbrl_edu.models.gp import GP


class Gaussian(NamedTuple):
    """N(m, S)."""

    m: Tensor  # (d,)
    S: Tensor  # (d, d), symmetric


def sine(x: Gaussian) -> tuple[Gaussian, Tensor]:
    """sin x, entry by entry, and the mean slopes E[cos x] (d,); J is diagonal.

    E sin x = e^(-v / 2) sin m, and 2 sin x sin y = cos(x - y) - cos(x + y).
    """
    v = x.S.diagonal()
    shrunk = (-v / 2).exp()
    half = (v[:, None] + v) / 2
    # exponents at most 0: however large the variances are, nothing overflows
    still = (-half).exp()
    near, far = (x.S - half).exp() - still, (-x.S - half).exp() - still
    minus, plus = x.m[:, None] - x.m, x.m[:, None] + x.m
    S = 0.5 * (near * minus.cos() - far * plus.cos())
    return Gaussian(shrunk * x.m.sin(), S), shrunk * x.m.cos()


def with_angles(x: Gaussian, angles: tuple[int, ...]) -> tuple[Gaussian, Tensor]:
    """(sin, cos of the angles, the other entries), as ``layout.Angles`` orders them."""
    d, k = len(x.m), 2 * len(angles)
    rest = tuple(i for i in range(d) if i not in angles)
    to = columns(d, (*angles, *angles, *rest), x.m.device)  # (d, df)
    if not k:
        return x, to
    # cos is the sine of a quarter turn more
    turn = constant((0.0,) * len(angles) + (math.pi / 2,) * len(angles), x.m.device)
    m, S = x.m @ to, to.T @ x.S @ to
    f, slope = sine(Gaussian(m[:k] + turn, S[:k, :k]))
    J = torch.cat([to[:, :k] * slope, to[:, k:]], 1)
    cross = S[k:, :k] * slope  # cov(the others, sin and cos)
    S = torch.cat([torch.cat([f.S, cross.T], 1), torch.cat([cross, S[k:, k:]], 1)])
    return Gaussian(torch.cat([f.m, m[k:]]), S), J


def squash(x: Gaussian) -> tuple[Gaussian, Tensor]:
    """(9 sin x + sin 3x) / 8, in [-1, 1] and flat where it gets there (PILCO's code),
    and its mean slopes (d,); J is diagonal."""
    eye = columns(len(x.m), tuple(range(len(x.m))), x.m.device)
    up, down = torch.cat([eye, 3 * eye], 1), torch.cat([9 * eye, eye]) / 8
    f, slope = sine(Gaussian(x.m @ up, up.T @ x.S @ up))
    one, three = slope.split(len(x.m))
    return Gaussian(f.m @ down, down.T @ f.S @ down), (9 * one + 3 * three) / 8


def squashed(x: Tensor) -> Tensor:
    """The same of a point."""
    return (9 * x.sin() + (3 * x).sin()) / 8


def radial(
    x: Gaussian,
    centres: Tensor,
    l: Tensor,  # noqa: E741
    weights: Tensor,
) -> tuple[Gaussian, Tensor]:
    """sum_i w_i exp(-|(x - c_i) / l|^2 / 2): a Gaussian process without doubt.

    centres (n, dx), l (dx,), weights (df, n); differentiable in all of them.
    """
    nu = (centres - x.m) / l
    unit = x.S / (l[:, None] * l)  # the covariance of x / l
    eye = columns(len(l), tuple(range(len(l))), l.device)
    inv, log_det = _Inverse.apply(torch.stack([eye + unit, eye + 2 * unit]))
    by = nu @ inv  # (2, n, dx)
    d = (by * nu).sum(2)
    q = (-0.5 * (d[0] + log_det[0])).exp()  # E of each basis function
    # E of their products: -|nu_i - nu_j|^2 / 4 - |their middle|^2 under (I + 2 S)^-1
    own = 0.25 * (nu.square().sum(1) + d[1]) + 0.25 * log_det[1]
    Q = (0.5 * (nu - by[1]) @ nu.T - own[:, None] - own).exp()
    mean = weights @ q
    J = ((weights * q) @ (by[0] / l)).T
    return Gaussian(mean, weights @ Q @ weights.T - mean[:, None] * mean), J


def saturating(x: Gaussian, width: float) -> Tensor:
    """E exp(-|x|^2 / (2 width^2)): one minus PILCO's cost (equation 25)."""
    eye = columns(len(x.m), tuple(range(len(x.m))), x.m.device)
    inv, log_det = _Inverse.apply((eye + x.S / width**2)[None])
    return (-0.5 * (x.m @ inv[0] @ x.m / width**2 + log_det[0])).exp()


@lru_cache(64)
def constant(values: tuple, device: torch.device) -> Tensor:
    """``values`` as a tensor; made once, since a rollout asks for it at every step."""
    return torch.tensor(values, dtype=torch.float64, device=device)


@lru_cache(64)
def columns(d: int, which: tuple[int, ...], device: torch.device) -> Tensor:
    """The matrix (d, df) that picks entries: x @ columns = x[which]."""
    return torch.eye(d, dtype=torch.float64, device=device)[:, list(which)]


class Process:
    """A fitted ``GP`` as a map of Gaussians: x ~ N(m, S) -> y = f(x) + noise.

    Everything that does not depend on x is computed once, here: of the E (E + 1) / 2
    pairs of outputs (a, b), a <= b, and their N x N pairs of data.
    Raises ValueError if the GP has no data.
    """

    def __init__(self, gp: GP):
        if not hasattr(gp, "L"):
            raise ValueError("The GP has no data yet: call fit before predicting.")
        E, device = len(gp.theta), gp.X.device
        self.X, self.beta = gp.X, gp.beta
        self.eye = torch.eye(gp.X.shape[1], dtype=gp.X.dtype, device=device)
        il = (-gp.theta[:, :-2]).exp()  # (E, dx) 1 / l
        log_sf2, sn2 = 2 * gp.theta[:, -2], (2 * gp.theta[:, -1]).exp()
        self.log_sf2, self.own = log_sf2, torch.diag(log_sf2.exp() + sn2)
        self.outer = il[:, :, None] * il[:, None]
        a, b = torch.triu_indices(E, E, device=device)
        self.pairs = list(zip(a.tolist(), b.tolist()))
        self.log_sf4 = log_sf2[a] + log_sf2[b]
        self.ila2, self.ilb2 = (il[a] ** 2)[:, :, None], (il[b] ** 2)[:, :, None]
        w = (il[a] ** 2 + il[b] ** 2).sqrt()
        self.w = w[:, :, None] * w[:, None]
        self.where = torch.zeros(E, E, dtype=torch.long, device=device)
        self.where[a, b] = self.where[b, a] = torch.arange(len(a), device=device)
        # sum Q (beta beta' - K^-1) is what the data say about E f^2 of one output
        K_inv = torch.cholesky_inverse(gp.L)
        self.weight = self.beta[:, :, None] * self.beta[:, None] - K_inv
        self.Q = torch.empty_like(K_inv[0])  # room for E of k(x_i, x) k(x_j, x)
        # beta_a, beta_b of each pair; 1 where ``weight`` takes their place
        one = (a == b)[:, None]
        self.beta_a = torch.where(one, 1.0, self.beta[a])
        self.beta_b = torch.where(one, 1.0, self.beta[b])

    def __call__(self, x: Gaussian) -> tuple[Gaussian, Tensor]:
        inv, log_det = _Inverse.apply(self.eye + self.outer * x.S)
        nu = self.X - x.m
        by = nu @ (self.outer * inv)  # (S + l^2)^-1 nu
        power = -0.5 * (by * nu).sum(2) + (self.log_sf2 - 0.5 * log_det)[:, None]
        q = self.beta * power.exp()  # beta_i q_i
        mean, J = q.sum(1), (q[:, None] @ by)[:, 0].T
        both = _Pairs.apply(x.m, x.S, self)[self.where]
        # the prior's variance is left where the data say nothing; readings add noise
        return Gaussian(mean, both - mean[:, None] * mean + self.own), J


class _Inverse(torch.autograd.Function):
    """G^-1 and ln |G| of symmetric positive definite matrices (b, d, d)."""

    @staticmethod
    def forward(ctx: Any, G: Tensor) -> tuple[Tensor, Tensor]:
        inv, log_det = _invert(G)
        ctx.save_for_backward(inv)
        return inv, log_det

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (inv,) = ctx.saved_tensors
        of_inv, of_log_det = slopes
        return of_log_det[:, None, None] * inv - inv @ of_inv @ inv


def _invert(G: Tensor) -> tuple[Tensor, Tensor]:
    L, failed = torch.linalg.cholesky_ex(G)
    if failed.any():
        raise FloatingPointError("A covariance has lost its positive eigenvalues.")
    log_det = 2 * L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return torch.cholesky_inverse(L), log_det


class _Pairs(torch.autograd.Function):
    """E[f_a f_b] (pairs,) but for the prior's variance: sum_ij weight_ij Q_ij with

    ln Q_ij = (nu_i.Ma.nu_i + nu_j.Mb.nu_j - ln |R|) / 2 + nu_i.C.nu_j,  nu = X - m.

    These sums over N^2 terms are the cost of moment matching. The gradient needs the
    same exponentials, H = weight * Q, only through H nu and the sums of H's rows and
    columns; so it is computed with the value, and no N x N matrix is kept.
    """

    @staticmethod
    def forward(ctx: Any, m: Tensor, S: Tensor, process: Process) -> Tensor:
        la, lb, w = process.ila2, process.ilb2, process.w
        inv, log_det = _invert(process.eye + w * S)
        T = (process.eye - inv) / w  # R^-1 S
        Ma = la * T * la.mT - torch.diag_embed(la[:, :, 0])
        Mb = lb * T * lb.mT - torch.diag_embed(lb[:, :, 0])
        C, nu = la * T * lb.mT, process.X - m
        log_R = process.log_sf4 - 0.5 * log_det
        row, column, inside = _sums(nu, Ma, Mb, C, log_R, process)
        at_row, at_column = (row @ nu)[:, None], (column @ nu)[:, None]
        of_m = -(at_row @ (Ma + C) + at_column @ (Mb + C.mT))[:, 0]
        of_Ma = 0.5 * (nu.T * row[:, None]) @ nu
        of_Mb = 0.5 * (nu.T * column[:, None]) @ nu
        of_T = la * of_Ma * la.mT + lb * of_Mb * lb.mT + la * inside * lb.mT
        # dT = (I - T D) dS (I - D T), D = 1 / l_a^2 + 1 / l_b^2, and ln |R|
        rest = process.eye - (la + lb) * T
        value = row.sum(1)
        of_S = rest @ of_T @ rest.mT - 0.5 * value[:, None, None] * w * inv
        ctx.save_for_backward(of_m, of_S)
        return value

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        of_m, of_S = ctx.saved_tensors
        (slope,) = slopes
        return slope @ of_m, (slope[:, None, None] * of_S).sum(0), None


def _sums(
    nu: Tensor, Ma: Tensor, Mb: Tensor, C: Tensor, log_R: Tensor, process: Process
) -> tuple[Tensor, Tensor, Tensor]:
    """Of H: sums of rows, of columns (pairs, N each), and nu' H nu (pairs, dx, dx)."""
    N, dx = nu.shape
    A = 0.5 * ((nu @ Ma) * nu).sum(2) + log_R[:, None]  # (pairs, N)
    B = 0.5 * ((nu @ Mb) * nu).sum(2)
    left = torch.cat([nu @ C, A[:, :, None]], 2)
    right = torch.cat([nu, nu.new_ones(N, 1)], 1)
    by_b = process.beta_b[:, :, None] * right
    product, column = torch.empty_like(by_b), torch.empty_like(B)
    Q = process.Q  # one pair at a time: it stays in the cache
    for p, (a, b) in enumerate(process.pairs):
        torch.addmm(B[p], left[p], right.T, out=Q).exp_()
        if a == b:
            Q *= process.weight[a]
        torch.mm(Q, by_b[p], out=product[p])
        torch.mv(Q.T, process.beta_a[p], out=column[p])
    product *= process.beta_a[:, :, None]
    return product[:, :, dx], column * process.beta_b, nu.T @ product[:, :, :dx]
