"""Settings of MBPO on the tasks of the book; its relatives start from them.

"paper" is what an official code sets, "cheap" what two CPU cores can run: fewer and
smaller rollouts, smaller networks. J: MBPO's code, B: BMPO's, A: AMPO's, L: mbrl-lib.
"""

from __future__ import annotations

from typing import Any

# The same in every config of J. T: that of A and B, J's runs end when they are killed.
# Not as in J: a policy learns from the first step after the random ones, also where
# these are fewer than 1,000.
_PAPER: dict[str, Any] = {
    "epoch": 1_000,
    "fit_every": 250,
    "M": 100_000,
    "retain": 1,
    "real_ratio": 0.05,
    "T_random": 5_000,
    "G": 20,
    "k": (0, 1, 1, 1),
    "episodes": 1,
    "model_lr": 1e-3,
    "stop": "all",
    "fit_steps": 0,
    "average": 0.0,
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
    "HopperNT-v5": {"T": 100_000, "k": (20, 150, 1, 15), "target_entropy": -1.0},
    "Walker2dNT-v5": {"T": 200_000, "target_entropy": -3.0},
    # ours: J's for the same body, which there sees less
    "HalfCheetahSpeed-v5": {"T": 305_000, "G": 40, "target_entropy": -3.0},
    "Ant-v5": {"T": 305_000, "k": (20, 100, 1, 25), "target_entropy": -4.0},
    "Humanoid-v5": {
        "T": 305_000, "k": (20, 300, 1, 25), "target_entropy": -2.0, "fit_every": 1_000,
        "retain": 5, "model_hidden": (400, 400, 400, 400),
    },
    # A, without its adaptation
    "Swimmer-v5": {"T": 302_000, "T_random": 2_000, "target_entropy": -1.0},
    # L, whose task differs (trials of 150 steps); random steps and fit_every are ours
    "Pusher-v5": {
        "T": 20_000, "T_random": 1_500, "epoch": 150, "fit_every": 150, "M": 60_000,
        "target_entropy": -0.05,
    },
    # L: 5000 real steps, epochs of 200
    "ContinuousCartPole-v0": {
        "T": 5_000, "T_random": 400, "epoch": 200, "fit_every": 200,
        "target_entropy": -0.05,
    },
}  # fmt: skip

# Ours, for two CPU cores, chosen by trying seeds 0 and 1 (line and hopper: seed 0):
# networks of 64 units, which take larger steps, and as many imagined states as they use
# up.
_SMALL: dict[str, Any] = {
    "M": 2_000, "G": 10, "batch": 128, "hidden": (64, 64), "lr": 1e-3, "tau": 0.01,
    "B": 5, "elites": 3, "model_hidden": (64, 64, 64), "fit_batch": 128,
}  # fmt: skip
POLE: dict[str, Any] = _SMALL | {
    "T": 2_000, "T_random": 500, "epoch": 250, "fit_every": 125, "episodes": 3,
    "target_entropy": -0.05,
}  # fmt: skip
_PENDULUM: dict[str, Any] = _SMALL | {
    "T": 2_500, "T_random": 300, "epoch": 200, "fit_every": 100, "k": (2, 8, 1, 3),
    "target_entropy": -1.0,
}  # fmt: skip
_SWING: dict[str, Any] = _SMALL | {
    "T": 10_000, "T_random": 400, "epoch": 200, "fit_every": 200, "k": (1, 10, 1, 10),
    "known_reward": True,  # as for PETS; where it was learned, seed 0 was slower
    "target_entropy": -0.05,  # with -1 two seeds of five hung still for 6,000 steps
}  # fmt: skip
_HOPPER: dict[str, Any] = _SMALL | {
    "T": 30_000, "T_random": 5_000, "epoch": 1_000, "fit_every": 500, "M": 20_000,
    "G": 20, "k": (20, 150, 1, 15), "target_entropy": -1.0, "fit_batch": 256,
    "model_hidden": (128, 128, 128),
}  # fmt: skip
_LINE: dict[str, Any] = _SMALL | {
    "T": 1_000, "T_random": 200, "epoch": 100, "fit_every": 50, "target_entropy": -1.0,
}  # fmt: skip
MBPO: dict[tuple[str, str, str], dict[str, Any]] = {
    **{("mbpo", task, "paper"): _PAPER | change for task, change in _TASKS.items()},
    ("mbpo", "InvertedPendulum-v5", "cheap"): POLE,
    ("mbpo", "Pendulum-v1", "cheap"): _PENDULUM,
    ("mbpo", "CartPoleSwingUp-v0", "cheap"): _SWING,
    ("mbpo", "Hopper-v5", "cheap"): _HOPPER,
    ("mbpo", "Line-v0", "cheap"): _LINE,
}

# the same policy and steps without a model, one update per real step: SAC as it stands
# beside MBPO, not the settings of its own paper
_SHARED = "T T_random epoch episodes target_entropy batch hidden lr tau".split()
SAC = {
    ("sac", task, name): {key: values[key] for key in _SHARED if key in values}
    for (_, task, name), values in MBPO.items()
}
PRESETS = MBPO | SAC
