"""Which branch length k a bound asks for; symbols as in `bounds_mbpo`."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbrl_edu.theory._arrays import scalar
from mbrl_edu.theory.bounds_mbpo import checked


def best_k(gamma: Any, e_m_prime: Any, e_pi: Any) -> Any:
    """The k that minimises the slide's bound, a float (infinite where e_m' = 0 < e_pi).

    C(k+1) - C(k) is proportional to e_m' - gamma^k e_pi, so k* = 0 if e_m' >= e_pi,
    else ceil(ln(e_pi / e_m') / ln(1 / gamma)). In particular k* > 0 if and only if e_m'
    < e_pi: this is what the slide's "sufficiently small derivative" means. Theorem 4.2
    has k* = 0 always; the tight form is monotone in k, so its optimum is 0 or infinity:
    the interior optimum is made by the count k in place of gamma (1-gamma^k) /
    (1-gamma).
    """
    g, _, m, p = checked(gamma, 1.0, e_m_prime=e_m_prime, e_pi=e_pi)
    g, m, p = np.broadcast_arrays(g, m, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.ceil(np.log(p / m) / -np.log(g))
    k = np.where(m == 0, np.inf, np.maximum(k, 1))  # gamma = 0: one step is enough
    return scalar(np.where((g == 0) & (m < p), 1.0, np.where(m < p, k, 0.0)))


def best_k_tight(e_m_prime: Any, e_pi: Any) -> Any:
    """The k that minimises `tight`: 0 where e_m' >= e_pi, else infinity."""
    _, _, m, p = checked(0.0, 1.0, e_m_prime=e_m_prime, e_pi=e_pi)
    return scalar(np.where(m < p, np.inf, 0.0))


def slope_limit(e_m: Any, e_pi: Any) -> Any:
    """Largest slope d e_m'/d e_pi for which the slide's k* is positive: 1 - e_m / e_pi.

    With e_m'(e_pi) = e_m + slope e_pi [MBPO, section 4.2], e_m' < e_pi if and only if
    slope < 1 - e_m / e_pi. Minus infinity where e_pi = 0 < e_m.
    """
    _, _, m, p = checked(0.0, 1.0, e_m=e_m, e_pi=e_pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        return scalar(1 - np.where(m > 0, m / p, 0.0))
