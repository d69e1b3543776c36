"""Numbers behind the figures: plain arrays, nothing drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from mbrl_edu.theory import bounds_bmpo as bmpo
from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory import choice_of_k, errors
from mbrl_edu.theory._arrays import Array, steps
from mbrl_edu.theory.bounds_maac import gradient_constants
from mbrl_edu.theory.instances import FAMILIES, draw
from mbrl_edu.theory.mdp import FiniteMDP, occupancy
from mbrl_edu.theory.statements import MBPO, Statement, ratios

CHUNK = 250  # instances solved at once: more do not fit the processor's cache
SHARES = tuple(i / 10 for i in range(11))


def bound_against_k(
    gamma: float, e_m_prime: float, e_pi: float, r_max: float = 1.0, k_max: int = 50
) -> dict[str, Any]:
    """The bounds for k = 0..k_max: "k", "slide", "tight", "head_first" (k_max + 1,).

    "policy" and "model" are the two summands of the slide's bound; "best_k" and
    "best_k_tight" the optima in closed form (possibly infinite); "largest" the largest
    gap two returns can have, 2 r_max / (1 - gamma): above it a bound says nothing.
    """
    steps("k_max", k_max)
    k = np.arange(k_max + 1)
    return {
        "k": k,
        "slide": mbpo.theorem_4_3(gamma, r_max, e_m_prime, e_pi, k),
        "policy": mbpo.theorem_4_3(gamma, r_max, 0.0, e_pi, k),
        "model": mbpo.theorem_4_3(gamma, r_max, e_m_prime, 0.0, k),
        "tight": mbpo.tight(gamma, r_max, e_m_prime, e_pi, k),
        "head_first": mbpo.tight_head_first(gamma, r_max, e_m_prime, e_pi, k),
        "best_k": choice_of_k.best_k(gamma, e_m_prime, e_pi),
        "best_k_tight": choice_of_k.best_k_tight(e_m_prime, e_pi),
        "largest": 2 * r_max / (1 - gamma),
    }


def ratio_sample(
    n: int,
    seed: int = 0,
    families: tuple[str, ...] = tuple(FAMILIES),
    shapes: tuple[tuple[int, int], ...] = ((2, 2), (4, 2), (8, 4)),
    table: dict[str, Statement] | None = None,
) -> dict[str, Array]:
    """|gap| / bound of each statement on about `n` instances, name -> (n',).

    n' is n rounded up to a whole number per family and shape (S, A). `table` is MBPO's
    by default.
    """
    each = -(-n // (len(families) * len(shapes)))
    rng, parts = np.random.default_rng(seed), []
    for S, A in shapes:
        for family in families:
            for at in range(0, each, CHUNK):
                x = draw(family, rng, min(CHUNK, each - at), S, A)
                parts.append(ratios(x, table or MBPO))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def counted_model(
    mdp: FiniteMDP, pi_D: ArrayLike, n: int, rng: Generator, prior: float = 0.1
) -> Array:
    """A tabular model (..., S, A, S) from n transitions: (counts + prior) / sum.

    The pairs (s, a) are drawn from the discounted occupancy of pi_D, the successors
    from P; a pair without data gets the uniform law. One data set per MDP of the batch.
    """
    joint = occupancy(mdp, pi_D)[..., None] * mdp.P
    flat = np.maximum(joint.reshape(*joint.shape[:-3], -1), 0)
    flat = flat / flat.sum(axis=-1, keepdims=True)
    counts = rng.multinomial(n, flat).reshape(joint.shape) + prior
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def error_against_shift(
    mdp: FiniteMDP,
    pi_D: ArrayLike,
    pi_new: ArrayLike,
    n_data: list[int],
    seed: int = 0,
    shares: ArrayLike = SHARES,
) -> dict[str, Array]:
    """e_m' of a counted model while pi moves from pi_D to pi_new, per data size.

    pi = (1 - share) pi_D + share pi_new. For a batch of m MDPs:
    "e_pi" (shares, m); "e_m_prime" (sizes, shares, m), both by definition; "e_m"
    (sizes, m) = e_m' at share 0; "slope" (sizes, m), least squares line through (0,
    e_m); "slope_limit" and "best_k" (sizes, shares, m), what the slide's bound asks for
    there. The same random stream serves every data size.
    """
    pi_D, pi_new = np.asarray(pi_D, float), np.asarray(pi_new, float)
    share = np.asarray(shares, dtype=np.float64)
    models = [
        counted_model(mdp, pi_D, n, np.random.default_rng([seed, n])) for n in n_data
    ]
    path = [(1 - u) * pi_D + u * pi_new for u in share]
    e_pi = np.stack([np.asarray(errors.policy_shift(pi, pi_D)) for pi in path])
    e = np.array([[errors.eps_m_prime(mdp, P, pi) for pi in path] for P in models])
    e_m = np.array([errors.eps_m(mdp, P, pi_D) for P in models])
    rise = e - e_m[:, None]
    slope = (rise * e_pi).sum(axis=1) / (e_pi**2).sum(axis=0)
    return {
        "n_data": np.array(n_data),
        "e_pi": e_pi,
        "e_m_prime": e,
        "e_m": e_m,
        "slope": slope,
        "slope_limit": choice_of_k.slope_limit(e_m[:, None], e_pi),
        "best_k": choice_of_k.best_k(mdp.gamma, e, e_pi),
    }


def bidirectional_against_split(
    gamma: float, e_m: float, e_b: float, e_pi: float, L: int, r_max: float = 1.0
) -> dict[str, Any]:
    """BMPO's bounds for rollouts of length L, k1 = 0..L of them backward; (L + 1,).

    "slide": max(k1, L - k1) max(e_m, e_b); "end": the bound without slack at the last
    position, idealised anchor; "mean": its average over all positions; "buffer": last
    position with buffer anchors; "forward": the slide's forward bound, a number.
    """
    k1, positions = np.arange(L + 1), np.arange(L + 1)
    e, R = max(e_m, e_b), r_max
    each = bmpo.position(gamma, R, e_m, e_b, e_pi, k1[:, None], positions)
    return {
        "k1": k1,
        "slide": bmpo.bidirectional(gamma, R, e, e_pi, k1, L - k1),
        "end": each[:, -1],
        "mean": each.mean(axis=1),
        "buffer": bmpo.buffer_forward(gamma, R, e_m, e_pi, L - k1),
        "forward": bmpo.forward(gamma, R, e_m, e_pi, 0, L),
    }


def gradient_bound_against_horizon(
    gamma: float, H_max: int, e_f: float, e_Q: float, e_v: float, **sizes: float
) -> dict[str, Array]:
    """MAAC's three summands for H = 0..H_max: "H", "model", "critic", "offset", "sum".

    `sizes` are the remaining arguments of `bounds_maac.gradient_constants`.
    """
    H = np.arange(H_max + 1)
    c = [gradient_constants(int(h), gamma, **sizes) for h in H]
    model, critic = np.array([x.c1 * e_f for x in c]), np.array([x.c2 * e_Q for x in c])
    offset = np.array([x.c_v * e_v for x in c])
    parts = {"model": model, "critic": critic, "offset": offset}
    return {"H": H, **parts, "sum": model + critic + offset}
