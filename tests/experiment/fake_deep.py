"""A method with networks that learns nothing, quickly, and can be resumed.

The environment variable FAKE_PAUSE makes every fit but the first stop halfway for so
many seconds; it is no option, so that a run that pauses is the same run.
"""

import os
import time
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_edu.core.checkpoint import gather, restore
from mbrl_edu.core.data import Batch
from mbrl_edu.envs.episode import episode
from mbrl_edu.envs.state import Between
from mbrl_edu.imagine.diary import Diary


@dataclass(frozen=True)
class Config:
    episodes: int = 4  # K


@dataclass
class Result:
    returns: np.ndarray
    weights: torch.Tensor
    agent: object = None


def fake_deep(task, cfg, rng, log=None, checkpoint=None):
    with rng.init("model"):
        model = torch.nn.Linear(task.ds, task.da)
    opt, diary = torch.optim.Adam(model.parameters(), 0.1), Diary(1, rng.device)
    env = task.make()
    env.reset(seed=rng.key("env") % 2**31)
    parts = {"model": model, "opt": opt, "rng": rng, "diary": diary}
    parts["env"] = Between(env)
    restore(checkpoint.load() if checkpoint else None, parts)
    g = rng["behaviour"]
    for k in range(diary.k + 1, cfg.episodes + 1):
        trial = episode(env, lambda s, t: torch.randn(task.da, generator=g).numpy())
        D = Batch.cat([*diary.D, trial])
        for i in range(4):
            rows = torch.randint(len(D.r), (8,), generator=rng["fit"])
            loss = (model(D.s[rows]) - D.a[rows]).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            if k > 1 and i == 1:
                time.sleep(float(os.environ.get("FAKE_PAUSE", 0)))
        diary.close(k, trial, loss.item(), 0, log)
        if checkpoint:
            checkpoint.save(diary.steps, gather(parts))
    env.close()
    weights = torch.cat([p.detach().ravel() for p in model.parameters()])
    return Result(diary.arrays(cfg.episodes)["returns"], weights, model)
