"""BMPO: rollouts of k1 backward and k2 forward model steps from one real anchor state.

Positions on such a rollout are i = 0, ..., L with L = k1 + k2; the anchor is position
k1. Forward steps use pi and the model p^; backward steps use a learned kernel b^(s, a |
s'), the law of the pair that came before s' (backward policy and backward model in
one). The true backward kernel of pi's chain is b_t(s, a | s') = mu_t(s) pi(a|s)
p(s'|s,a) / mu_{t+1}(s') with mu_t the law of s_t under pi.

The sources (lecture; Lai et al. 2020) print the bound but not which states are anchors.
It is true for the *idealised* anchor: pi_D, then k1 REAL steps of pi. It is FALSE for
the anchor of the published code, a state of the replay buffer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, law, length, lift, scalar, steps
from mbrl_edu.theory.bounds_mbpo import checked, theorem_4_3, tight
from mbrl_edu.theory.branch import dot, head_and_tail, powers, sliding_return, start_sum
from mbrl_edu.theory.mdp import (
    FiniteMDP,
    as_policy,
    discounted_states,
    policy_kernel,
    policy_reward,
)


def backward_kernel(mdp: FiniteMDP, pi: ArrayLike, mu: ArrayLike) -> Array:
    """b(s, a | s') of pi's true chain when s has the law mu (..., S); (..., S', S, A).

    b is proportional to mu(s) pi(a|s) p(s'|s,a). Where s' cannot be reached it is the
    uniform law (any law would do: it is never asked for).
    """
    pair = law("mu", mu)[..., None] * as_policy(mdp, pi)
    joint = np.moveaxis(pair[..., None] * mdp.P, -1, -3)  # (..., S', S, A)
    total = joint.sum(axis=(-2, -1), keepdims=True)
    uniform = np.full(joint.shape, 1 / (mdp.S * mdp.A))
    return np.divide(joint, total, out=uniform, where=total > 0)


def average_backward_kernel(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """The backward kernel for s ~ discounted state law of pi: what data of pi teach."""
    return backward_kernel(mdp, pi, discounted_states(mdp, pi))


def eps_b(mdp: FiniteMDP, b_hat: ArrayLike, pi: ArrayLike) -> Any:
    """eps_b = max_t E_{s' ~ mu_{t+1}} TV(b_t(.|s'), b^(.|s')), pi's true chain; (...).

    b_hat (..., S', S, A). The maximum runs until gamma^t < 1e-12 or until the law of
    the state stands still.
    """
    b_hat, pi = np.asarray(b_hat, dtype=np.float64), as_policy(mdp, pi)
    P_pi, mu = policy_kernel(mdp, pi), mdp.rho0
    gamma = min(max(float(np.max(mdp.gamma)), 1e-3), 1 - 1e-9)
    worst = np.zeros(P_pi.shape[:-2])
    for _ in range(1 + int(np.log(1e-12) / np.log(gamma))):
        after = np.einsum("...s,...st->...t", mu, P_pi)
        truth = np.moveaxis((mu[..., None] * pi)[..., None] * mdp.P, -1, -3)
        apart = np.abs(truth - lift(after, 2) * b_hat).sum(axis=(-3, -2, -1)) / 2
        worst = np.maximum(worst, apart)
        if np.abs(after - mu).max() < 1e-15:
            break
        mu = after
    return scalar(worst)


def position_values(
    mdp: FiniteMDP, P_hat: ArrayLike, b_hat: ArrayLike, pi: ArrayLike, k1: int, k2: int
) -> list[Array]:
    """E[r at position i | anchor state], i = 0, ..., k1 + k2; a list of (..., S)."""
    for name, value in (("k1", k1), ("k2", k2)):
        steps(name, value)
    M = policy_kernel(mdp.with_model(np.asarray(P_hat)), pi)
    forward = list(powers(M, policy_reward(mdp, pi), k2))
    b_hat = np.asarray(b_hat, dtype=np.float64)
    back, first = b_hat.sum(axis=-1), np.einsum("...tsa,...sa->...t", b_hat, mdp.r)
    backward = list(powers(back, first, k1 - 1)) if k1 > 0 else []
    return backward[::-1] + forward


def check_position(i: int, k1: int, k2: int) -> None:
    """Refuse a position that is not on the rollout."""
    if steps("i", i) > k1 + k2:
        raise ValueError(f"i = {i} is not allowed; it must be in [0, {k1 + k2}].")


def ideal_return(
    mdp: FiniteMDP,
    P_hat: ArrayLike,
    b_hat: ArrayLike,
    pi: ArrayLike,
    pi_D: ArrayLike,
    k1: int,
    k2: int,
    i: int,
) -> Any:
    """eta_i (...): return collected at position i with the IDEALISED anchor.

    For time t: pi_D in p for (t - i)+ steps, pi in p for k1 steps, then |min(t,i) - k1|
    model steps, backward or forward, to position min(t, i). Exact:
    sum_{t<i} gamma^t rho0 P_pi^k1 x_t + gamma^i nu_D P_pi^k1 x_i, x from
    position_values.
    """
    x = position_values(mdp, P_hat, b_hat, pi, k1, k2)
    check_position(i, k1, k2)
    P_pi = policy_kernel(mdp, pi)
    real = [list(powers(P_pi, v, k1))[-1] for v in x[: i + 1]]
    nu_D = start_sum(mdp, pi_D)
    heads, tails = (dot(mdp.rho0, v) for v in real), (dot(nu_D, v) for v in real)
    return head_and_tail(mdp.gamma, heads, tails, np.asarray(i))


def buffer_return(
    mdp: FiniteMDP,
    P_hat: ArrayLike,
    b_hat: ArrayLike,
    pi: ArrayLike,
    pi_D: ArrayLike,
    k1: int,
    k2: int,
    i: int,
) -> Any:
    """eta_i (...): return collected at position i, anchors from the BUFFER.

    The anchor is a state of pi_D's own chain, at the time that makes position i arrive
    at t. i >= k1: the sliding MBPO branch of length i - k1. i < k1: anchor at t + j
    with j = k1 - i, then j backward steps.
    """
    check_position(i, k1, k2)
    if i >= k1:
        return sliding_return(mdp, P_hat, pi, pi_D, np.asarray(i - k1))
    value = position_values(mdp, P_hat, b_hat, pi, k1, k2)[i]
    P_D = policy_kernel(mdp, pi_D)
    return scalar(dot(start_sum(mdp, pi_D), list(powers(P_D, value, k1 - i))[-1]))


def model_steps(gamma: Any, k1: Any, i: Any) -> Any:
    """sum_t gamma^t |min(t, i) - k1|: discounted model steps at position i, exactly."""
    gamma, k1, i = np.broadcast_arrays(gamma, length("k1", k1), length("i", i))
    total = np.zeros(gamma.shape)
    for t in range(int(i.max())):
        total += np.where(t < i, gamma**t * np.abs(t - k1), 0.0)
    return scalar(total + gamma**i * np.abs(i - k1) / (1 - gamma))


def forward(gamma: Any, r_max: Any, e_m: Any, e_pi: Any, k1: Any, k2: Any) -> Any:
    """The slide's bound for a forward-only rollout of the same length k1 + k2.

    2 r_max [gamma^{k1+k2+1} e_pi/(1-gamma)^2 + gamma^{k1+k2} e_pi/(1-gamma)
    + (k1 + k2) e_m/(1-gamma)]: the MBPO bound with k = k1 + k2.
    """
    return theorem_4_3(gamma, r_max, e_m, e_pi, np.add(k1, k2))


def bidirectional(gamma: Any, r_max: Any, e_m: Any, e_pi: Any, k1: Any, k2: Any) -> Any:
    """The slide's bound for k1 backward and k2 forward steps.

    2 r_max [gamma^{k1+k2+1} e_pi/(1-gamma)^2 + gamma^{k1+k2} e_pi/(1-gamma)
    + max(k1, k2) e_m/(1-gamma)], e_m = max(eps_m', eps_b). True at position L = k1 + k2
    with the idealised anchor; FALSE with anchors from the buffer (`buffer_forward`).
    """
    g, R, m, p = checked(gamma, r_max, e_m=e_m, e_pi=e_pi)
    longest = np.maximum(length("k1", k1), length("k2", k2))
    policy = theorem_4_3(g, R, 0.0, p, np.add(k1, k2))
    return scalar(policy + 2 * R * longest * m / (1 - g))


def position(
    gamma: Any, r_max: Any, e_forward: Any, e_back: Any, e_pi: Any, k1: Any, i: Any
) -> Any:
    """The bound at ANY position i, idealised anchor, without slack (ours).

    2 r_max sum_t gamma^t [(t-i)+ e_pi + (min(t,i)-k1)+ e_forward + (k1-min(t,i))+
    e_back]. Proof as for `bounds_mbpo.tight`: the anchor of time t has had pi for all
    but (t-i)+ steps; running pi's true chain on, or back with b_t, leads to pi's own
    law, so every model step adds its error once. At i = L it is at most the slide's
    `bidirectional`.
    """
    g, R, f, b, p = checked(gamma, r_max, e_forward=e_forward, e_back=e_back, e_pi=e_pi)
    i, k1 = length("i", i), length("k1", k1)
    all_steps = model_steps(g, k1, i)
    signed = g / (1 - g) * (1 - g**i) / (1 - g) - k1 / (1 - g)  # sum g^t (min(t,i)-k1)
    ahead, behind = (all_steps + signed) / 2, (all_steps - signed) / 2
    policy = g ** (i + 1) * p / (1 - g) ** 2
    model = np.maximum(ahead, 0) * f + np.maximum(behind, 0) * b
    return scalar(2 * R * (policy + model))


def buffer_forward(gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, j: Any) -> Any:
    """Buffer anchors, j = i - k1 >= 0 forward steps: `tight` with k = j.

    Nothing better is true. The backward steps do nothing for the policy term: it is
    gamma^j e_pi, not gamma^{k1+k2} e_pi.
    """
    return tight(gamma, r_max, e_m_prime, e_pi, j)


def buffer_backward(gamma: Any, r_max: Any, e_back: Any, e_pi: Any, j: Any) -> Any:
    """Buffer anchors, j = k1 - i > 0 backward steps (ours).

    2 r_max [gamma e_pi/(1-gamma)^2 + j (e_pi + e_back)/(1-gamma)]: the anchor at time
    t + j is off by (t + j) e_pi, and going back does not undo that.
    """
    g, R, b, p = checked(gamma, r_max, e_back=e_back, e_pi=e_pi)
    policy = g * p / (1 - g) ** 2
    return scalar(2 * R * (policy + length("j", j) * (p + b) / (1 - g)))
