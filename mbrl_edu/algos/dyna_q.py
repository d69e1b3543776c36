"""Dyna-Q: Q-learning whose every real step is followed by n imagined ones.

Lecture, "Dyna-Q"; Sutton (1990); Sutton & Barto (2018), section 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym

from mbrl_edu.algos import q_learning
from mbrl_edu.algos.q_learning import Log, Result, Watch, interact, table
from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.tabular import LastModel


@dataclass(frozen=True)
class Config(q_learning.Config):
    """Settings of Q-learning, and of planning in between."""

    n: int = 50  # planning updates per real step; 0 is Q-learning (S&B Example 8.1)

    def __post_init__(self):
        super().__post_init__()
        check.integer("n", self.n, low=0)


def dyna_q(
    env: gym.Env,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
    model: LastModel | None = None,
) -> Result:
    """Dyna-Q, lines (a)-(f) of the lecture; (a)-(c) are in ``interact``.

    ``env`` has Discrete states and actions. ``rng`` streams used: "env", "behaviour",
    "planning"; planning has its own, so that the first episode is the same for every
    n. ``model`` replaces the empty LastModel (Dyna-Q+ does so).
    """
    Q = table(env)
    model = LastModel() if model is None else model
    u = rng.random("planning").random
    alpha, gamma, n = cfg.alpha, cfg.gamma, cfg.n

    def improve(s, a, r, s_next, d):
        Q[s][a] += alpha * (r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a])  # (d)
        model.learn(s, a, r, s_next, d)  # (e)
        for s, a, r, s_next, d in model.replay(n, u):  # (f)
            Q[s][a] += alpha * (r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a])
        return 1 + n

    return interact(env, cfg, rng, Q, improve, log, watch)
