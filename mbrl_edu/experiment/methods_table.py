"""What every deep method has reached on a real task, as a table from stored runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mbrl_edu.experiment.claims import Html, table_html
from mbrl_edu.experiment.studies import Study, load_study, stored_studies

# study -> task; their tables have label, seed, step, return
LEARNED = {
    "methods-pole": "InvertedPendulum-v5",
    "methods-pendulum": "Pendulum-v1",
    "pets-preset": "CartPoleSwingUp-v0",
    "pilco-swingup": "PilcoCartPole-v0",
}
HEAD = ["Method", "Task", "Real steps", "Return at the end, seed by seed"]
HEAD += ["Mean return on the way", "Minutes a run", "Command"]


def reached(folder: str | Path | None = None) -> Html:
    """One row per method: real steps, the last return of every seed, minutes.

    Studies that are not stored yet are left out. ``folder`` replaces the package's own
    stored tables.
    """
    known = stored_studies(folder)
    rows: list[list[str]] = []
    for name, task in LEARNED.items():
        if name in known:
            rows += _learned(load_study(name, folder), task)
    if "autombpo-pole" in known:
        rows += _autombpo(load_study("autombpo-pole", folder))
    return Html(table_html(HEAD, rows, "What each method reached, failures included"))


def _learned(study: Study, task: str) -> list[list[str]]:
    table, rows = study.table, []
    for label in dict.fromkeys(table["label"]):
        runs = [run for _, run in table[table["label"] == label].groupby("seed")]
        ends = ", ".join(f"{run['return'].iloc[-1]:.0f}" for run in runs)
        way = sum(run["return"].iloc[1:].mean() for run in runs) / len(runs)
        steps = max(int(run["step"].iloc[-1]) for run in runs)
        seconds = [run["run_seconds"].iloc[0] for run in runs]
        rows.append([label, task, f"{steps:,}", ends, f"{way:.0f}"])
        rows[-1] += [_minutes(seconds), study.command]
    return rows


def _autombpo(study: Study) -> list[list[str]]:
    """The mean return of the runs of each stage; plain MBPO's stands beside it."""
    table = study.table
    stages = [s for s in sorted(set(table["stage"])) if s >= 0]
    plain = table[table["stage"] < 0].set_index("seed")
    by_stage = [table[table["stage"] == s].groupby("seed").mean() for s in stages]
    last = by_stage[-1]
    ends = ", ".join(f"{x:.0f}" for x in last["last_return"])
    way = [
        f"stage {s + 1} {x['mean_return'].mean():.0f}" for s, x in enumerate(by_stage)
    ]
    text = f"{', '.join(way)}; plain MBPO {plain['mean_return'].mean():.0f}"
    seconds = list(plain["run_seconds"])
    runs = len(table) // len(plain) - 1
    return [
        [
            f"AutoMBPO, {runs} runs and the plain ones a seed",
            LEARNED["methods-pole"],
            "each run as MBPO's",
            f"last stage, mean of its runs: {ends}",
            text,
            _minutes(seconds),
            study.command,
        ]
    ]


def _minutes(seconds: Any) -> str:
    return f"{sum(seconds) / len(seconds) / 60:.1f}"
