"""The stored numbers of chapter 6: every bound on many exact MDPs, and the best k."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import Maze
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study
from mbrl_edu.theory import FiniteMDP, greedy_policy, tables, value_iteration
from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory.choice_of_k import best_k, best_k_tight
from mbrl_edu.theory.instances import laws
from mbrl_edu.theory.search import worst
from mbrl_edu.theory.statements import MBPO, MBPO_FALSE

PAGE = "06-bounds"
EACH = 3000  # instances per seed, one tenth from each family
SETTINGS = ((3, 0.9, 2), (4, 0.9, 15))  # states, gamma, k of the climbs
FOUND = 1.001  # a climb above this ratio has found a violation
LONGEST = 4000  # k is searched by brute force up to here
SIZES = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)  # transitions of a data set
SHARES = (0.0, 0.1, 0.2, 0.5, 1.0)  # of the way from pi_D to the new policy
SHOWN = (0.2, 1.0)  # those of SHARES that are stored


def kind(name: str) -> str:
    """On which side a statement stands: proved, or printed and false."""
    return "holds" if name in MBPO else "fails"


@study("bounds-sample", title="MBPO's statements on sampled MDPs", page=PAGE)
def bounds_sample(workers, folder, quick=False):
    """|gap| / bound of every statement, true or false, on instances of all families
    of `theory.instances`: violations, median, 95 % quantile and maximum per seed."""
    import pandas as pd

    seeds, rows = range(1 if quick else 20), []
    with Progress("bounds-sample", len(seeds), "samples") as bar:
        for seed in seeds:
            sample = tables.ratio_sample(EACH, seed, table=MBPO | MBPO_FALSE)
            for name, x in sample.items():
                numbers = np.median(x), np.quantile(x, 0.95), x.max()
                over = int((x > 1 + 1e-9).sum())
                rows.append((name, kind(name), seed, len(x), over, *numbers))
            bar.update(seed + 1)
    columns = ["statement", "kind", "seed", "instances", "violations"]
    return pd.DataFrame(rows, columns=[*columns, "median", "p95", "max"])


@study("bounds-climb", title="A climb towards violations", page=PAGE)
def bounds_climb(workers, folder, quick=False):
    """Highest |gap| / bound that a hill climb over instances finds, per statement:
    60 climbers, 200 rounds for the true statements, up to 800 for the false ones."""
    import pandas as pd

    seeds, rows = range(1 if quick else 5), []
    everything = MBPO | MBPO_FALSE
    with Progress("bounds-climb", len(everything), "statements") as bar:
        for name, rule in everything.items():
            rounds = 200 if name in MBPO else 800
            for seed in seeds:
                for S, gamma, k in SETTINGS:
                    found, _ = worst(rule, S, 2, gamma, k, seed, 60, rounds, FOUND)
                    done = len(found.history)
                    rows.append(
                        (name, kind(name), S, gamma, k, seed, found.score, done)
                    )
            bar.update(len(rows) // (len(seeds) * len(SETTINGS)))
    columns = ["statement", "kind", "S", "gamma", "k", "seed", "score", "rounds"]
    return pd.DataFrame(rows, columns=columns)


@study("bounds-best-k", title="The best k, in closed form and measured", page=PAGE)
def bounds_best_k(workers, folder, quick=False):
    """The closed form of k* against brute force, and the error of a counted model
    while the policy moves away from the one that collected the data."""
    import pandas as pd

    seeds = range(2 if quick else 20)
    formula = pd.DataFrame([closed_form(seed) for seed in seeds])
    rows: list[dict[str, Any]] = []
    with Progress("bounds-best-k", len(seeds), "seeds") as bar:
        for seed in seeds:
            for world, make in WORLDS.items():
                for toward in ("truth", "model"):
                    rows += learned(world, toward, seed, *make(seed))
            bar.update(seed + 1)
    return {"formula": formula, "learned": pd.DataFrame(rows)}


def closed_form(seed: int, settings: int = 500) -> dict[str, int]:
    """How many random settings agree with what the page says about the best k."""
    g, k = Streams(seed).numpy("settings"), np.arange(LONGEST)
    gamma = g.uniform(0.5, 0.99, settings)[:, None]
    e_m_prime, e_pi = (10 ** g.uniform(-4, -0.3, (settings, 1)) for _ in range(2))
    slide = mbpo.theorem_4_3(gamma, 1.0, e_m_prime, e_pi, k).argmin(axis=1)
    tight = mbpo.tight(gamma, 1.0, e_m_prime, e_pi, k[:400])
    data = mbpo.theorem_4_2(gamma, 1.0, e_m_prime, e_pi, k).argmin(axis=1)
    formula = best_k(gamma, e_m_prime, e_pi)[:, 0]
    positive = (e_m_prime < e_pi)[:, 0]
    ends = np.where(best_k_tight(e_m_prime, e_pi)[:, 0] > 0, tight[:, -1], tight[:, 0])
    lower = tight.min(axis=1) < ends * (1 - 1e-12)
    return {
        "seed": seed,
        "settings": settings,
        "formula_is_brute_force": int((slide == formula).sum()),
        "positive_iff_smaller_error": int(((slide > 0) == positive).sum()),
        "slide_optimum_inside": int((slide > 0).sum()),
        "tight_optimum_inside": int(lower.sum()),
        "data_form_optimum_positive": int((data > 0).sum()),
    }


World = tuple[FiniteMDP, np.ndarray]


def random_world(seed: int) -> World:
    """6 states, 3 actions, kernels and data policy drawn at random; a batch of one."""
    g = Streams(seed).numpy("world")
    P, r = laws(g, 1, 6, 3, 6, concentration=0.5), g.uniform(0, 1, (1, 6, 3))
    return FiniteMDP(P, r, laws(g, 1, 6), 0.95), laws(g, 1, 6, 3)


def maze_world(seed: int) -> World:
    """The Dyna maze with slip 0.2 and uniformly random actions; a batch of one."""
    P, r, rho0 = (x[None] for x in Maze(slip=0.2).tables())
    return FiniteMDP(P, r, rho0, 0.95), np.full((1, *r.shape[1:]), 0.25)


WORLDS = {"random MDP": random_world, "slippery Dyna maze": maze_world}


def learned(
    world: str, toward: str, seed: int, mdp: FiniteMDP, pi_D: np.ndarray
) -> list[dict[str, Any]]:
    """Rows per data size and share: e_m' of a counted model, its slope in e_pi.

    toward : "truth", pi moves to the policy that is optimal in the world; "model", to
        the one that is optimal in the learned model.
    """
    rows = []
    for n in SIZES:
        judge = mdp
        if toward == "model":
            g = np.random.default_rng([seed, n])  # the model of error_against_shift
            judge = mdp.with_model(tables.counted_model(mdp, pi_D, n, g))
        pi_new = greedy_policy(value_iteration(judge, tol=1e-10)[0], tol=1e-8)
        t = tables.error_against_shift(mdp, pi_D, pi_new, [n], seed, SHARES)
        for i in map(SHARES.index, SHOWN):
            same = {"world": world, "toward": toward, "seed": seed, "n_data": n}
            rows.append(
                same
                | {"share": SHARES[i], "e_pi": t["e_pi"][i, 0], "e_m": t["e_m"][0, 0]}
                | {"e_m_prime": t["e_m_prime"][0, i, 0], "slope": t["slope"][0, 0]}
                | {"limit": t["slope_limit"][0, i, 0], "best_k": t["best_k"][0, i, 0]}
            )
    return rows
