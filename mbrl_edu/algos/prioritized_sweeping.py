"""Prioritized sweeping for deterministic worlds: plan where the values change most.

Moore & Atkeson (1993); Peng & Williams (1993); Sutton & Barto (2018), section 8.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import gymnasium as gym

from mbrl_edu.algos import q_learning
from mbrl_edu.algos.q_learning import Log, Result, Watch, interact, table
from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.tabular import LastModel


@dataclass(frozen=True)
class Config(q_learning.Config):
    """Settings of Q-learning, and of the queue."""

    n: int = 5  # planning updates per real step, at most (S&B Example 8.4)
    theta: float = 1e-4  # priorities up to this are not queued (S&B Example 8.4)

    def __post_init__(self):
        super().__post_init__()
        check.integer("n", self.n, low=1)
        check.number("theta", self.theta, low=0)


class Queue:
    """Pairs, highest priority first; each waits once, with its highest priority."""

    def __init__(self):
        self._heap: list[tuple[float, int, int]] = []
        self._waiting: dict[tuple[int, int], float] = {}

    def push(self, P: float, s: int, a: int) -> None:
        if P > self._waiting.get((s, a), 0.0):
            self._waiting[s, a] = P
            heappush(self._heap, (-P, s, a))

    def pop(self) -> tuple[int, int]:
        while True:
            P, s, a = heappop(self._heap)
            if self._waiting.get((s, a)) == -P:  # else overtaken by a higher priority
                del self._waiting[s, a]
                return s, a

    def __bool__(self) -> bool:
        return bool(self._waiting)


def prioritized_sweeping(
    env: gym.Env,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Result:
    """Up to n updates per real step, each where |target - Q| is largest; after each,
    the pairs that lead to the changed state are queued. No update but these.

    ``env`` has Discrete states and actions and is taken to be deterministic. ``rng``
    streams used: "env", "behaviour".
    """
    Q = table(env)
    model = LastModel()
    before: dict[int, set[tuple[int, int]]] = {}  # s' -> pairs that lead to it
    queue = Queue()
    alpha, gamma, theta = cfg.alpha, cfg.gamma, cfg.theta

    def error(s, a):
        r, s_next, d = model.outcome[s][a]
        return r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a]

    def queue_if_large(s, a):
        P = abs(error(s, a))
        if P > theta:
            queue.push(P, s, a)

    def improve(s, a, r, s_next, d):
        if a in model.outcome.get(s, {}):
            before[model.outcome[s][a][1]].discard((s, a))
        model.learn(s, a, r, s_next, d)
        before.setdefault(s_next, set()).add((s, a))
        queue_if_large(s, a)
        for i in range(cfg.n):
            if not queue:
                return i
            s, a = queue.pop()
            Q[s][a] += alpha * error(s, a)
            for s_bar, a_bar in sorted(before.get(s, ())):
                queue_if_large(s_bar, a_bar)
        return cfg.n

    return interact(env, cfg, rng, Q, improve, log, watch)
