"""Smooth control systems with every derivative in closed form, for MAAC's Lemma 4.1.

    f(s, a) = F x + C tanh(G x) + c,   x = (s, a),   a = theta s
    r(s) = cos(w . s),   Q(x) = b . x + h cos(q . x)

One set of arrays may carry leading batch dimensions `...`: many systems at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mbrl_edu.theory._arrays import Array, lift, scalar
from mbrl_edu.theory.bounds_maac import (
    GradientConstants,
    gradient_constants,
    lemma_4_1,
    lemma_4_1_printed,
)


def times(matrix: Array, v: Array) -> Array:
    """Matrix (..., m, n) times vector (..., n)."""
    return np.einsum("...mn,...n->...m", matrix, v)


def norm(matrix: Array) -> Any:
    """Spectral norm over the last two axes."""
    return np.linalg.norm(matrix, ord=2, axis=(-2, -1))


@dataclass(frozen=True)
class Smooth:
    """The arrays: F (..., ds, ds+da), C (..., ds, m), G (..., m, ds+da), c and w
    (..., ds), b and q (..., ds+da), h (...).
    """

    F: Array
    C: Array
    G: Array
    c: Array
    w: Array
    b: Array
    q: Array
    h: Any

    def step(self, x: Array) -> Array:
        """f(x), the next state (..., ds)."""
        return times(self.F, x) + times(self.C, np.tanh(times(self.G, x))) + self.c

    def jacobian(self, x: Array) -> Array:
        """df/dx (..., ds, ds+da)."""
        slope = 1 - np.tanh(times(self.G, x)) ** 2
        return self.F + self.C @ (slope[..., None] * self.G)

    def critic_gradient(self, x: Array) -> Array:
        """dQ/dx (..., ds+da)."""
        phase = (self.q * x).sum(axis=-1)
        return self.b - lift(self.h * np.sin(phase), 1) * self.q

    def lipschitz(self) -> Any:
        """A Lipschitz constant of f (...)."""
        return norm(self.F) + norm(self.C) * norm(self.G)


@dataclass(frozen=True)
class Path:
    """Pairs x_t, t = 0..H, J and dJ/dtheta (..., da, ds) of one system."""

    x: list[Array]
    J: Any
    gradient: Array


def follow(sys: Smooth, theta: Array, s0: Array, H: int, gamma: Any) -> Path:
    """Run a = theta s for H steps from s0; J and its exact gradient, forward mode."""
    theta, s = np.asarray(theta, dtype=np.float64), np.asarray(s0, dtype=np.float64)
    da, ds = theta.shape[-2:]
    gamma = np.asarray(gamma)
    eye = np.broadcast_to(np.eye(ds), (*theta.shape[:-2], ds, ds))
    feedback = np.concatenate([eye, theta], axis=-2)  # dx/ds
    S = np.zeros((*theta.shape[:-2], ds, da * ds))  # ds_t/dtheta
    J, gradient, path = np.zeros(()), np.zeros(()), []
    for t in range(H + 1):
        x = times(feedback, s)
        direct = np.einsum("ij,...k->...ijk", np.eye(da), s)  # da/dtheta at fixed s
        direct = direct.reshape(*s.shape[:-1], da, da * ds)
        X = feedback @ S  # dx/dtheta
        X[..., ds:, :] += direct
        path.append(x)
        if t < H:
            phase = (sys.w * s).sum(axis=-1)
            J = J + gamma**t * np.cos(phase)
            slope = -lift(np.sin(phase), 1) * sys.w
            gradient = gradient + lift(gamma**t, 1) * times(S.swapaxes(-1, -2), slope)
            s, S = sys.step(x), sys.jacobian(x) @ X
    phase = (sys.q * x).sum(axis=-1)
    J = J + gamma**H * ((sys.b * x).sum(axis=-1) + sys.h * np.cos(phase))
    last = times(X.swapaxes(-1, -2), sys.critic_gradient(x))
    gradient = gradient + lift(gamma**H, 1) * last
    return Path(path, scalar(J), gradient.reshape(*gradient.shape[:-1], da, ds))


@dataclass(frozen=True)
class GradientErrors:
    """The errors of `lemma_4_1`, its constants, and gap = |grad J - grad J^|."""

    gap: Any
    e_f: Any
    e_Q: Any
    e_v: Any
    c: GradientConstants


def gradient_errors(
    real: Smooth, model: Smooth, theta: Array, s0: Array, H: int, gamma: Any
) -> GradientErrors:
    """Both gradients, the three errors by definition, and the constants; all (...).

    `model` carries f^ and Q^; both must have the same reward vector w. H >= 1.
    """
    one, two = (follow(sys, theta, s0, H, gamma) for sys in (real, model))
    A = [real.jacobian(x) for x in one.x[:H]]
    A_hat = [model.jacobian(x) for x in two.x[:H]]
    e_f = np.max([norm(b - a) for a, b in zip(A, A_hat, strict=True)], axis=0)
    apart = [np.linalg.norm(model.step(x) - real.step(x), axis=-1) for x in two.x[:H]]
    q, q_hat = real.critic_gradient(one.x[H]), model.critic_gradient(two.x[H])
    w, ds = np.linalg.norm(real.w, axis=-1), theta.shape[-1]
    c = gradient_constants(
        H,
        gamma,
        L_f=np.max([norm(a) for a in A + A_hat], axis=0),
        L_F=real.lipschitz(),
        L_pi=norm(theta),
        B=np.max([np.linalg.norm(x[..., :ds], axis=-1) for x in one.x + two.x], axis=0),
        L_r=w,
        M_r=w**2,
        L_Q=np.linalg.norm(q_hat, axis=-1),
    )
    gap = np.linalg.norm(one.gradient - two.gradient, axis=(-2, -1))
    e_Q = np.linalg.norm(q_hat - q, axis=-1)
    return GradientErrors(scalar(gap), e_f, scalar(e_Q), np.max(apart, axis=0), c)


def gradient_pair(e: GradientErrors, printed: bool = False) -> tuple[Any, Any]:
    """MAAC Lemma 4.1 as a pair (gap, bound); `printed` leaves out the term of e_v."""
    bound = lemma_4_1_printed(e.c, e.e_f, e.e_Q)
    return e.gap, bound if printed else lemma_4_1(e.c, e.e_f, e.e_Q, e.e_v)


def decode_pair(
    x: Array, ds: int = 2, da: int = 1, m: int = 2
) -> tuple[Smooth, Smooth, Array, Array]:
    """Vectors (n, d) as n systems, their models, policies theta and start states s0.

    The model differs from the system by 10^(a coordinate - 2) times other coordinates,
    part by part, so that some parts can be exact. Any vector is allowed; d =
    `pair_size`.
    """
    parts, at = {}, 0
    for name, shape in _shapes(ds, da, m).items():
        size = int(np.prod(shape))
        parts[name] = x[:, at : at + size].reshape(-1, *shape)
        at += size
    real = Smooth(**{name: parts[name] for name in PARTS})
    wrong = 10 ** np.clip(parts["wrong"] - 2, -12, 1)
    other = {
        name: parts[name] + lift(wrong[:, i], parts[name].ndim - 1) * parts["d" + name]
        for i, name in enumerate(PARTS)
        if name != "w"
    }
    return real, replace(real, **other), 0.5 * parts["theta"], parts["s0"]


PARTS = ("F", "C", "G", "c", "w", "b", "q", "h")


def _shapes(ds: int, da: int, m: int) -> dict[str, tuple[int, ...]]:
    """Blocks of the vector that `decode_pair` reads, in order."""
    dx = ds + da
    one = {"F": (ds, dx), "C": (ds, m), "G": (m, dx), "c": (ds,), "w": (ds,)}
    one |= {"b": (dx,), "q": (dx,), "h": ()}
    two = {"d" + name: shape for name, shape in one.items()}
    return one | two | {"wrong": (len(PARTS),), "theta": (da, ds), "s0": (ds,)}


def pair_size(ds: int = 2, da: int = 1, m: int = 2) -> int:
    """Length of the vectors of `decode_pair`."""
    return sum(int(np.prod(shape)) for shape in _shapes(ds, da, m).values())
