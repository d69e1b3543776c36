"""Sines of a Gaussian: angles as a model sees them, and the squashing of actions.

Every map takes x ~ N(m, S) and returns f(x) and J = E[df/dx], like ``moments``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.models.moments import Gaussian, number, tensors


def sine(x: Gaussian) -> tuple[Gaussian, Tensor]:
    """sin x, entry by entry.

    E sin x = e^(-v / 2) sin m, and 2 sin x sin y = cos(x - y) - cos(x + y).
    """
    eye = np.eye(len(x.m))
    return _waves(x, Waves(eye, np.zeros(len(x.m)), eye, 0 * eye))


def with_angles(x: Gaussian, angles: tuple[int, ...]) -> tuple[Gaussian, Tensor]:
    """(sin, cos of the angles, the other entries), as ``layout.Angles`` orders them."""
    return _waves(x, _seen(len(x.m), angles))


def squash(x: Gaussian) -> tuple[Gaussian, Tensor]:
    """(9 sin x + sin 3x) / 8, in [-1, 1] and flat where it gets there (PILCO's
    code)."""
    return _waves(x, _squashing(len(x.m)))


class Waves(NamedTuple):
    """x (d,) -> C sin(A x + b) + D x (df,), with k sines."""

    A: np.ndarray  # (k, d)
    b: np.ndarray  # (k,)
    C: np.ndarray  # (df, k)
    D: np.ndarray  # (df, d)


@lru_cache(64)
def _seen(d: int, angles: tuple[int, ...]) -> Waves:
    eye, k = np.eye(d), len(angles)
    rest = eye[[i for i in range(d) if i not in angles]]
    A = eye[[*angles, *angles]].reshape(2 * k, d)
    # cos is the sine of a quarter turn more
    b = np.repeat([0, math.pi / 2], k)
    C, D = np.eye(2 * k + len(rest), 2 * k), np.zeros((2 * k, d))
    return Waves(A, b, C, np.concatenate([D, rest]))


@lru_cache(64)
def _squashing(d: int) -> Waves:
    eye = np.eye(d)
    A, C = np.concatenate([eye, 3 * eye]), np.concatenate([9 * eye, eye], 1) / 8
    return Waves(A, np.zeros(2 * d), C, np.zeros((d, d)))


def _waves(x: Gaussian, waves: Waves) -> tuple[Gaussian, Tensor]:
    m, S, J = _Waves.apply(x.m, x.S, waves)
    return Gaussian(m, S), J


class _Waves(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, S: Tensor, waves: Waves):
        A, b, C, D = waves
        m_, S_ = number(m), number(S)
        sin, K, slope, kept = _sines(A @ m_ + b, A @ S_ @ A.T)
        moved = C @ (slope[:, None] * A)  # (df, d) mean slopes of the sines
        J = moved + D
        # cov(C sin, D x) = C slope A S D'
        X = moved @ S_ @ D.T
        ctx.known = waves, S_, moved, kept
        f = C @ sin + D @ m_, C @ K @ C.T + X + X.T + D @ S_ @ D.T
        return tensors(m, *f, J.T)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        (A, _, C, D), S, moved, kept = ctx.known
        of_m, of_S, of_J = (number(x) for x in slopes)
        G = (of_S + of_S.T) / 2
        of_slope = ((C.T @ (2 * G @ D @ S + of_J.T)) * A).sum(1)
        z, Z = _of_sines(C.T @ of_m, C.T @ G @ C, of_slope, kept)
        X = 2 * moved.T @ G @ D
        of_S = A.T @ Z @ A + (X + X.T) / 2 + D.T @ G @ D
        return *tensors(slopes[0], A.T @ z + D.T @ of_m, of_S), None


def _sines(m: np.ndarray, S: np.ndarray) -> tuple:
    """Mean (k,), covariance (k, k), mean slopes (k,), and what ``_of_sines`` needs."""
    v = S.diagonal()
    shrunk, half = np.exp(-v / 2), (v[:, None] + v) / 2
    # exponents at most 0: however large the variances are, nothing overflows
    still, near, far = np.exp(-half), np.exp(S - half), np.exp(-S - half)
    minus, plus = m[:, None] - m, m[:, None] + m
    minus, plus = (np.cos(minus), np.sin(minus)), (np.cos(plus), np.sin(plus))
    cov = 0.5 * ((near - still) * minus[0] - (far - still) * plus[0])
    mean, slope = shrunk * np.sin(m), shrunk * np.cos(m)
    return mean, cov, slope, (mean, slope, still, near, far, minus, plus)


def _of_sines(of_mean: np.ndarray, of_S: np.ndarray, of_slope: np.ndarray, kept: tuple):
    """Slopes in m (k,) and S (k, k), given those of the three outputs."""
    mean, slope, still, near, far, minus, plus = kept
    up, down = 0.5 * of_S * minus[0], 0.5 * of_S * plus[0]
    half = (up - down) * still - up * near + down * far
    turn = -0.5 * of_S * (near - still) * minus[1]
    both = 0.5 * of_S * (far - still) * plus[1]
    m = (turn + both).sum(1) + (both - turn).sum(0)
    v = (half.sum(0) + half.sum(1) - of_mean * mean - of_slope * slope) / 2
    m += of_mean * slope - of_slope * mean
    return m, up * near + down * far + np.diag(v)


def squashed(x: Tensor) -> Tensor:
    """The same of a point."""
    return (9 * x.sin() + (3 * x).sin()) / 8
