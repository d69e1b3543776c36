"""Settings of AutoMBPO on the tasks of the book.

"paper" is what its official code sets (Lai et al. 2021) where it trains a controller,
on MBPO's own settings; "cheap" what two CPU cores can run.
"""

from __future__ import annotations

from typing import Any

from mbrl_edu.algos import presets_mbpo

# Its script for MuJoCo trains a controller of fits and real_ratio. G is where it
# starts. The reference is measured: what is shipped is one curve per task.
_PAPER: dict[str, Any] = {
    "knobs": ("fit", "real_ratio"),
    "G": 10,
    "episodes": 10,
    "fit_every": 125,
    "M": 50_000,
    "reward_scale": 300.0,
    "stages": 10,
    "runs": 10,
    "explore": 5,
    "updates": 300,
}

# task -> what differs; T is that of training, with the random steps
_TASKS: dict[str, dict[str, Any]] = {
    "Hopper-v5": {
        "T": 55_000, "ranges": (0.01, 100.0, 10.0, 3000.0), "small": True,
    },
    "AntTruncated-v5": {"T": 55_000, "ranges": (1.0, 20.0, 80.0, 3000.0)},
    "HumanoidTruncated-v5": {
        "T": 105_000, "ranges": (1.0, 100.0, 10.0, 3000.0), "decide_every": 500,
        "fit_every": 250, "M": 25_000, "stages": 20, "small": True,
    },
}  # fmt: skip

# Ours: 14 short runs on the line, all knobs turned.
_CHEAP: dict[str, Any] = {
    "T": 400, "T_random": 100, "epoch": 100, "fit_every": 50, "M": 200, "G": 4,
    "k": (0, 1, 1, 1), "batch": 64, "hidden": (32, 32), "lr": 1e-3, "tau": 0.01,
    "model_hidden": (32, 32), "B": 3, "elites": 2, "fit_batch": 32, "epochs": 20,
    "G_max": 8, "k_max": 5, "stages": 3, "runs": 4, "references": 2, "explore": 1,
    "updates": 100,
}  # fmt: skip

# Its other two controllers turn one knob each; both are shipped, but not its script.
_OTHERS = {"paper-G": ("G",), "paper-k": ("k",)}


def _paper(task: str, **change: Any) -> dict[str, Any]:
    base = presets_mbpo.PRESETS["mbpo", task, "paper"]
    return base | _PAPER | _TASKS[task] | {"k_max": max(base["k"][2:])} | change


PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    **{("autombpo", task, "paper"): _paper(task) for task in _TASKS},
    **{
        ("autombpo", task, name): _paper(task, knobs=knobs, small=False)
        for task in _TASKS
        for name, knobs in _OTHERS.items()
    },
}
PRESETS["autombpo", "Line-v0", "cheap"] = _CHEAP
# Ours: 14 runs of MBPO as on two CPU cores, long enough for plain MBPO to learn.
PRESETS["autombpo", "InvertedPendulum-v5", "cheap"] = presets_mbpo.POLE | {
    "T": 1_750, "k_max": 5, "stages": 3, "runs": 4, "references": 2, "explore": 1,
    "updates": 100,
}  # fmt: skip
