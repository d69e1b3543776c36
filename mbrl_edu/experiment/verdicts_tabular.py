"""Verdicts on the claims of chapter 2, computed from its stored runs."""

from __future__ import annotations

import numpy as np

from mbrl_edu.experiment import stats
from mbrl_edu.experiment.claims import Verdict, verdict
from mbrl_edu.experiment.studies import Study
from mbrl_edu.experiment.studies_tabular import curves_of

BAND = "95% percentile bootstrap over seeds"


def _by(fully: bool, partly: bool) -> str:
    """The verdict's word."""
    some = "holds with conditions" if partly else "does not hold here"
    return "holds" if fully else some


@verdict("L5", study="q-planning")
def q_planning_is_exact(study: Study) -> Verdict:
    """Updates until max |Q - Q*| <= 1e-6, in every run and for both step sizes."""
    sentences, reached = [], []
    for alpha, rows in sorted(study.tables["reached"].groupby("alpha"), reverse=True):
        updates = rows["updates"].dropna()
        reached.append(len(updates) / len(rows))
        text = f"alpha = {alpha:g}: in {len(updates)} of {len(rows)} runs"
        if len(updates):
            first = stats.bootstrap(updates, statistic=stats.mean)
            text += f", after {first.center:,.0f} [{first.low:,.0f}, {first.high:,.0f}]"
            text += " updates on average"
        sentences.append(text)
    return Verdict(
        _by(all(x == 1 for x in reached), any(x == 1 for x in reached)),
        effect="max |Q - Q*| falls to 1e-6; " + "; ".join(sentences) + ".",
        seeds=int(study.tables["reached"]["seed"].nunique()),
        band=BAND,
        task="DynaMaze-v0, model learned from 20,000 random steps",
        command=study.command,
    )


@verdict("L6", study="dyna-planning", part="more planning, fewer episodes")
def planning_saves_episodes(study: Study) -> Verdict:
    """Real steps of episodes 2 to 5, paired by seed."""
    lengths = study.tables["lengths"]
    early = {n: curves_of(lengths, "n", n)[1][:, 1:5].sum(1) for n in (0, 5, 50)}
    saved = stats.paired_difference(early[0], early[50], statistic=stats.mean)
    ordered = (early[50] < early[5]) & (early[5] < early[0])
    states = study.tables["halfway"].groupby("n")["states"].median()
    mean = {n: x.mean() for n, x in early.items()}
    return Verdict(
        _by(saved.low > 0 and ordered.mean() >= 0.95, saved.low > 0),
        effect=(
            f"Episodes 2 to 5 take {mean[0]:,.0f}, {mean[5]:,.0f}, {mean[50]:,.0f} "
            f"real steps with n = 0, 5, 50, in this order in {ordered.sum()} of "
            f"{len(ordered)} runs; n = 50 saves {saved.center:,.0f} "
            f"[{saved.low:,.0f}, {saved.high:,.0f}]. Halfway through episode 2 a "
            f"median of {states[0]:.0f} (n = 0) and {states[50]:.0f} (n = 50) states "
            "have unequal action values."
        ),
        seeds=len(ordered),
        band=BAND,
        task="DynaMaze-v0",
        command=study.command,
    )


@verdict("L6", study="blocking-maze", part="in a world that closes a way")
def planning_with_an_outdated_model(study: Study) -> Verdict:
    """Does planning still save steps when the model is wrong?"""
    after = study.tables["after"]
    found = after.groupby("method")["steps_to_goal_after_change"].count()
    late = {m: x.to_numpy() for m, x in after.groupby("method")["reward_last_1000"]}
    gain = stats.paired_difference(late["Dyna-Q+"], late["Dyna-Q"], stats.mean)
    runs = len(late["Dyna-Q"])
    plain, plus = (found[m] / runs for m in ("Dyna-Q", "Dyna-Q+"))
    return Verdict(
        _by(plain >= 0.95, plus >= 0.95),
        effect=(
            f"Within 2,000 steps of the change Dyna-Q finds the new way in "
            f"{found['Dyna-Q']} of {runs} runs, Dyna-Q+ in {found['Dyna-Q+']}; over "
            f"the last 1,000 steps Dyna-Q+ earns {gain.center:.1f} [{gain.low:.1f}, "
            f"{gain.high:.1f}] more."
        ),
        seeds=runs,
        band=BAND,
        task="BlockingMaze-v0, n = 10",
        command=study.command,
    )


@verdict("L6", study="shortcut-maze", part="in a world that opens a short cut")
def planning_that_never_looks_again(study: Study) -> Verdict:
    """Is the short cut used at the end? The long way pays at most 1 in 16 steps."""
    after = study.tables["after"]
    late = {m: x.to_numpy() for m, x in after.groupby("method")["reward_last_1000"]}
    uses = {m: int((x > 1000 / 13).sum()) for m, x in late.items()}
    gain = stats.paired_difference(late["Dyna-Q+"], late["Dyna-Q"], stats.mean)
    runs = len(late["Dyna-Q"])
    return Verdict(
        _by(uses["Dyna-Q"] >= 0.95 * runs, uses["Dyna-Q+"] >= 0.95 * runs),
        effect=(
            f"Dyna-Q uses the short cut at the end in {uses['Dyna-Q']} of {runs} runs, "
            f"Dyna-Q+ in {uses['Dyna-Q+']}; over the last 1,000 steps Dyna-Q+ earns "
            f"{gain.center:.1f} [{gain.low:.1f}, {gain.high:.1f}] more."
        ),
        seeds=runs,
        band=BAND,
        task="ShortcutMaze-v0, n = 50",
        command=study.command,
    )


@verdict("L6", study="prioritized-sweeping", part="planning where it matters")
def sweeping_saves_updates(study: Study) -> Verdict:
    """Updates of Dyna-Q over updates of prioritized sweeping, by step size and size."""
    mean = study.table.groupby(["alpha", "states", "method"])["updates"].mean()
    ratio = mean.unstack()["Dyna-Q"] / mean.unstack()["Prioritized sweeping"]
    sizes = sorted(study.table["states"].unique())
    sentences = []
    for alpha in sorted(study.table["alpha"].unique()):
        least, most = ratio[alpha].min(), ratio[alpha].max()
        sentences.append(f"{least:.1f} to {most:.1f} with alpha = {alpha:g}")
    rows = study.table.pivot_table(
        index=["alpha", "states", "seed"], columns="method", values="updates"
    )
    saved = stats.paired_difference(
        np.log(rows["Dyna-Q"].to_numpy()),
        np.log(rows["Prioritized sweeping"].to_numpy()),
    )
    return Verdict(
        _by(ratio.min() >= 3, ratio.max() >= 3),
        effect=(
            "Updates of Dyna-Q over updates of prioritized sweeping: "
            + " and ".join(sentences)
            + f", over mazes of {sizes[0]} to {sizes[-1]} states; interquartile "
            f"mean of the paired factor {np.exp(saved.center):.1f} "
            f"[{np.exp(saved.low):.1f}, {np.exp(saved.high):.1f}]."
        ),
        seeds=int(study.table["seed"].nunique()),
        band="95% percentile bootstrap over runs",
        task="DynaMaze-v0 at 1 to 4 times its resolution, n = 5",
        command=study.command,
    )
