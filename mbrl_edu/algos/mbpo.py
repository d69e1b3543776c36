"""MBPO: model-based policy optimisation, short rollouts branched off real states.

Lecture, "MBPO algorithm"; Janner et al. (2019), Algorithm 2, and their code. The loop
is in ``loop.py``; here is what MBPO does at each of its places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos import loop
from mbrl_edu.algos.loop import (
    Knobs,
    Log,
    Metrics,
    Parts,
    Progress,
    Result,
    Tick,
    learn,
)
from mbrl_edu.control.sac import SAC
from mbrl_edu.control.sac import Config as SACConfig
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Batch, Data
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine.rollout import rollout
from mbrl_edu.models import ensemble, fit
from mbrl_edu.models.layout import Layout


@dataclass(frozen=True)
class Config(loop.Config):
    """Settings of the loop, of the model, of rollouts and of the policy."""

    k: tuple[int, int, int, int] = (0, 1, 1, 1)  # from epoch k[0] to k[1], the rollout
    # length grows from k[2] to k[3] (MBPO)
    start: str = "replay"  # where rollouts begin: replay (any real state), initial (s0)
    G: int = 20  # policy updates per real step (MBPO: 10 to 40, by task)
    real_ratio: float = 0.05  # share of real transitions in a policy batch (MBPO)
    batch: int = 256  # transitions per policy update (MBPO)
    hidden: tuple[int, ...] = (256, 256)  # units of policy and critics (MBPO)
    lr: float = 3e-4  # Adam's step size for policy, critics and temperature (MBPO)
    tau: float = 0.005  # step of the target critics (MBPO)
    target_entropy: float | None = None  # of the policy; none: -da (MBPO: by task)
    B: int = 7  # members of the model (MBPO)
    elites: int = 5  # members that rollouts draw from (MBPO)
    model_hidden: tuple[int, ...] = (200, 200, 200, 200)  # units of the model (MBPO)
    fit_batch: int = 256  # transitions per member and step of a fit (MBPO)
    epochs: int | None = None  # at most so many per fit; none: until all stop (MBPO)
    model_lr: float = 3e-3  # Adam's step size for the model (ours; MBPO 1e-3)
    stop: str = "member"  # a member stops for itself; "all": with the last one (MBPO)
    fit_steps: int = 150  # a member waits for so many gradient steps (ours; MBPO 0)
    average: float = 1.0  # weights are averaged over so many last epochs (MBPO 0)
    known_reward: bool = False  # whether the model is told the task's reward function

    def __post_init__(self):
        super().__post_init__()
        check.integer("batch", self.batch, low=1)
        check.integer("fit_batch", self.fit_batch, low=1)
        check.integer("B", self.B, low=1)
        if self.elites > self.B:
            raise ValueError(
                f"elites is {self.elites}, but must be at most B = {self.B}."
            )
        if not self.model_hidden:
            raise ValueError("model_hidden is (), but must name at least one layer.")
        check.integer("G", self.G, low=0)
        check.number("real_ratio", self.real_ratio, low=0, high=1)
        check.choice("start", self.start, ("replay", "initial"))
        if len(self.k) != 4 or self.k[1] <= self.k[0] or min(self.k) < 0:
            raise ValueError(
                f"k is {self.k}, but must be (first epoch, last epoch, length, length) "
                "with the first epoch before the last and nothing negative."
            )
        if self.T_random < self.fit_batch * 5 // 4:
            raise ValueError(
                f"T_random is {self.T_random}, but the first fit needs "
                f"{self.fit_batch * 5 // 4}: fit_batch = {self.fit_batch} transitions "
                "beside the held out ones."
            )
        self.networks, self.sac(0.99), self.fit  # noqa: B018 (they check their fields)

    @property
    def networks(self) -> ensemble.Config:
        """Settings of the model."""
        return ensemble.Config(self.B, self.elites, self.model_hidden, lr=self.model_lr)

    @property
    def fit(self) -> fit.Config:
        """Settings of one fit."""
        return fit.Config(
            batch=self.fit_batch,
            epochs=self.epochs,
            stop=self.stop,
            steps=self.fit_steps,
            average=self.average,
        )

    def sac(self, gamma: float) -> SACConfig:
        """Settings of the policy."""
        kept = {n: getattr(self, n) for n in ("tau", "lr", "hidden", "target_entropy")}
        return SACConfig(gamma, **kept)


def mbpo(task: Task, cfg: Config, rng: Streams) -> Parts:
    """MBPO's own choice of every part; ``rng`` streams are named where they are used.

    Raises ValueError if the model is to know a reward that is no known function.
    """
    if cfg.known_reward and task.reward is None:
        raise ValueError(
            f"known_reward is True, but the reward of {task.name} is no function of "
            f"(s, a, s'): {task.note}"
        )
    reward = task.reward if cfg.known_reward else None
    layout = Layout(task.ds, task.da, task.features, task.absolute, reward)
    model = ensemble.Ensemble(layout, cfg.networks, rng, device=rng.device)
    agent = SAC(
        task.ds,
        task.da,
        cfg.sac(task.gamma),
        rng,
        device=rng.device,
        features=task.features,
    )
    return Parts(
        task,
        agent,
        model,
        modules={"agent": agent, "model": model},
        act=Act(agent, rng, "act"),
        fit=Fit(model, cfg.fit, rng),
        starts=Starts(cfg.start, rng),
        rollout=Rollout(task, model, Act(agent, rng, "imagine/act"), rng),
        adapt=nothing,
        improve=Improve(agent, cfg.batch, rng),
        schedule=Schedule(cfg.k, cfg.G, cfg.real_ratio),
        policy=agent.mean,
    )


@dataclass(frozen=True)
class Act:
    """a ~ pi(.|s)."""

    agent: SAC
    rng: Streams
    stream: str

    @torch.no_grad()
    def __call__(self, s: Tensor) -> Tensor:
        return self.agent.sample(s, self.rng[self.stream])[0]


@dataclass(frozen=True)
class Fit:
    """Maximum likelihood on all real transitions (Algorithm 2, line 3)."""

    model: ensemble.Ensemble
    cfg: fit.Config
    rng: Streams

    def __call__(self, D: Data) -> Metrics:
        report = fit.fit(self.model, D.env.all(), self.cfg, self.rng["fit"])
        error = np.mean([report.error[b] for b in self.model.elites.tolist()])
        return {"model_loss": float(error), "model_epochs": report.epochs}


@dataclass(frozen=True)
class Starts:
    """M real states, drawn uniformly with replacement (line 6); or M starts s_0."""

    start: str
    rng: Streams

    def __call__(self, D: Data, M: int) -> Tensor:
        if self.start == "replay":
            return D.env.sample(M, self.rng["starts"]).s
        return D.initial.sample(M, self.rng["starts"])


@dataclass(frozen=True)
class Rollout:
    """k steps of s' ~ model(s, a) with a ~ pi(.|s), up to a known end (line 7)."""

    task: Task
    model: ensemble.Ensemble
    act: Callable[[Tensor], Tensor]
    rng: Streams

    def __call__(self, s: Tensor, k: int) -> Batch:
        end = self.task.terminal
        return rollout(self.model, self.act, s, k, self.rng["imagine"], end)


