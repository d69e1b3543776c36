"""Model error and policy shift by their definitions, computed exactly.

p and p^ are the true and the learned kernel, pi the policy that is judged, pi_D the one
that collected the data, TV half the L1 distance. `pi_t` is the law of s_t when pi acts
in the TRUE chain. Source of the symbols: Janner et al. 2019 (MBPO) and the lecture's
slides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, law, lift, scalar
from mbrl_edu.theory.distances import tv
from mbrl_edu.theory.mdp import (
    FiniteMDP,
    as_policy,
    discounted_states,
    occupancy,
    policy_kernel,
)

NEGLIGIBLE = 1e-12  # times with gamma^t below this are left out of a maximum over t


def sup_of_columns(mdp: FiniteMDP, P_pi: ArrayLike, f: ArrayLike) -> Array:
    """max over t of E[f(s_t)] for each column of f (..., S, c); result (..., c).

    s_0 ~ rho0, chain P_pi (..., S, S). The maximum runs over all t with
    gamma^t >= 1e-12 (later times cannot move a discounted return); it is never larger
    than the supremum of the definition, so a bound that uses it is, if anything, too
    demanding. The T values rho0 P^t f come from about 2 sqrt(T) products.
    """
    P, f = law("P_pi", P_pi, 2), np.asarray(f, dtype=np.float64)
    gamma = min(max(float(np.max(mdp.gamma)), 1e-3), 1 - 1e-9)
    m = int(np.ceil(np.sqrt(1 + np.log(NEGLIGIBLE) / np.log(gamma))))
    near = [f]  # P^j f for j < m
    for _ in range(m - 1):
        near.append(P @ near[-1])
    block = np.concatenate(np.broadcast_arrays(*near), axis=-1)  # (..., S, m c)
    leap, row = np.linalg.matrix_power(P, m), mdp.rho0[..., None, :]
    best = np.full(f.shape[-1], -np.inf)
    for _ in range(m):
        values = (row @ block)[..., 0, :]
        values = values.reshape(*values.shape[:-1], m, f.shape[-1])
        best = np.maximum(best, values.max(axis=-2))
        row = row @ leap
    return best


def sup_over_time(mdp: FiniteMDP, P_pi: ArrayLike, f: ArrayLike) -> Any:
    """max over t of E[f(s_t)], f (..., S) -> (...); see `sup_of_columns`."""
    return scalar(sup_of_columns(mdp, P_pi, np.asarray(f)[..., None])[..., 0])


def policy_shift_by_state(pi: ArrayLike, pi_D: ArrayLike) -> Array:
    """TV(pi(.|s), pi_D(.|s)), shape (..., S)."""
    return np.asarray(tv(law("pi", pi, 2), law("pi_D", pi_D, 2)))


def policy_shift(pi: ArrayLike, pi_D: ArrayLike) -> Any:
    """eps_pi = max_s TV(pi(.|s), pi_D(.|s)), shape (...) [slide; MBPO]."""
    return scalar(policy_shift_by_state(pi, pi_D).max(axis=-1))


def model_error_by_pair(mdp: FiniteMDP, P_hat: ArrayLike) -> Array:
    """TV(p(.|s,a), p^(.|s,a)), shape (..., S, A)."""
    return np.asarray(tv(mdp.P, law("P_hat", P_hat, 3)))


def joint_error_by_pair(joint: ArrayLike, joint_hat: ArrayLike) -> Array:
    """TV of the laws of (s', r), p and p^, for every pair; (..., S, A) [slide].

    joint (..., S, A, S, X): probability of the next state and of the reward's level,
    when the model predicts the reward too.
    """
    return np.asarray(tv(joint, joint_hat, axes=2))


def split_joint(joint: ArrayLike, levels: ArrayLike) -> tuple[Array, Array]:
    """P (..., S, A, S) and r (..., S, A) of a joint law of (s', r level), see above.

    levels (X,): the rewards that the levels stand for.
    """
    joint = np.asarray(joint, dtype=np.float64)
    return joint.sum(axis=-1), joint.sum(axis=-2) @ np.asarray(levels, dtype=float)


def model_error(
    mdp: FiniteMDP, pairs: ArrayLike, walk: ArrayLike, act: ArrayLike
) -> Any:
    """max_t E[pairs(s, a)], s ~ law of s_t under `walk` in the TRUE chain, a ~ `act`.

    pairs (..., S, A) is an error per state and action. The three uses:
      eps_m            walk = act = pi_D   (MBPO, Theorems 4.1 and 4.2)
      eps_m'           walk = act = pi     (slide; MBPO, Theorem A.2)
      eps_m' as in the main text of the paper's Theorem 4.3: walk = pi_D, act = pi.
                       With this one the theorem is FALSE (see `counterexamples`).
    """
    f = (np.asarray(pairs) * as_policy(mdp, act, "act")).sum(axis=-1)
    return sup_over_time(mdp, policy_kernel(mdp, walk), f)


def eps_m(mdp: FiniteMDP, P_hat: ArrayLike, pi_D: ArrayLike) -> Any:
    """eps_m = max_t E_{s ~ pi_D,t, a ~ pi_D} TV(p, p^), shape (...) [MBPO Thm 4.1]."""
    return model_error(mdp, model_error_by_pair(mdp, P_hat), pi_D, pi_D)


def eps_m_prime(mdp: FiniteMDP, P_hat: ArrayLike, pi: ArrayLike) -> Any:
    """eps_m' = max_t E_{s ~ pi_t, a ~ pi} TV(p, p^), shape (...) [slide; MBPO Thm A.2].

    The slide writes the law of the state only; the action is pi's, as the proof needs.
    """
    return model_error(mdp, model_error_by_pair(mdp, P_hat), pi, pi)


def mean_policy_shift(mdp: FiniteMDP, pi: ArrayLike, pi_D: ArrayLike, walk: Any) -> Any:
    """E_{s ~ nu} TV(pi(.|s), pi_D(.|s)), nu the discounted state law of `walk`; (...).

    Never above eps_pi. Ours: the averaged quantity that may replace it in `tight`.
    """
    shift = policy_shift_by_state(pi, pi_D)
    return scalar((discounted_states(mdp, walk) * shift).sum(axis=-1))


def mean_model_error(mdp: FiniteMDP, P_hat: ArrayLike, walk: ArrayLike) -> Any:
    """E_{(s,a) ~ rho} TV(p, p^), rho the discounted occupancy of `walk` in p; (...).

    Never above eps_m (walk = pi_D) or eps_m' (walk = pi). Ours, for `tight`.
    """
    error = model_error_by_pair(mdp, P_hat) * occupancy(mdp, walk)
    return scalar(error.sum(axis=(-2, -1)))


def branch_model_error(
    mdp: FiniteMDP, pairs: ArrayLike, before: ArrayLike, inside: ArrayLike, k: Any
) -> Any:
    """max over b >= 0 and j < k of E[pairs(s, a)] along a branch of length k; (...).

    s: after b steps of the policy `before` and j steps of `inside`, both in the TRUE
    chain; a ~ inside. This is eps_m^post of MBPO's Lemma B.4 with rollout 1 in the true
    chain; zero for k = 0. pairs (..., S, A).
    """
    k = np.asarray(k)
    f = (np.asarray(pairs) * as_policy(mdp, inside, "inside")).sum(axis=-1)
    P_in, columns = policy_kernel(mdp, inside), [f]
    for _ in range(int(k.max()) - 1):
        columns.append(np.einsum("...st,...t->...s", P_in, columns[-1]))
    stack = np.stack(columns, axis=-1)
    best = sup_of_columns(mdp, policy_kernel(mdp, before), stack)
    kept = np.where(np.arange(stack.shape[-1]) < lift(k, 1), best, 0.0)
    return scalar(kept.max(axis=-1))
