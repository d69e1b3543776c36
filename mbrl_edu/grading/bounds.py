"""Contracts of chapter 6, When to trust a model."""

import numpy as np

from mbrl_edu.grading.contract import Wrong, call, compare, contract
from mbrl_edu.theory import FiniteMDP, branch, errors
from mbrl_edu.theory.choice_of_k import best_k
from mbrl_edu.theory.instances import draw


@contract("bounds.best-k")
def best_k_by_hand(answer):
    """By hand: k* of the slide's bound, gamma = 0.9, eps_pi = 0.1, eps_m' = 0.02."""
    right = best_k(0.9, 0.02, 0.1)
    try:
        exact = np.log(5) / -np.log(0.9)
        if np.isclose(answer, right - 1, atol=0.5) and float(answer) != right:
            raise Wrong(
                f"the two terms balance at {exact:.2f} steps; which whole number is "
                "the first at which one step more would not help?"
            )
    except TypeError:
        pass
    compare(answer, right, "gamma = 0.9, eps_pi = 0.1, eps_m' = 0.02")
    return "the first k with gamma^k eps_pi <= eps_m'."


@contract("bounds.says-nothing")
def says_nothing(answer):
    """By hand: the error from which on the tight form says nothing, gamma = 0.99."""
    right = 0.01 / 0.99
    compare(answer, right, "gamma = 0.99, eps_pi = eps_m' = e", atol=1e-4)
    return "gamma e / (1 - gamma) reaches 1 at e = (1 - gamma) / gamma."


def instances():
    """Small problems whose answers differ in every way one can go wrong."""
    g = np.random.default_rng(6)
    for S, A in ((3, 2), (5, 3)):
        yield draw("far", g, 1, S, A)[0]


@contract("bounds.model-error")
def model_error(answer):
    """model_error(P, P_hat, pi, rho0, T) -> max over t <= T of
    E[TV(p, p_hat)], s_t by pi in the TRUE chain from rho0, a ~ pi."""
    for x in instances():
        pairs = errors.model_error_by_pair(x.mdp, x.P_hat)
        f = (pairs * x.pi).sum(-1)

        def walk(P, T, pi=x.pi, rho0=x.mdp.rho0, f=f):
            mu, out = rho0, []
            for _ in range(T + 1):
                out.append(mu @ f)
                mu = np.einsum("s,sa,sat->t", mu, pi, P)
            return np.array(out)

        for T in (0, 1, 20):
            real, of = walk(x.mdp.P, T), f"{x.mdp.S} states, T = {T}"
            got = call(answer, x.mdp.P, x.P_hat, x.pi, x.mdp.rho0, T)
            if np.shape(got) == () and got is not None:
                for value, why in (
                    (2 * real.max(), "is twice too large: TV is HALF the L1 distance"),
                    (walk(x.P_hat, T).max(), "follows the model; s_t is of the world"),
                    (real.mean(), "is the mean over t, the maximum is asked for"),
                ):
                    if np.isclose(got, value) and not np.isclose(value, real.max()):
                        raise Wrong(f"for {of} the result {why}.")
            compare(got, real.max(), of)
    return "this is eps_m' by its definition, up to time T."


@contract("bounds.branch")
def branched_return(answer):
    """eta_branch(P, P_hat, r, rho0, gamma, pi, pi_D, k): the sliding reading."""
    for x in instances():
        for gamma, k in ((0.9, 0), (0.9, 1), (0.8, 3), (0.95, 12)):
            mdp = FiniteMDP(x.mdp.P, x.mdp.r, x.mdp.rho0, gamma)
            right = branch.sliding_return(mdp, x.P_hat, x.pi, x.pi_D, k)
            given = (mdp.P, x.P_hat, mdp.r, mdp.rho0, gamma, x.pi, x.pi_D, k)
            got, of = call(answer, *given), f"gamma = {gamma}, k = {k}"
            if np.shape(got) == () and got is not None and k:
                first = branch.head_first_return(mdp, x.P_hat, x.pi, x.pi_D, k)
                point = branch.branch_point_return(mdp, x.P_hat, x.pi, x.pi_D, k)
                for value, name in ((first, "head-first"), (point, "branch-point")):
                    if np.isclose(got, value, rtol=1e-6):
                        raise Wrong(f"for {of} this is the {name} reading.")
            compare(got, right, of, atol=1e-6)
    return "every time t has its own branch, min(t, k) model steps long."
