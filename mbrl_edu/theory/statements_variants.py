"""The statements of BMPO, AMPO, AutoMBPO and MAAC; see `statements`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mbrl_edu.theory import bounds_ampo as ampo
from mbrl_edu.theory import bounds_autombpo as autombpo
from mbrl_edu.theory import bounds_bmpo as bmpo
from mbrl_edu.theory import bounds_maac as maac
from mbrl_edu.theory import errors
from mbrl_edu.theory.distances import half_span
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.mdp import policy_return
from mbrl_edu.theory.statements import Pair, Statement

# --- BMPO -----------------------------------------------------------------------------


def ideal(f: Facts, k1: int, k2: int, i: int) -> Pair:
    """Position i, idealised anchor, our bound for every position."""
    x = f.x
    eta = bmpo.ideal_return(x.mdp, x.P_hat, f.b_hat, x.pi, x.pi_D, k1, k2, i)
    bound = bmpo.position(f.gamma, f.half, f.e_m_prime, f.e_b, f.e_pi, k1, i)
    return f.eta - eta, bound


def ideal_end(f: Facts, k1: int, k2: int) -> Pair:
    """Last position, idealised anchor, the slide's bound."""
    gap, _ = ideal(f, k1, k2, k1 + k2)
    e = np.maximum(f.e_m_prime, f.e_b)
    return gap, bmpo.bidirectional(f.gamma, f.R, e, f.e_pi, k1, k2)


def buffered(f: Facts, k1: int, k2: int, i: int) -> Pair:
    """Position i, anchors from the buffer, our bound."""
    x = f.x
    eta = bmpo.buffer_return(x.mdp, x.P_hat, f.b_hat, x.pi, x.pi_D, k1, k2, i)
    if i >= k1:
        bound = bmpo.buffer_forward(f.gamma, f.half, f.e_m_prime, f.e_pi, i - k1)
    else:
        bound = bmpo.buffer_backward(f.gamma, f.half, f.e_b, f.e_pi, k1 - i)
    return f.eta - eta, bound


def buffered_end(f: Facts, k1: int, k2: int) -> Pair:
    """Last position, anchors from the buffer, the slide's bound: FALSE."""
    gap, _ = buffered(f, k1, k2, k1 + k2)
    e = np.maximum(f.e_m_prime, f.e_b)
    return gap, bmpo.bidirectional(f.gamma, f.R, e, f.e_pi, k1, k2)


