"""AutoMBPO: MBPO whose knobs are turned by a controller that learnt it by PPO.

Lecture, "AutoMBPO Framework"; Lai et al. (2021) and their code. The controller learns
from whole runs of MBPO, episodes of the environment in ``hyper_env``, and then drives
runs of MBPO, of its variants, or on other tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mbrl_edu.algos import hyper, loop, mbpo
from mbrl_edu.algos.hyper import Dials, Units
from mbrl_edu.algos.hyper_controller import Controller, Fixed
from mbrl_edu.algos.hyper_env import HyperEnv
from mbrl_edu.algos.hyper_meter import Meter, metered
from mbrl_edu.algos.hyper_runs import Parallel, measure, one_by_one, reference_jobs
from mbrl_edu.algos.hyper_training import Config, Result, Training, rebuilt
from mbrl_edu.algos.loop import Knobs, Log, Parts, Progress, learn
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task

__all__ = [
    "Config",
    "Controller",
    "Fixed",
    "Result",
    "autombpo",
    "follow",
    "measure",
    "rebuilt",
    "train",
]


def autombpo(
    parts: Parts,
    cfg: hyper.Config,
    rng: Streams,
    controller: Controller | Fixed | None = None,
    units: Units | None = None,
) -> Parts:
    """``parts`` with ``schedule`` left to a controller; None: as they are.

    Apply it after other variants, since it looks at their steps and updates. ``units``
    is that of the task, by ``measure``; else that which the controller learnt with.
    Two controllers of different knobs may stand on each other. ``rng`` stream of its
    own: "autombpo/" and its knobs. Raises ValueError if the controller turns other
    knobs than ``cfg.knobs``, or one that another controller turns.
    """
    if controller is None:
        return parts
    if controller.knobs != cfg.knobs:
        raise ValueError(
            f"cfg.knobs is {cfg.knobs}, but must be what the controller turns, "
            f"{controller.knobs}."
        )
    both = set(cfg.knobs) & set(getattr(parts.schedule, "turned", ()))
    if both:
        raise ValueError(
            f"cfg.knobs is {cfg.knobs}, but another controller turns "
            f"{', '.join(sorted(both))}."
        )
    meter, name = Meter(parts.agent, cfg.epoch), f"autombpo/{'+'.join(cfg.knobs)}"
    dials = Dials(cfg, parts.schedule, meter, units or controller.units)
    modules = parts.modules | {name: meter}
    if isinstance(controller, Controller):
        controller.to(rng.device)
        modules |= {f"{name}/controller": controller}
    schedule = Schedule(dials, controller, rng, name)
    return replace(metered(parts, meter), modules=modules, schedule=schedule)


@dataclass(frozen=True)
class Schedule:
    """A decision every ``decide_every`` real steps."""

    dials: Dials
    controller: Controller | Fixed
    rng: Streams
    stream: str

    @property
    def turned(self) -> tuple[str, ...]:
        """All knobs that are turned, by this controller or by those below."""
        below = getattr(self.dials.base, "turned", ())
        return (*below, *self.controller.knobs)

    def __call__(self, p: Progress) -> Knobs:
        if not self.dials.due(p):
            return self.dials.between(p)
        x = self.dials.observe(p, self.dials.raw(p))
        return self.dials.turn(p, self.controller.choose(x, self.rng[self.stream]))


def follow(
    task: Task,
    cfg: hyper.Config,
    rng: Streams,
    controller: Controller | Fixed | None,
    units: Units | None = None,
    log: Log | None = None,
    checkpoint: Any = None,
) -> loop.Result:
    """One run of MBPO on ``task`` under a controller; see ``loop.learn``."""
    parts = autombpo(mbpo.mbpo(task, cfg, rng), cfg, rng, controller, units)
    return learn(parts, cfg, rng, log, checkpoint)


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    parallel: Parallel = one_by_one,
) -> Result:
    """A controller for runs of MBPO on ``task``, learnt in stages of such runs.

    ``log(t, metrics)`` is called after each run and in their order, t real steps in all
    runs up to it; ``checkpoint`` is saved after each. What is resumed from there ends
    like one that was never stopped. ``parallel(jobs)`` calls every job and gives what
    they return in any order: how many are played at a time changes nothing. ``rng``
    stream: "autombpo/update"; seeds of the runs: ``rng.key("reference/i")``,
    ``rng.key("run/stage/i")``.
    """
    plain = reference_jobs(task, cfg, rng)
    world = partial(HyperEnv, task, cfg, device=rng.device)
    training = Training(cfg, rng, plain, world, log, checkpoint, parallel)
    return training.run()
