"""The loop of MBPO and its relatives, written once.

    real env -> D.env -> fit -> imagine -> D.model -> improve -> real env

What it does at each place is a field of ``Parts``, what may change while it runs a
value of ``Knobs``. A variant is a function Parts -> Parts that replaces some fields;
variants stack. Lecture, "MBPO algorithm"; order and details as in the code of Janner et
al. (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.control.sac import SAC
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint, gather, restore
from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.state import Between
from mbrl_edu.envs.task import Task
from mbrl_edu.models.ensemble import Ensemble

Metrics = dict[str, Any]  # numbers, or tensors of one number
Log = Callable[[int, dict[str, float]], None]
Tick = Callable[[int], None]
Watch = Callable[["Progress", Data, "Parts"], Metrics]


@dataclass(frozen=True)
class Config:
    """The settings that the loop itself reads."""

    T: int = 5_000  # real steps in all, the random ones included
    T_random: int = 1_000  # real steps with random actions before anything is learned
    epoch: int = 1_000  # real steps between two evaluations; the unit of ``k``
    fit_every: int = 250  # real steps between two fits with their rollouts (MBPO)
    M: int = 10_000  # rollouts after each fit (MBPO 100,000)
    retain: int = 1  # epochs that imagined transitions are kept (MBPO)
    episodes: int = 5  # greedy episodes per evaluation

    def __post_init__(self):
        for name in ("T", "T_random", "epoch", "fit_every", "M", "retain", "episodes"):
            check.integer(name, getattr(self, name), low=1)
        if self.epoch % self.fit_every:
            raise ValueError(
                f"epoch is {self.epoch}, but must be a multiple of fit_every = "
                f"{self.fit_every}."
            )
        if self.T <= self.T_random:
            raise ValueError(
                f"T is {self.T}, but must be above T_random = {self.T_random}: nothing "
                "would be learned."
            )


@dataclass(frozen=True)
class Knobs:
    """What a schedule sets, every ``fit_every`` real steps."""

    k: int  # rollout length; 0: nothing is imagined
    G: int  # policy updates per real step
    real_ratio: float  # share of real transitions in a policy batch
    fit: bool  # whether the model is fitted now


@dataclass
class Progress:
    """What a schedule may look at."""

    t: int = 0  # real steps so far
    epoch: int = 0  # whole epochs since learning began
    knobs: Knobs | None = None  # those of before
    metrics: Metrics = field(default_factory=dict)  # newest value of everything logged


@dataclass(frozen=True)
class Parts:
    """The nouns and verbs of the loop. A variant is a function Parts -> Parts."""

    task: Task
    agent: SAC
    model: Ensemble
    modules: dict[str, Any]  # all that a checkpoint must hold, each with a state_dict
    act: Callable[[Tensor], Tensor]  # s (1, ds) -> a (1, da), in the real environment
    fit: Callable[[Data], Metrics]  # learn the model
    starts: Callable[[Data, int], Tensor]  # (D, M) -> s0 (M, ds), where to imagine
    rollout: Callable[[Tensor, int], Batch]  # (s0, k) -> imagined transitions
    adapt: Callable[[Data], Metrics]  # change the model once it has imagined
    improve: Callable[[Data, Knobs], Metrics]  # one update of the policy
    schedule: Callable[[Progress], Knobs]  # every ``fit_every`` real steps
    policy: Callable[[Tensor], Tensor]  # s (n, ds) -> a (n, da), greedy, to evaluate

    def state_dict(self) -> dict[str, Any]:
        """The state of all that learns, by name."""
        return gather(self.modules)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put ``modules`` back to where ``state_dict`` found them."""
        restore(state, self.modules)


@dataclass
class Result:
    """What a run of the loop leaves."""

    evaluated_at: np.ndarray  # (n,) real steps at which the policy was evaluated
    evaluations: np.ndarray  # (n, episodes) undiscounted greedy returns
    returns: np.ndarray  # (m,) of the real episodes, in order
    lengths: np.ndarray  # (m,) their lengths
    updates: int  # policy updates made
    parts: Parts  # everything learned; ``parts.policy`` is what was evaluated
    D: Data  # every real transition, and the imagined ones of the end


def learn(
    parts: Parts,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
    tick: Tick | None = None,
) -> Result:
    """Run the loop to its end, with ``parts.schedule`` turning the knobs.

    ``log(t, metrics)`` is called after every epoch and at the end, ``tick(t)`` after
    every real step.
    ``watch(progress, D, parts)`` may return more metrics then; like the evaluation, it
    must not touch what learns.
    ``checkpoint`` (``load()``, ``save(t, state)``) is served at ends of episodes; what
    is resumed from there ends bit for bit like a run that was never stopped.
    """
    steps = Loop(parts, cfg, rng, log, watch, tick).run(checkpoint)
    try:
        progress = next(steps)
        while True:
            progress = steps.send(parts.schedule(progress))
    except StopIteration as end:
        return end.value


