"""Settings of AMPO on the tasks of the book.

"paper" is what the official code of Shen et al. (2020) sets, with W1, "paper-mmd" the
same with MMD, "cheap" meant for two CPU cores.
"""

from __future__ import annotations

from typing import Any

from mbrl_edu.algos import presets_mbpo

# The same in every config of the official code, which runs 300 epochs of each task and
# evaluates ten episodes.
_PAPER: dict[str, Any] = {
    "T": 305_000, "T_random": 5_000, "epoch": 1_000, "fit_every": 250, "M": 100_000,
    "retain": 1, "k": (0, 1, 1, 1), "G": 20, "real_ratio": 0.05, "B": 7, "elites": 5,
    "distance": "w1", "n_critic": 5, "penalty": 10.0, "lr_adapt": 1e-4,
    "adapt_batch": 256, "episodes": 10,
}  # fmt: skip

_W1: dict[str, dict[str, Any]] = {
    "InvertedPendulum-v5": {
        "T": 75_300, "T_random": 300, "epoch": 250, "fit_every": 125, "G": 30,
        "target_entropy": -0.05, "G_adapt": 6, "stop_epoch": 6, "adapt_batch": 64,
        "fit_batch": 240,  # all that 300 random steps leave to train on
    },
    "Swimmer-v5": {
        "T": 302_000, "T_random": 2_000, "target_entropy": -1.0, "G_adapt": 40,
        "stop_epoch": 6,
    },
    "Hopper-v5": {
        "k": (5, 45, 1, 20), "target_entropy": -1.0, "G_adapt": 400, "stop_epoch": 40,
    },
    "Walker2d-v5": {"target_entropy": -3.0, "G_adapt": 1_000, "stop_epoch": 80},
    "AntTruncated-v5": {
        "k": (10, 50, 1, 20), "target_entropy": -4.0, "G_adapt": 3_000,
        "stop_epoch": 60,
    },
    "HalfCheetah-v5": {
        "k": (1, 30, 1, 5), "G": 40, "target_entropy": -3.0, "G_first": 100,
        "G_adapt": 1_000, "stop_epoch": 30,
    },
}  # fmt: skip

_MMD: dict[str, dict[str, Any]] = {
    "Hopper-v5": {
        "k": (5, 45, 1, 15), "target_entropy": -1.0, "G_adapt": 1_000,
        "stop_epoch": 45,
    },
    "Walker2d-v5": {"target_entropy": -3.0, "G_adapt": 1_000, "stop_epoch": 60},
    "AntTruncated-v5": {
        "k": (10, 60, 1, 20), "fit_every": 200, "real_ratio": 0.1,
        "target_entropy": -4.0, "G_adapt": 2_000, "stop_epoch": 60,
    },
}  # fmt: skip

# Ours: MBPO's for a pole on a cart; adaptation as in the paper.
_CHEAP: dict[str, Any] = presets_mbpo.POLE | {
    "G_adapt": 6, "stop_epoch": 6, "adapt_batch": 64,
}  # fmt: skip

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    **{("ampo", task, "paper"): _PAPER | own for task, own in _W1.items()},
    **{
        ("ampo", task, "paper-mmd"): _PAPER | own | {"distance": "mmd"}
        for task, own in _MMD.items()
    },
    ("ampo", "InvertedPendulum-v5", "cheap"): _CHEAP,
}
