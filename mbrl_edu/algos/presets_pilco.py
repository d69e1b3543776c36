"""Settings of PILCO on its cart-pole.

"paper": a policy of 305 parameters (50 basis functions of 5 features, a length-scale
for each feature), 4 s in steps of 0.1 s, one random trial (Deisenroth and Rasmussen
2011); 15 trials, 150 line searches each, a sparse process above 300 rows, for which
here 300 rows are drawn (PILCO's code, its cart-pole). It goes on with its policy.
"""

from __future__ import annotations

from typing import Any

_PAPER: dict[str, Any] = {
    "episodes": 15,
    "random": 1,
    "H": 40,
    "n": 50,
    "iterations": 150,
    "restarts": 0,
    "gp_rows": 300,
}

# Ours, for one CPU core: fewer basis functions and shorter climbs, with a fresh policy
# beside the old one in every trial, since a climb may end on a ledge where the pole
# swings through and is not caught; more so if it is short. Chosen on seeds 0 to 4.
_CHEAP: dict[str, Any] = {
    "episodes": 7,
    "random": 1,
    "H": 40,
    "n": 30,
    "iterations": 100,
    "restarts": 1,
    "width": 1.5,
}

PRESETS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("pilco", "PilcoCartPole-v0", "paper"): _PAPER,
    ("pilco", "PilcoCartPole-v0", "cheap"): _CHEAP,
}
