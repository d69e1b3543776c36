"""Whole runs of MBPO as episodes: under a controller, or plain ones to measure with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch

from mbrl_edu.algos.hyper import KEEP, Config, Dials, Units, unmeasured
from mbrl_edu.algos.hyper_controller import Controller, Fixed
from mbrl_edu.algos.hyper_meter import Meter, metered
from mbrl_edu.algos.loop import Loop
from mbrl_edu.algos.mbpo import mbpo
from mbrl_edu.control.advantage import Rollout
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task

Episode = dict[str, Any]  # what a run of MBPO was in the eyes of its controller
Job = Callable[[], tuple[int, Episode]]
Parallel = Callable[[Sequence[Job]], Iterable[tuple[int, Episode]]]


def one_by_one(jobs: Sequence[Job]) -> Iterable[tuple[int, Episode]]:
    """What every job returns, in their order and in this process."""
    return (job() for job in jobs)


def play(
    i: int,
    make: Callable[[], gym.Env],
    seed: int,
    controller: Controller | Fixed,
    eps: float = 0.0,
) -> tuple[int, Episode]:
    """Run i: one episode under a controller, a share ``eps`` of its decisions random.

    Random decisions are kept with the log-probability that the controller gives them
    (AutoMBPO). All depends on the arguments alone, so runs may be played anywhere.
    """
    env, rng, rows, infos = make(), Streams(seed), [], []
    try:
        s, over = _row(env.reset(seed=seed % 2**31)[0]), False
        while not over:
            a, log_pi, V = controller.act(s, rng["decide"])
            if rng.random("explore").random() < eps:
                sizes = cast(gym.spaces.MultiDiscrete, env.action_space).nvec
                a = torch.as_tensor(rng.numpy("explore").integers(sizes))[None]
                log_pi = controller.log_pi(s, a).detach()
            s_next, r, d, cut, info = env.step(a[0].numpy())
            ends = _row(s_next), _row(float(d)), _row(float(cut))
            rows.append((s, a, log_pi, V, _row(r), *ends))
            infos.append(info)
            s, over = ends[0], d or cut
    finally:
        env.close()
    columns = (torch.cat(x) for x in zip(*rows))
    return i, {
        "rollout": dict(zip(Rollout._fields, columns)),
        "knobs": torch.tensor([[float(info[k]) for k in KEEP] for info in infos]),
        "raw": torch.tensor(np.array([info["raw"] for info in infos])),
        "evaluations": torch.tensor(infos[-1]["evaluations"]),
        "steps": infos[-1]["t"],
    }


def _row(x: Any) -> torch.Tensor:
    """One more axis in front."""
    return torch.as_tensor(np.asarray(x, np.float32))[None]


def plain(
    i: int, task: Task, cfg: Config, seed: int, device: str
) -> tuple[int, Episode]:
    """Run i: MBPO itself, looked at where a controller would decide."""
    rng = Streams(seed % 2**31, device)
    parts = mbpo(task, cfg, rng)
    meter, raw, knobs = Meter(parts.agent, cfg.epoch), [], []
    dials = Dials(cfg, parts.schedule, meter, unmeasured(cfg))
    loop = Loop(metered(parts, meter), cfg, rng)
    steps, p = loop.run(), loop.progress
    try:
        next(steps)
        while True:
            now = parts.schedule(p)
            if dials.due(p):
                raw.append(dials.raw(p))
                knobs.append([float(getattr(now, name)) for name in KEEP])
            steps.send(now)
    except StopIteration:
        raw.append(dials.raw(p))
    returns = [np.mean(x) for _, x in loop.evaluations[1:]]  # first: nothing learnt
    return i, {
        "knobs": torch.tensor(knobs),
        "raw": torch.tensor(np.array(raw[1:])),  # what came of each decision
        "evaluations": torch.tensor(np.array(returns)),
        "steps": p.t,
    }


def reference_jobs(task: Task, cfg: Config, rng: Streams) -> list[Job]:
    """Runs of plain MBPO on ``task``."""
    seeds = [rng.key(f"reference/{i}") for i in range(cfg.references)]
    return [
        partial(plain, i, task, cfg, seed, rng.device) for i, seed in enumerate(seeds)
    ]


def measure(
    task: Task, cfg: Config, rng: Streams, parallel: Parallel = one_by_one
) -> Units:
    """The units of a task by ``cfg.references`` runs of plain MBPO: see ``scaled``."""
    found = dict(parallel(reference_jobs(task, cfg, rng)))
    return scaled([found[i] for i in sorted(found)], cfg)


def scaled(runs: Sequence[Episode], cfg: Config) -> Units:
    """What runs of MBPO with nothing turned say about a task.

    The reference is their mean return after each epoch. Ranges begin at 0, that of the
    return at the lowest seen, and reach half again as far as what was seen, since a
    controller is to do better. What ``cfg`` sets is taken from there.
    """
    raw = torch.cat([run["raw"] for run in runs]).numpy()
    low = np.array([0.0, 0.0, 0.0, raw[:, 3].min()])
    high = low + 1.5 * (raw.max(0) - low)
    high = np.where(high > low, high, low + 1)
    if cfg.ranges is not None:
        low, high = np.zeros(4), np.array(cfg.ranges)
    reference = torch.stack([run["evaluations"] for run in runs]).mean(0)
    reward = cfg.reward_scale or float(high[3] - low[3]) / 10
    ends = tuple(low.tolist()), tuple(high.tolist())
    return Units(*ends, tuple(reference.tolist()), reward)
