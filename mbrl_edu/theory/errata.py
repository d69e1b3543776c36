"""The list of counterexamples, and the table that the page of errata prints."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_edu.theory import counterexamples as mbpo
from mbrl_edu.theory import counterexamples_variants as variants
from mbrl_edu.theory.counterexamples import Counterexample

COUNTEREXAMPLES: dict[str, Callable[..., Counterexample]] = {
    f.__name__: f
    for f in (
        mbpo.main_text_4_3,
        mbpo.action_of_the_error,
        mbpo.kl_in_b2,
        mbpo.kl_in_b3,
        mbpo.branch_point,
        mbpo.learned_reward,
        variants.bmpo_anchor,
        variants.ampo_normalisation,
        variants.ampo_sup_r,
        variants.ampo_signed,
        variants.maac_gradient,
        variants.maac_improvement,
    )
}


def table() -> list[dict[str, str | float]]:
    """One row per counterexample: every field of `Counterexample` but its data."""
    rows = [make() for make in COUNTEREXAMPLES.values()]
    fields = ("name", "where", "printed", "why", "corrected")
    numbers = ("gap", "printed_bound", "corrected_bound")
    return [
        {n: getattr(row, n) for n in fields}
        | {n: float(getattr(row, n)) for n in numbers}
        for row in rows
    ]
