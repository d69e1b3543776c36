"""The stored runs of chapter 4: planners at equal numbers of model calls.

Point masses (`envs.lqr`) are a problem on which every planner has a true answer: what a
plan is worth is a quadratic of the plan, and its best point and its value are known.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos import cem, mppi, random_shooting
from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.lqr import point_masses
from mbrl_edu.envs.plans import Plans
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study
from mbrl_edu.experiment.studies_tabular import wide
from mbrl_edu.imagine.plan import Config, Imagination, Planner
from mbrl_edu.models.oracle import Oracle

PAGE = "04-shooting"
METHODS = ("RS", "CEM", "iCEM", "MPPI")
SIZES, HORIZONS = (1, 2, 4, 8), (5, 10, 20, 40)  # da = n, and H
CALLS, ROUNDS = 2000, 5  # plans that a search may try, in so many rounds (PETS)
REPEATS = 5  # searches from the same start
BUDGETS, REPLAN = (60, 300, 1500), 3  # plans per step of MPC, in so many rounds
T_LQR, T_SWING, H_MPC = 50, 75, 20  # steps of an episode; horizon of MPC
PER_STEP, SWINGS = 300, range(8)  # plans per step of the swing-up, its seeds
DIMENSIONS = (2, 4, 8, 16)  # numbers in a plan, for the best of N
START = (0.8, 0.2)  # of the best of N: the corner of the box of start states


def planner(method: str, calls: int, rounds: int) -> Planner:
    """A planner that judges at most `calls` plans a search: RS all at once, the others
    in `rounds` rounds and without an early stop. A tenth of a round are elites."""
    check.choice("method", method, METHODS)
    N = check.integer("calls", calls, low=5 * rounds) // rounds
    if method == "RS":
        return random_shooting.RandomShooting(random_shooting.Config(calls))
    if method == "MPPI":
        return mppi.MPPI(mppi.Config(N, rounds))
    plain = cem.Config(N, max(2, N // 10), rounds, tol=0)
    if method == "CEM":
        return cem.CEM(plain)
    return cem.CEM(_icem(calls, rounds))


def _icem(calls: int, rounds: int) -> cem.Config:
    """The largest iCEM that stays within `calls`: its rounds shrink, so they begin
    larger; kept plans and the mean are judged too."""

    def config(N):
        return cem.icem(cem.Config(N, max(2, N // 10), rounds, tol=0))

    def judged(N):
        c = config(N)
        sizes = (
            min(N, max(round(N / c.decay**i), 2 * c.top)) + round(c.keep * c.top)
            for i in range(rounds)
        )
        return sum(sizes) + 1

    return config(max(N for N in range(4, calls + 1) if judged(N) <= calls))


def start(n: int, seed: int) -> np.ndarray:
    """Where an episode of n point masses begins, as in `envs.lqr.LQR`: (2 n,)."""
    high = np.repeat(START, n)
    return Streams(seed).numpy("start").uniform(-high, high)


def mean_gap(plans: Plans) -> float:
    """What doing nothing loses, averaged over start states: the unit of regret here.
    (A single start can be next to the middle, where there is nothing to lose.)"""
    return plans.mean_gap(np.diag(np.repeat(START, plans.system.da) ** 2 / 3))


def _digits(x: float) -> float:
    return float(f"{x:.6g}")


def search(plans: Plans, method: str, seed: int, repeat: int) -> tuple:
    """(plans judged, regret / mean gap, root mean square error of the first action)."""
    s = start(plans.system.da, seed)
    before, g = plans.calls, Streams(seed)[f"planner/{repeat}"]
    shape = plans.H, plans.system.da
    plan = planner(method, CALLS, ROUNDS)(plans.evaluate(s), *shape, g).numpy()
    first = np.sqrt(np.mean((plan[0] - plans.best(s)[0]) ** 2))
    regret = float(plans.regret(s, plan)) / mean_gap(plans)
    return plans.calls - before, _digits(regret), _digits(first)


def _open_loop(sizes, horizons, seeds, bar) -> Any:
    """One search each: how much worse than the exact plan, by n and H."""
    import pandas as pd

    rows = []
    for n, H in product(sizes, horizons):
        plans = Plans(point_masses(n), H)
        for method, seed, repeat in product(METHODS, seeds, range(REPEATS)):
            found = search(plans, method, seed, repeat)
            rows.append((n, H, method, seed, repeat, *found))
        bar.advance(f"n = {n}, H = {H}")
    columns = ["n", "H", "method", "seed", "repeat", "calls", "regret", "first"]
    return pd.DataFrame(rows, columns=columns)


def _best_of_n(seeds) -> Any:
    """Regret of the best of the first N of 100,000 uniform plans, over the gap."""
    amounts = np.unique(np.geomspace(1, 100_000, 31).astype(int))
    curves: dict[int, Any] = {}
    for H in DIMENSIONS:
        plans, curves[H] = Plans(point_masses(1), H), []
        for seed in seeds:
            u = Streams(seed).numpy(f"uniform/{H}").uniform
            least = np.minimum.accumulate(
                plans.regret(START, u(-1, 1, (amounts[-1], H, 1)))
            )
            best = least[amounts - 1] / plans.gap(START)
            curves[H].append([_digits(x) for x in best])
    return wide("D", curves, amounts)


def replan_lqr(method: str, n: int, calls: int, seed: int) -> tuple[int, float]:
    """MPC on n point masses for T_LQR steps: plans judged, and regret against the exact
    optimum over the same steps, over the mean gap of doing nothing."""
    plans, s = Plans(point_masses(n), H_MPC), start(n, seed)
    whole, z, g = Plans(plans.system, T_LQR), [], Streams(seed)["planner"]
    look = planner(method, calls, REPLAN) if method != "exact" else None
    x = s
    for _ in range(T_LQR):
        a = (
            look(plans.evaluate(x), H_MPC, n, g)[0].numpy()
            if look
            else plans.best(x)[0]
        )
        z.append(a)
        x = plans.system.A @ x + plans.system.B @ a
    return plans.calls, _digits(float(whole.regret(s, np.array(z))) / mean_gap(whole))


def swing_up(
    method: str, calls: int, seed: int, T: int = T_SWING, watch: Any = None
) -> tuple[int, list[float]]:
    """MPC on CartPoleSwingUp-v0 with its true dynamics: plans judged, T rewards.

    ``watch(t, s, a)`` is called before every step with state (4,) and action (1,).
    """
    world = task("CartPoleSwingUp-v0")
    assert world.dynamics and world.reward
    model = Oracle(world.ds, world.da, world.dynamics, world.reward)
    imagine, rng = Imagination(model, Config("E")), Streams(seed)
    g, look, judged = rng["planner"], planner(method, calls, REPLAN), 0
    s = 0.1 * torch.randn(4, generator=rng["start"])  # as the environment begins
    rewards = []

    def evaluate(candidates: Tensor) -> Tensor:
        nonlocal judged
        judged += len(candidates)
        return imagine(s, candidates, g)

    for t in range(T):
        a = look(evaluate, H_MPC, 1, g)[0]
        if watch:
            watch(t, s, a)
        s_next = world.dynamics(s, a)
        rewards.append(world.reward(s, a, s_next).item())
        s = s_next
    return judged, rewards


@study("shooting", title="Planners at equal numbers of model calls", page=PAGE)
def shooting(workers, folder, quick=False):
    """One search (by n and H), the best of N uniform plans, and MPC by the number of
    plans per step, on the true dynamics; in one process, about six minutes."""
    import pandas as pd

    sizes, horizons = ((1, 8), (5, 40)) if quick else (SIZES, HORIZONS)
    budgets, seeds, rows = (
        BUDGETS[:1] if quick else BUDGETS,
        range(2 if quick else 20),
        [],
    )
    swings = list(
        product(METHODS[:1] if quick else METHODS, SWINGS[: 1 if quick else None])
    )
    total = len(sizes) * len(horizons) + 2 * len(seeds) + len(swings)
    with Progress("shooting", total, "parts") as bar:
        one = _open_loop(sizes, horizons, seeds, bar)
        for n, seed in product((1, 4), seeds):
            for method, calls in product(("exact", *METHODS), budgets):
                judged, x = replan_lqr(method, n, calls, seed)
                rows.append(
                    (f"LQR-v0, n = {n}", method, calls, seed, judged / T_LQR, x)
                )
            bar.advance(f"MPC, n = {n}")
        for method, seed in swings:
            judged, rewards = swing_up(method, PER_STEP, seed)
            x = _digits(sum(rewards))
            swing = "CartPoleSwingUp-v0", method, PER_STEP, seed, judged / T_SWING, x
            rows.append(swing)
            bar.advance(f"swing-up, {method}")
    columns = ["task", "method", "budget", "seed", "calls", "result"]
    return {
        "plans": one,
        "best-of-n": _best_of_n(range(3 if quick else 30)),
        "closed-loop": pd.DataFrame(rows, columns=columns),
    }
