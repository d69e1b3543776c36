"""PILCO: probabilistic inference for learning control.

Lecture, "Backpropagation through Paths"; Deisenroth and Rasmussen (2011), Algorithm 1.
Learn Gaussian processes from all real steps, imagine what the policy will bring with
all that is not known, follow the gradient of that, try the policy, repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint, Part, gather, restore
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.episode import episode, starts
from mbrl_edu.envs.hold import decisions, held
from mbrl_edu.envs.state import Between
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine.belief import Belief, Particles, known
from mbrl_edu.imagine.controllers import Linear, Radial, ascend
from mbrl_edu.imagine.diary import Diary, Log
from mbrl_edu.models import gp
from mbrl_edu.models.layout import Angles, Layout, no_reward
from mbrl_edu.models.moments import Gaussian


@dataclass(frozen=True)
class Config:
    """Settings of PILCO: trials, model, policy, search."""

    episodes: int = 10  # K, trials with the policy, after those with random actions
    random: int = 1  # trials with random actions (paper: 1)
    explore: float = 1.0  # random actions are uniform within plus and minus this
    length: int | None = None  # real steps per trial; none: the task's own limit
    hold: int = 1  # real steps that each action is held for
    H: int = 40  # actions per imagined trial (paper: 4 s in steps of 0.1 s)
    propagation: str = "moments"  # of beliefs: moments, or particles (MC-PILCO)
    P: int = 100  # particles
    policy: str = "rbf"  # rbf or linear, both squashed (paper: rbf)
    n: int = 30  # basis functions of an rbf policy (paper: 50)
    spread: float = 1.0  # first centres: standard deviations of random trials' states
    width: float = 1.5  # first length-scales: standard deviations of these centres
    iterations: int = 100  # of L-BFGS, per trial and policy that is improved
    restarts: int = 1  # fresh policies that are improved too; the best one is kept
    gp_rows: int = 300  # GPs learn from at most so many actions, drawn at random
    resets: int = 100  # starts looked at, without a step, for their mean and spread

    def __post_init__(self):
        check.integer("episodes", self.episodes, low=0)
        check.integer("random", self.random, low=1)
        check.number("explore", self.explore, low=0, high=1, open_low=True)
        if self.length is not None:
            check.integer("length", self.length, low=1)
        for name in ("hold", "H", "P", "n", "iterations"):
            check.integer(name, getattr(self, name), low=1)
        check.choice("propagation", self.propagation, ("moments", "particles"))
        check.choice("policy", self.policy, ("rbf", "linear"))
        for name in ("spread", "width"):
            check.number(name, getattr(self, name), low=0, open_low=True)
        check.integer("restarts", self.restarts, low=0)
        check.integer("gp_rows", self.gp_rows, low=2)
        check.integer("resets", self.resets, low=2)


@dataclass
class Result:
    """What a run of PILCO leaves."""

    returns: np.ndarray  # (random + K,) of every trial, those with random actions first
    lengths: np.ndarray  # (random + K,) real steps of every trial
    losses: np.ndarray  # (K,) -ln p(y | x) per number learned, of each fit
    planned: np.ndarray  # (n,) what the model expects the policy to bring in H actions
    obtained: np.ndarray  # (n,) what it brought then
    planned_in: np.ndarray  # (n,) the trial that this was in; not if it ended before
    climb: np.ndarray  # (K, 1 + iterations) planned, after each iteration; NaN: none
    s: np.ndarray  # (T, ds) states met, in order
    a: np.ndarray  # (T, da) actions taken
    r: np.ndarray  # (T,) rewards
    model_steps: int  # imagined steps, of the belief or of all particles
    agent: Agent  # what acts; its parts are ``agent.model`` and ``agent.pi``


class Agent:
    """Gaussian processes, a policy, and how the one improves the other: ``learn``.

    ``rng`` streams used: "starts" and, for trial k, "rows/k", "particles/k" and
    "policy/k/i".
    """

    def __init__(self, task: Task, cfg: Config, rng: Streams):
        self.task, self.cfg, self.rng = task, cfg, rng
        self.known = known(task) if cfg.propagation == "moments" else None
        if task.reward is None:
            raise ValueError(
                f"PILCO needs the reward as a known function, but {task.name} has none."
            )
        self.angles = self.known.angles if self.known else ()
        self.features = Angles(self.angles) if self.angles else task.features
        layout = Layout(task.ds, task.da, self.features, reward=no_reward)
        self.model = gp.GP(layout, gp.Config(fit_on=cfg.gp_rows))
        first = starts(task, cfg.resets, rng.key("starts") % 2**31)
        self.starts = torch.as_tensor(first, device=rng.device).double()  # (resets, ds)
        self.pi: Linear | Radial | None = None
        self.k, self.model_steps = 0, 0
        self.climb: list[list[float]] = []  # one per trial
        self.rows: Batch  # what the model has learned from

    def learn(self, k: int, D: Batch, first: int) -> float:
        """Lines 4 to 8 of Algorithm 1 for trial k: Gaussian processes of D, then the
        best policy found in them. Returns the loss of the model. The first rows of D
        are of random trials: a policy that is still bad may go anywhere, so that its
        states would not tell a fresh one where to put its centres."""
        g = self.rng[f"rows/{k}"]
        order = torch.randperm(len(D.r), generator=g, device=g.device)
        self.rows = D.take(order[: self.cfg.gp_rows])
        loss = -float(np.mean(self.model.fit(self.rows))) / len(self.rows.r)
        imagine = self.imagination(k)
        fresh = self.cfg.restarts + (self.pi is None)
        streams = [self.rng[f"policy/{k}/{i}"] for i in range(fresh)]
        policies = [self._fresh(D.s[:first], each) for each in streams]
        policies += [self.pi] if self.pi else []
        climbs = [self._improve(policy, imagine) for policy in policies]
        best = int(np.argmax([climb[-1] for climb in climbs]))
        self.pi, self.k = policies[best], k
        self.climb.append(climbs[best])
        return loss

    def imagination(self, k: int) -> Belief | Particles:
        """What a policy will bring, by the model as it is."""
        cfg, model = self.cfg, self.model
        if self.known:
            S = torch.cov(self.starts.T).reshape(self.task.ds, self.task.ds)
            start = Gaussian(self.starts.mean(0), S)
            return Belief(model, start, self.known.reward, cfg.H, self.angles)
        assert self.task.reward is not None
        g = self.rng[f"particles/{k}"]
        return Particles(model, self.starts, self.task.reward, cfg.H, cfg.P, g)

    @torch.no_grad()
    def policy(self, s: Tensor) -> Tensor:
        """The policy's actions: s (n, ds) -> (n, da), float64. In a trial each is held
        for ``hold`` steps."""
        if self.pi is None:
            raise ValueError("PILCO has no policy yet: call learn before acting.")
        return self.pi(self.features(s.double()))

    def _improve(self, policy: Linear | Radial, imagine: Belief | Particles):
        """Follow the gradient of the expected return; what it was after each step."""

        def J() -> Tensor:
            self.model_steps += imagine.H * getattr(imagine, "P", 1)
            return self.cfg.hold * imagine(policy).sum()  # one reward per real step

        return ascend(J, list(policy.parameters()), self.cfg.iterations)

    def _fresh(self, s: Tensor, g: torch.Generator) -> Linear | Radial:
        """A random policy; centres of basis functions are spread like the states s
        (N, ds) about where trials begin, but all around where there are angles."""
        n, ds, angles = self.cfg.n, self.task.ds, list(self.angles)
        eps = torch.randn(n, ds, generator=g, device=g.device, dtype=torch.float64)
        turn = torch.rand(n, len(angles), generator=g, device=g.device)
        at = self.starts.mean(0) + self.cfg.spread * s.std(0) * eps
        at[:, angles] = 2 * torch.pi * turn.double()
        f = self.features(at)
        if self.cfg.policy == "linear":
            return Linear(f.shape[1], self.task.da, g)
        return Radial(f, self.task.da, g, width=self.cfg.width)

    def state_dict(self) -> dict[str, Any]:
        known = {"k": self.k, "model_steps": self.model_steps, "climb": self.climb}
        if self.pi is None:
            return known
        learned = {"rows": list(self.rows), "theta": self.model.theta}
        return known | {"policy": dict(self.pi.state_dict()), "learned": learned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.k, self.model_steps = state["k"], state["model_steps"]
        self.climb = [list(x) for x in state["climb"]]
        if "policy" in state:
            device = self.rng.device
            self.pi = self._fresh(self.starts, torch.Generator(device))
            self.pi.load_state_dict(state["policy"])
            learned = state["learned"]
            self.rows = Batch(*(x.to(device) for x in learned["rows"]))
            layout, theta = self.model.layout, learned["theta"].to(device)
            x, y = layout.x(self.rows.s, self.rows.a), layout.target(self.rows)
            self.model.condition(x, y, theta)


learner = Agent


def pilco(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """PILCO, Algorithm 1 of Deisenroth and Rasmussen (2011).

    ``log(T, metrics)`` is called after every trial, T real steps so far; then
    ``checkpoint`` is saved, and a run that is given one goes on from it. ``rng``
    streams: "env", "behaviour" (random actions) and those of ``Agent``; the same seed
    gives the same run. Ends of episodes are not imagined. Raises ValueError, before any
    step, if the task's reward is not known in the form that ``propagation`` needs.
    """
    check.integer("H * hold", cfg.H * cfg.hold, high=task.horizon)
    task = replace(task, horizon=min(task.horizon, cfg.length or task.horizon))
    if 2 * cfg.hold > task.horizon:
        raise ValueError(
            f"hold is {cfg.hold}, but a trial of {task.horizon} steps must have room "
            "for at least 2 actions."
        )
    agent, diary = Agent(task, cfg, rng), Diary(cfg.hold * cfg.H, rng.device)
    env = task.make()
    parts: dict[str, Part] = {"rng": rng, "agent": agent, "diary": diary}
    parts["env"] = Between(env)

    def seen() -> Batch:
        lengths = [int(row["length"]) for row in diary.rows]
        return decisions(Batch.cat(diary.D), lengths, cfg.hold)

    def close(k: int, trial: Batch, loss: float) -> None:
        diary.close(k, trial, loss, agent.model_steps, log)
        if checkpoint:
            checkpoint.save(diary.steps, gather(parts))

    try:
        env.reset(seed=rng.key("env") % 2**31)
        restore(checkpoint.load() if checkpoint else None, parts)
        u = rng.numpy("behaviour").uniform
        while len(diary.rows) < cfg.random:
            act = held(lambda s: cfg.explore * u(-1, 1, task.da), cfg.hold)
            close(0, episode(env, act, rng.device), np.nan)
        for k in range(diary.k + 1, cfg.episodes + 1):
            D, lengths = seen(), diary.rows[: cfg.random]
            first = sum(int(row["length"]) // cfg.hold for row in lengths)
            loss = agent.learn(k, D, first)
            diary.planned[0] = agent.climb[-1][-1]
            act = held(lambda s: agent.policy(s[None])[0].cpu().numpy(), cfg.hold)
            close(k, episode(env, act, rng.device), loss)
    finally:
        env.close()
    climb = np.full((cfg.episodes, 1 + cfg.iterations), np.nan)
    for row, found in zip(climb, agent.climb):
        row[: len(found)] = found
    known = diary.arrays(cfg.episodes)
    return Result(**known, climb=climb, model_steps=agent.model_steps, agent=agent)
