"""Episodes in a real environment, and where they begin."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core.data import Batch
from mbrl_edu.envs.task import Task


def episode(
    env: gym.Env, act: Callable[[Tensor, int], np.ndarray], device: str = "cpu"
) -> Batch:
    """The transitions of one episode, with actions (da,) from ``act(s, t)``: s (ds,) on
    ``device``, t = 0, 1, ...; ``env`` is one that ``Task.make`` made."""
    rows: list[tuple] = []
    s, done = env.reset()[0], False
    while not done:
        a = np.float32(act(torch.as_tensor(s, device=device), len(rows)))
        s_next, r, d, cut, _ = env.step(a)
        rows.append((s, a, r, s_next, d))
        s, done = s_next, d or cut
    fields = (np.array(x, np.float32) for x in zip(*rows))
    return Batch(*(torch.as_tensor(x, device=device) for x in fields))


def starts(task: Task, n: int, seed: int) -> np.ndarray:
    """States that episodes begin in (n, ds); no step is taken."""
    env = task.make()
    try:
        first = env.reset(seed=seed)[0]
        return np.array([first, *(env.reset()[0] for _ in range(n - 1))])
    finally:
        env.close()
