"""Verdicts on MBPO's bound, measured while MBPO learns (chapter 7).

The rules were fixed before any of these runs was looked at.
"""

from __future__ import annotations

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.measured_bound import GAMMA, K
from mbrl_edu.experiment.studies import Study

BAND = "95% percentile bootstrap over seeds"
NOISY = f"a point mass with Gaussian noise, gamma {GAMMA}, branches of {K} model steps"


def by(fully: bool, partly: bool) -> str:
    """The verdict's word."""
    some = "holds with conditions" if partly else "does not hold here"
    return "holds" if fully else some


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation of two series (n,)."""
    ranks = np.array([np.argsort(np.argsort(z)) for z in (x, y)])
    return float(np.corrcoef(ranks)[0, 1])


@verdict("L14", study="mbpo-bound", part="measured while MBPO learns")
def gap_follows_the_errors(study: Study) -> Verdict:
    """Gap: |eta - eta_branch|; bound: the lecture's, with half the span of the rewards
    for r_max; terms: the tight form's mixture of policy shift and model error. Holds:
    the gap never exceeds the bound, and within a run it rises and falls with the terms
    (band of the mean rank correlation over evaluations above zero). With conditions:
    the bound is never exceeded."""
    table = study.table
    gap = (table["eta"] - table["eta_branch"]).abs()
    largest = 2 * table["half_span"] / (1 - GAMMA)
    broken = int((gap > table["slide"]).sum())
    table = table.assign(gap=gap)
    each = [
        rank_correlation(rows["gap"].to_numpy(), rows["tight"].to_numpy())
        for _, rows in table.groupby("seed")
    ]
    band = stats.bootstrap(each, stats.mean)
    empty = (table["slide"] > largest).mean()
    return Verdict(
        by(broken == 0 and bool(band.low > 0), broken == 0),
        effect=(
            f"{broken} of {len(table)} measured gaps exceed the bound, which is "
            f"{np.median(table['slide'] / gap):,.0f} times the gap (median) and larger "
            f"than any possible gap at {empty:.0%} of the evaluations; rank "
            f"correlation of gap and terms {band.center:.2f} [{band.low:.2f}, "
            f"{band.high:.2f}]."
        ),
        seeds=len(each),
        band=BAND,
        task=NOISY,
        command=study.command,
    )


@verdict("L12", study="mbpo-bound", part="measured on a learned network")
def best_k_while_learning(study: Study) -> Verdict:
    """k* > 0 means eps_m' < eps_pi, that is a slope d eps_m'/d eps_pi below 1 - eps_m /
    eps_pi. Holds: at 95 % of all evaluations at least. With conditions: at half."""
    table = study.table
    share = (table["best_k"] > 0).mean()
    slopes = table.pivot(index="seed", columns="step", values="slope")
    steps = slopes.columns[[0, -1]]
    text = ", ".join(
        f"{b.center:.2f} [{b.low:.2f}, {b.high:.2f}] after {n:,} real steps"
        for n, b in (
            (n, stats.bootstrap(slopes[n].to_numpy(), stats.mean)) for n in steps
        )
    )
    return Verdict(
        by(bool(share >= 0.95), bool(share >= 0.5)),
        effect=(
            f"k* > 0 at {share:.0%} of {len(table)} evaluations; slope of the model's "
            f"error in the policy's shift {text}; eps_m {table['e_m'].mean():.2f}, "
            f"eps_m' {table['e_m_prime'].mean():.2f}, eps_pi "
            f"{table['e_pi'].mean():.2f} on average."
        ),
        seeds=len(slopes),
        band=BAND,
        task=NOISY,
        command=study.command,
    )
