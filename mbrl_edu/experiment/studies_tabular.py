"""The stored runs of chapter 2: Q-planning, Dyna-Q, changing mazes, sweeping."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from mbrl_edu.algos import dyna_q, prioritized_sweeping, q_planning
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import Maze, scaled
from mbrl_edu.envs.maze import DYNA_MAZE
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study
from mbrl_edu.experiment.sweep import sweep
from mbrl_edu.theory import FiniteMDP, value_iteration

PAGE = "02-dyna"
LOOK = 20  # planning updates between two looks at the error
EVERY = 50  # real steps between two entries of a curve of cumulative reward


def wide(key: str, rows: Mapping[Any, Any], x: Any) -> Any:
    """One row per curve: columns `key`, seed, then one column per entry of x."""
    import pandas as pd

    tables = []
    for label, curves in rows.items():
        table = pd.DataFrame(np.array(curves), columns=[str(v) for v in x])
        table.insert(0, key, label)
        table.insert(1, "seed", range(len(table)))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def curves_of(table: Any, key: str, label: Any) -> tuple[np.ndarray, np.ndarray]:
    """x (m,) and the curves (seeds, m) of one label of a table made by `wide`."""
    rows = table[table[key] == label].drop(columns=[key, "seed"])
    return np.array([float(c) for c in rows.columns]), rows.to_numpy(float)


@study("q-planning", title="Q-planning against the exact Q", page=PAGE)
def q_planning_study(workers, folder, quick=False):
    """max |Q - Q*| over the known pairs of the Dyna maze by number of updates, and
    the update at which it falls to 1e-6 (looked at every LOOK updates)."""
    import pandas as pd

    seeds, maze = range(3 if quick else 30), Maze()
    Q_star, _ = value_iteration(FiniteMDP(*maze.tables(), 0.95))
    looks = np.unique(np.geomspace(5, 10_000, 50).astype(int))
    errors: dict[Any, Any] = {0.1: [], 1.0: []}
    reached = []
    for alpha, seed in product(errors, seeds):
        cfg = q_planning.Config(experience=20_000, updates=200_000, alpha=alpha)
        error = _planning_errors(maze, cfg, seed, Q_star)
        errors[alpha].append([float(f"{error[i - 1]:.3g}") for i in looks])
        exact = np.flatnonzero(error <= 1e-6)
        reached.append((alpha, seed, LOOK * (exact[0] + 1) if len(exact) else None))
    table = pd.DataFrame(reached, columns=["alpha", "seed", "updates"])
    return {
        "error": wide("alpha", errors, LOOK * looks),
        "reached": table.astype({"updates": "Int64"}),
    }


def _planning_errors(maze, cfg, seed, Q_star) -> np.ndarray:
    """max |Q - Q*| over the known pairs after every LOOK updates."""
    rng, errors = Streams(seed), []
    model, _ = q_planning.explore(maze, cfg.experience, rng)
    s, a = np.array(model.pairs()).T

    def look(i, Q):
        if i % LOOK == 0:
            errors.append(np.abs(np.array(Q)[s, a] - Q_star[s, a]).max())

    q_planning.plan(model, cfg, rng, watch=look)
    return np.array(errors)


@study("dyna-planning", title="Dyna-Q with n = 0, 5, 50", page=PAGE)
def dyna_planning(workers, folder, quick=False):
    """Steps per episode on the Dyna maze, and how far the values have spread halfway
    through the second episode (Sutton & Barto, Figures 8.2 and 8.3)."""
    import pandas as pd

    runs = sweep(
        "dyna_q",
        "DynaMaze-v0",
        seeds=4 if quick else 100,
        configs={str(n): {"n": n} for n in (0, 5, 50)},
        folder=folder,
        workers=workers,
    )
    lengths = {int(n): np.array(x) for n, x in runs.results("lengths").items()}
    halfway = []
    for n, curves in lengths.items():
        for seed, (first, second) in enumerate(curves[:, :2]):
            T = int(first + second // 2)
            cfg = dyna_q.Config(n=n, episodes=None, steps=T)
            Q = dyna_q.dyna_q(Maze(), cfg, Streams(seed)).Q
            halfway.append((n, seed, int((np.ptp(Q, axis=1) > 0).sum())))
    columns = ["n", "seed", "states"]
    episodes = range(1, 51)
    return {
        "lengths": wide("n", lengths, episodes),
        "halfway": pd.DataFrame(halfway, columns=columns),
    }


def _changing(task, change, steps, n, kappa, seeds, folder, workers):
    """Cumulative reward of Dyna-Q and Dyna-Q+, and how each run took the change."""
    import pandas as pd

    both = {"episodes": None, "steps": steps, "alpha": 1.0, "n": n}
    methods = {
        "Dyna-Q": sweep("dyna_q", task, seeds, [both], folder, workers),
        "Dyna-Q+": sweep(
            "dyna_q_plus", task, seeds, [both | {"kappa": kappa}], folder, workers
        ),
    }
    curves, after = {}, []
    for method, swept in methods.items():
        (results,) = swept.runs.values()
        rewards = np.array([run.result.rewards for run in results])
        curves[method] = rewards.cumsum(1)[:, EVERY - 1 :: EVERY].astype(int)
        for seed, run in enumerate(results):
            ends = run.result.lengths.cumsum()
            new = ends[ends - run.result.lengths >= change]
            wait = int(new[0]) - change if len(new) else None
            late = int(run.result.rewards[-1000:].sum())
            after.append((method, seed, wait, late))
    columns = ["method", "seed", "steps_to_goal_after_change", "reward_last_1000"]
    table = pd.DataFrame(after, columns=columns)
    table["steps_to_goal_after_change"] = table.iloc[:, 2].astype("Int64")
    x = range(EVERY, steps + 1, EVERY)
    return {"reward": wide("method", curves, x), "after": table}


@study("blocking-maze", title="Dyna-Q and Dyna-Q+ when the way closes", page=PAGE)
def blocking_maze(workers, folder, quick=False):
    """Sutton & Barto, Figure 8.4: alpha 1, n 10, kappa 1e-4, 3000 steps."""
    seeds = 4 if quick else 100
    task = "BlockingMaze-v0"
    return _changing(task, 1000, 3000, 10, 1e-4, seeds, folder, workers)


@study("shortcut-maze", title="Dyna-Q and Dyna-Q+ when a short cut opens", page=PAGE)
def shortcut_maze(workers, folder, quick=False):
    """Sutton & Barto, Figure 8.5: alpha 1, n 50, kappa 1e-3, 6000 steps."""
    seeds = 2 if quick else 50
    task = "ShortcutMaze-v0"
    return _changing(task, 3000, 6000, 50, 1e-3, seeds, folder, workers)


def updates_until_good(method, cfg, maze: Maze, longest: float, seed: int) -> int:
    """Updates of Q until the greedy path from S is at most ``longest`` steps long.

    Looked at after every real step; the first of several best actions is followed.
    """
    P, _, _ = maze.tables()
    after = P.argmax(-1).tolist()

    def good(t, Q):
        s, length = maze.start, 0
        while s not in maze.goals and length < longest and max(Q[s]) > 0:
            s, length = after[s][Q[s].index(max(Q[s]))], length + 1
        return s in maze.goals

    return method(maze, cfg, Streams(seed), watch=good).updates


@study("prioritized-sweeping", title="Prioritized sweeping and Dyna-Q", page=PAGE)
def sweeping(workers, folder, quick=False):
    """Updates until the greedy path is within 20 % of the shortest, by the size of
    the maze and the step size (Sutton & Barto, Example 8.4): n 5, theta 1e-4."""
    import pandas as pd

    seeds, sizes = range(2 if quick else 30), (1, 2) if quick else (1, 2, 3, 4)
    PS, D = prioritized_sweeping, dyna_q
    methods = {
        "Prioritized sweeping": (PS.prioritized_sweeping, PS.Config),
        "Dyna-Q": (D.dyna_q, D.Config),
    }
    cases = list(product(sizes, (0.5, 1.0), methods, seeds))
    rows = []
    with Progress("prioritized-sweeping", len(cases), "runs") as bar:
        for f, alpha, name, seed in cases:
            maze, (method, Config) = Maze(scaled(DYNA_MAZE, f)), methods[name]
            cfg = Config(episodes=1000, n=5, alpha=alpha)
            updates = updates_until_good(method, cfg, maze, 1.2 * 14 * f, seed)
            states = int((maze.grid != "#").sum())
            rows.append((name, alpha, f, states, seed, updates))
            bar.update(len(rows))
    columns = ["method", "alpha", "f", "states", "seed", "updates"]
    return pd.DataFrame(rows, columns=columns)
