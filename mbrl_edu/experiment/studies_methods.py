"""Every deep method of the lecture on one real task each, at small settings.

What is asked here is only whether a method learns, and what it has reached after how
many real steps; which one is better, and why, is for the studies of the chapters. The
settings were chosen on the seeds 0 and 1, those here are fresh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from mbrl_edu.algos.presets import preset
from mbrl_edu.experiment.registry import METHODS
from mbrl_edu.experiment.studies import study
from mbrl_edu.experiment.sweep import sweep

PAGE = "claims"
POLE, PENDULUM = "InvertedPendulum-v5", "Pendulum-v1"
THREE = range(10, 13)  # seeds
AUTO = range(20, 23)  # on 10 to 12 runs of 1,500 steps were seen to be too short

# one short epoch, to show that it runs
QUICK: dict[str, Any] = {"T": 562, "epoch": 62, "fit_every": 62, "M": 100, "G": 1}
QUICK |= {"epochs": 1, "episodes": 1}

# label -> method, preset, what differs
ON_THE_POLE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "MBPO": ("mbpo", "cheap", {}),
    "BMPO": ("bmpo", "cheap", {}),
    "BMPO, GAN": ("bmpo", "cheap", {"loss_b": "gan"}),
    "AMPO, W1": ("ampo", "cheap", {}),
    "AMPO, MMD": ("ampo", "cheap", {"distance": "mmd"}),
    "MAAC": ("maac", "cheap", {}),
    "SAC": ("sac", "cheap", {}),
}
ON_THE_PENDULUM: dict[str, tuple[str, str, dict[str, Any]]] = {
    "DPG": ("dpg", "cheap", {}),
    "SVG(0)": ("svg", "svg0", {}),
    "SVG(1)": ("svg", "svg1", {}),
    "SVG(inf)": ("svg", "svginf", {}),
}


def _learn(
    task: str,
    labels: Mapping[str, tuple[str, str, dict[str, Any]]],
    smaller: Mapping[str, Any],
    seeds: Iterable[int],
    folder: Any,
    workers: int | None,
) -> Any:
    """One row per label, seed and evaluation: real steps so far and greedy return."""
    import pandas as pd

    rows: list[tuple] = []
    for label, (method, name, change) in labels.items():
        known = {f.name for f in dataclasses.fields(METHODS[method].config)}
        fields = preset(method, task, name) | change
        fields |= {name: x for name, x in smaller.items() if name in known}
        runs = sweep(method, task, seeds, {label: fields}, folder, workers)
        rows += [(label, *row) for run in runs.runs[label] for row in _evaluations(run)]
    columns = ["label", "seed", "step", "return", "run_seconds"]
    return pd.DataFrame(rows, columns=columns).round(3)


def _evaluations(run: Any) -> list[tuple[int, int, float, float]]:
    """Seed, real steps, mean greedy return, seconds of the run: of every evaluation."""
    found, seconds = run.result, round(run.manifest["wall_seconds"], 1)
    if hasattr(found, "evaluated_at"):  # the loop of MBPO
        steps, greedy = found.evaluated_at, found.evaluations.mean(1)
    else:  # that of DPG and SVG
        steps, greedy = found.looks, found.greedy
    return [(run.seed, int(t), x, seconds) for t, x in zip(steps, greedy)]


@study("methods-pole", title="MBPO and its variants on a pole", page=PAGE, seeds=THREE)
def pole(workers, folder, quick=False, seeds=THREE):
    """A pole on a cart that must not fall: 1,000 of 1,000 is perfect."""
    smaller = QUICK if quick else {}
    seeds = list(seeds)[: 1 if quick else None]
    return _learn(POLE, ON_THE_POLE, smaller, seeds, folder, workers)


@study("methods-pendulum", title="DPG and SVG on a pendulum", page=PAGE, seeds=THREE)
def pendulum(workers, folder, quick=False, seeds=THREE):
    """A pendulum whose motor is too weak to lift it at once."""
    smaller = {"T": 1200, "look": 1, "episodes": 1} if quick else {}
    seeds = list(seeds)[: 1 if quick else None]
    return _learn(PENDULUM, ON_THE_PENDULUM, smaller, seeds, folder, workers)


@study("autombpo-pole", title="AutoMBPO on a pole", page=PAGE, seeds=AUTO)
def autombpo(workers, folder, quick=False, seeds=AUTO):
    """A controller of all four knobs, three stages of four runs of MBPO, and two plain
    runs before; one row per run, stage -1 for the mean of the plain ones."""
    import pandas as pd

    fields = preset("autombpo", POLE, "cheap")
    if quick:
        fields |= QUICK | {"G_max": 1, "stages": 1, "runs": 1, "references": 1}
    seeds = list(seeds)[: 1 if quick else None]
    runs = sweep("autombpo", POLE, seeds, {"AutoMBPO": fields}, folder, workers)
    rows = []
    for run in runs.runs["AutoMBPO"]:
        found, seconds = run.result, round(run.manifest["wall_seconds"], 1)
        reference = found.reference.mean(), found.reference[-1]
        rows.append((run.seed, -1, 0, 0.0, *reference, *[float("nan")] * 4, seconds))
        for stage, played in enumerate(found.returns):
            for i, by_epoch in enumerate(played):
                knobs = found.schedules[stage, i].mean(0)
                worth = found.rewards[stage, i], by_epoch.mean(), by_epoch[-1]
                rows.append((run.seed, stage, i, *worth, *knobs, seconds))
    columns = ["seed", "stage", "run", "reward", "mean_return", "last_return"]
    columns += ["fit", "real_ratio", "G", "k", "run_seconds"]
    return pd.DataFrame(rows, columns=columns).round(3)
