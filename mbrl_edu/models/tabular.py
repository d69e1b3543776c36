"""Models of finite worlds: the last outcome of every pair, and counts of outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from math import isfinite, sqrt

import numpy as np

from mbrl_edu.core import check

Outcome = tuple[float, int, float]  # r, s', d: 1 where s' is terminal
Transition = tuple[int, int, float, int, float]  # s, a, r, s', d


class LastModel:
    """Model(s, a) <- r, s': the world is taken to be deterministic, the last outcome
    counts (lecture, Dyna-Q, line (e); S&B section 8.2)."""

    def __init__(self):
        self.outcome: dict[int, dict[int, Outcome]] = {}
        self._tried: list[list[Transition]] = []  # a row per observed state
        self._row: dict[int, int] = {}
        self._column: dict[tuple[int, int], int] = {}

    def learn(self, s: int, a: int, r: float, s_next: int, d: float) -> None:
        """Model(s, a) <- r, s', d."""
        if s not in self._row:
            self._row[s] = len(self._tried)
            self._tried.append([])
            self.outcome[s] = {}
        tried = self._tried[self._row[s]]
        if (s, a) not in self._column:
            self._column[s, a] = len(tried)
            tried.append((s, a, r, s_next, d))
        tried[self._column[s, a]] = (s, a, r, s_next, d)
        self.outcome[s][a] = (r, s_next, d)

    def replay(self, n: int, u: Callable[[], float]) -> Iterator[Transition]:
        """n transitions: a random observed state, then a random action tried in it.

        ``u`` draws uniform numbers from [0, 1).
        """
        tried = self._tried
        for _ in range(n):
            actions = tried[int(u() * len(tried))]
            yield actions[int(u() * len(actions))]

    def __len__(self) -> int:
        return len(self._column)


class TimedModel(LastModel):
    """LastModel that remembers when each pair was last tried, for Dyna-Q+.

    In replay the reward is r + kappa sqrt(tau), tau = real steps since (s, a) was last
    tried. With ``untried``, actions never taken in an observed state are offered too,
    as "nothing happens": reward 0, back to s, tau counted from step 0 (S&B section 8.3
    and its footnote).
    """

    def __init__(self, kappa: float, n_actions: int, untried: bool = True):
        super().__init__()
        self.kappa, self.n_actions, self.untried = kappa, n_actions, untried
        self.t = 0  # real steps so far
        self._last: dict[tuple[int, int], int] = {}

    def learn(self, s: int, a: int, r: float, s_next: int, d: float) -> None:
        if self.untried and s not in self._row:
            for other in range(self.n_actions):
                if other != a:
                    super().learn(s, other, 0.0, s, 0.0)
                    self._last[s, other] = 0
        self.t += 1
        self._last[s, a] = self.t
        super().learn(s, a, r, s_next, d)

    def replay(self, n: int, u: Callable[[], float]) -> Iterator[Transition]:
        for s, a, r, s_next, d in super().replay(n, u):
            tau = self.t - self._last[s, a]
            yield s, a, r + self.kappa * sqrt(tau), s_next, d


class CountModel:
    """p_hat(s', r | s, a): the share of each outcome among those seen.

    States and actions are numbers; there are no vectors to normalise and no members to
    draw, so a finite model does not follow ``protocol.Model``. The whole of it is
    ``tables()``.
    """

    def __init__(self, n_states: int, n_actions: int):
        self.n_states = check.integer("n_states", n_states, low=1)
        self.n_actions = check.integer("n_actions", n_actions, low=1)
        self.counts: dict[tuple[int, int], dict[Outcome, int]] = {}
        self._pairs: list[tuple[int, int]] = []
        self._cumulated: dict[tuple[int, int], tuple[list[Outcome], list[int]]] = {}

    def learn(self, s: int, a: int, r: float, s_next: int, d: float) -> None:
        """Count one outcome of (s, a). Raises ValueError where the world has no such
        state or action, or r is not finite."""
        if not (0 <= s < self.n_states and 0 <= s_next < self.n_states):
            raise ValueError(
                f"s and s_next are {s} and {s_next}, but must be 0 to "
                f"{self.n_states - 1}."
            )
        if not 0 <= a < self.n_actions:
            raise ValueError(f"a is {a}, but must be 0 to {self.n_actions - 1}.")
        if not isfinite(r):
            raise ValueError(f"r is {r}, but must be finite.")
        if (s, a) not in self.counts:
            self.counts[s, a] = {}
            self._pairs.append((s, a))
        seen = self.counts[s, a]
        seen[r, s_next, d] = seen.get((r, s_next, d), 0) + 1
        self._cumulated.pop((s, a), None)

    def pairs(self) -> list[tuple[int, int]]:
        """The (s, a) seen at least once, in the order of their first time."""
        return self._pairs

    def sample(self, s: int, a: int, u: Callable[[], float]) -> Outcome:
        """r, s', d drawn from p_hat(. | s, a)."""
        if (s, a) not in self._cumulated:
            if (s, a) not in self.counts:
                raise ValueError(
                    f"(s, a) is ({s}, {a}), but must be a pair seen at least once."
                )
            outcomes = self.counts[s, a]
            self._cumulated[s, a] = list(outcomes), list(accumulate(outcomes.values()))
        outcomes_, ends = self._cumulated[s, a]
        if len(outcomes_) == 1:
            return outcomes_[0]
        x = u() * ends[-1]
        return next(o for o, end in zip(outcomes_, ends, strict=True) if x < end)

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """P (S, A, S) and r (S, A) of the learned world; a pair never seen stays
        where it is for reward 0, and so does a terminal state."""
        P = np.eye(self.n_states)[:, None].repeat(self.n_actions, 1)
        r = np.zeros((self.n_states, self.n_actions))
        for (s, a), outcomes in self.counts.items():
            total = sum(outcomes.values())
            P[s, a] = 0.0
            for (reward, s_next, _), count in outcomes.items():
                P[s, a, s_next] += count / total
                r[s, a] += reward * count / total
        return P, r
