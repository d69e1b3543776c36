"""BMPO: MBPO that also imagines backwards, from good states, and looks ahead.

Lecture, "Bidirectional Model" to "Overall Algorithm of BMPO"; Lai et al. (2020) and
their code. Three changes, each with its own switch: backward rollouts (``k_back``),
start states by their value (``beta``), planning in the real environment (``H_mpc``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.loop import Log, Metrics, Parts, Result, Tick, learn
from mbrl_edu.algos.mbpo import ramp
from mbrl_edu.control import backward_policy
from mbrl_edu.control.backward_policy import BackwardPolicy
from mbrl_edu.control.sac import SAC
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Batch, Data
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine.backward import backward_rollout
from mbrl_edu.imagine.lookahead import lookahead
from mbrl_edu.models import fit
from mbrl_edu.models.backward import reverse, reverse_layout
from mbrl_edu.models.ensemble import Ensemble

CAP = 10.0  # no start state is more than e^10 times as likely as another (BMPO)


@dataclass(frozen=True)
class Config(mbpo.Config):
    """Settings of MBPO, and of its backward half."""

    k_back: tuple[int, int, int, int] = (0, 1, 1, 1)  # length of backward rollouts,
    # from epoch to epoch as k; lengths 0: no backward model (BMPO)
    loss_b: str = "mle"  # what teaches the backward policy: mle, gan (lecture); it has
    # hidden, lr and batch of the policy (BMPO)
    var_b: float | None = 0.01  # variance of its actions if mle; none: learned (BMPO)
    recent: int = 10  # epochs of real steps that it learns from, the newest (BMPO)
    beta: tuple[float, float, float, float] = (0, 100, 0.01, 0)  # rollouts begin in s
    # with odds exp(beta 2V(s)), from epoch to epoch as k; 0: with even odds (BMPO)
    H_mpc: int = 1  # steps that a real action looks ahead; 0: the policy acts (BMPO)
    N_mpc: int = 1_000  # imagined futures it chooses from (BMPO)

    def __post_init__(self):
        super().__post_init__()
        for name in ("k_back", "beta"):
            ends = getattr(self, name)
            fine = len(ends) == 4 and all(0 <= x < math.inf for x in ends)
            if not fine or ends[1] <= ends[0]:
                raise ValueError(
                    f"{name} is {ends}, but must be (first epoch, last epoch, value, "
                    "value) with the first epoch before the last and nothing negative."
                )
        if any(self.k_back[2:]) and not any(self.k[2:]):
            raise ValueError(
                f"k_back is {self.k_back}, but without forward steps (k is {self.k}) "
                "nothing is imagined."
            )
        check.choice("loss_b", self.loss_b, list(backward_policy.KINDS))
        if self.var_b is not None:
            check.number("var_b", self.var_b, low=0, open_low=True)
        check.integer("recent", self.recent, low=1)
        check.integer("H_mpc", self.H_mpc, low=0)
        check.integer("N_mpc", self.N_mpc, low=1)


def bmpo(parts: Parts, cfg: Config, rng: Streams) -> Parts:
    """``parts`` with those of the three changes that are switched on.

    Raises ValueError if actions are to look ahead beyond the task's time limit, or if
    the agent has no critics where states are to be valued.
    """
    task, now = parts.task, Now()
    if cfg.H_mpc > task.horizon:
        raise ValueError(
            f"H_mpc is {cfg.H_mpc}, but an episode of {task.name} has {task.horizon} "
            "steps at most."
        )
    for name, on in (("beta", any(cfg.beta[2:])), ("H_mpc", cfg.H_mpc > 0)):
        if on and not (hasattr(parts.agent, "q") and hasattr(parts.agent, "q_bar")):
            raise ValueError(
                f"{name} is {getattr(cfg, name)}, but needs critics q and q_bar, which "
                f"the agent, a {type(parts.agent).__name__}, has not."
            )
    backwards = any(cfg.k_back[2:])
    if backwards or any(cfg.beta[2:]):
        starts = Starts(parts.starts, parts.agent, cfg, now, rng)
        parts = replace(parts, starts=starts, adapt=Report(parts.adapt, now))
    if backwards:
        layout = reverse_layout(parts.model.layout)
        model = Ensemble(layout, cfg.networks, rng, "bmpo/model", rng.device)
        networks = backward_policy.Config(cfg.hidden, cfg.lr, cfg.var_b)
        with rng.init("bmpo/pi_b"):
            kind = backward_policy.KINDS[cfg.loss_b]
            pi_b = kind(task.ds, task.da, networks, rng.device, task.features)
        parts = replace(
            parts,
            modules=parts.modules | {"bmpo/model": model, "bmpo/pi_b": pi_b},
            fit=Fit(parts.fit, model, cfg, rng),
            starts=Practice(parts.starts, pi_b, cfg, now, rng),
            rollout=Rollout(parts.rollout, task, model, pi_b, now, rng),
        )
    if cfg.H_mpc:
        parts = replace(parts, act=Act(parts, cfg.H_mpc, cfg.N_mpc, rng))
    return parts


@dataclass
class Now:
    """What the schedules say and what pi_b learnt. ``starts`` sets it before every
    rollout and only that rollout needs it, so it is no part of a checkpoint."""

    k_back: int = 0
    beta: float | Tensor = 0.0  # after the cap
    learnt: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class Fit:
    """The forward, then the backward model on all real transitions."""

    base: Callable[[Data], Metrics]
    model: Ensemble
    cfg: Config
    rng: Streams

    def __call__(self, D: Data) -> Metrics:
        metrics, past = self.base(D), reverse(D.env.all())
        report = fit.fit(self.model, past, self.cfg.fit, self.rng["bmpo/fit"])
        error = np.mean([report.error[b] for b in self.model.elites.tolist()])
        return metrics | {"back_loss": float(error), "back_epochs": report.epochs}


@dataclass(frozen=True)
class Practice:
    """pi_b learns from recent real steps, whether or not the models are fitted.

    One step of it for every real step (BMPO); here all of them before the rollouts,
    which alone use it.
    """

    base: Callable[[Data, int], Tensor]
    pi_b: BackwardPolicy
    cfg: Config
    now: Now
    rng: Streams

    def __call__(self, D: Data, M: int) -> Tensor:
        cfg, rng = self.cfg, self.rng
        for _ in range(cfg.fit_every):
            new = D.env.sample(cfg.batch, rng["bmpo/new"], cfg.recent * cfg.epoch)
            self.now.learnt = self.pi_b.update(new.a, new.s_next, rng["bmpo/gan"])
        return self.base(D, M)


@dataclass(frozen=True)
class Starts:
    """Real states s, drawn anew with odds exp(beta 2V(s)) among those of the base."""

    base: Callable[[Data, int], Tensor]
    agent: SAC
    cfg: Config
    now: Now
    rng: Streams

    @torch.no_grad()
    def __call__(self, D: Data, M: int) -> Tensor:
        s, cfg, g = self.base(D, M), self.cfg, self.rng["bmpo/starts"]
        epoch = (len(D.env) - cfg.T_random) // cfg.epoch
        self.now.k_back = int(ramp(epoch, *cfg.k_back))
        self.now.beta = ramp(epoch, *cfg.beta)
        if self.now.beta == 0:
            return s
        a = self.agent.sample(s, g)[0]
        V2 = (self.agent.q(s, a) + self.agent.q_bar(s, a)).mean(0)  # as BMPO's code
        p, self.now.beta = boltzmann(V2, self.now.beta)
        return s[torch.multinomial(p, M, replacement=True, generator=g)]


def boltzmann(score: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """p (n,) ~ exp(beta score) with beta at most 10 / range, and that beta."""
    capped = (CAP / (score.max() - score.min())).clamp(max=beta)
    return (capped * score).softmax(0), capped


@dataclass(frozen=True)
class Rollout:
    """k steps forward and k_back steps backward from the same states."""

    base: Callable[[Tensor, int], Batch]
    task: Task
    model: Ensemble
    pi_b: BackwardPolicy
    now: Now
    rng: Streams

    def __call__(self, s: Tensor, k: int) -> Batch:
        forward, k_back = self.base(s, k), self.now.k_back
        if not k_back:
            return forward
        g, end = self.rng["bmpo/imagine"], self.task.terminal
        back = backward_rollout(self.model, self.draw, s, k_back, g, end)
        return Batch.cat([forward, back])

    def draw(self, s_next: Tensor) -> Tensor:
        """a ~ pi_b(.|s')."""
        return self.pi_b.draw(s_next, self.rng["bmpo/act"])


@dataclass(frozen=True)
class Report:
    """What ``now`` holds, among the metrics."""

    base: Callable[[Data], Metrics]
    now: Now

    def __call__(self, D: Data) -> Metrics:
        now = self.now
        return self.base(D) | now.learnt | {"k_back": now.k_back, "beta": now.beta}


@dataclass(frozen=True)
class Act:
    """In the real environment, the action with the best of N imagined futures."""

    parts: Parts
    H: int
    N: int
    rng: Streams

    def __call__(self, s: Tensor) -> Tensor:
        p, g = self.parts, self.rng["bmpo/mpc"]
        task = p.task
        a, J = lookahead(
            p.model, p.agent, s, self.H, self.N, task.gamma, g, task.terminal
        )
        return a[J.argmax()][None]


def learner(task: Task, cfg: Config, rng: Streams) -> Parts:
    """MBPO's parts, changed by ``bmpo``."""
    return bmpo(mbpo.mbpo(task, cfg, rng), cfg, rng)


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Tick | None = None,
) -> Result:
    """BMPO on ``task``; see ``loop.learn``."""
    return learn(learner(task, cfg, rng), cfg, rng, log, checkpoint, tick=tick)