def bmpo_statements(k1: int, k2: int) -> dict[str, Statement]:
    """The true statements of BMPO for k1 backward and k2 forward steps."""
    table: dict[str, Statement] = {
        "BMPO, ideal anchor": partial(ideal_end, k1=k1, k2=k2)
    }
    for i in sorted({0, k1 // 2, k1, k1 + k2 // 2, k1 + k2}):
        table[f"BMPO, ideal, position {i}"] = partial(ideal, k1=k1, k2=k2, i=i)
        table[f"BMPO, buffer, position {i}"] = partial(buffered, k1=k1, k2=k2, i=i)
    return table


# --- AMPO, AutoMBPO, MAAC -------------------------------------------------------------


def theorem_3_1(
    f: Facts, family: Any = "smallest", geometry: Any = None, R: Any = None
) -> Pair:
    """AMPO's Theorem 3.1 for normalised returns."""
    gap = (1 - f.gamma) * (f.eta - f.eta_hat)
    rho, rho_hat = f.visits
    d = ampo.class_distances(f.x.P_hat, rho, rho_hat, family, geometry).max(axis=-1)
    R = f.R if R is None else R
    return gap, ampo.theorem_3_1(f.gamma, R, f.visit_shift, d, f.x.mdp.S, f.pinsker)


def theorem_3_1_sharp(f: Facts, family: Any = "smallest", geometry: Any = None) -> Pair:
    """Theorem 3.1 with a sum over next states and half the span of r."""
    gap = (1 - f.gamma) * (f.eta - f.eta_hat)
    rho, rho_hat = f.visits
    d = ampo.class_distances(f.x.P_hat, rho, rho_hat, family, geometry)
    bound = ampo.theorem_3_1_sharp(f.gamma, f.half, f.visit_shift, d, f.state_errors)
    return gap, bound


def bias(f: Facts, sharp: bool = False) -> Pair:
    """AutoMBPO: bias of the optimal value, span of V*."""
    gap, V = np.abs(f.V_star - f.V_mixed).max(axis=-1), f.V_star
    if sharp:
        e = autombpo.value_gap(f.x.mdp, f.x.P_hat, V)
        return gap, autombpo.value_bias(f.gamma, f.beta, e, 1.0)
    return gap, autombpo.value_bias(f.gamma, f.beta, f.tv_max, 2 * half_span(V))


def loss(f: Facts, sharp: bool = False) -> Pair:
    """AutoMBPO: loss of the policy that is optimal in the mixed kernel."""
    gap = autombpo.planning_loss(f.x.mdp, f.mixed).max(axis=-1)
    V = f.V_mixed
    if sharp:
        e = autombpo.value_gap(f.x.mdp, f.x.P_hat, V)
        return gap, autombpo.policy_loss(f.gamma, f.beta, e, 1.0)
    return gap, autombpo.policy_loss(f.gamma, f.beta, f.tv_max, 2 * half_span(V))


def one_step(f: Facts) -> tuple[Any, Any, Any]:
    """MAAC: policies after one exact and one model gradient step, X = gradient error.

    Tabular softmax policy, start pi_D, step size beta = 1 / (1 + k).
    """
    mdp, theta = f.x.mdp, np.log(np.maximum(f.x.pi_D, 1e-12))
    g = maac.softmax_gradient(mdp, theta)
    g_hat = maac.softmax_gradient(mdp.with_model(f.x.P_hat), theta)
    alpha = np.asarray(f.beta)[..., None, None]
    exact = maac.softmax_policy(theta + alpha * g)
    X = np.sqrt(((g - g_hat) ** 2).sum(axis=(-2, -1)))
    return exact, maac.softmax_policy(theta + alpha * g_hat), X


def policy_change(f: Facts) -> Pair:
    """MAAC Lemma 4.2."""
    exact, other, X = one_step(f)
    apart = errors.policy_shift(exact, other)
    return apart, maac.lemma_4_2(f.beta, maac.C3_SOFTMAX, X)


def improvement(f: Facts, form: Any = maac.theorem_4_1) -> Pair:
    """MAAC Theorem 4.1, two-sided."""
    exact, other, X = one_step(f)
    gap = policy_return(f.x.mdp, exact) - policy_return(f.x.mdp, other)
    return gap, form(f.gamma, f.R, f.beta, maac.C3_SOFTMAX, X)


OTHERS: dict[str, Statement] = {
    "AMPO, smallest class": theorem_3_1,
    "AMPO, TV ball": lambda f: theorem_3_1(f, "tv"),
    "AMPO, sharp, smallest class": theorem_3_1_sharp,
    "AMPO, sharp, TV ball": lambda f: theorem_3_1_sharp(f, "tv"),
    "AutoMBPO, bias": bias,
    "AutoMBPO, bias, value gap": lambda f: bias(f, sharp=True),
    "AutoMBPO, loss": loss,
    "AutoMBPO, loss, value gap": lambda f: loss(f, sharp=True),
    "MAAC, Lemma 4.2": policy_change,
    "MAAC, Theorem 4.1": improvement,
}

OTHERS_FALSE: dict[str, Statement] = {
    "BMPO, buffer anchor": lambda f: buffered_end(f, 12, 1),
    "AMPO, un-normalised": lambda f: (f.eta - f.eta_hat, theorem_3_1(f)[1]),
    "AMPO, sup r": lambda f: theorem_3_1(f, R=np.maximum(f.x.mdp.r.max((-2, -1)), 0)),
    "AMPO, signed class": lambda f: theorem_3_1(f, "signed"),
    "MAAC, Theorem 4.1 as printed": lambda f: improvement(f, maac.theorem_4_1_printed),
}
