"""PPO on a task: the baseline that learns without a model.

Schulman et al. (2017), Algorithm 1: N actors run the policy for T steps each, then the
policy improves on these steps for some epochs, and they are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from mbrl_edu.control import ppo as control
from mbrl_edu.control.advantage import Rollout
from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.control.ppo import PPO
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task

Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Config(control.Config):
    """Settings of the update, and of the runs that it learns from."""

    T: int = 100_000  # real steps of all actors in all, cut to whole rollouts (PPO 1e6)
    actors: int = 8  # N, environments side by side (PPO 1, or 8 for games)
    rollout: int = 256  # steps of each between two updates (8 x 256 as 2048 in PPO)
    look: int = 5  # every so many rollouts the greedy policy is evaluated
    episodes: int = 5  # greedy episodes per evaluation

    def __post_init__(self):
        super().__post_init__()
        for name in ("actors", "rollout", "look", "episodes"):
            check.integer(name, getattr(self, name), low=1)
        check.integer("T", self.T, low=1)
        if self.T < self.size:
            raise ValueError(
                f"T is {self.T}, but must be at least the {self.size} of one "
                f"rollout, {self.actors} actors times {self.rollout}."
            )
        if self.trunk != "shared":
            raise ValueError(
                f"trunk is {self.trunk!r}, but must be 'shared' for continuous actions."
            )

    @property
    def size(self) -> int:
        """Real steps of one rollout."""
        return self.actors * self.rollout

    @property
    def updates(self) -> int:
        """Rollouts in all."""
        return self.T // self.size


@dataclass
class Result:
    """What a run of PPO leaves."""

    returns: np.ndarray  # (E,) of every finished episode, actions drawn as in training
    lengths: np.ndarray  # (E,) steps of every finished episode
    ends: np.ndarray  # (E,) real steps of all actors when it had ended
    greedy: np.ndarray  # (L,) mean return of the greedy policy at each evaluation
    looks: np.ndarray  # (L,) real steps at each evaluation
    agent: PPO  # what learned; ``agent.mean(s)`` acts greedily


class Actor:
    """One environment, and what it takes to bring a fresh one to the same moment.

    An episode begins from a seed of its own, so it can be played again from that seed
    and its actions. That is how a checkpoint holds an environment in mid-episode: no
    simulator need tell its inner state.
    """

    def __init__(self, env: gym.Env, name: str, rng: Streams):
        self.env, self.name, self.rng = env, name, rng
        self.begin(0)

    def begin(self, episode: int) -> None:
        """Start this episode; which start state that is depends on seed and names."""
        seed = self.rng.key(f"env/{self.name}/{episode}") % 2**31
        self.episode, self.total = episode, 0.0
        self.actions: list[np.ndarray] = []
        self.s = self.env.reset(seed=seed)[0]

    def step(self, a: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """s', r, d, cut; where the episode is over, ``begin`` must follow."""
        s_next, r, d, cut, _ = self.env.step(a)
        self.s, self.total = s_next, self.total + float(r)
        self.actions.append(a)
        return s_next, float(r), d, cut

    def state_dict(self) -> dict[str, Any]:
        a = torch.tensor(np.array(self.actions, np.float32))
        return {"episode": self.episode, "actions": a, "s": torch.tensor(self.s)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Play the episode again. Raises ValueError if it does not end where it did."""
        self.begin(state["episode"])
        for a in state["actions"].numpy():
            self.step(a)
        if not np.array_equal(self.s, state["s"].numpy()):
            raise ValueError(
                f"the environment {self.env} came to another state from the same seed "
                "and actions, but to go on with a run they must lead to the same one."
            )


def learner(task: Task, cfg: Config, rng: Streams) -> PPO:
    """Policy and critic for ``task``."""
    return PPO(task.ds, task.da, cfg, rng, device=rng.device, features=task.features)


def ppo(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """Rollouts and updates in turn, until ``T`` real steps are made.

    ``log(t, metrics)`` is called after every update, t real steps so far.
    ``checkpoint.save(t, state)`` follows, and a run that begins with what
    ``checkpoint.load()`` gives ends like one that was never stopped. Evaluations play
    in environments of their own and move no stream. ``rng`` streams: "init/ppo/pi",
    "init/ppo/critic", "act", "update"; seeds of episodes: ``rng.key("env/i/k")`` for
    actor i, episode k.
    """
    agent = learner(task, cfg, rng)
    envs: list[gym.Env] = []
    try:
        for _ in range(cfg.actors):
            envs.append(task.make())
        actors = [Actor(env, str(i), rng) for i, env in enumerate(envs)]
        run = _Run(agent, actors, cfg, rng)
        saved = checkpoint.load() if checkpoint else None
        if saved:
            run.load_state_dict(saved)
        while run.updates < cfg.updates:
            row = run.update()
            if run.updates % cfg.look == 0 or run.updates == cfg.updates:
                row["greedy"] = run.look(task)
            if log:
                log(run.steps, row)
            if checkpoint:
                checkpoint.save(run.steps, run.state_dict())
    finally:
        for env in envs:
            env.close()
    return run.result()


class _Run:
    """Everything that changes while a run goes on."""

    def __init__(self, agent: PPO, actors: list[Actor], cfg: Config, rng: Streams):
        self.agent, self.actors, self.cfg, self.rng = agent, actors, cfg, rng
        self.updates = 0
        self.ended: list[tuple[float, int, int]] = []  # return, length, steps by then
        self.looks: list[tuple[float, int]] = []  # greedy return, steps by then

    @property
    def steps(self) -> int:
        """Real steps of all actors."""
        return self.updates * self.cfg.size

    def update(self) -> dict[str, float]:
        """One rollout, one update: Algorithm 1 once through."""
        before = len(self.ended)
        rollout = self._collect()
        left = 1 - self.updates / self.cfg.updates
        metrics = self.agent.update(rollout, self.rng["update"], left)
        self.updates += 1
        new = self.ended[before:]
        returns, lengths = (np.mean([e[i] for e in new] or [np.nan]) for i in (0, 1))
        row = {"return": float(returns), "length": float(lengths), "greedy": np.nan}
        return row | {"episode": len(self.ended)} | metrics

    def _collect(self) -> Rollout:
        """``rollout`` steps of every actor under the present policy."""
        rows: list[tuple[Tensor, ...]] = []
        for t in range(self.cfg.rollout):
            s = self._tensor([actor.s for actor in self.actors])
            a, log_pi, V = self.agent.act(s, self.rng["act"])
            played = zip(*(x.step(u) for x, u in zip(self.actors, a.cpu().numpy())))
            s_next, r, d, cut = (self._tensor(x) for x in played)
            # the actors' order within a step is that of their steps in the count
            for i in (d + cut).nonzero().flatten().tolist():
                at = self.steps + t * self.cfg.actors + i + 1
                actor = self.actors[i]
                self.ended.append((actor.total, len(actor.actions), at))
                actor.begin(actor.episode + 1)
            rows.append((s, a, log_pi, V, r, s_next, d, cut))
        return Rollout(*(torch.stack(x) for x in zip(*rows)))

    def _tensor(self, x) -> Tensor:
        return torch.as_tensor(np.array(x, np.float32), device=self.rng.device)

    def look(self, task: Task) -> float:
        """The mean return of the greedy policy."""
        found = evaluate(task, self.agent.mean, self.rng, self.cfg.episodes).mean()
        self.looks.append((float(found), self.steps))
        return float(found)

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"updates": self.updates}
        state |= {"ended": list(self.ended), "looks": list(self.looks)}
        actors = [actor.state_dict() for actor in self.actors]
        agent, rng = self.agent.state_dict(), self.rng.state_dict()
        return state | {"actors": actors, "agent": agent, "rng": rng}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.ended, self.looks = list(state["ended"]), list(state["looks"])
        for actor, saved in zip(self.actors, state["actors"], strict=True):
            actor.load_state_dict(saved)
        self.agent.load_state_dict(state["agent"])
        self.rng.load_state_dict(state["rng"])

    def result(self) -> Result:
        returns, lengths, ends = np.array(self.ended).reshape(-1, 3).T
        greedy, looks = np.array(self.looks).reshape(-1, 2).T
        whole = lengths.astype(int), ends.astype(int)
        return Result(returns, *whole, greedy, looks.astype(int), self.agent)
