"""Settings of MBPO on the tasks of the book; its relatives start from them.

"paper" is what an official code sets, "cheap" what two CPU cores can run: fewer and
smaller rollouts, smaller networks. J: MBPO's code, B: BMPO's, A: AMPO's, L: mbrl-lib.
"""

from __future__ import annotations

from typing import Any

# The same in every config of J. T: that of A and B, J's runs end when they are killed.
_PAPER: dict[str, Any] = {
    "epoch": 1_000,
    "fit_every": 250,
    "M": 100_000,
    "retain": 1,
    "real_ratio": 0.05,
    "T_random": 5_000,
    "G": 20,
    "k": (0, 1, 1, 1),
}

# task -> what differs (J unless noted)
_TASKS: dict[str, dict[str, Any]] = {
    "InvertedPendulum-v5": {
        "T": 20_500, "T_random": 500, "epoch": 250, "G": 10, "target_entropy": -0.05,
    },
    "InvertedDoublePendulum-v5": {
        "T": 20_500, "T_random": 500, "epoch": 250, "G": 20, "target_entropy": -0.5,
    },
    "Hopper-v5": {"T": 130_000, "k": (20, 150, 1, 15), "target_entropy": -1.0},
    "Walker2d-v5": {"T": 305_000, "target_entropy": -3.0},
    "HalfCheetah-v5": {"T": 305_000, "G": 40, "target_entropy": -3.0},
    "AntTruncated-v5": {"T": 305_000, "k": (20, 100, 1, 25), "target_entropy": -4.0},
    "HumanoidTruncated-v5": {
        "T": 305_000, "k": (20, 300, 1, 25), "target_entropy": -2.0, "fit_every": 1_000,
        "retain": 5, "model_hidden": (400, 400, 400, 400),
    },
    # B, without its backward part
    "Pendulum-v1": {
        "T": 4_000, "T_random": 200, "epoch": 200, "fit_every": 200, "M": 80_000,
        "k": (1, 5, 1, 5), "target_entropy": -1.0,
        "fit_batch": 128,  # ours: 200 random steps do not fill a batch of 256
    },
    # A, without its adaptation
    "Swimmer-v5": {"T": 302_000, "T_random": 2_000, "target_entropy": -1.0},
    # L: 5000 real steps, epochs of 200
    "ContinuousCartPole-v0": {
        "T": 5_000, "T_random": 400, "epoch": 200, "fit_every": 200,
        "target_entropy": -0.05,
    },
}  # fmt: skip

# Ours, for two CPU cores.
_SMALL: dict[str, Any] = {
    "M": 5_000,
    "hidden": (64, 64),
    "lr": 1e-3,
    "model_hidden": (64, 64, 64),
    "B": 5,
    "elites": 3,
    "fit_batch": 128,
}

# task -> what "cheap" sets beside _SMALL; chosen here on seed 0
_CHEAP: dict[str, dict[str, Any]] = {
    "InvertedPendulum-v5": {
        "T": 2_500, "T_random": 500, "epoch": 250, "fit_every": 125, "M": 2_000,
        "G": 10, "target_entropy": -0.05, "episodes": 3,
    },
    "Pendulum-v1": {
        "T": 2_500, "T_random": 200, "epoch": 100, "fit_every": 100, "M": 2_000,
        "G": 10, "k": (1, 5, 1, 5),
    },
    "CartPoleSwingUp-v0": {
        "T": 4_000, "T_random": 400, "epoch": 200, "fit_every": 200, "M": 2_000,
        "G": 10, "k": (1, 10, 1, 10),
    },
}  # fmt: skip

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("mbpo", task, "paper"): _PAPER | change for task, change in _TASKS.items()
} | {("mbpo", task, "cheap"): _SMALL | change for task, change in _CHEAP.items()}
