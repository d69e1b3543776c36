"""Verdicts on the bounds of BMPO, AMPO, AutoMBPO and MAAC: claims L18, L21, L23, L29.

A bound holds where no sampled instance violates its true form; it holds *with
conditions* where the form that the lecture prints is violated by some instance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study
from mbrl_edu.experiment.studies_tabular import curves_of
from mbrl_edu.experiment.studies_variants import BETAS, FALSE, N_REAL, TRUE

NO_BAND = "none: violations are counted"
EXACT = "finite MDPs solved exactly, all families"


def _word(true: int, printed: int) -> str:
    """The verdict's word from the violations of the true and the printed forms."""
    if true:
        return "does not hold here"
    return "holds with conditions" if printed else "holds"


def _counted(table: Any) -> tuple[str, int, int]:
    """A sentence on the true forms, their violations, and those of the printed."""
    true, printed = (table[table["kind"] == kind] for kind in (TRUE, FALSE))
    over, fails = int(true["violations"].sum()), int(printed["violations"].sum())
    text = (
        f"True forms: {over} violations in {int(true['instances'].sum()):,} checks of "
        f"{true['statement'].nunique()} statements, largest |gap| / bound "
        f"{true['max'].max():.4f}, median {true['median'].median():.2g}"
    )
    for name, rows in printed.groupby("statement"):
        share = rows["violations"].sum() / rows["instances"].sum()
        text += f"; false form ({name}): violated in {share:.1%} of instances"
    return text + ".", over, fails


def _bounds(study: Study, table: Any, task: str = EXACT) -> Verdict:
    text, over, fails = _counted(table)
    return Verdict(
        _word(over, fails),
        effect=text,
        seeds=int(table["seed"].nunique()),
        band=NO_BAND,
        task=task,
        command=study.command,
    )


@verdict("L18", study="bmpo-bounds", part="the bound, by its anchor")
def bmpo_bound(study: Study) -> Verdict:
    """True for anchors that pi has reached, false for anchors from the buffer."""
    return _bounds(study, study.table)


@verdict("L21", study="ampo-bounds", part="Theorem 3.1")
def ampo_bound(study: Study) -> Verdict:
    """Smallest class, total variation, W1 and MMD; printed forms beside them."""
    return _bounds(study, study.table)


@verdict("L21", study="domain-adaptation", part="domain adaptation")
def adaptation_bound(study: Study) -> Verdict:
    """The factor 2 K cannot be K: its violations are not the lecture's."""
    text, over, _ = _counted(study.table)
    seeds = int(study.table["seed"].nunique())
    task = "four hypotheses on the line, two domains of five points"
    word = _word(over, 0)
    return Verdict(word, text, seeds, NO_BAND, task, study.command)


@verdict("L23", study="autombpo-bounds", part="the best share of real samples")
def best_share(study: Study) -> Verdict:
    """Does the best beta of fitted value iteration grow with N_real?"""
    table = study.tables["loss"]
    loss = {n: curves_of(table, "n_real", n)[1] for n in N_REAL}
    best = {n: BETAS[int(x.mean(0).argmin())] for n, x in loss.items()}
    few, many = (
        stats.mean(np.array([BETAS[i] for i in loss[n].argmin(1)]))
        for n in (N_REAL[0], N_REAL[-1])
    )
    grows = stats.paired_difference(
        np.array([BETAS[i] for i in loss[N_REAL[-1]].argmin(1)]),
        np.array([BETAS[i] for i in loss[N_REAL[0]].argmin(1)]),
        statistic=stats.mean,
    )
    rising = all(np.diff(list(best.values())) >= 0)
    pairs = ", ".join(f"{b:g} at {n}" for n, b in best.items())
    return Verdict(
        "holds" if rising and grows.low > 0 else "does not hold here",
        effect=(
            f"The share of real samples with the least mean loss is {pairs} real "
            f"samples per pair; per seed it moves from {few:.2f} to {many:.2f}, by "
            f"{grows.center:.2f} [{grows.low:.2f}, {grows.high:.2f}]."
        ),
        seeds=int(table["seed"].nunique()),
        band="95% percentile bootstrap over seeds",
        task="fitted value iteration, 60 random MDPs per seed, model 25% wrong",
        command=study.command,
    )


@verdict("L23", study="autombpo-bounds", part="the bias of planning in a mixture")
def mixture_bias(study: Study) -> Verdict:
    """The exact bias and loss bounds."""
    return _bounds(study, study.tables["sampled"])


@verdict("L29", study="maac-bounds", part="Lemmas 4.1 and 4.2, Theorem 4.1")
def maac_bound(study: Study) -> Verdict:
    """True forms against printed forms."""
    task = "smooth systems (Lemma 4.1), finite MDPs with softmax policies"
    return _bounds(study, study.table, task)
