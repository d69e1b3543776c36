"""Verdicts on the claim of chapter 4, computed from its stored runs.

Every rule compares random shooting (RS) and the cross-entropy method (CEM) in cells of
equal model calls: "holds" asks for all cells, "with conditions" for half of them. In a
cell, the paired 95% band must lie on one side of zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study

BAND = "95% percentile bootstrap over start states"


def _by(cells: list[bool]) -> str:
    """The verdict's word: all cells, at least half of them, or fewer."""
    if all(cells):
        return "holds"
    return "holds with conditions" if np.mean(cells) >= 0.5 else "does not hold here"


def by_start(table: Any, column: str, how: str) -> Any:
    """`column` over the repeats from the same start, by `how` ("mean" or "std"):
    index (n, H, seed), one column per method."""
    groups = table.groupby(["n", "H", "seed", "method"])[column]
    return getattr(groups, how)().unstack()


def leads(table: Any) -> dict[tuple[int, int], stats.Band]:
    """By (n, H) the mean of RS minus CEM over start states."""
    return {
        cell: stats.paired_difference(rows["RS"], rows["CEM"], stats.mean)
        for cell, rows in table.groupby(["n", "H"])
    }


def _task(study: Study) -> str:
    plans = study.tables["plans"]
    sizes = ", ".join(str(n) for n in sorted(plans["n"].unique()))
    horizons = ", ".join(str(H) for H in sorted(plans["H"].unique()))
    most = plans["calls"].max()
    return f"LQR-v0, n = {sizes}; H = {horizons}; {most:,} plans a search"


@verdict("L7", study="shooting", part="CEM finds better plans")
def cem_finds_better_plans(study: Study) -> Verdict:
    """Regret of the plan over what doing nothing loses on average. Holds: the band of
    RS less CEM lies above zero in every cell. With conditions: in half of them."""
    mean = by_start(study.tables["plans"], "regret", "mean")
    better = [band.low > 0 for band in leads(mean).values()]
    cells = mean.groupby(["n", "H"]).mean()
    (n, H), (m, G) = cells.index[0], cells.index[-1]
    first, last = cells.loc[n, H], cells.loc[m, G]
    return Verdict(
        _by(better),
        effect=(
            f"CEM loses less than RS in {sum(better)} of {len(better)} cells. Regret "
            f"over the mean gap between doing nothing and the exact optimum: "
            f"{first['RS']:.3g} (RS) and {first['CEM']:.2g} (CEM) with n = {n}, H = "
            f"{H}; {last['RS']:.3g} and {last['CEM']:.2g} with n = {m}, H = {G}. RS is "
            f"worse than doing nothing in {(cells['RS'] > 1).sum()} cells, CEM in "
            f"{(cells['CEM'] > 1).sum()}."
        ),
        seeds=int(study.tables["plans"]["seed"].nunique()),
        band=BAND,
        task=_task(study),
        command=study.command,
    )


@verdict("L7", study="shooting", part="random shooting has the higher variance")
def shooting_varies_more(study: Study) -> Verdict:
    """Standard deviation of the regret over searches from the same start; cells are
    counted as above."""
    spread = by_start(study.tables["plans"], "regret", "std")
    larger = [band.low > 0 for band in leads(spread).values()]
    cells = spread.groupby(["n", "H"]).mean()
    ratio = cells["RS"] / cells["CEM"]
    return Verdict(
        _by(larger),
        effect=(
            "From one start state to the next search, the regret of RS varies more "
            f"than that of CEM in {sum(larger)} of {len(larger)} cells: its standard "
            f"deviation is {ratio.min():.2g} to {ratio.max():.2g} times as large."
        ),
        seeds=int(study.tables["plans"]["seed"].nunique()),
        band=BAND,
        task=_task(study),
        command=study.command,
    )


@verdict("L7", study="shooting", part="CEM's lead grows with dimension and horizon")
def lead_grows(study: Study) -> Verdict:
    """RS less CEM at the largest n against the smallest, by H; and the same for H.
    Cells are counted as above."""
    mean = by_start(study.tables["plans"], "regret", "mean")
    lead = (mean["RS"] - mean["CEM"]).unstack(["n", "H"])
    sizes, horizons = (sorted(set(lead.columns.get_level_values(i))) for i in (0, 1))
    low, high, short, long = sizes[0], sizes[-1], horizons[0], horizons[-1]
    pairs = {
        "n": [(lead[high, H], lead[low, H]) for H in horizons],
        "H": [(lead[n, long], lead[n, short]) for n in sizes],
    }
    grows = {
        key: [stats.paired_difference(a, b, stats.mean).low > 0 for a, b in both]
        for key, both in pairs.items()
    }
    average = lead.mean()
    return Verdict(
        _by(grows["n"] + grows["H"]),
        effect=(
            f"RS minus CEM, over the mean gap, is larger with n = {high} than with "
            f"n = {low} at {sum(grows['n'])} of {len(horizons)} horizons, and larger "
            f"with H = {long} than with H = {short} at {sum(grows['H'])} of "
            f"{len(sizes)} dimensions. With H = {long} it is {average[low, long]:.2g} "
            f"for n = {low} and {average[high, long]:.2g} for n = {high}."
        ),
        seeds=len(lead),
        band=BAND,
        task=_task(study),
        command=study.command,
    )


@verdict("L7", study="shooting", part="as a controller that plans again at every step")
def cem_controls_better(study: Study) -> Verdict:
    """Closed loop: regret on the LQR (lower is better), return on the swing-up. Each
    task and budget is a cell; cells are counted as above."""
    table, better, words = study.tables["closed-loop"], [], []
    for (name, budget), rows in table.groupby(["task", "budget"]):
        x = rows.pivot(index="seed", columns="method", values="result")
        sign = 1 if name.startswith("LQR") else -1
        band = stats.paired_difference(sign * x["RS"], sign * x["CEM"], stats.mean)
        better.append(band.low > 0)
        text = f"{name}, {budget} plans a step: RS {x['RS'].mean():.3g}, "
        text += f"CEM {x['CEM'].mean():.3g}" + (
            "" if better[-1] else " (the band crosses 0)"
        )
        words.append(text)
    return Verdict(
        _by(better),
        effect=(
            f"CEM is better in {sum(better)} of {len(better)} settings. Regret over "
            "the mean gap on the LQR (0 is the optimum), return on the swing-up: "
            + "; ".join(words)
            + "."
        ),
        seeds=int(table.groupby("task")["seed"].nunique().min()),
        band="95% percentile bootstrap over seeds, paired",
        task="LQR-v0 and CartPoleSwingUp-v0 with their true dynamics",
        command=study.command,
    )