class Loop:
    """One run of the loop; ``run`` stops at every decision for the knobs to be set.

    ``rng`` streams used here: "env", "behaviour" (random actions), "evaluate/i".
    """

    def __init__(
        self,
        parts: Parts,
        cfg: Config,
        rng: Streams,
        log: Log | None = None,
        watch: Watch | None = None,
        tick: Tick | None = None,
    ):
        self.parts, self.cfg, self.rng = parts, cfg, rng
        self.log, self.watch, self.tick = log, watch, tick
        task, kept = parts.task, cfg.retain * cfg.epoch // cfg.fit_every
        real = Buffer(cfg.T, task.ds, task.da, rng.device)
        self.D = Data(real, Window(kept))
        self.progress = Progress()
        self.updates = 0
        self.episodes: list[tuple[float, int]] = []  # return, length of real ones
        self.evaluations: list[tuple[int, list[float]]] = []  # t, greedy returns

    def run(
        self, checkpoint: Checkpoint | None = None
    ) -> Generator[Progress, Knobs, Result]:
        """Yields the progress at every decision and takes the knobs that it is sent."""
        parts, cfg, p, D = self.parts, self.cfg, self.progress, self.D
        env = parts.task.make()
        try:
            env.reset(seed=self.rng.key("env") % 2**31)
            self._resume(checkpoint, env)
            s, total, length = self._reset(env), 0.0, 0
            while p.t < cfg.T:
                learning = p.t >= cfg.T_random
                if learning and (p.t - cfg.T_random) % cfg.fit_every == 0:
                    p.knobs = yield p
                    if p.knobs.fit:
                        p.metrics |= parts.fit(D)
                    if p.knobs.k:
                        D.model.add(parts.rollout(parts.starts(D, cfg.M), p.knobs.k))
                        p.metrics |= parts.adapt(D)

                a = parts.act(s) if learning else self._random_action()
                s_next, r, d, cut, _ = env.step(a[0].cpu().numpy())
                s, before = self._tensor(s_next), s
                D.env.add(Batch(before, a, self._tensor(r), s, self._tensor(float(d))))
                p.t, total, length = p.t + 1, total + float(r), length + 1

                if p.knobs:
                    for _ in range(p.knobs.G):
                        p.metrics |= parts.improve(D, p.knobs)
                    self.updates += p.knobs.G
                if self.tick:
                    self.tick(p.t)
                self._after(p)
                if d or cut:
                    self.episodes.append((total, length))
                    self._save(checkpoint, env)
                    s, total, length = self._reset(env), 0.0, 0
        finally:
            env.close()
        return self._result()

    def _reset(self, env) -> Tensor:
        s = self._tensor(env.reset()[0])
        self.D.initial.add(s)
        return s

    def _tensor(self, x: Any) -> Tensor:
        """One row on the run's device."""
        row = np.asarray(x, np.float32)[None]
        return torch.as_tensor(row, device=self.rng.device)

    def _random_action(self) -> Tensor:
        u = self.rng.numpy("behaviour").uniform(-1, 1, self.parts.task.da)
        return self._tensor(u)

    def _after(self, p: Progress) -> None:
        """At the end of an epoch and of the run: evaluate, watch, log."""
        since = p.t - self.cfg.T_random
        if since < 0 or (since % self.cfg.epoch and p.t < self.cfg.T):
            return
        p.epoch = since // self.cfg.epoch
        returns = evaluate(
            self.parts.task, self.parts.policy, self.rng, self.cfg.episodes
        )
        self.evaluations.append((p.t, returns.tolist()))
        seen = self.watch(p, self.D, self.parts) if self.watch else {}
        p.metrics |= {"return": float(returns.mean()), "updates": self.updates} | seen
        if self.episodes:
            p.metrics["episode_return"], p.metrics["episode_length"] = self.episodes[-1]
        if self.log:
            knobs = vars(p.knobs) if p.knobs else {}
            numbers = {k: float(v) for k, v in (p.metrics | knobs).items()}
            self.log(p.t, numbers)

    def _result(self) -> Result:
        t = np.array([t for t, _ in self.evaluations], int)
        greedy = np.array([returns for _, returns in self.evaluations])
        greedy = greedy.reshape(len(t), self.cfg.episodes)
        total, length = np.array(self.episodes).reshape(-1, 2).T
        own = total, length.astype(int), self.updates
        return Result(t, greedy, *own, self.parts, self.D)

    # Checkpoints, at ends of episodes

    def _save(self, checkpoint: Checkpoint | None, env) -> None:
        if checkpoint is None:
            return
        p = self.progress
        numbers = {k: float(v) for k, v in p.metrics.items()}
        state = {
            "t": p.t,
            "epoch": p.epoch,
            "knobs": dict(vars(p.knobs)) if p.knobs else None,
            "metrics": numbers,
            "updates": self.updates,
            "episodes": self.episodes,
            "evaluations": self.evaluations,
            "rng": self.rng.state_dict(),
            "env": Between(env).state_dict(),
            "D": self.D.state_dict(),
            "modules": self.parts.state_dict(),
        }
        checkpoint.save(p.t, state)

    def _resume(self, checkpoint: Checkpoint | None, env) -> None:
        state = checkpoint.load() if checkpoint is not None else None
        if state is None:
            return
        p, knobs = self.progress, state["knobs"]
        p.t, p.epoch, p.metrics = state["t"], state["epoch"], state["metrics"]
        p.knobs = Knobs(**knobs) if knobs else None
        self.updates, self.episodes = state["updates"], state["episodes"]
        self.evaluations = state["evaluations"]
        self.rng.load_state_dict(state["rng"])
        Between(env).load_state_dict(state["env"])
        self.D.load_state_dict(state["D"])
        self.parts.load_state_dict(state["modules"])
