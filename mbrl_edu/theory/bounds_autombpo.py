"""AutoMBPO: value iteration in which a share beta of the samples is real.

The lecture shows the shape of a bound (Lai et al. 2021, Theorem 3.2) whose constants
are hidden in O(.); such a statement cannot be checked. What can be is stated here with
every constant: the bias of planning in the mixed kernel P_beta = beta P + (1 - beta)
P^, and a finite-sample bound for tabular value iteration.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, discount, in_range, law, scalar
from mbrl_edu.theory.mdp import (
    FiniteMDP,
    action_values,
    policy_values,
)


def optimum(mdp: FiniteMDP) -> tuple[Array, Array]:
    """Optimal deterministic policy (..., S, A) and V* (..., S), exact to rounding.

    Policy iteration: solve for the values and take a better action where there is one,
    until there is none. (A hundred rounds end it too: rounding can make two actions of
    equal worth change places for ever.)
    """
    choice = mdp.r.argmax(axis=-1)
    for _ in range(100):
        V = policy_values(mdp, np.eye(mdp.A)[choice])
        Q = action_values(mdp, V)
        gain = Q.max(axis=-1) - np.take_along_axis(Q, choice[..., None], -1)[..., 0]
        better = gain > 1e-14 * np.abs(V).max(axis=-1, keepdims=True)
        if not better.any():
            break
        choice = np.where(better, Q.argmax(axis=-1), choice)
    return np.eye(mdp.A)[choice], V


def mixed_kernel(mdp: FiniteMDP, P_hat: ArrayLike, beta: Any) -> Array:
    """P_beta = beta P + (1 - beta) P^, shape (..., S, A, S)."""
    beta = in_range("beta", beta, 0, 1)[..., None, None, None]
    return np.asarray(beta * mdp.P + (1 - beta) * law("P_hat", P_hat, 3))


def value_bias(gamma: Any, beta: Any, tv_max: Any, span: Any) -> Any:
    """||V*_beta - V*||_inf <= (1-beta) gamma tv_max span / (1-gamma).

    V* and V*_beta are the optimal values in P and P_beta; tv_max = max_{s,a} TV(P, P^);
    span = max V* - min V*, or that of V*_beta (both are true).
    """
    g, beta = discount("gamma", gamma), in_range("beta", beta, 0, 1)
    return scalar((1 - beta) * g * np.multiply(tv_max, span) / (1 - g))


def policy_loss(gamma: Any, beta: Any, tv_max: Any, span: Any) -> Any:
    """||V* - V^{pi_beta}||_inf <= 2 (1-beta) gamma tv_max span / (1-gamma).

    pi_beta is optimal in P_beta and run in P; span is that of V*_beta.
    """
    return 2 * value_bias(gamma, beta, tv_max, span)


def value_gap(mdp: FiniteMDP, P_hat: ArrayLike, V: ArrayLike) -> Any:
    """max_{s,a} |(P - P^) V|, shape (...): at most tv_max span(V).

    In place of that product it sharpens `value_bias` and `policy_loss` (ours): a model
    error matters only where the values of the successors differ.
    """
    apart = np.einsum("...sat,...t->...sa", mdp.P - np.asarray(P_hat), np.asarray(V))
    return scalar(np.abs(apart).max(axis=(-2, -1)))


def sampling_error(n: Any, S: int, pairs: int, delta: float) -> Any:
    """TV of an empirical law of n samples, all `pairs` at once, probability 1-delta.

    sqrt((S ln 2 + ln(pairs / delta)) / (2 n)), from Hoeffding's inequality for each of
    the 2^S sets of successors. The samples need not have one law: the empirical law is
    compared with the mean of their laws, here P_beta.
    """
    return scalar(
        np.sqrt((S * np.log(2) + np.log(pairs / delta)) / (2 * np.asarray(n)))
    )


def share_bound(
    gamma: Any, beta: Any, n_real: Any, tv_max: Any, S: int, A: int, delta: float = 0.1
) -> Any:
    """max_s loss of tabular value iteration with n_real real samples per pair (ours).

    The kernel is estimated, pair by pair, from n_real real samples and n_real (1-beta)
    / beta samples of the model. With probability 1 - delta the greedy policy loses at
    most 2 gamma span / (1-gamma) [(1-beta) tv_max + sampling_error(n_real / beta)],
    with span at most 1/(1-gamma) for rewards in [0, 1]; returned for that span. The
    second summand grows with beta / n_real and the first falls with beta, the shape on
    the slide. But both are CONCAVE in beta, so the minimum is at an end: the fewest
    real samples while n_real is small, beta = 1 once it is large. That still says
    "raise beta".
    """
    g, beta = discount("gamma", gamma), in_range("beta", beta, 0, 1)
    noise = sampling_error(np.asarray(n_real) / beta, S, S * A, delta)
    return scalar(2 * g / (1 - g) ** 2 * ((1 - beta) * np.asarray(tv_max) + noise))


def sampled_kernel(
    real: ArrayLike, model: ArrayLike, n_real: int, beta: float, S: int
) -> Array:
    """Kernel counted from n_real real and round(n_real (1-beta)/beta) model successors.

    real (..., A, n), model (..., A, m): successor states drawn for each pair, only the
    first ones are used, so that different beta share their draws. Result (..., A, S).
    """
    real, model = np.asarray(real), np.asarray(model)
    n_model = round(n_real * (1 - beta) / beta) if beta > 0 else -1
    if not 0 <= n_model <= model.shape[-1] or n_real > real.shape[-1]:
        raise ValueError(
            f"beta = {beta} with n_real = {n_real} needs {n_model} model draws (and"
            f" beta > 0); there are {model.shape[-1]}, and {real.shape[-1]} real ones."
        )
    used = np.concatenate([real[..., :n_real], model[..., :n_model]], axis=-1)
    counts = np.stack([(used == s).sum(axis=-1) for s in range(S)], axis=-1)
    return np.asarray(counts / used.shape[-1], dtype=np.float64)


def successors(P: ArrayLike, n: int, rng: Generator) -> Array:
    """n successors for every pair, drawn by inversion: integers (..., S, A, n)."""
    edges = np.cumsum(law("P", P, 3), axis=-1)[..., None, :-1]
    u = rng.random((*edges.shape[:-2], n))
    return (u[..., None] >= edges).sum(axis=-1)


def planning_loss(mdp: FiniteMDP, P_used: ArrayLike) -> Array:
    """V* - V^pi in the true MDP for the pi that is optimal in P_used; (..., S)."""
    pi, _ = optimum(mdp.with_model(np.asarray(P_used)))
    return np.asarray(optimum(mdp)[1] - policy_values(mdp, pi))


def share_experiment(
    mdp: FiniteMDP, P_hat: ArrayLike, n_real: list[int], betas: list[float], seed: int
) -> dict[str, Array]:
    """Loss of fitted (tabular) value iteration against the share beta of real samples.

    mdp a batch of n MDPs, P_hat their models; n_real real samples per pair. The same
    draws serve every beta and every n_real (common random numbers). Returns arrays
    "n_real", "beta", "loss" = rho0 . (V* - V^pi) (len n_real, len beta, n) and "best",
    the beta of the least mean loss for each n_real.
    """
    rng = np.random.default_rng(seed)
    most = max(n_real)
    real = successors(mdp.P, most, rng)
    model = successors(P_hat, round(most * (1 - min(betas)) / min(betas)), rng)
    table = np.empty((len(n_real), len(betas), *mdp.batch))
    for i, n in enumerate(n_real):
        for j, beta in enumerate(betas):
            P_used = sampled_kernel(real, model, n, beta, mdp.S)
            table[i, j] = (mdp.rho0 * planning_loss(mdp, P_used)).sum(axis=-1)
    best = np.asarray(betas)[table.mean(axis=-1).argmin(axis=-1)]
    return {
        "n_real": np.array(n_real),
        "beta": np.array(betas),
        "loss": table,
        "best": best,
    }
