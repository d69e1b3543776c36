"""What a policy earns in the real task, without touching anything that learns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task


@torch.no_grad()
def evaluate(
    task: Task, policy: Callable[[Tensor], Tensor], rng: Streams, episodes: int
) -> np.ndarray:
    """Undiscounted returns of ``episodes`` episodes under a = policy(s): (episodes,).

    Policies map s (n, ds) to a (n, da). All episodes are played side by side in
    environments of their own, from the same start states at every call, and no stream
    moves: evaluating more often, or not at all, changes no run.
    """
    check.integer("episodes", episodes, low=1)
    envs = [task.make() for _ in range(episodes)]
    total, going = np.zeros(episodes), list(range(episodes))
    try:
        seeds = [rng.key(f"evaluate/{i}") % 2**31 for i in going]
        s = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds)]
        while going:
            rows = torch.as_tensor(np.stack([s[i] for i in going]), device=rng.device)
            ended = []
            for i, a in zip(going, policy(rows).cpu().numpy()):
                s[i], r, d, cut, _ = envs[i].step(a)
                total[i] += r
                if d or cut:
                    ended.append(i)
            going = [i for i in going if i not in ended]
    finally:
        for env in envs:
            env.close()
    return total
