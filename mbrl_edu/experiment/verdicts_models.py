"""Verdicts on the claims of chapter 3, computed from its stored runs.

Every word follows from the numbers by a rule in the docstring of its function; the
rules were fixed before the studies were run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study

BAND = "95% percentile bootstrap over seeds, interquartile mean"
LEARNED = ("D", "P", "DE", "PE", "GP")
TABLE = {  # the lecture's slide: aleatoric, epistemic
    "D": ("no", "no"),
    "P": ("yes", "no"),
    "DE": ("no", "yes"),
    "GP": ("homoscedastic", "yes"),
    "PE": ("yes", "yes"),
}
COVERED = (0.86, 0.94)  # a 90 % interval is honest if it covers this share
FOLLOWS = 0.5  # correlation from which on predicted noise follows the true one
GROWS = 2.0  # factor by which epistemic spread must grow from the data into the gap
OFF = ("gap", "outside")


def _by(fully: bool, partly: bool) -> str:
    """The verdict's word."""
    some = "holds with conditions" if partly else "does not hold here"
    return "holds" if fully else some


# L3: errors along imagined paths


def growth(table: Any, k: int) -> dict[tuple[str, str], stats.Band]:
    """(task, family) -> median error after k steps over that after 1, over seeds; the
    mean path of every learned family."""
    rows = table[(table["path"] == "mean") & table["family"].isin(LEARNED)]
    found = {}
    for (task, family), mine in rows.groupby(["task", "family"]):
        error = mine.pivot(index="seed", columns="k", values="median")
        found[task, family] = stats.bootstrap((error[k] / error[1]).to_numpy())
    return found


def _span(bands: Mapping[Any, stats.Band], digits: int = 1) -> str:
    centers = [b.center for b in bands.values()]
    return f"{min(centers):.{digits}f} to {max(centers):.{digits}f}"


@verdict("L3", study="compounding-error", part="errors pile up")
def errors_pile_up(study: Study) -> Verdict:
    """Holds if the error at the longest k is at least twice that of one step, with its
    whole band, for every task and family; with conditions if for some."""
    k = int(study.table["k"].max())
    found = growth(study.table, k)
    more = [b.low >= 2 for b in found.values()]
    true = study.table[study.table["family"] == "true"]
    rest = true[true["k"] == k]["median"].max()
    at = "; ".join(
        f"{task}: " + ", ".join(_error(study.table, task, f, k) for f in LEARNED)
        for task in sorted(study.table["task"].unique())
    )
    return Verdict(
        _by(all(more), any(more)),
        effect=(
            f"After {k} steps the median error is {_span(found)} times that of one "
            f"step, in standard deviations of the state: {at}. The true dynamics, in "
            f"32 bits, stay within {rest:.2g}."
        ),
        seeds=int(study.table["seed"].nunique()),
        band=BAND,
        task="CartPoleSwingUp-v0 and Pendulum-v1, 2,000 real steps, the GP 400 of them",
        command=study.command,
    )


def _error(table: Any, task: str, family: str, k: int) -> str:
    rows = table.query(
        "task == @task and family == @family and k == @k and path == 'mean'"
    )
    band = stats.bootstrap(rows["median"].to_numpy())
    return f"{family} {band.center:.2g} [{band.low:.2g}, {band.high:.2g}]"


@verdict("L3", study="compounding-error", part="faster than one error per step")
def errors_grow_faster_than_linearly(study: Study) -> Verdict:
    """Holds if the error after k steps exceeds k times that of one step, with its whole
    band, at the longest k for every task and family; with conditions if for some."""
    ks = [10, int(study.table["k"].max())]
    ratio = {
        k: {key: _over(b, k) for key, b in growth(study.table, k).items()} for k in ks
    }
    above = [b.low > 1 for b in ratio[ks[-1]].values()]
    spans = " and ".join(f"{_span(ratio[k], 2)} at k = {k}" for k in ks)
    worst = ", ".join(
        f"{family} on {task}"
        for (task, family), b in ratio[ks[-1]].items()
        if b.low <= 1
    )
    return Verdict(
        _by(all(above), any(above)),
        effect=(
            f"Error after k steps over k times the error of one: {spans}; above 1 "
            f"with its whole band at k = {ks[-1]} in {sum(above)} of {len(above)} "
            f"cases{', not for ' + worst if worst else ''}."
        ),
        seeds=int(study.table["seed"].nunique()),
        band=BAND,
        task="CartPoleSwingUp-v0 and Pendulum-v1, 2,000 real steps, the GP 400 of them",
        command=study.command,
    )


def _over(b: stats.Band, k: int) -> stats.Band:
    return stats.Band(b.center / k, b.low / k, b.high / k, b.level, b.runs)


# L8: the lecture's table of families


def by_seed(table: Any, family: str, region: str, column: str) -> np.ndarray:
    """(seeds,) one column of one family in one region."""
    rows = table[(table["family"] == family) & (table["region"] == region)]
    return rows.sort_values("seed")[column].to_numpy()