def nothing(D: Data) -> Metrics:
    """MBPO leaves the model as it was fitted."""
    return {}


@dataclass(frozen=True)
class Improve:
    """One update of soft actor-critic on real and imagined transitions (line 9)."""

    agent: SAC
    batch: int
    rng: Streams

    def __call__(self, D: Data, now: Knobs) -> Metrics:
        mixed = D.mix(self.batch, now.real_ratio, self.rng)
        return self.agent.update(mixed, self.rng["sac"])


@dataclass(frozen=True)
class Schedule:
    """k grows linearly, cut to whole numbers (MBPO's code); nothing else changes."""

    k: tuple[int, int, int, int]
    G: int
    real_ratio: float

    def __call__(self, now: Progress) -> Knobs:
        return Knobs(int(ramp(now.epoch, *self.k)), self.G, self.real_ratio, fit=True)


learner = mbpo  # every method names what it learns with


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Tick | None = None,
) -> Result:
    """MBPO on ``task``; see ``loop.learn``."""
    return learn(mbpo(task, cfg, rng), cfg, rng, log, checkpoint, tick=tick)


def ramp(x: float, x0: float, x1: float, y0: float, y1: float) -> float:
    """y0 up to x0, y1 from x1 on, a straight line between."""
    return y0 + min(max((x - x0) / (x1 - x0), 0), 1) * (y1 - y0)
