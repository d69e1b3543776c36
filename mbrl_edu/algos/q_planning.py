"""Random-sample one-step tabular Q-planning.

Lecture, "Q-Planning"; Sutton & Barto (2018), section 8.1, first box.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from mbrl_edu.algos.q_learning import Log, Table, Watch, table
from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.tabular import CountModel


@dataclass(frozen=True)
class Config:
    """Settings of Q-planning."""

    experience: int = 5000  # real steps with random actions that the model learns from
    updates: int = 100_000  # planning updates
    alpha: float = 0.1  # step size of a pair's first update
    omega: float = 0.0  # the k-th update of a pair has step size alpha / k^omega
    gamma: float = 0.95  # discount (S&B Example 8.1)
    log_every: int = 10_000  # updates between two log lines

    def __post_init__(self):
        check.integer("experience", self.experience, low=1)
        check.integer("updates", self.updates, low=1)
        check.number("alpha", self.alpha, low=0, high=1, open_low=True)
        check.number("omega", self.omega, low=0, high=1)
        check.number("gamma", self.gamma, low=0, high=1)
        check.integer("log_every", self.log_every, low=1)


@dataclass
class Result:
    """What Q-planning leaves."""

    Q: np.ndarray  # (S, A) action values
    model: CountModel  # what the values were planned with
    rewards: np.ndarray  # (experience,) reward of every real step
    updates: int  # planning updates made


def explore(env: gym.Env, steps: int, rng: Streams) -> tuple[CountModel, np.ndarray]:
    """A model learned from ``steps`` real steps with uniformly random actions, and
    the reward of each step."""
    n_actions = len(table(env)[0])
    model = CountModel(int(env.observation_space.n), n_actions)  # type: ignore[attr-defined]
    u = rng.random("behaviour").random
    rewards = np.zeros(steps)
    s, _ = env.reset(seed=rng.key("env") % 2**31)
    for t in range(steps):
        a = int(u() * n_actions)
        s_next, r, terminated, truncated, _ = env.step(a)
        model.learn(s, a, float(r), s_next, float(terminated))
        rewards[t] = r
        s = env.reset()[0] if terminated or truncated else s_next
    return model, rewards


def plan(
    model: CountModel,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Table:
    """Do ``cfg.updates`` times:

    1. select a state S and an action A at random (of the pairs the model knows),
    2. send S, A to the model and obtain a sample reward R and next state S',
    3. apply one-step tabular Q-learning to S, A, R, S'.

    ``watch(i, Q)`` is called after every update i; where it returns something true,
    planning ends there.
    """
    Q = [[0.0] * model.n_actions for _ in range(model.n_states)]
    seen = [[0] * model.n_actions for _ in range(model.n_states)]
    u = rng.random("planning").random
    alpha, omega, gamma = cfg.alpha, cfg.omega, cfg.gamma
    pairs = model.pairs()
    for i in range(1, cfg.updates + 1):
        s, a = pairs[int(u() * len(pairs))]
        r, s_next, d = model.sample(s, a, u)
        seen[s][a] += 1
        step = alpha / seen[s][a] ** omega
        Q[s][a] += step * (r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a])
        if log and i % cfg.log_every == 0:
            log(i, {"updates": i, "mean max Q": sum(map(max, Q)) / len(Q)})
        if watch and watch(i, Q):
            break
    return Q


def q_planning(
    env: gym.Env,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Result:
    """Learn a model from random real steps, then learn Q from the model alone.

    ``env`` has Discrete states and actions. ``rng`` streams used: "env", "behaviour",
    "planning". Model learning and reinforcement learning are two separate phases.
    """
    model, rewards = explore(env, cfg.experience, rng)
    Q = plan(model, cfg, rng, log, watch)
    return Result(np.array(Q), model, rewards, cfg.updates)
