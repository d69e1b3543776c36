"""Settings for a method on a task, by name, each with its source.

    cfg = pets.Config(**preset("pets", "CartPoleSwingUp-v0", "paper"))

Presets are options rather than configs: some can be changed before use, and
``mbrl_edu.run("pets", task, **preset(...))`` takes them as they are.
"""

from __future__ import annotations

from typing import Any

from mbrl_edu.algos import (
    presets_ampo,
    presets_autombpo,
    presets_bmpo,
    presets_mbpo,
    presets_pilco,
)
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

# What PETS's official code (2018) sets for its cart-pole and its half-cheetah.
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
    "average": 0.0,
}
_PETS_CHEETAH: dict[str, Any] = _PETS_CARTPOLE | {
    "episodes": 300,
    "H": 30,
    "N": 500,
    "top": 50,
    "hidden": (200, 200, 200, 200),
    "decay": (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4),
}

# The same code's for its arms. Gymnasium's tasks differ: that code's reacher has seven
# joints and moves in space, and its trials are longer, 150 steps.
_PETS_REACHER: dict[str, Any] = _PETS_CARTPOLE | {
    "episodes": 100,
    "hidden": (200, 200, 200, 200),
    "decay": (2.5e-4, 5e-4, 5e-4, 5e-4, 7.5e-4),
    "lr": 7.5e-4,
}
_PETS_PUSHER: dict[str, Any] = _PETS_CARTPOLE | {
    "episodes": 100,
    "N": 500,
    "top": 50,
    "hidden": (200, 200, 200),
    "decay": (2.5e-4, 5e-4, 5e-4, 7.5e-4),
}

# PPO's paper, table 3, on its seven tasks; ours where two cores are to do in minutes:
# the lengths are those of the studies of chapter 7.
_PPO_PAPER: dict[str, Any] = {"T": 1_000_000, "actors": 1, "rollout": 2_048}
_PPO_TASKS = "HalfCheetah Hopper InvertedDoublePendulum InvertedPendulum".split()
_PPO_TASKS += "Reacher Swimmer Walker2d".split()
_PPO_CHEAP: dict[str, Any] = {"actors": 4, "rollout": 256}
_PPO_STEPS = {
    "InvertedPendulum-v5": 150_000,
    "CartPoleSwingUp-v0": 300_000,
    "Hopper-v5": 100_000,
}

# Chosen here by trying, on one seed each: larger steps than DDPG's, because the task is
# small. DPG and SVG(0) held the pendulum up after 3,000 to 4,000 steps, SVG(1) after
# 8,000.
_DPG_PENDULUM: dict[str, Any] = {
    "T": 10_000,
    "T_random": 1_000,
    "lr_pi": 1e-3,
    "lr_q": 2e-3,
    "tau": 0.01,
    "look": 5,
}
_SVG_PENDULUM = _DPG_PENDULUM | {"sigma": (0.1, 0.5), "clip": 100.0}

# Whole episodes of 200 steps: a shorter horizon keeps their gradients finite, and there
# is one update per episode, so it may be large.
_SVG_INF_PENDULUM: dict[str, Any] = {
    "T": 30_000,
    "T_random": 1_000,
    "variant": "inf",
    "gamma": 0.95,
    "lr_pi": 3e-3,
    "sigma": (0.1, 0.5),
    "epochs": 2,
    "look": 5,
}

# (method, task, name) -> fields of the method's Config; the others keep their default
PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("pets", "CartPoleSwingUp-v0", "cheap"): _PETS_CHEAP,
    ("pets", "CartPoleSwingUp-v0", "paper"): _PETS_CARTPOLE,
    ("pets", "HalfCheetahSpeed-v5", "paper"): _PETS_CHEETAH,
    ("pets", "Reacher-v5", "paper"): _PETS_REACHER,
    ("pets", "Pusher-v5", "paper"): _PETS_PUSHER,
    **presets_mbpo.PRESETS,
    **{("ppo", f"{task}-v5", "paper"): _PPO_PAPER for task in _PPO_TASKS},
    **{("ppo", task, "cheap"): _PPO_CHEAP | {"T": T} for task, T in _PPO_STEPS.items()},
    **presets_bmpo.PRESETS,
    **presets_ampo.PRESETS,
    **presets_autombpo.PRESETS,
    # MBPO's for a pole on a cart; three steps of the model, as MAAC's successor (FSVG)
    ("maac", "InvertedPendulum-v5", "cheap"): presets_mbpo.POLE | {"H": 3},
    **presets_pilco.PRESETS,
    ("dpg", "Pendulum-v1", "cheap"): _DPG_PENDULUM,
    ("svg", "Pendulum-v1", "svg0"): _SVG_PENDULUM | {"variant": "0"},
    ("svg", "Pendulum-v1", "svg1"): _SVG_PENDULUM | {"variant": "1"},
    ("svg", "Pendulum-v1", "svginf"): _SVG_INF_PENDULUM,
}


def preset(method: str, task: str, name: str) -> dict[str, Any]:
    """The fields of ``Config`` that the preset sets; ValueError if there is none."""
    names = [n for m, t, n in PRESETS if (m, t) == (method, task)]
    if not names:
        tasks = (
            ", ".join(sorted({t for m, t, _ in PRESETS if m == method})) or "no task"
        )
        others = (
            ", ".join(sorted({m for m, t, _ in PRESETS if t == task})) or "no method"
        )
        raise ValueError(
            f"method and task are {method!r} and {task!r}, but presets of {method} are "
            f"for {tasks}; for {task} there are presets of {others}."
        )
    return dict(PRESETS[method, task, check.choice("name", name, names)])
