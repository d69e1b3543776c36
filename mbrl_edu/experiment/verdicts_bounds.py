"""Verdicts on the claims of chapter 6, computed from its stored numbers."""

from __future__ import annotations

from typing import Any

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study
from mbrl_edu.experiment.studies_bounds import FOUND

NO_BAND = "none: exact computations, every instance counts"
SLIDE = ["slide", "slide, head-first"]  # the readings under which it was proved
OTHER = {  # readings of the same words, and how a reader comes to them
    "branch-point reading": "rollouts from a sampled state, read after k steps",
    "Theorem 4.3, main text": "model error on the data policy's states",
    "Theorem 4.3, a ~ pi_D": "model error on the data policy's states and actions",
}


def _by(fully: bool, partly: bool) -> str:
    """The verdict's word."""
    some = "holds with conditions" if partly else "does not hold here"
    return "holds" if fully else some


def totals(table: Any) -> Any:
    """One row per statement: instances and violations over all seeds, the median of
    the seeds' medians and 95 % quantiles, and the overall maximum."""
    return table.groupby(["kind", "statement"]).agg(
        instances=("instances", "sum"),
        violations=("violations", "sum"),
        median=("median", "median"),
        p95=("p95", "median"),
        max=("max", "max"),
    )


@verdict("L11", study="bounds-sample", part="sliding and head-first branches")
def slide_on_samples(study: Study) -> Verdict:
    """The slide's formula, model error on the states and actions of pi itself."""
    rows = totals(study.table).loc["holds"].loc[SLIDE]
    broken, tried = int(rows["violations"].sum()), int(rows["instances"].sum())
    one = rows.loc["slide"]
    return Verdict(
        _by(broken == 0, broken <= 0.01 * tried),
        effect=(
            f"{broken} violations in {tried:,} checks on ten families of exact MDPs. "
            f"|gap| / bound: median {one['median']:.2g}, at most {one['max']:.2f} for "
            f"sliding branches, {rows['max'].iloc[1]:.2f} for head-first ones: true, "
            "and on most problems far from tight."
        ),
        seeds=int(study.table["seed"].nunique()),
        band=NO_BAND,
        task="random, sparse, periodic, near-tight and adversarial MDPs, 2 to 8 states",
        command=study.command,
    )


@verdict("L11", study="bounds-sample", part="other readings of the same words")
def other_readings_on_samples(study: Study) -> Verdict:
    """The same formula with another branch, or with the error measured elsewhere."""
    rows = totals(study.table).loc["fails"].loc[list(OTHER)]
    broken = (rows["violations"] > 0).to_numpy()
    counts = "; ".join(
        f"{words}: violated in {rows.loc[name, 'violations']:,} of "
        f"{rows.loc[name, 'instances']:,}"
        for name, words in OTHER.items()
    )
    return Verdict(
        _by(not broken.any(), not broken.all()),
        effect=counts[0].upper() + counts[1:] + ".",
        seeds=int(study.table["seed"].nunique()),
        band=NO_BAND,
        task="random, sparse, periodic, near-tight and adversarial MDPs, 2 to 8 states",
        command=study.command,
    )


@verdict("L11", study="bounds-climb", part="under a search for violations")
def slide_under_a_climb(study: Study) -> Verdict:
    """A hill climb must not pass the true statements, and must find the false ones."""
    table = study.table
    true, false = (table[table["kind"] == kind] for kind in ("holds", "fails"))
    slide = true[true["statement"].isin(SLIDE)]
    found = false[false["score"] > FOUND]["statement"].nunique()
    printed = false["statement"].nunique()
    safe = bool((true["score"] <= 1 + 1e-9).all())
    return Verdict(
        _by(safe and found == printed, bool((slide["score"] <= 1 + 1e-9).all())),
        effect=(
            f"{len(true)} climbs on {true['statement'].nunique()} true statements end "
            f"at |gap| / bound {true['score'].max():.4f} or lower, those on the "
            f"slide's bound at {slide['score'].max():.3f} or lower; climbs find a "
            f"violation of {found} of {printed} false statements."
        ),
        seeds=int(table["seed"].nunique()),
        band=NO_BAND,
        task="MDPs with 3 and 4 states, k = 2 and 15, every probability free",
        command=study.command,
    )


@verdict("L12", study="bounds-best-k", part="closed form")
def best_k_in_closed_form(study: Study) -> Verdict:
    """Is k* > 0 exactly when the errors say so, and does a sharper bound agree?"""
    table = study.tables["formula"]
    sums = table.drop(columns="seed").sum()
    tried, inside = int(sums["settings"]), int(sums["slide_optimum_inside"])
    exact = (
        sums["formula_is_brute_force"] == sums["positive_iff_smaller_error"] == tried
    )
    agrees = int(sums["tight_optimum_inside"])
    return Verdict(
        _by(bool(exact and agrees == inside), bool(exact)),
        effect=(
            f"k* > 0 if and only if eps_m' < eps_pi, that is d eps_m'/d eps_pi < 1 - "
            f"eps_m / eps_pi; the closed form is the brute-force optimum in "
            f"{int(sums['formula_is_brute_force']):,} of {tried:,} settings. But the "
            f"optimum is the printed formula's: it lies between 0 and infinity in "
            f"{inside:,} settings, that of the tight form in {agrees}."
        ),
        seeds=len(table),
        band=NO_BAND,
        task="the bounds as functions of gamma, eps_m', eps_pi",
        command=study.command,
    )


@verdict("L12", study="bounds-best-k", part="measured on counted models")
def best_k_measured(study: Study) -> Verdict:
    """Share of runs with k* > 0 when the policy has moved all the way."""
    table = study.tables["learned"]
    table = table[(table["share"] == 1) & (table["toward"] == "model")]
    parts, shares = [], []
    for world, rows in table.groupby("world"):
        positive = (rows["best_k"] > 0).groupby(rows["n_data"]).mean()
        slopes = rows.pivot(index="seed", columns="n_data", values="slope")
        few, many = slopes.columns[[0, -1]]
        bands = [stats.bootstrap(slopes[n].to_numpy()) for n in (few, many)]
        text = ", ".join(
            f"{b.center:.3f} [{b.low:.3f}, {b.high:.3f}] after {n:,} steps"
            for b, n in zip(bands, (few, many), strict=True)
        )
        parts.append(
            f"{world}: slope {text}; k* > 0 in {positive[few]:.0%} and "
            f"{positive[many]:.0%} of the runs"
        )
        shares.append((positive[few], positive[many]))
    return Verdict(
        _by(all(a >= 0.95 for a, _ in shares), all(b >= 0.95 for _, b in shares)),
        effect="; ".join(parts) + ".",
        seeds=int(table["seed"].nunique()),
        band="95% percentile bootstrap over seeds, interquartile mean",
        task="models by counting, policy moved to the optimum of the model",
        command=study.command,
    )
