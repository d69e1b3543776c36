"""Verdicts on the claim of chapter 13, computed from its stored runs.

What counts, fixed before any of these runs was looked at:

solved      a trial whose tip stays within 0.1 m of its goal for the whole last second.
            That is a tenth of the way from where it hangs to where it belongs, and the
            reward there is at least 0.92 of 1: swung up, and held.
how fast    the number of the first such trial, the random one not counted.
few trials  at most ten, as in table 1 of the paper (2011).
experience  real seconds up to the end of that trial, the random one included; the
            paper's table has about 20.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study

SOLVED = 0.1  # m, of the tip from its goal
FEW = 10  # trials
SECONDS = 0.1  # of a real step
BAND = "95% percentile bootstrap over seeds"


def first_solved(misses: np.ndarray) -> np.ndarray:
    """The learned trial (seeds,) that was first solved, infinity if none was, from
    the misses (seeds, 1 + K) of all trials, the random one first."""
    good = misses[:, 1:] <= SOLVED
    return np.where(good.any(1), 1.0 + good.argmax(1), np.inf)


def by_seed(table: Any, column: str) -> np.ndarray:
    """One column as (seeds, 1 + K), trials in order."""
    return table.pivot(index="seed", columns="trial", values=column).to_numpy()


@verdict("L30", study="pilco-swingup", part="swing-up in few trials")
def few_trials(study: Study) -> Verdict:
    """Holds: four in five seeds solve it, half of all within ten trials. With
    conditions: half of the seeds solve it at all."""
    table = study.table
    first = first_solved(by_seed(table, "miss"))
    solved, n = np.isfinite(first), len(first)
    share, median = solved.mean(), np.median(first)
    fully = share >= 0.8 and median <= FEW
    some = "holds with conditions" if share >= 0.5 else "does not hold here"
    text = f"Solved in {solved.sum()} of {n} runs"
    if np.isfinite(median):
        ends = SECONDS * by_seed(table, "step")
        at = np.interp(median, np.arange(ends.shape[1]), ends[0])
        text += f", first in trial {median:g} (median, {at:.0f} s of experience)"
    last = stats.bootstrap(by_seed(table, "return")[:, -1], statistic=stats.mean)
    trials = table["trial"].max()
    text += f"; trial {trials} returns {last.center:.1f} [{last.low:.1f}, "
    return Verdict(
        "holds" if fully else some,
        effect=f"{text}{last.high:.1f}] of 40.",
        seeds=n,
        band=BAND,
        task="PilcoCartPole-v0, trials of 4 s, 40 steps",
        command=study.command,
    )
