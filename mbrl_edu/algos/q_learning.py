"""One-step tabular Q-learning, and the loop with the world that Dyna shares.

Lecture, "Dyna-Q", lines (a)-(d); Sutton & Barto (2018), section 6.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams

Table = list[list[float]]  # Q[s][a]; plain lists: one number at a time, lists are fast
Improve = Callable[[int, int, float, int, float], int]  # (s, a, r, s', d) -> updates
Log = Callable[[int, dict[str, float]], None]
Watch = Callable[[int, Table], Any]


@dataclass(frozen=True)
class Config:
    """Settings of Q-learning."""

    episodes: int | None = 50  # episodes to play; none: as many as fit into `steps`
    steps: int | None = None  # T, real steps to take; none: no limit
    alpha: float = 0.1  # step size (S&B Example 8.1)
    gamma: float = 0.95  # discount (S&B Example 8.1)
    eps: float = 0.1  # probability of a random action (S&B Example 8.1)

    def __post_init__(self):
        if self.episodes is None and self.steps is None:
            raise ValueError("episodes and steps are both None; one must be a number.")
        if self.episodes is not None:
            check.integer("episodes", self.episodes, low=1)
        if self.steps is not None:
            check.integer("steps", self.steps, low=1)
        check.number("alpha", self.alpha, low=0, high=1, open_low=True)
        check.number("gamma", self.gamma, low=0, high=1)
        check.number("eps", self.eps, low=0, high=1)


@dataclass
class Result:
    """What a run of a tabular method leaves."""

    Q: np.ndarray  # (S, A) action values learned
    lengths: np.ndarray  # (episodes,) real steps of every finished episode
    rewards: np.ndarray  # (T,) reward of every real step
    updates: int  # how often some Q(s, a) was updated


def table(env: gym.Env) -> Table:
    """Q(s, a) = 0 for every state and action of ``env``."""
    n = []
    for name in ("observation_space", "action_space"):
        space = getattr(env, name)
        if not isinstance(space, gym.spaces.Discrete) or space.start != 0:
            raise ValueError(
                f"env.{name} is {space}, but must be Discrete and start at 0."
            )
        n.append(int(space.n))
    return [[0.0] * n[1] for _ in range(n[0])]


def eps_greedy(q: list[float], eps: float, u: Callable[[], float]) -> int:
    """Any action with probability eps, else a best one; ties are broken at random.

    Always takes two numbers from ``u``, so that what was drawn so far depends on the
    number of steps alone and not on the values.
    """
    explore, pick = u() < eps, u()
    best = max(q)
    among = [a for a, value in enumerate(q) if explore or value == best]
    return among[int(pick * len(among))]


def interact(
    env: gym.Env,
    cfg: Any,
    rng: Streams,
    Q: Table,
    improve: Improve,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Result:
    """Act eps-greedily on Q, and improve Q after every real step.

    ``log(t, metrics)`` is called at the end of every episode, ``watch(t, Q)`` after
    every real step; where it returns something true, the run ends there.
    """
    u = rng.random("behaviour").random
    lengths: list[int] = []
    rewards: list[float] = []
    updates, began, stop = 0, 0, False
    s, _ = env.reset(seed=rng.key("env") % 2**31)
    while not stop:
        a = eps_greedy(Q[s], cfg.eps, u)
        s_next, r, terminated, truncated, _ = env.step(a)
        rewards.append(float(r))
        updates += improve(s, a, float(r), s_next, float(terminated))
        s = s_next
        t = len(rewards)
        if terminated or truncated:
            lengths.append(t - began)
            if log:
                episode = {"length": lengths[-1], "return": sum(rewards[began:])}
                log(t, {"episode": len(lengths), **episode, "updates": updates})
            began = t
            s, _ = env.reset()
        stop = t == cfg.steps or len(lengths) == cfg.episodes
        if watch and watch(t, Q):
            stop = True
    return Result(np.array(Q), np.array(lengths), np.array(rewards), updates)


def q_learning(
    env: gym.Env,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Result:
    """Learn Q from real steps alone: one update per step (S&B eq. 6.8).

    ``env`` has Discrete states and actions. ``rng`` streams used: "env", "behaviour".
    Raises ValueError for other spaces.
    """
    Q = table(env)
    alpha, gamma = cfg.alpha, cfg.gamma

    def improve(s, a, r, s_next, d):
        Q[s][a] += alpha * (r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a])
        return 1

    return interact(env, cfg, rng, Q, improve, log, watch)
