"""Returns of branched rollouts, exactly, in each way the sentence can be read.

A branched rollout follows the data policy pi_D in the true chain p and then, for k
steps, pi in the model p^. Which state the rollout starts from, and which of its states
are counted in the return, is not said on the slide. With P_D and M the state chains of
(pi_D, p) and (pi, p^), r_pi the reward under pi, nu_D = rho0 (I - gamma P_D)^{-1}:

  sliding        each time t has its own branch, started at time (t - k)+; the reading
                 for
                 which MBPO's Lemma B.4 and the slide's bound hold
  head-first     one rollout: k model steps of pi from rho0, then pi_D in p for ever
  branch-point   start at a state drawn with probability (1 - gamma) gamma^t along pi_D
                 (the paper's words), value read after k steps; the bound FAILS for it

No sum is truncated: k may be an integer or an array of integers, one per MDP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, lift, scalar, steps
from mbrl_edu.theory.mdp import (
    FiniteMDP,
    discounted_states,
    occupancy,
    policy_kernel,
    policy_return,
    policy_reward,
    policy_values,
)


def dot(p: Array, v: Array) -> Any:
    """sum_s p(s) v(s) over the last axis."""
    return np.einsum("...s,...s->...", p, v)


def start_sum(mdp: FiniteMDP, pi_D: ArrayLike) -> Array:
    """nu_D = sum_t gamma^t law(s_t) under pi_D in p, shape (..., S); not normalised."""
    return discounted_states(mdp, pi_D) / lift(1 - np.asarray(mdp.gamma), 1)


def powers(kernel: Array, v: Array, n: int) -> Iterator[Array]:
    """v, kernel v, ..., kernel^n v."""
    for j in range(n + 1):
        yield v
        if j < n:
            v = np.einsum("...st,...t->...s", kernel, v)


def head_and_tail(gamma: Any, heads: Any, tails: Any, k: Any) -> Any:
    """sum_{t<k} gamma^t heads_t + gamma^k tails_k, both iterables over t."""
    g, total = np.asarray(gamma), np.asarray(0.0)
    for t, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        total = total + g**t * np.where(t == k, tail, np.where(t < k, head, 0.0))
    return scalar(total)


def sliding_return(
    mdp: FiniteMDP,
    P_hat: ArrayLike,
    pi: ArrayLike,
    pi_D: ArrayLike,
    k: Any,
    r_hat: ArrayLike | None = None,
) -> Any:
    """eta_branch, sliding reading, shape (...); un-normalised like eta.

    The pair of time t: pi_D in p for (t - k)+ steps, then pi in p^ for min(t, k) steps,
    then a ~ pi. Closed form: sum_{t<k} gamma^t rho0 M^t r_pi + gamma^k nu_D M^k r_pi.
    k = 0: the states of pi_D with the actions of pi; k large: the return of pi in the
    model. `r_hat` (..., S, A) is the model's reward where that is learned too.
    """
    model = mdp.with_model(np.asarray(P_hat))
    task = mdp if r_hat is None else replace(mdp, r=np.asarray(r_hat))
    M, r_pi = policy_kernel(model, pi), policy_reward(task, pi)
    k, nu_D = steps("k", k), start_sum(mdp, pi_D)
    v = list(powers(M, r_pi, int(k.max())))
    heads, tails = (dot(mdp.rho0, v_t) for v_t in v), (dot(nu_D, v_t) for v_t in v)
    return head_and_tail(mdp.gamma, heads, tails, k)


def head_first_return(
    mdp: FiniteMDP, P_hat: ArrayLike, pi: ArrayLike, pi_D: ArrayLike, k: Any
) -> Any:
    """eta_branch, head-first: pi in p^ for k steps from rho0, then pi_D in p; (...).

    sum_{t<k} gamma^t rho0 M^t r_pi + gamma^k rho0 M^k V_{pi_D}.
    """
    M = policy_kernel(mdp.with_model(np.asarray(P_hat)), pi)
    k = steps("k", k)
    rewards = powers(M, policy_reward(mdp, pi), int(k.max()))
    values = powers(M, policy_values(mdp, pi_D), int(k.max()))
    heads, tails = (
        (dot(mdp.rho0, v) for v in rewards),
        (dot(mdp.rho0, v) for v in values),
    )
    return head_and_tail(mdp.gamma, heads, tails, k)


def branch_point_return(
    mdp: FiniteMDP, P_hat: ArrayLike, pi: ArrayLike, pi_D: ArrayLike, k: Any
) -> Any:
    """eta_branch, branch-point reading: nu_D M^k r_pi, shape (...).

    The start state has the discounted law of pi_D and the reward is read after k model
    steps (divided by 1 - gamma, to compare with eta). Differs from eta even for a
    perfect model and pi = pi_D, because the rewards of the first k times are missing.
    """
    M = policy_kernel(mdp.with_model(np.asarray(P_hat)), pi)
    k, nu_D = steps("k", k), start_sum(mdp, pi_D)
    total: Any = 0.0
    for j, v in enumerate(powers(M, policy_reward(mdp, pi), int(k.max()))):
        total = np.where(k == j, dot(nu_D, v), total)
    return scalar(np.asarray(total))


def model_return(mdp: FiniteMDP, P_hat: ArrayLike, pi: ArrayLike) -> Any:
    """eta^ = return of pi in the model, the sliding branch for k -> infinity; (...)."""
    return policy_return(mdp.with_model(np.asarray(P_hat)), pi)


def simulation_gap(mdp: FiniteMDP, P_hat: ArrayLike, pi: ArrayLike) -> Any:
    """gamma sum_t gamma^t E_{s_t, a_t ~ pi in p} [(p - p^) V^] = eta - eta^; (...).

    The simulation lemma, an equality: V^ is the value of pi in the model. Bounding
    |(p - p^) V^| by TV times the span of V^, at most 2 r_max / (1 - gamma), gives
    `bounds_mbpo.tight` for k -> infinity with the averaged model error.
    """
    V_hat = policy_values(mdp.with_model(np.asarray(P_hat)), pi)
    apart = np.einsum("...sat,...t->...sa", mdp.P - np.asarray(P_hat), V_hat)
    visits = occupancy(mdp, pi) / lift(1 - np.asarray(mdp.gamma), 2)
    return scalar(np.asarray(mdp.gamma) * (visits * apart).sum(axis=(-2, -1)))


def two_kernel_return(
    mdp: FiniteMDP,
    P_pre: ArrayLike,
    pi_pre: ArrayLike,
    P_post: ArrayLike,
    pi_post: ArrayLike,
    k: Any,
) -> Any:
    """Sliding branch whose part before the branch runs in `P_pre` (Lemma B.4); (...).

    (P_pre, pi_pre) for (t - k)+ steps, then (P_post, pi_post) for min(t, k) steps, the
    last action by pi_post. `sliding_return` is the case P_pre = p.
    """
    before = mdp.with_model(np.asarray(P_pre))
    return sliding_return(before, P_post, pi_post, pi_pre, k)
