"""Contracts of chapter 2, Dyna."""

import numpy as np

from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import Maze
from mbrl_edu.grading.contract import Wrong, call, compare, contract
from mbrl_edu.theory import FiniteMDP, value_iteration


@contract("dyna.first-episode")
def first_episode(answer):
    """By hand: the one positive Q(s, a) after the first episode of Q-learning."""
    compare(answer, 0.1, "the last pair before the goal, alpha = 0.1")
    return "only the pair that entered the goal has learned anything: alpha * 1."


@contract("dyna.value-of-start")
def value_of_start(answer):
    """By hand: V*(S) of a maze whose shortest path takes 14 steps, gamma = 0.95."""
    try:
        off_by_one = np.isclose(answer, 0.95**14, rtol=0, atol=5e-4)
    except TypeError:
        off_by_one = False
    if off_by_one:
        raise Wrong("count again: the reward arrives with the 14th step, so at t = 13.")
    compare(answer, 0.95**13, "gamma = 0.95 and 14 steps", atol=5e-4)
    return "the reward of the 14th step is discounted 13 times."


@contract("dyna.backup")
def backup(answer):
    """backup(Q, s, a, r, s_next, d, alpha, gamma) -> the new value of Q[s, a]."""
    g = np.random.default_rng(1)
    for i in range(6):
        Q = g.normal(size=(4, 3))
        s, s_next = (int(x) for x in g.integers(4, size=2))
        a, d, r = int(g.integers(3)), float(i % 2), float(g.normal())
        alpha, gamma = float(g.uniform(0.1, 1)), float(g.uniform(0.5, 1))
        kept = Q.copy()
        target = r + gamma * (1 - d) * Q[s_next].max()
        got = call(answer, Q, s, a, r, s_next, d, alpha, gamma)
        if d and np.allclose(got, kept[s, a] + alpha * (r - kept[s, a])) is False:
            full = r + gamma * kept[s_next].max()
            if np.allclose(got, kept[s, a] + alpha * (full - kept[s, a])):
                raise Wrong("with d = 1 nothing follows s_next, so its value is 0.")
        of = f"r = {r:.3f}, d = {d:.0f}, alpha = {alpha:.3f}, gamma = {gamma:.3f}"
        compare(got, kept[s, a] + alpha * (target - kept[s, a]), of)
    return "this is line (d) of Dyna-Q, and line (f) as well."


@contract("dyna.plan")
def planning(answer):
    """plan(Q, model, n, alpha, gamma, u): n planning updates of Q, in place.

    ``model`` maps s to a dict a -> (r, s_next, d); ``u()`` draws from [0, 1).
    """
    maze = Maze(["S..", ".#.", "..G"])
    P, r, rho0 = maze.tables()
    Q_star, _ = value_iteration(FiniteMDP(P, r, rho0, 0.9))
    model: dict[int, dict] = {}
    for s in (0, 1, 2, 3, 5, 6, 7):
        model[s] = {}
        for a in range(4):
            s_next = int(P[s, a].argmax())
            model[s][a] = (float(r[s, a]), s_next, float(s_next in maze.goals))
    u = Streams(0).random("planning").random
    for n in (0, 1):  # from random values, so that every update changes one of them
        start = np.random.default_rng(n).normal(size=(9, 4))
        Q = start.copy()
        call(answer, Q, model, n, 0.5, 0.9, u)
        if (Q != start).sum() > n:
            raise Wrong(f"with n = {n} more than {n} values changed.")
    Q = np.zeros((9, 4))
    call(answer, Q, model, 4000, 1.0, 0.9, u)
    if not Q.any():
        raise Wrong("after 4000 updates Q is still 0; it must be changed in place.")
    compare(Q[list(model)], Q_star[list(model)], "4000 updates of a 3 x 3 maze")
    return "planning alone found the exact optimum of the model."


@contract("dyna.bonus")
def bonus(answer):
    """bonus(r, tau, kappa) -> the reward that Dyna-Q+ plans with."""
    for r, tau, kappa in ((0.0, 0, 0.1), (1.0, 9, 0.1), (-0.5, 400, 1e-3), (0.2, 7, 0)):
        of = f"r = {r}, tau = {tau}, kappa = {kappa}"
        compare(call(answer, r, tau, kappa), r + kappa * np.sqrt(tau), of)
    return "what was not tried for long looks a little better than it is."
