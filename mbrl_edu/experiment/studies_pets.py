"""The stored runs of chapter 5: PETS on the cart-pole swing-up, part by part.

All but the last use the preset "cheap" and change one thing of it. The seeds are not
those that the preset was chosen on (0 to 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mbrl_edu.algos.presets import preset
from mbrl_edu.experiment.studies import study
from mbrl_edu.experiment.sweep import sweep

PAGE = "05-pets"
TASK = "CartPoleSwingUp-v0"
TRIALS = 8
FIVE, TEN = range(10, 15), range(10, 20)  # seeds


def _learn(
    name: str,
    labels: Mapping[str, Mapping[str, Any]],
    seeds: Iterable[int],
    folder: Any,
    workers: int | None,
    quick: bool,
    trials: int = TRIALS,
) -> Any:
    """One row per label, seed and trial; ``name`` is that of the preset."""
    base = preset("pets", TASK, name) | {"episodes": trials}
    if quick:
        base |= {"episodes": 1, "N": 10, "top": 2, "H": 2, "hidden": (8,), "epochs": 1}
        base.pop("decay", None)
    runs = sweep(
        "pets",
        TASK,
        list(seeds)[: 1 if quick else None],
        configs={label: base | dict(change) for label, change in labels.items()},
        folder=folder,
        workers=workers,
    )
    table = runs.frame()
    seconds = {
        (label, run.seed): run.manifest["wall_seconds"]
        for label, swept in runs.runs.items()
        for run in swept
    }
    pairs = zip(table["label"], table["seed"])
    table["run_seconds"] = [round(seconds[pair], 1) for pair in pairs]
    return table.rename(columns={"episode": "trial"}).round(4)


@study("pets-families", title="PETS with each family of models", page=PAGE, seeds=FIVE)
def families(workers, folder, quick=False, seeds=FIVE):
    """PE, P, DE, D, GP and the true dynamics; a deterministic model has no noise to
    draw, and a single model no members to deal particles to. The GP, which takes
    several times as long for a trial as PE, gets five trials."""
    labels: dict[str, dict[str, Any]] = {
        name: {"model": name} for name in ("PE", "P", "DE", "D", "GP")
    }
    labels["D"]["propagation"] = "E"
    labels["GP"]["episodes"] = 5
    labels["true dynamics"] = {"model": "true", "propagation": "E", "episodes": 1}
    return _learn("cheap", labels, seeds, folder, workers, quick)


@study("pets-preset", title="PETS with small networks and iCEM, ten seeds", page=PAGE)
def ten_seeds(workers, folder, quick=False):
    """What the page runs live, on fresh seeds."""
    return _learn("cheap", {"PETS": {}}, TEN, folder, workers, quick)


@study("pets-propagation", title="PETS with each propagation", page=PAGE)
def propagation(workers, folder, quick=False):
    """How particles travel: TS1, TSinf, DS, MM, E."""
    labels = {kind: {"propagation": kind} for kind in ("TS1", "TSinf", "DS", "MM", "E")}
    return _learn("cheap", labels, FIVE, folder, workers, quick)


@study("pets-planners", title="PETS with each planner", page=PAGE, seeds=FIVE)
def planners(workers, folder, quick=False, seeds=FIVE):
    """iCEM, CEM, MPPI and random shooting, with as many model calls an action as CEM
    has; iCEM uses fewer."""
    names = ("icem", "cem", "mppi", "random_shooting")
    labels = {name: {"planner": name} for name in names}
    return _learn("cheap", labels, seeds, folder, workers, quick)


@study("pets-paper", title="PETS at its paper's settings", page=PAGE, seeds=FIVE)
def paper(workers, folder, quick=False, seeds=FIVE):
    """Networks of 3 x 500, CEM with 400 candidates and 20 particles over 25 steps,
    TSinf (official code), for six trials. Not as there: fewer trials, weights averaged
    over a fit's last epoch, and while planning the inner products are in bfloat16,
    which two CPU cores need for it: about an hour a seed."""
    change = {"PETS": {"precision": "bf16", "average": 1.0}}
    return _learn("paper", change, seeds, folder, workers, quick, trials=6)
