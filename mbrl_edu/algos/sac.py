"""Soft actor-critic without a model: MBPO's loop that never imagines.

The model-free baseline of the book. Haarnoja et al. (2018); settings of MBPO's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.loop import Knobs, Log, Parts, Progress, Result, Tick, learn
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task


@dataclass(frozen=True)
class Config:
    """Settings of soft actor-critic, run by MBPO's loop."""

    T: int = 20_000  # real steps in all, the random ones included
    T_random: int = 1_000  # real steps with random actions before anything is learned
    epoch: int = 1_000  # real steps between two evaluations
    G: int = 1  # policy updates per real step (SAC; MBPO 10 to 40)
    batch: int = 256  # transitions per policy update (SAC)
    hidden: tuple[int, ...] = (256, 256)  # units of policy and critics (SAC)
    lr: float = 3e-4  # Adam's step size for policy, critics and temperature (SAC)
    tau: float = 0.005  # step of the target critics (SAC)
    target_entropy: float | None = None  # of the policy; none: -da (SAC)
    episodes: int = 5  # greedy episodes per evaluation

    def __post_init__(self):
        check.integer("T_random", self.T_random, low=1)
        check.integer("G", self.G, low=0)
        self.loop  # noqa: B018 (it checks its fields)

    @property
    def loop(self) -> mbpo.Config:
        """The same as settings of MBPO's loop; its model stays small and unused."""
        known: dict[str, Any] = dict(vars(self))
        known |= {"model_hidden": (1,), "B": 1, "elites": 1, "fit_batch": 1}
        return mbpo.Config(**known, fit_every=self.epoch, real_ratio=1.0)


@dataclass(frozen=True)
class Never:
    """Nothing is fitted or imagined; all data are real."""

    G: int

    def __call__(self, now: Progress) -> Knobs:
        return Knobs(k=0, G=self.G, real_ratio=1.0, fit=False)


def learner(task: Task, cfg: Config, rng: Streams) -> Parts:
    """MBPO's parts with a schedule that never asks for a model."""
    return replace(mbpo.mbpo(task, cfg.loop, rng), schedule=Never(cfg.G))


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Tick | None = None,
) -> Result:
    """Soft actor-critic on ``task``; see ``loop.learn``."""
    return learn(learner(task, cfg, rng), cfg.loop, rng, log, checkpoint, tick=tick)
