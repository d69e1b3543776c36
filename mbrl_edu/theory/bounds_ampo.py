"""AMPO's lower bound of the return (Theorem 3.1) and the domain-adaptation bound.

Symbols (Shen et al. 2020; the lecture): T the true kernel, T^ the model; nu_T^pi the
normalised discounted law of states, rho_T^pi that of pairs (s, a); J = (1 - gamma) eta,
the NORMALISED return; pi_D the data policy; R a bound on |r|. Vol(S) is the number of
states (counting measure). In continuous spaces Vol(S) and a kernel's density depend on
the unit of length, so there the theorem is qualitative.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, discount, in_range, law, scalar
from mbrl_edu.theory.distances import (
    half_span,
    kernel_norm,
    kl,
    lipschitz_constant,
    mmd,
    tv,
    w1,
)
from mbrl_edu.theory.mdp import FiniteMDP, discounted_states, occupancy

Class = Literal["smallest", "signed", "tv", "w1", "mmd"]
CLASSES = ("smallest", "signed", "tv", "w1", "mmd")


def visits(
    mdp: FiniteMDP, T_hat: ArrayLike, pi: ArrayLike, pi_D: ArrayLike
) -> tuple[Array, Array]:
    """rho_T^{pi_D} and rho_{T^}^{pi}, the occupancies that AMPO aligns; (..., S, A)."""
    model = mdp.with_model(np.asarray(T_hat))
    return occupancy(mdp, pi_D), occupancy(model, pi)


def visit_shift(mdp: FiniteMDP, pi: ArrayLike, pi_D: ArrayLike) -> Any:
    """eps_pi of AMPO = 2 TV(nu_T^pi, nu_T^{pi_D}): state visits, not actions; (...)."""
    return 2 * tv(discounted_states(mdp, pi), discounted_states(mdp, pi_D))


def signed_differences(T_hat: ArrayLike, rho: ArrayLike, rho_hat: ArrayLike) -> Array:
    """E_rho T^(s'|s,a) - E_rho^ T^(s'|s,a) for every s', shape (..., S)."""
    d = np.asarray(rho) - np.asarray(rho_hat)
    return np.einsum("...sa,...sat->...t", d, np.asarray(T_hat))


def class_distances(
    T_hat: ArrayLike,
    rho: ArrayLike,
    rho_hat: ArrayLike,
    family: Class = "smallest",
    geometry: ArrayLike | None = None,
) -> Array:
    """d_{F_s'}(rho, rho_hat) for every s', shape (..., S).

    F_s' is a class with T^(s'|.,.) in it (Lemma 3.1), closed under negation:
      smallest  {T^(s'|.), -T^(s'|.)}
      tv        functions whose half span is at most that of T^(s'|.)
      w1        Lipschitz ball of T^(s'|.); geometry = metric (SA, SA) on pairs
      mmd       kernel-space ball of T^(s'|.); geometry = kernel matrix (SA, SA)
      signed    {T^(s'|.)} alone, the literal reading, for which the theorem is FALSE
    w1 solves one linear programme, so it takes a single instance (no batch).
    """
    if family not in CLASSES:
        raise ValueError(f"family = {family!r} is not one of {CLASSES}.")
    T_hat, rho, rho_hat = (np.asarray(x) for x in (T_hat, rho, rho_hat))
    if family in ("smallest", "signed"):
        c = signed_differences(T_hat, rho, rho_hat)
        return np.abs(c) if family == "smallest" else c
    flat = np.moveaxis(T_hat.reshape(*T_hat.shape[:-3], -1, T_hat.shape[-1]), -1, -2)
    p, q = (x.reshape(*x.shape[:-2], -1) for x in (rho, rho_hat))
    if family == "tv":
        return np.asarray(half_span(flat)) * 2 * np.asarray(tv(p, q))[..., None]
    if geometry is None:
        raise ValueError(f"geometry is missing; the family {family!r} needs it.")
    if family == "w1":
        return np.asarray(lipschitz_constant(geometry, flat)) * w1(geometry, p, q)
    radius = kernel_norm(np.asarray(geometry)[..., None, :, :], flat)
    return np.asarray(radius) * np.asarray(mmd(geometry, p, q))[..., None]