def measured(table: Any) -> dict[str, tuple[str, str]]:
    """The lecture's table from the numbers, family -> (aleatoric, epistemic).

    Aleatoric: no unless the 90 % interval covers ``COVERED`` inside the data, on
    average over seeds; then "yes" if the predicted noise follows the true one with a
    correlation of ``FOLLOWS``, else "homoscedastic". Epistemic: yes if the spread of
    the means grows by ``GROWS`` from inside the data into the gap, with its whole band.
    """
    found = {}
    for family in TABLE:
        covered = by_seed(table, family, "in range", "cover90").mean()
        follows = by_seed(table, family, "in range", "noise_corr").mean() >= FOLLOWS
        noise = "yes" if follows else "homoscedastic"
        inside, gap = (
            by_seed(table, family, x, "epistemic_sd") for x in ("in range", "gap")
        )
        grows = inside.all() and stats.bootstrap(gap / inside).low >= GROWS
        aleatoric = noise if COVERED[0] <= covered <= COVERED[1] else "no"
        found[family] = aleatoric, "yes" if grows else "no"
    return found


@verdict("L8", study="model-families", part="the table's cells")
def cells_of_the_table(study: Study) -> Verdict:
    """Holds if all ten cells come out as printed, with conditions if eight do."""
    found = measured(study.table)
    wrong = [
        f"{family} ({kind}): measured {mine}, printed {printed}"
        for family, cells in TABLE.items()
        for kind, mine, printed in zip(
            ("aleatoric", "epistemic"), found[family], cells, strict=True
        )
        if mine != printed
    ]
    agree = 10 - len(wrong)
    cover = ", ".join(
        f"{f} {by_seed(study.table, f, 'in range', 'cover90').mean():.2f}"
        for f in TABLE
    )
    spread = ", ".join(f"{f} {_times(study.table, f)}" for f in ("DE", "PE", "GP"))
    return Verdict(
        _by(agree == 10, agree >= 8),
        effect=(
            f"{agree} of 10 cells agree{': not ' + '; '.join(wrong) if wrong else ''}. "
            f"Coverage of the 90% interval inside the data: {cover}. Epistemic spread, "
            f"gap over inside: {spread}."
        ),
        seeds=int(study.table["seed"].nunique()),
        band=BAND,
        task="noisy sine, 1,200 points",
        command=study.command,
    )


def _times(table: Any, family: str) -> str:
    inside, gap = (
        by_seed(table, family, x, "epistemic_sd") for x in ("in range", "gap")
    )
    band = stats.bootstrap(gap / inside)
    return f"{band.center:.1f} [{band.low:.1f}, {band.high:.1f}]"


@verdict("L8", study="model-families", part="honest where there are no data")
def honest_off_the_data(study: Study) -> Verdict:
    """Do families with epistemic uncertainty cover 90 % in the gap and outside?

    Holds if the 90 % interval of DE, PE and GP covers at least 86 % in both regions, on
    average over seeds; with conditions if that of some family does.
    """
    families = ("DE", "PE", "GP")
    cover = {
        f: [stats.bootstrap(by_seed(study.table, f, x, "cover90")) for x in OFF]
        for f in families
    }
    means = {
        f: [by_seed(study.table, f, x, "cover90").mean() for x in OFF] for f in families
    }
    good = [min(m) >= COVERED[0] for m in means.values()]
    texts = [
        f"{f} {gap.center:.2f} [{gap.low:.2f}, {gap.high:.2f}] and "
        f"{out.center:.2f} [{out.low:.2f}, {out.high:.2f}]"
        for f, (gap, out) in cover.items()
    ]
    return Verdict(
        _by(all(good), any(good)),
        effect=(
            "Coverage of the 90% interval in the gap and outside: "
            + ", ".join(texts)
            + "."
        ),
        seeds=int(study.table["seed"].nunique()),
        band=BAND,
        task="noisy sine, 1,200 points",
        command=study.command,
    )


@verdict("L8", study="model-families", part="PE against the other families")
def ensemble_against_the_others(study: Study) -> Verdict:
    """Holds if PE has the lowest mean CRPS over seeds in every region, with conditions
    if in some."""
    mean = study.table.groupby(["region", "family"])["crps"].mean().unstack()
    mean = mean[list(TABLE)]
    best = mean.idxmin(axis=1)
    wins = (best == "PE").to_numpy()
    texts = []
    for region in ("in range", *OFF):
        ours = by_seed(study.table, "PE", region, "crps")
        single, gp = (
            stats.paired_difference(by_seed(study.table, f, region, "crps"), ours)
            for f in ("P", "GP")
        )
        texts.append(
            f"{region}: best {best[region]}; P minus PE {single.center:.3f} "
            f"[{single.low:.3f}, {single.high:.3f}], GP minus PE {gp.center:.3f} "
            f"[{gp.low:.3f}, {gp.high:.3f}]"
        )
    return Verdict(
        _by(bool(wins.all()), bool(wins.any())),
        effect="CRPS, " + "; ".join(texts) + ".",
        seeds=int(study.table["seed"].nunique()),
        band=BAND,
        task="noisy sine, 1,200 points",
        command=study.command,
    )
