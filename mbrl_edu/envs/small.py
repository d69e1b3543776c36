"""What the book's own small environments share."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

MOST = float(np.finfo(np.float32).max)  # Gymnasium frowns on infinite bounds


class Small(gym.Env):
    """An environment whose observation is its whole state.

    The state ``self.s`` is kept in float64 and observed in float32. A subclass says how
    an episode begins (``start``), how the state moves (``move``), what a step pays
    (``pay``) and when an episode ends (``over``). Actions outside [-1, 1] are clipped.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, ds: int, da: int, render_mode: str | None = None):
        self.render_mode = render_mode
        self.observation_space = gym.spaces.Box(-MOST, MOST, (ds,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (da,), np.float32)
        self.s = np.zeros(ds)

    def start(self, g: np.random.Generator) -> np.ndarray:
        raise NotImplementedError

    def move(self, s: np.ndarray, a: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def pay(self, s: np.ndarray, a: np.ndarray, s_next: np.ndarray) -> float:
        raise NotImplementedError

    def over(self, s_next: np.ndarray) -> bool:
        return False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.s = self.start(self.np_random)
        return self.s.astype(np.float32), {}

    def step(self, a):
        a = np.clip(np.asarray(a, dtype=float), -1.0, 1.0)
        s, self.s = self.s, self.move(self.s, a)
        r, d = self.pay(s, a, self.s), self.over(self.s)
        return self.s.astype(np.float32), float(r), bool(d), False, {}
