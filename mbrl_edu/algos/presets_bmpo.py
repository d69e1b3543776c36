"""Settings of BMPO on the tasks of the book.

"paper" is what its official code sets (Lai et al. 2020: config/*, main.py), "cheap"
what two CPU cores can run. MBPO's settings come first, BMPO's over them.
"""

from __future__ import annotations

from typing import Any

from mbrl_edu.algos import presets_mbpo

# The same in every config of the official code, which evaluates ten episodes.
_PAPER: dict[str, Any] = {
    "episodes": 10,
    "loss_b": "mle",
    "var_b": 0.01,
    "recent": 10,
    "N_mpc": 1_000,
}

# task -> what differs; T counts the random steps too
_TASKS: dict[str, dict[str, Any]] = {
    "Pendulum-v1": {
        "k_back": (1, 5, 1, 5), "beta": (0, 10, 0.01, 0), "H_mpc": 6, "var_b": None,
        "recent": 5,
    },
    "Hopper-v5": {
        "T": 100_000, "k_back": (20, 150, 1, 15), "beta": (20, 30, 0.004, 0.003),
        "H_mpc": 6,
    },
    "Walker2d-v5": {
        "T": 200_000, "k_back": (0, 1, 1, 1), "beta": (0, 100, 0.01, 0), "H_mpc": 1,
    },
    "AntTruncated-v5": {
        "T": 300_000, "k_back": (0, 1, 1, 1), "beta": (0, 1, 0.003, 0.003), "H_mpc": 0,
    },
}  # fmt: skip

# Ours: a pole on a cart, with networks and rollouts for two CPU cores.
_CHEAP: dict[str, Any] = {
    "T": 2_000, "T_random": 500, "epoch": 250, "fit_every": 125, "M": 2_000, "G": 5,
    "k": (0, 1, 1, 1), "target_entropy": -0.05, "hidden": (64, 64), "lr": 1e-3,
    "model_hidden": (64, 64), "B": 5, "elites": 3, "fit_batch": 128, "epochs": 20,
    "k_back": (0, 1, 1, 1), "beta": (0, 6, 0.01, 0), "H_mpc": 1, "N_mpc": 200,
}  # fmt: skip

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("bmpo", task, "paper"): presets_mbpo.PRESETS["mbpo", task, "paper"]
    | _PAPER
    | change
    for task, change in _TASKS.items()
}
PRESETS["bmpo", "InvertedPendulum-v5", "cheap"] = _CHEAP
