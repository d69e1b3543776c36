"""MBPO's statements as pairs (gap, bound): what the tests, the search and pages run.

MBPO holds statements that must never be violated, MBPO_FALSE those that are printed, or
can be read into the print, and are violated. Each entry maps the `Facts` of a batch to
the gap and its bound, both (...). The other methods are in `statements_variants`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory import branch
from mbrl_edu.theory._arrays import Array
from mbrl_edu.theory.distances import kl, tv
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import Instance

Pair = tuple[Any, Any]
Statement = Callable[[Facts], Pair]


ROUNDING = 1e-11  # allowed error of a gap, as a share of the largest gap there can be


def ratio(gap: Any, bound: Any, scale: Any = 1.0) -> Array:
    """|gap| / (bound + 1e-11 scale), `scale` the largest value the gap could have.

    Above one means violated. The small summand keeps rounding errors of a gap from
    being divided by a bound of (almost) zero.
    """
    allowed = np.asarray(bound) + ROUNDING * np.asarray(scale)
    return np.asarray(np.abs(gap) / allowed)


def ratios(x: Instance, table: dict[str, Statement]) -> dict[str, Array]:
    """|gap| / bound of every statement of `table` on the batch `x`, name -> (...)."""
    facts = Facts(x)
    scale = np.maximum(facts.R, 1e-9) / (1 - facts.gamma)
    return {name: ratio(*rule(facts), scale) for name, rule in table.items()}


# --- MBPO -----------------------------------------------------------------------------


def lemma_b1(f: Facts) -> Pair:
    """Joint law of (s_7, s_8): pi in p against pi in p^."""
    mu, mu_hat, P, P_hat, _ = f.chains
    apart = tv(mu[..., None] * P, mu_hat[..., None] * P_hat, axes=2)
    return apart, mbpo.lemma_b1(mu, mu_hat, P, P_hat)


def lemma_b2(f: Facts, divergence: Callable[..., Any] = tv) -> Pair:
    """State laws at t = 7: pi in p against pi in p^."""
    mu, mu_hat, P, P_hat, before = f.chains
    step = np.nan_to_num(divergence(P, P_hat), posinf=1e300)
    delta = np.einsum("...ts,...s->...t", before, step).max(axis=-1)
    return tv(mu, mu_hat), mbpo.lemma_b2(before.shape[-2], delta)


def lemma_b4(f: Facts, form: Callable[..., Any]) -> Pair:
    """Rollout 1: pi_D in p for ever; rollout 2: pi in p^ for ever."""
    bound = form(f.gamma, f.R, f.e_m, f.e_pi, f.inside_D, f.e_pi, f.k)
    return f.eta_D - f.eta_hat, bound


def lemma_b4_mixed(f: Facts, form: Callable[..., Any]) -> Pair:
    """Rollout 1: pi_D, then pi, in p; rollout 2: pi in p, then pi in p^."""
    x, P = f.x, f.x.mdp.P
    first = branch.two_kernel_return(x.mdp, P, x.pi_D, P, x.pi, x.k)
    second = branch.two_kernel_return(x.mdp, P, x.pi, x.P_hat, x.pi, x.k)
    return first - second, form(f.gamma, f.R, 0.0, f.e_pi, f.inside, 0.0, f.k)


def full(f: Facts, form: Callable[..., Any], R: Any, e_m: Any, e_pi: Any) -> Pair:
    """Full model rollout against the truth."""
    return f.eta - f.eta_hat, form(f.gamma, R, e_m, e_pi)


def slid(f: Facts, form: Callable[..., Any], R: Any, e_m: Any, e_pi: Any) -> Pair:
    """Sliding branch against the truth."""
    return f.eta - f.sliding, form(f.gamma, R, e_m, e_pi, f.k)


MBPO: dict[str, Statement] = {
    "Lemma B.1": lemma_b1,
    "Lemma B.2": lemma_b2,
    "Lemma B.3": lambda f: (
        f.eta_D - f.eta_hat,
        mbpo.lemma_b3(f.gamma, f.R, f.e_m, f.e_pi),
    ),
    "Lemma B.4": lambda f: lemma_b4(f, mbpo.lemma_b4),
    "Lemma B.4, tight": lambda f: lemma_b4(f, mbpo.lemma_b4_tight),
    "Lemma B.4, mixed": lambda f: lemma_b4_mixed(f, mbpo.lemma_b4),
    "Lemma B.4, mixed, tight": lambda f: lemma_b4_mixed(f, mbpo.lemma_b4_tight),
    "Theorem 4.1": lambda f: full(f, mbpo.theorem_4_1, f.R, f.e_m, f.e_pi),
    "Theorem 4.1, tight": lambda f: full(
        f, mbpo.theorem_4_1_tight, f.half, f.e_m, f.e_pi
    ),
    "Theorem 4.1, averages": lambda f: full(
        f, mbpo.theorem_4_1_tight, f.half, f.data_error, f.data_shift
    ),
    "Theorem 4.2": lambda f: slid(f, mbpo.theorem_4_2, f.R, f.e_m, f.e_pi),
    "Theorem 4.2, tight": lambda f: slid(f, mbpo.tight_data, f.half, f.e_m, f.e_pi),
    "Theorem 4.2, averages": lambda f: slid(
        f, mbpo.tight_data, f.half, f.data_error, f.data_shift
    ),
    "slide": lambda f: slid(f, mbpo.theorem_4_3, f.R, f.e_m_prime, f.e_pi),
    "slide, head-first": lambda f: (
        f.eta - f.head,
        mbpo.theorem_4_3(f.gamma, f.R, f.e_m_prime, f.e_pi, f.k),
    ),
    "tight": lambda f: slid(f, mbpo.tight, f.R, f.e_m_prime, f.e_pi),
    "tight, span": lambda f: slid(f, mbpo.tight, f.half, f.e_m_prime, f.e_pi),
    "tight, averages": lambda f: slid(
        f, mbpo.tight, f.half, f.mean_error, f.mean_shift
    ),
    "tight, head-first": lambda f: (
        f.eta - f.head,
        mbpo.tight_head_first(f.gamma, f.half, f.e_m_prime, f.e_pi, f.k),
    ),
    "Theorem 4.3, corrected": lambda f: slid(
        f, mbpo.tight_data_states, f.half, f.e_literal, f.e_pi
    ),
    "branch-point, corrected": lambda f: (
        f.eta - f.point,
        mbpo.branch_point(f.gamma, f.half, f.e_m_prime, f.e_pi, f.k),
    ),
}

MBPO_FALSE: dict[str, Statement] = {
    "Lemma B.2, KL": lambda f: lemma_b2(f, kl),
    "Lemma B.3, KL": lambda f: (
        f.eta_D - f.eta_hat,
        mbpo.lemma_b3(f.gamma, f.R, f.e_kl, f.e_pi),
    ),
    "Theorem 4.3, main text": lambda f: slid(
        f, mbpo.theorem_4_3, f.R, f.e_literal, f.e_pi
    ),
    "Theorem 4.3, a ~ pi_D": lambda f: slid(f, mbpo.theorem_4_3, f.R, f.e_m, f.e_pi),
    "branch-point reading": lambda f: (
        f.eta - f.point,
        mbpo.theorem_4_3(f.gamma, f.R, f.e_m_prime, f.e_pi, f.k),
    ),
}
