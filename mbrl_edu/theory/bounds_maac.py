"""MAAC: gradient error, policy change and improvement, with explicit constants.

Objective (Clavera et al. 2020; the lecture): J(theta) = sum_{t<H} gamma^t r(s_t) +
gamma^H Q(s_H, a_H) with s_{t+1} = f(s_t, a_t), a_t = pi_theta(s_t); J^ is the same with
the learned f^ and Q^. x_t = (s_t, a_t) and x^_t are the two trajectories from one start
state (for a stochastic system: with common noise). Norms are Euclidean, matrix norms
spectral.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, discount, in_range, scalar, steps
from mbrl_edu.theory.mdp import (
    FiniteMDP,
    action_values,
    occupancy,
    policy_values,
)


class GradientConstants(NamedTuple):
    """c1, c2, c_v of `lemma_4_1`, each (...)."""

    c1: Any
    c2: Any
    c_v: Any


def gradient_constants(
    H: int,
    gamma: Any,
    L_f: Any,
    L_F: Any,
    L_pi: Any,
    B: Any,
    L_r: Any,
    M_r: Any,
    L_Q: Any,
) -> GradientConstants:
    """The constants c1(H), c2(H), c_v(H) of `lemma_4_1`; the paper leaves them unnamed.

    L_f   largest norm of the Jacobians of f and f^ met on the two trajectories
    L_F   Lipschitz constant of f in x
    L_pi  norm of d pi / d s;  B  largest norm of d pi / d theta on the trajectories
    L_r, M_r  bound and Lipschitz constant of grad r;  L_Q  norm of grad Q^ at x^_H
    The policy is linear in the state, a = theta s (so d pi / d theta is 1-Lipschitz in
    s).

    With w = sqrt(1 + L_pi^2), the norm of (I, d pi/d s), the recursions bound
      g_t  |ds_t/dtheta|          a_t = w g_t + B bounds |dx_t/dtheta|;  g_{t+1} = L_f
      a_t d_t  |s^_t - s_t| / e_v                        d_{t+1} = 1 + L_F w d_t
      D_t, E_t: |ds^_t/dtheta - ds_t/dtheta| <= D_t e_f + E_t e_v
                D_{t+1} = a_t + L_f w D_t,   E_{t+1} = L_f (w E_t + d_t)
    and then
      c1 = L_r sum_{t<H} gamma^t D_t + gamma^H L_Q w D_H,     c2 = gamma^H a_H,
      c_v = sum_{t<H} gamma^t (L_r E_t + M_r d_t g_t) + gamma^H L_Q (w E_H + d_H).
    With K = L_f w: a_t grows like B K^t and D_t like B t K^{t-1}.
    """
    steps("H", H)
    gamma, w = discount("gamma", gamma), np.sqrt(1 + in_range("L_pi", L_pi, 0) ** 2)
    g = d = D = E = c1 = c_v = np.zeros(())
    for t in range(H):
        a = w * g + B
        c1 = c1 + gamma**t * L_r * D
        c_v = c_v + gamma**t * (L_r * E + M_r * d * g)
        g, D, E = L_f * a, a + L_f * w * D, L_f * (w * E + d)
        d = 1 + L_F * w * d
    c1 = c1 + gamma**H * L_Q * w * D
    c_v = c_v + gamma**H * L_Q * (w * E + d)
    return GradientConstants(scalar(c1), scalar(gamma**H * (w * g + B)), scalar(c_v))


def lemma_4_1(c: GradientConstants, e_f: Any, e_Q: Any, e_v: Any) -> Any:
    """MAAC Lemma 4.1, true form: |grad J - grad J^| <= c1 e_f + c2 e_Q + c_v e_v.

    e_f = max_{t<H} |grad f^(x^_t) - grad f(x_t)|, e_Q = |grad Q^(x^_H) - grad Q(x_H)|,
    each on its own trajectory, as on the slide; e_v = max_{t<H} |f^(x^_t) - f(x^_t)| is
    missing there.
    """
    return scalar(np.asarray(lemma_4_1_printed(c, e_f, e_Q)) + np.multiply(c.c_v, e_v))


def lemma_4_1_printed(c: GradientConstants, e_f: Any, e_Q: Any) -> Any:
    """c1 e_f + c2 e_Q, as printed. FALSE whatever c1 and c2: see `counterexamples`.

    A model that is off by a constant has the right derivatives, so e_f = e_Q = 0, but
    its trajectory, and with it the gradient, is another one.
    """
    return scalar(np.multiply(c.c1, e_f) + np.multiply(c.c2, e_Q))


def c3_gaussian(L_mu: Any, sigma: Any) -> Any:
    """c3 for N(mu_theta(s), sigma^2 I) whose mean is L_mu-Lipschitz in theta.

    max_s TV <= c3 |theta - theta'|, c3 = L_mu / (sigma sqrt(2 pi)), because TV is
    2 Phi(|mu - mu'| / (2 sigma)) - 1.
    """
    return scalar(np.asarray(L_mu) / (np.asarray(sigma) * np.sqrt(2 * np.pi)))


C3_SOFTMAX = 1 / (2 * np.sqrt(2))
"""c3 for a tabular softmax policy: TV <= (max - min of the logit change) / 4."""


def lemma_4_2(alpha: Any, c3: Any, X: Any) -> Any:
    """MAAC Lemma 4.2: max_s TV(pi_theta', pi_theta^) <= alpha c3 X.

    theta' = theta_o + alpha grad J and theta^ = theta_o + alpha grad J^ are one exact
    and one approximate step, X >= |grad J - grad J^|, c3 as in `c3_gaussian`. (The
    slide writes theta for theta'.)
    """
    return scalar(in_range("alpha", alpha, 0) * np.multiply(c3, X))


def theorem_4_1(gamma: Any, r_max: Any, alpha: Any, c3: Any, X: Any) -> Any:
    """MAAC Theorem 4.1, true form: the most that theta^ can lose to theta'.

    J(theta^) >= J(theta') - 2 r_max alpha c3 X / (1-gamma)^2. J is the un-normalised
    return in the true MDP. Lemma 4.2 and MBPO's Lemma B.3 with an exact model; r_max
    may be half the span of r. For the normalised return (1-gamma) J one power of
    1-gamma goes.
    """
    shift = lemma_4_2(alpha, c3, X)
    return scalar(2 * np.asarray(r_max) * shift / (1 - discount("gamma", gamma)) ** 2)


def theorem_4_1_printed(gamma: Any, r_max: Any, alpha: Any, c3: Any, X: Any) -> Any:
    """(2 alpha r_max / (1-gamma)) alpha c3 X, as printed. FALSE.

    alpha comes twice and one 1 - gamma is missing, so a small step makes it tiny.
    """
    shift = lemma_4_2(alpha, c3, X)
    return scalar(
        2 * alpha * np.asarray(r_max) * shift / (1 - discount("gamma", gamma))
    )


def softmax_policy(theta: ArrayLike) -> Array:
    """pi(a|s) proportional to exp theta[s, a], (..., S, A)."""
    theta = np.asarray(theta, dtype=np.float64)
    weights = np.exp(theta - theta.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def softmax_gradient(mdp: FiniteMDP, theta: ArrayLike) -> Array:
    """d eta / d theta (..., S, A) of the softmax policy, exactly.

    sum_t gamma^t P(s_t = s, a_t = a) [Q(s,a) - V(s)].
    """
    pi = softmax_policy(theta)
    V = policy_values(mdp, pi)
    advantage = action_values(mdp, V) - V[..., None]
    weight = 1 - np.asarray(mdp.gamma)[..., None, None]
    return np.asarray(occupancy(mdp, pi) / weight * advantage)
