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
    "HopperNT-v5": {
        "T": 100_000, "k_back": (20, 150, 1, 15), "beta": (0, 1, 0.01, 0.01),
        "H_mpc": 6,
    },
    "Walker2dNT-v5": {
        "T": 200_000, "k_back": (0, 1, 1, 1), "beta": (0, 1, 0.01, 0.01), "H_mpc": 0,
    },
    "AntTruncated-v5": {
        "T": 300_000, "k_back": (0, 1, 1, 1), "beta": (0, 1, 0.003, 0.003), "H_mpc": 0,
    },
}  # fmt: skip

# Ours: MBPO's for a pole on a cart, and every change of BMPO, at a small size.
_CHEAP: dict[str, Any] = presets_mbpo.POLE | {
    "k_back": (0, 1, 1, 1), "beta": (0, 6, 0.01, 0), "H_mpc": 1, "N_mpc": 200,
}  # fmt: skip

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("bmpo", task, "paper"): presets_mbpo.PRESETS["mbpo", task, "paper"]
    | _PAPER
    | change
    for task, change in _TASKS.items()
}
PRESETS["bmpo", "InvertedPendulum-v5", "cheap"] = _CHEAP
