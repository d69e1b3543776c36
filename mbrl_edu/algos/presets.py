"""Settings for a method on a task, by name, each with its source.

    cfg = pets.Config(**preset("pets", "CartPoleSwingUp-v0", "paper"))

Presets are options rather than configs: some can be changed before use, and
``mbrl_edu.run("pets", task, **preset(...))`` takes them as they are.
"""

from __future__ import annotations

from typing import Any

from mbrl_edu.algos import presets_mbpo
from mbrl_edu.core import check

# Small enough for a page of the book: networks of 64 units and iCEM with a tenth of the
# candidates, both chosen here by the time that three seeds took to swing the pole up.
_PETS_CHEAP: dict[str, Any] = {
    "episodes": 10,
    "planner": "icem",
    "H": 20,
    "propagation": "TS1",
    "P": 5,
    "N": 100,
    "top": 10,
    "iterations": 3,
    "B": 5,
    "hidden": (64, 64),
    "batch": 32,
    "epochs": 50,
}

# What PETS's official code (2018) sets for its cart-pole.
_PETS_CARTPOLE: dict[str, Any] = {
    "episodes": 50,
    "planner": "cem",
    "H": 25,
    "propagation": "TSinf",
    "P": 20,
    "N": 400,
    "top": 40,
    "iterations": 5,
    "B": 5,
    "hidden": (500, 500, 500),
    "decay": (1e-4, 2.5e-4, 2.5e-4, 5e-4),
    "batch": 32,
    "epochs": 5,
}

# (method, task, name) -> fields of the method's Config; the others keep their default
PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("pets", "CartPoleSwingUp-v0", "cheap"): _PETS_CHEAP,
    ("pets", "CartPoleSwingUp-v0", "paper"): _PETS_CARTPOLE,
    **presets_mbpo.PRESETS,
}


def preset(method: str, task: str, name: str) -> dict[str, Any]:
    """The fields of ``Config`` that the preset sets; ValueError if there is none."""
    names = [n for m, t, n in PRESETS if (m, t) == (method, task)]
    if not names:
        known = ", ".join(sorted({f"{m} on {t}" for m, t, _ in PRESETS}))
        raise ValueError(
            f"method and task are {method!r} and {task!r}, but presets are for {known}."
        )
    return dict(PRESETS[method, task, check.choice("name", name, names)])