def lemma_3_1(gamma: Any, distance: ArrayLike, error: ArrayLike) -> Any:
    """Lemma 3.1, for every s' (..., S): gamma (d_{F_s'} + error).

    Bounds |nu_T^{pi_D}(s') - nu_{T^}^{pi}(s')|. error (..., S) = E_{rho_T^{pi_D}} |T -
    T^|(s'|s,a). From nu(s') = (1-gamma) rho0(s') + gamma sum T(s'|s,a) rho(s,a), for
    both chains.
    """
    return scalar(np.asarray(gamma) * (np.asarray(distance) + np.asarray(error)))


def state_errors(mdp: FiniteMDP, T_hat: ArrayLike, rho: ArrayLike) -> Array:
    """E_rho |T(s'|s,a) - T^(s'|s,a)| for every s', shape (..., S)."""
    apart = np.abs(mdp.P - np.asarray(T_hat))
    return np.einsum("...sa,...sat->...t", np.asarray(rho), apart)


def expected_pinsker(mdp: FiniteMDP, T_hat: ArrayLike, rho: ArrayLike) -> Any:
    """E_{(s,a)~rho} sqrt(2 KL(T || T^)), shape (...); infinite where T^ misses T."""
    rho = np.asarray(rho)
    size = np.sqrt(2 * np.asarray(kl(mdp.P, T_hat)))
    with np.errstate(invalid="ignore"):
        return scalar(np.where(rho > 0, rho * size, 0.0).sum(axis=(-2, -1)))


def theorem_3_1(
    gamma: Any, R: Any, e_pi: Any, distance: Any, volume: Any, model: Any
) -> Any:
    """AMPO Theorem 3.1: |J - J^| <= R e_pi + gamma R d_F Vol(S) + gamma R model.

    J and J^ are NORMALISED returns of pi in T and in T^. e_pi = `visit_shift`, distance
    = max over s' of `class_distances`, volume = |S|, model = `expected_pinsker`. Three
    things differ from the slide: R is sup |r| and not sup r; with un-normalised eta the
    right side must be divided by 1 - gamma; and F must be closed under negation. Each
    of the three, taken literally, is false.
    """
    g, R = discount("gamma", gamma), in_range("R", R, 0)
    with np.errstate(
        invalid="ignore"
    ):  # an infinite KL does not matter for gamma R = 0
        visits = np.where(g * R > 0, g * R * (np.multiply(distance, volume) + model), 0)
    return scalar(R * np.asarray(e_pi) + visits)


def theorem_3_1_sharp(
    gamma: Any, R: Any, e_pi: Any, distances: ArrayLike, errors: ArrayLike
) -> Any:
    """Theorem 3.1 with a sum (ours): R e_pi + gamma R sum_s' (d_{F_s'} + error).

    distances = `class_distances`, errors = `state_errors`, both (..., S); R may be half
    the span of r. Replaces Vol(S) max by the sum and Pinsker's bound by the L1
    distance.
    """
    g, R = discount("gamma", gamma), in_range("R", R, 0)
    total = (np.asarray(distances) + np.asarray(errors)).sum(axis=-1)
    return scalar(R * (np.asarray(e_pi) + g * total))


# --- domain adaptation ----------------------------------------------------------------


def hypothesis_risks(h: ArrayLike, label: ArrayLike, mu: ArrayLike) -> Any:
    """E_{x~mu} |h(x) - label(x)| (..., m), for h (..., m, n), label, mu (..., n)."""
    apart = np.abs(np.asarray(h) - np.asarray(label)[..., None, :])
    return scalar((apart * law("mu", mu)[..., None, :]).sum(axis=-1))


def domain_adaptation(source: Any, K: Any, distance: Any, best_joint: Any) -> Any:
    """Shen et al. 2018, Theorem 1: target risk of h <= source + 2 K W1 + best_joint.

    Every hypothesis is K-Lipschitz; source = risk of h on the source domain, distance =
    W1(source law, target law), best_joint = min over h of source plus target risk. (The
    slide's formula is lost; 2 K because |h - h*| is 2K-Lipschitz. With K it is false.)
    """
    K, W = in_range("K", K, 0), in_range("distance", distance, 0)
    return scalar(np.asarray(source) + 2 * K * W + np.asarray(best_joint))
