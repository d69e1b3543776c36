"""A Gaussian process as a map of Gaussians: the costly step of moment matching.

Sources: Deisenroth and Rasmussen (2011), equations 10 to 23; Deisenroth (2010),
appendix A. The slopes are written out by hand: a rollout is a long chain of very small
matrices, and keeping the books of automatic differentiation takes most of its time.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.models.gp import GP
from mbrl_edu.models.moments import Gaussian, inverse, number, tensors

Array = np.ndarray
CACHE = 2**17  # numbers


class Process:
    """A fitted ``GP`` as a map of Gaussians: x ~ N(m, S) -> y = f(x) + noise.

    Everything that does not depend on x is computed once, here: of the E (E + 1) / 2
    pairs of outputs (a, b), a <= b, and their N x N pairs of data. On the CPU.
    Raises ValueError if the GP has no data.
    """

    def __init__(self, gp: GP):
        if not hasattr(gp, "L"):
            raise ValueError("The GP has no data yet: call fit before predicting.")
        theta, beta, L = gp.theta.cpu(), gp.beta.cpu(), gp.L.cpu()
        E, dx = len(theta), gp.X.shape[1]
        self.X, self.beta, self.eye = gp.X.cpu().numpy(), beta.numpy(), np.eye(dx)
        self.l2 = (2 * theta[:, :-2]).exp().numpy()  # (E, dx)
        self.L2 = self.l2[:, :, None] * self.eye
        log_sf2 = 2 * theta[:, -2].numpy()
        sn2 = (2 * theta[:, -1]).exp().numpy()
        self.own = np.diag(np.exp(log_sf2) + sn2)
        # ln of what is left of |I + S / l^2|^(-1/2) sf^2 without |S + l^2|
        self.log_size = log_sf2 + 0.5 * np.log(self.l2).sum(1)
        # all (a, a) first, then the others; taken so many at a time that their N x N
        # matrices stay in the cache
        a, b = np.array([*zip(range(E), range(E)), *combinations(range(E), 2)]).T
        size = max(1, CACHE // len(self.X) ** 2)
        self.parts = [
            slice(i, min(i + size, stop))
            for start, stop in ((0, E), (E, len(a)))
            for i in range(start, stop, size)
        ]
        self.where = np.zeros((E, E), int)
        self.where[a, b] = self.where[b, a] = np.arange(len(a))
        self.la, self.lb = 1 / self.l2[a][:, :, None], 1 / self.l2[b][:, :, None]
        self.la_diag, self.lb_diag = self.la * self.eye, self.lb * self.eye
        both = 1 / (self.la + self.lb)  # (pairs, dx, 1)
        self.both = both * self.eye
        self.log_both = log_sf2[a] + log_sf2[b] + 0.5 * np.log(both).sum((1, 2))
        # sum Q (beta beta' - K^-1) is what the data say about E f^2 of one output
        K_inv = torch.cholesky_inverse(L)
        # room for E of k(x_i, x) k(x_j, x) of the largest part
        N, most = len(self.X), max(part.stop - part.start for part in self.parts)
        self.Q = torch.empty(most, N, N, dtype=torch.float64)
        self.weight = beta[:, :, None] * beta[:, None] - K_inv
        # beta_a, beta_b of each pair; 1 where ``weight`` takes their place
        one = torch.from_numpy(a == b)[:, None]
        self.beta_a = torch.where(one, 1.0, beta[a])
        self.beta_b = torch.where(one, 1.0, beta[b])

    def __call__(self, x: Gaussian) -> tuple[Gaussian, Tensor]:
        m, S, J = _Moments.apply(x.m, x.S, self)
        return Gaussian(m, S), J


class _Moments(torch.autograd.Function):
    """Mean (E,), covariance (E, E) and mean slopes J (dx, E) of the outputs."""

    @staticmethod
    def forward(ctx: Any, m: Tensor, S: Tensor, process: Process):
        nu, S_ = process.X - number(m), number(S)
        # mean_e = sum_i beta_i q_i, q_i ~ exp(-nu_i.B.nu_i / 2), B = (S + l^2)^-1
        B, log_det = inverse(process.L2 + S_)
        by = nu @ B  # (E, N, dx)
        power = np.einsum("enj,nj->en", by, nu)
        power *= -0.5
        power += (process.log_size - 0.5 * log_det)[:, None]
        q = process.beta * np.exp(power)
        mean, J = q.sum(1), (q[:, None] @ by)[:, 0].T
        value, of_m, of_S = _pairs(nu, S_, process)
        # the prior's variance is left where the data say nothing; readings add noise
        cov = value[process.where] - mean[:, None] * mean + process.own
        ctx.known = nu, B, by, q, mean, of_m, of_S, process.where
        return tensors(m, mean, cov, J)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        nu, B, by, q, mean, of_m, of_S, where = ctx.known
        of_mean, of_cov, of_J = (number(x) for x in slopes)
        # the slope of a pair gathers those of (a, b) and of (b, a)
        of_pair = np.bincount(where.ravel(), of_cov.ravel())
        of_mean = of_mean - (of_cov + of_cov.T) @ mean
        e = of_J.T[:, :, None]  # (E, dx, 1)
        of_power = q * ((by @ e)[:, :, 0] + of_mean[:, None])
        first = of_power @ nu  # (E, dx)
        second = (nu.T * of_power[:, None]) @ nu  # (E, dx, dx)
        along = (q @ nu)[:, :, None] * of_J.T[:, None]
        # through nu, then through B = (S + l^2)^-1 and ln |S + l^2|
        m = (B @ (first - mean[:, None] * of_J.T)[:, :, None]).sum(0)[:, 0]
        S = B @ (0.5 * second - along) @ B
        S -= 0.5 * of_power.sum(1)[:, None, None] * B
        m += of_pair @ of_m
        S = S.sum(0) + np.tensordot(of_pair, of_S, 1)
        return *tensors(slopes[0], m, (S + S.T) / 2), None


def _pairs(nu: Array, S: Array, process: Process) -> tuple[Array, Array, Array]:
    """E[f_a f_b] (pairs,) but for the prior's variance: sum_ij weight_ij Q_ij with

    ln Q_ij = (nu_i.Ma.nu_i + nu_j.Mb.nu_j - ln |R|) / 2 + nu_i.C.nu_j,  nu = X - m,

    and its slopes in m (pairs, dx) and S (pairs, dx, dx). These sums over N^2 terms are
    the cost of moment matching. The slopes need the same exponentials, H = weight * Q,
    only through H nu and the sums of H's rows and columns; so they are computed with
    the value, and no N x N matrix is kept.
    """
    la, lb = process.la, process.lb
    # with D = 1 / l_a^2 + 1 / l_b^2: F = (S + D^-1)^-1 and T = R^-1 S, R = S D + I
    F, log_det = inverse(process.both + S)
    rest = process.both @ F  # R^-1 transposed
    T = process.both - process.both @ F @ process.both
    Ma = la * T * la.mT - process.la_diag
    Mb = lb * T * lb.mT - process.lb_diag
    C = la * T * lb.mT
    log_R = process.log_both - 0.5 * log_det
    row, column, inside = _sums(nu, Ma, Mb, C, log_R, process)
    at_row, at_column = (row @ nu)[:, None], (column @ nu)[:, None]
    of_m = -(at_row @ (Ma + C) + at_column @ (Mb + C.mT))[:, 0]
    of_Ma = 0.5 * (nu.T * row[:, None]) @ nu
    of_Mb = 0.5 * (nu.T * column[:, None]) @ nu
    of_T = la * of_Ma * la.mT + lb * of_Mb * lb.mT + la * inside * lb.mT
    value = row.sum(1)
    # dT = R^-1 dS R^-1', and d ln |R| = tr F dS
    of_S = rest.mT @ of_T @ rest - 0.5 * value[:, None, None] * F
    return value, of_m, of_S


def _sums(
    nu: Array, Ma: Array, Mb: Array, C: Array, log_R: Array, process: Process
) -> tuple[Array, Array, Array]:
    """Of H: sums of rows, of columns (pairs, N each), and nu' H nu (pairs, dx, dx)."""
    N, dx = nu.shape
    A = 0.5 * np.einsum("pni,ni->pn", nu @ Ma, nu) + log_R[:, None]  # (pairs, N)
    B = torch.from_numpy(0.5 * np.einsum("pni,ni->pn", nu @ Mb, nu))
    left = torch.from_numpy(np.concatenate([nu @ C, A[:, :, None]], 2))
    right = torch.from_numpy(np.concatenate([nu, np.ones((N, 1))], 1))
    by_b = process.beta_b[:, :, None] * right
    product, column = torch.empty_like(by_b), torch.empty_like(B)
    E, right = len(process.weight), right.T.expand(len(B), -1, -1)
    for part in process.parts:
        Q = process.Q[: part.stop - part.start]
        torch.baddbmm(B[part, None], left[part], right[part], out=Q).exp_()
        if part.start < E:  # beta beta' is in the weight, and H is symmetric
            Q *= process.weight[part]
            torch.bmm(Q, by_b[part], out=product[part])
            column[part] = product[part, :, dx]
        else:
            torch.bmm(Q, by_b[part], out=product[part])
            column[part] = (process.beta_a[part, None] @ Q)[:, 0]
    product *= process.beta_a[:, :, None]
    column *= process.beta_b
    H = product.numpy()
    return H[:, :, dx], column.numpy(), nu.T @ H[:, :, :dx]
