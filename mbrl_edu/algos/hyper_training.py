"""How AutoMBPO's controller learns: stages of runs, each followed by PPO.

Lecture, "AutoMBPO Framework"; Lai et al. (2021) and their code.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from mbrl_edu.algos import hyper
from mbrl_edu.algos.hyper import Units
from mbrl_edu.algos.hyper_controller import Controller
from mbrl_edu.algos.hyper_runs import Episode, Job, Parallel, one_by_one, play, scaled
from mbrl_edu.algos.loop import Log
from mbrl_edu.control import ppo
from mbrl_edu.control.advantage import Rollout
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.rng import Streams

PPOS = {"autombpo": ppo.AUTOMBPO, "general": ppo.Config(gamma=1.0)}
KEPT = "evaluations", "knobs"  # of every run of earlier stages
HELD = "t", "logged", "references", "episodes", "past", "learnt"  # by a checkpoint


@dataclass(frozen=True)
class Config(hyper.Config):
    """Settings of all runs, and of how the controller learns from them."""

    stages: int = 10  # times that the controller is improved (AutoMBPO 10 or 20)
    runs: int = 10  # runs of MBPO per stage (AutoMBPO)
    explore: int = 5  # the share of random decisions falls from 1 in the first stage
    # to 0 after so many stages; 0: none is random (AutoMBPO: by task)
    updates: int = 300  # gradient steps per stage, about (AutoMBPO)
    learner: str = "autombpo"  # a network for each knob and no critic: autombpo; with a
    # critic and PPO's usual settings: general
    small: bool = False  # first weights of sd 0.04 (AutoMBPO: Hopper and Humanoid)

    def __post_init__(self):
        super().__post_init__()
        for name in ("stages", "runs", "updates"):
            check.integer(name, getattr(self, name), low=1)
        check.integer("explore", self.explore, low=0)
        check.choice("learner", self.learner, PPOS)
        check.choice("small", self.small, (True, False))

    @property
    def steps_in_all(self) -> int:
        """Real steps of all runs together."""
        return (self.references + self.stages * self.runs) * self.T

    @property
    def ppo_config(self) -> ppo.Config:
        """Settings of PPO, with so many epochs that there are ``updates`` steps."""
        chosen = PPOS[self.learner]
        pieces = math.ceil(self.runs * self.decisions / chosen.batch)
        chosen = replace(chosen, epochs=max(round(self.updates / pieces), 1))
        return replace(chosen, init="small") if self.small else chosen

    def eps(self, stage: int) -> float:
        """The share of random decisions in a stage, counted from 0."""
        return max(1 - stage / self.explore, 0.0) if self.explore else 0.0


@dataclass
class Result:
    """What the training of a controller leaves."""

    returns: np.ndarray  # (stages, runs, epochs) greedy return of each run by epoch
    rewards: np.ndarray  # (stages, runs) undiscounted reward of each as an episode
    schedules: np.ndarray  # (stages, runs, decisions, 4) fit, real_ratio, G, k
    reference: np.ndarray  # (epochs,) return of plain MBPO
    best: int  # the stage whose controller is kept, from 0
    weights: np.ndarray  # (n,) of the controller that played the best stage
    units: dict[str, Any]  # what it measures with, the fields of ``Units``
    controller: Controller | None = None  # itself; for a stored result, ``rebuilt``


def rebuilt(cfg: Config, result: Result) -> Controller:
    """The controller of a result that was stored: its networks, not its optimiser."""
    ends = {k: tuple(v) for k, v in result.units.items() if k != "reward"}
    units = Units(**ends, reward=result.units["reward"])
    made = Controller(cfg.knobs, cfg.ppo_config, Streams(0), units)
    weights = torch.as_tensor(result.weights)
    torch.nn.utils.vector_to_parameters(weights, made.parameters())
    return made


class Training:
    """Runs of plain MBPO to measure with, then stages of runs and updates.

    ``world(units)`` makes the environment that the controller learns in.
    """

    def __init__(
        self,
        cfg: Config,
        rng: Streams,
        plain: Sequence[Job],
        world: Callable[[Units], gym.Env],
        log: Log | None = None,
        checkpoint: Checkpoint | None = None,
        parallel: Parallel = one_by_one,
    ):
        self.cfg, self.rng, self.plain, self.world = cfg, rng, plain, world
        self.log, self.checkpoint, self.parallel = log, checkpoint, parallel
        self.controller = Controller(cfg.knobs, cfg.ppo_config, Streams(rng.seed))
        self.g = Streams(rng.seed)["autombpo/update"]  # the controller is on the CPU
        self.t = self.logged = 0  # runs reported, and real steps of all these
        self.references: dict[int, Episode] = {}
        self.episodes: dict[int, Episode] = {}  # of this stage, by run
        self.past: list[dict[str, torch.Tensor]] = []  # what stays of earlier stages
        self.best = Best(cfg.eps)
        self.learnt: dict[str, float] = {}  # what PPO says of its newest update

    def run(self) -> Result:
        """Everything that is still to come."""
        if self.checkpoint:
            self._resume(self.checkpoint.load())
        self._play(self.plain, self.references, first=0)
        self.controller.units = scaled(in_order(self.references), self.cfg)
        while len(self.past) < self.cfg.stages:
            first = len(self.plain) + len(self.past) * self.cfg.runs
            self._play(self._jobs(), self.episodes, first)
            self._improve(in_order(self.episodes))
        return self._result()

    def _jobs(self) -> list[Job]:
        """The runs of this stage."""
        stage, make = len(self.past), partial(self.world, self.controller.units)
        seeds = [self.rng.key(f"run/{stage}/{i}") for i in range(self.cfg.runs)]
        how = self.controller, self.cfg.eps(stage)
        return [partial(play, i, make, seed, *how) for i, seed in enumerate(seeds)]

    def _play(self, jobs: Sequence[Job], done: dict[int, Episode], first: int) -> None:
        """Those of the runs that are not done yet, each kept and reported; ``first``
        is the number of the first one among all runs."""
        todo = [job for i, job in enumerate(jobs) if i not in done]
        for i, episode in self.parallel(todo) if todo else ():
            done[i] = episode
            # they may come in any order, but are reported in their own
            while self.logged - first in done:
                self._report(done[self.logged - first], self.logged - first)
            if self.checkpoint:
                self.checkpoint.save(self.t, self._state())

    def _report(self, episode: Episode, i: int) -> None:
        self.t, self.logged = self.t + episode["steps"], self.logged + 1
        measuring = not self.controller.units.reference
        stage = 0 if measuring else len(self.past) + 1
        row = {"stage": stage, "run": i + 1, "return": score(episode)}
        row |= {"last_return": float(episode["evaluations"][-1])}
        if not measuring:  # before, there is nothing that a reward could compare with
            row |= {"reward": float(episode["rollout"]["r"].sum())}
            row |= {"eps": self.cfg.eps(stage - 1)}
        row |= zip(("fit", "real_ratio", "G", "k"), episode["knobs"].mean(0).tolist())
        if self.log:
            self.log(self.t, row | self.learnt)

    def _improve(self, episodes: list[Episode]) -> None:
        """PPO on the runs of a stage; the controller that played them is kept if they
        are the best so far."""
        stage, names = len(self.past), Rollout._fields
        self.best.offer(stage, float(np.mean([*map(score, episodes)])), self.controller)
        rows = ([e["rollout"][name] for e in episodes] for name in names)
        rollout = Rollout(*(torch.stack(x, 1) for x in rows))
        left = 1 - stage / self.cfg.stages
        self.learnt = self.controller.update(rollout, self.g, left)
        kept = {n: torch.stack([e[n] for e in episodes]) for n in KEPT}
        self.past.append(kept | {"rewards": rollout.r.sum(0)})
        self.episodes.clear()

    def _result(self) -> Result:
        own = self.controller
        own.load_state_dict(self.best.weights)
        past = {n: torch.stack([p[n] for p in self.past]).numpy() for n in self.past[0]}
        return Result(
            past["evaluations"],
            past["rewards"],
            past["knobs"],
            np.array(own.units.reference),
            self.best.stage,
            torch.nn.utils.parameters_to_vector(own.parameters()).detach().numpy(),
            {k: list(v) if k != "reward" else v for k, v in asdict(own.units).items()},
            own,
        )

    # Between two runs

    def _state(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in HELD}
        own = {"controller": self.controller.state_dict(), "g": self.g.get_state()}
        return state | own | {"best": self.best.state_dict()}

    def _resume(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        for name in HELD:
            setattr(self, name, state[name])
        self.controller.load_state_dict(state["controller"])
        self.g.set_state(state["g"])
        self.best.load_state_dict(state["best"])


class Best:
    """The controller whose runs had the best return, meaned over epochs (AutoMBPO).

    Random decisions say little of a controller, so the least random stages count: in
    the end those that had none, if there are any (ours).
    """

    def __init__(self, eps: Callable[[int], float]):
        self.eps = eps
        self.stage, self.score = -1, -np.inf
        self.weights: dict[str, Any] = {}

    def offer(self, stage: int, score: float, controller: Controller) -> None:
        """The controller as it was in this stage, whose runs had this score."""
        before = self.eps(self.stage) if self.stage >= 0 else np.inf
        less_random, as_random = self.eps(stage) < before, self.eps(stage) == before
        if less_random or (as_random and score > self.score):
            self.stage, self.score = stage, score
            self.weights = copy.deepcopy(controller.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"stage": self.stage, "score": self.score, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stage, self.score = state["stage"], state["score"]
        self.weights = state["weights"]


def score(episode: Episode) -> float:
    """The return of a run, meaned over its epochs."""
    return float(episode["evaluations"].mean())


def in_order(episodes: dict[int, Episode]) -> list[Episode]:
    return [episodes[i] for i in sorted(episodes)]
