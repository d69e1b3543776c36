"""Play episodes with a learner that is trained on the way: the loop of DPG and SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint, Part, gather, restore
from mbrl_edu.core.data import Batch, Buffer
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task

Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Config:
    """Settings of the loop, the networks and replay."""

    T: int = 20_000  # real steps; the episode that reaches them is played out
    T_random: int = 1_000  # of these, with random actions before anything is learned
    gamma: float = 0.99  # discount
    hidden: tuple[int, ...] = (64, 64)  # units per hidden layer (DDPG 400, 300)
    squash: bool = True  # actions end in a tanh (DDPG); off with hidden (): linear
    lr_pi: float = 3e-4  # Adam's step size for the policy (DDPG 1e-4)
    lr_q: float = 1e-3  # Adam's step size for the critic (DDPG)
    tau: float = 0.005  # step of the targets after every update (DDPG 0.001)
    batch: int = 128  # transitions per update (DDPG 64)
    G: int = 1  # updates per real step (DDPG)
    capacity: int = 1_000_000  # transitions kept for replay (DDPG)
    look: int = 10  # every so many episodes the policy without noise is evaluated
    episodes: int = 5  # ... in so many episodes

    def __post_init__(self):
        for name in ("T", "T_random", "batch", "G", "capacity", "look", "episodes"):
            check.integer(name, getattr(self, name), low=1)
        check.number("gamma", self.gamma, low=0, high=1)
        for h in self.hidden:
            check.integer("hidden", h, low=1)
        check.choice("squash", self.squash, (True, False))
        for name in ("lr_pi", "lr_q"):
            check.number(name, getattr(self, name), low=0, open_low=True)
        check.number("tau", self.tau, low=0, high=1, open_low=True)
        if self.T_random < self.batch:
            raise ValueError(
                f"T_random is {self.T_random}, but must be at least batch, "
                f"{self.batch}, so that learning begins with enough transitions."
            )
        if self.T <= self.T_random:
            raise ValueError(
                f"T is {self.T}, but must be greater than T_random, "
                f"{self.T_random}, or nothing is learned."
            )
        if self.capacity < self.batch:
            raise ValueError(
                f"capacity is {self.capacity}, but must be at least batch, "
                f"{self.batch}."
            )


@dataclass
class Result:
    """What a run of DPG or SVG leaves."""

    returns: np.ndarray  # (n,) of every episode, noise and random actions included
    lengths: np.ndarray  # (n,) steps of every episode
    greedy: np.ndarray  # (L,) mean return without noise at each evaluation
    looks: np.ndarray  # (L,) real steps at each evaluation
    agent: Learner  # what learned; ``agent.policy(s)`` acts without noise


class Learner(nn.Module):
    """What ``train`` drives: acts, and learns after steps, after episodes or both.

    ``opts`` are its optimisers; their state is part of ``state_dict()``. A row that
    ``act`` returns begins with the action and may go on with what belongs to it.
    """

    width: int  # entries of a row
    opts: dict[str, torch.optim.Optimizer]

    def act(self, s: Tensor, random: bool) -> Tensor:
        """An action to explore with: (1, ds) -> (1, width)."""
        raise NotImplementedError

    def policy(self, s: Tensor) -> Tensor:
        """The action without noise: (n, ds) -> (n, da)."""
        raise NotImplementedError

    def after_step(self, D: Buffer, t: int) -> dict[str, Any]:
        """Learn from replay; called after every step once the random ones are over."""
        return {}

    def after_episode(self, D: Buffer, path: Batch) -> dict[str, Any]:
        """Learn from the episode just played; called from the same time on."""
        return {}

    def get_extra_state(self) -> dict:
        return {name: opt.state_dict() for name, opt in self.opts.items()}

    def set_extra_state(self, state: dict) -> None:
        for name, opt in self.opts.items():
            opt.load_state_dict(state[name])


def train(
    task: Task,
    agent: Learner,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """Play episodes, keep every transition, let ``agent`` learn.

    ``log(T, metrics)`` is called after every episode, T real steps so far; then
    ``checkpoint`` is saved, and a run that is given one goes on from it and ends like
    one that was never stopped. Episode k begins from the seed ``rng.key("env/k")``, so
    that nothing else moves where it begins.
    """
    capacity = min(cfg.capacity, cfg.T + task.horizon)
    D = Buffer(capacity, task.ds, agent.width, rng.device)
    record = Record()
    parts: dict[str, Part] = {"record": record, "D": D, "agent": agent, "rng": rng}
    restore(checkpoint.load() if checkpoint else None, parts)
    env = task.make()
    try:
        while record.T < cfg.T:
            k = len(record.lengths)
            path, metrics = play(env, agent, D, cfg, rng, k, record.T)
            row = record.add(path, metrics)
            if (k + 1) % cfg.look == 0:
                found = evaluate(task, agent.policy, rng, cfg.episodes)
                row["greedy"] = record.look(float(found.mean()))
            if log:
                log(record.T, row)
            if checkpoint:
                checkpoint.save(record.T, gather(parts))
    finally:
        env.close()
    return record.result(agent)


def play(
    env: gym.Env,
    agent: Learner,
    D: Buffer,
    cfg: Config,
    rng: Streams,
    k: int,
    T: int,
) -> tuple[Batch, dict[str, Any]]:
    """Episode k, from real step T on: its transitions and the newest metrics."""

    def row(x: Any) -> Tensor:
        return torch.as_tensor(np.asarray(x, np.float32)[None], device=rng.device)

    path: list[Batch] = []
    metrics: dict[str, Any] = {}
    s, done = row(env.reset(seed=rng.key(f"env/{k}") % 2**31)[0]), False
    while not done:
        x = agent.act(s, random=T < cfg.T_random)
        a = x[0, : env.action_space.shape[0]].cpu().numpy()  # type: ignore[index]
        found, r, d, cut, _ = env.step(a)
        path.append(Batch(s, x, row(r), row(found), row(d)))
        D.add(path[-1])
        s, done, T = path[-1].s_next, d or cut, T + 1
        if T >= cfg.T_random:
            metrics |= agent.after_step(D, T)
    whole = Batch.cat(path)
    if T >= cfg.T_random:
        metrics |= agent.after_episode(D, whole)
    return whole, metrics


class Record:
    """What a run says about itself."""

    def __init__(self) -> None:
        self.T = 0  # real steps
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.looks: list[tuple[float, int]] = []  # mean greedy return, real steps

    def add(self, path: Batch, metrics: dict[str, Any]) -> dict[str, float]:
        """One more episode; what is logged about it."""
        self.returns.append(path.r.double().sum().item())
        self.lengths.append(len(path.r))
        self.T += len(path.r)
        k = len(self.lengths) - 1
        row = {"episode": k, "return": self.returns[-1], "length": self.lengths[-1]}
        return row | {name: float(x) for name, x in metrics.items()}

    def look(self, found: float) -> float:
        """One more evaluation."""
        self.looks.append((found, self.T))
        return found

    def result(self, agent: Learner) -> Result:
        """Everything as arrays."""
        greedy, looks = np.array(self.looks).reshape(-1, 2).T
        own = np.array(self.returns), np.array(self.lengths, int)
        return Result(*own, greedy, looks.astype(int), agent)

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def value(net: nn.Module, *inputs: Tensor) -> Tensor:
    """One number per row: net(s) or net(s, a), (n,)."""
    return net(torch.cat(inputs, 1)).squeeze(1)


def descend(opt: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of ``opt`` down the gradient of ``loss``."""
    opt.zero_grad()
    loss.backward()
    opt.step()


@torch.no_grad()
def follow(bar: nn.Module, net: nn.Module, tau: float) -> None:
    """The slow copy moves towards the net: bar <- bar + tau (net - bar)."""
    for slow, p in zip(bar.parameters(), net.parameters()):
        slow.lerp_(p, tau)
