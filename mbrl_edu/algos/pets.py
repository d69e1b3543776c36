"""PETS: probabilistic ensembles with trajectory sampling.

Lecture, "PETS Algorithm" (Algorithm 1); Chua et al. (2018) and their code. Learn a
model from all real steps, plan with it at every step, execute the first action, repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos import cem, mppi, random_shooting
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint, Part, gather, restore
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.episode import episode
from mbrl_edu.envs.state import Between
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine import plan
from mbrl_edu.imagine.diary import Diary, Log
from mbrl_edu.models import ensemble, fit, gp
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Layout
from mbrl_edu.models.oracle import Oracle

MODELS = ("PE", "P", "DE", "D", "GP", "true")
PLANNERS = ("cem", "icem", "mppi", "random_shooting")
MOST_RANDOM = 10  # trials with random actions, if a trial is less than a batch


@dataclass(frozen=True)
class Config:
    """Settings of PETS: trials, plans, particles, model."""

    episodes: int = 10  # K, trials with the planner, after one with random actions
    model: str = "PE"  # PE, P, DE, D, GP or true, the dynamics themselves
    planner: str = "icem"  # cem (PETS), icem, mppi or random_shooting
    H: int = 20  # planning horizon (PETS 25)
    propagation: str = "TS1"  # how particles travel: TS1, TSinf, DS, MM or E (PETS)
    P: int = 5  # particles per candidate (PETS 20)
    N: int = 100  # candidates per round (PETS 400); random shooting: all rounds at once
    top: int = 10  # elites of CEM (PETS 40)
    iterations: int = 3  # rounds (PETS 5)
    alpha: float = 0.1  # weight of CEM's old mean and variance (PETS)
    colour: float = 2.0  # exponent of iCEM's noise
    keep: float = 0.3  # share of iCEM's elites that competes again
    fewer: float = 1.25  # a round of iCEM has so many times fewer candidates
    temperature: float = 0.2  # of MPPI's weights, in standard deviations of the worth
    sigma: float = 0.5  # standard deviation of MPPI's noise
    smooth: float = 0.8  # correlation of MPPI's noise from one step to the next
    B: int = 5  # members of an ensemble (PETS)
    hidden: tuple[int, ...] = (64, 64)  # units per hidden layer (PETS 500, 500, 500)
    decay: tuple[float, ...] | None = None  # per layer; none: MBPO's, over the depth
    lr: float = 1e-3  # Adam's step size (PETS)
    batch: int = 32  # transitions per member and gradient step (PETS)
    epochs: int = 50  # epochs per fit (PETS 5), on all the data of so far
    average: float = 1.0  # weights are averaged over so many last epochs (PETS 0)
    gp_rows: int = 300  # a GP learns from at most so many transitions, drawn at random
    precision: str = "fp32"  # of the networks while planning; bf16: three digits
    look: int = 10  # every so many steps the plan's worth is kept beside what came

    def __post_init__(self):
        check.integer("episodes", self.episodes, low=0)
        check.choice("model", self.model, MODELS)
        check.choice("planner", self.planner, PLANNERS)
        check.choice("precision", self.precision, ("fp32", "bf16"))
        check.integer("H", self.H, low=1)
        check.integer("batch", self.batch, low=1)
        check.integer("epochs", self.epochs, low=1)
        check.number("average", self.average, low=0)
        check.integer("gp_rows", self.gp_rows, low=2, high=gp.Config().limit)
        check.integer("N", self.N, low=1)
        check.integer("iterations", self.iterations, low=1)
        check.integer("look", self.look, low=1)
        particles = plan.Config(self.propagation, self.P)
        make_planner(self)
        mppi.Config(1, 1, self.sigma, self.smooth, self.temperature)  # checks them
        members = self.network.B if self.model in ("PE", "DE") else 1
        if particles.propagation in plan.SAMPLING and self.P % members:
            raise ValueError(
                f"P is {self.P}, but with {self.propagation} it must be a multiple of "
                f"the B = {members} members."
            )

    @property
    def network(self) -> ensemble.Config:
        """Settings of the networks; all members are used, as in PETS."""
        B = self.B if self.model in ("PE", "DE") else 1
        noisy = self.model in ("PE", "P")
        return ensemble.Config(B, B, self.hidden, noisy, self.decay, lr=self.lr)


@dataclass
class Result:
    """What a run of PETS leaves."""

    returns: np.ndarray  # (1 + K,) of every trial; the first took random actions,
    # and more than one did where a trial is too short for one batch
    lengths: np.ndarray  # (1 + K,) steps of every trial
    losses: np.ndarray  # (K,) mean squared error of each fit on its data, NaN: no fit
    planned: np.ndarray  # (n,) what plans were worth in the model, over H steps
    obtained: np.ndarray  # (n,) what the H steps after that brought
    planned_in: np.ndarray  # (n,) the trial that this was in, 1 to K
    s: np.ndarray  # (T, ds) states met, in order
    a: np.ndarray  # (T, da) actions taken
    r: np.ndarray  # (T,) rewards
    model_steps: int  # imagined steps: candidates x particles x horizon, summed
    agent: Agent  # what acts; its model is ``agent.model``


class Agent:
    """A model, a planner, and how they are used: ``fit`` and ``plan``.

    ``rng`` streams used: "init/model", "fit", "planner", "particles", "look".
    """

    def __init__(self, task: Task, cfg: Config, rng: Streams):
        self.task, self.cfg, self.rng = task, cfg, rng
        seen, absolute = task.features, task.absolute
        self.layout = Layout(task.ds, task.da, seen, absolute, task.reward)
        self.model = self._model()
        self.planner = make_planner(cfg)
        particles = plan.Config(cfg.propagation, cfg.P)
        end = task.terminal
        self.imagine = plan.Imagination(self.model, particles, terminal=end)
        self.model_steps = 0

    def _model(self):
        task, cfg = self.task, self.cfg
        if cfg.model == "GP":
            return GP(self.layout)
        if cfg.model != "true":
            return ensemble.Ensemble(
                self.layout, cfg.network, self.rng, device=self.rng.device
            )
        if task.dynamics is None or task.reward is None:
            raise ValueError(
                f"model is 'true', but the dynamics and reward of {task.name} are not "
                "both known in closed form."
            )
        return Oracle(task.ds, task.da, task.dynamics, task.reward, self.rng.device)

    def fit(self, batch: Batch) -> float:
        """Learn from all of ``batch``; mean squared error on it, NaN if not known."""
        cfg, g = self.cfg, self.rng["fit"]
        if isinstance(self.model, ensemble.Ensemble):
            how = fit.Config(
                batch=cfg.batch, holdout=0, epochs=cfg.epochs, average=cfg.average
            )
            error = np.mean(fit.fit(self.model, batch, how, g).error)
            self.model.round(cfg.precision == "bf16")
            return float(error)
        if isinstance(self.model, GP):
            order = torch.randperm(len(batch.r), generator=g, device=g.device)
            self.model.fit(batch.take(order[: cfg.gp_rows]), g)
        return float("nan")

    def plan(self, s: Tensor) -> Tensor:
        """The best plan (H, da) found from s (ds,)."""
        particles = self.rng["particles"]

        def evaluate(plans: Tensor) -> Tensor:
            self.model_steps += len(plans) * self.imagine.P * self.cfg.H
            return self.imagine(s, plans, particles)

        return self.planner(evaluate, self.cfg.H, self.task.da, self.rng["planner"])

    def policy(self, s: Tensor) -> Tensor:
        """The first action of a plan that is made from nothing for each of the states
        s (n, ds): (n, da). In a trial a plan starts from what is left of the last."""
        found = []
        for row in s:
            self.planner.reset()
            found.append(self.plan(row)[0])
        return torch.stack(found)

    def state_dict(self) -> dict:
        """What has been learned; of the truth it is nothing."""
        learns = not isinstance(self.model, Oracle)
        model = self.model.state_dict() if learns else None
        return {"model": model, "model_steps": self.model_steps}

    def load_state_dict(self, state: dict) -> None:
        self.model_steps = state["model_steps"]
        if isinstance(self.model, GP):
            on = self.rng.device
            self.model.load_state_dict({k: v.to(on) for k, v in state["model"].items()})
        elif isinstance(self.model, ensemble.Ensemble):
            self.model.load_state_dict(state["model"])
            self.model.round(self.cfg.precision == "bf16")

    def worth(self, s: Tensor, chosen: Tensor) -> float:
        """What one plan (H, da) is worth in the model; from a stream of its own, so
        that looking changes nothing."""
        return self.imagine(s, chosen[None], self.rng["look"]).item()


def make_planner(cfg: Config) -> plan.Planner:
    """The planner that ``cfg`` names; random shooting gets all rounds at once."""
    if cfg.planner == "random_shooting":
        best_of = random_shooting.Config(cfg.N * cfg.iterations)
        return random_shooting.RandomShooting(best_of)
    if cfg.planner == "mppi":
        noise = cfg.sigma, cfg.smooth
        return mppi.MPPI(mppi.Config(cfg.N, cfg.iterations, *noise, cfg.temperature))
    hard = cem.Config(cfg.N, cfg.top, cfg.iterations, cfg.alpha)
    if cfg.planner == "cem":
        return cem.CEM(hard)
    refined = cem.icem(hard)
    return cem.CEM(replace(refined, colour=cfg.colour, keep=cfg.keep, decay=cfg.fewer))


learner = Agent


def pets(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """PETS, lines 1 to 10 of the lecture's Algorithm 1.

    ``log(T, metrics)`` is called after every trial, T real steps so far; then
    ``checkpoint`` is saved, and a run that is given one goes on from it. ``rng``
    streams: "env", "behaviour" (random actions) and those of ``Agent``; the same seed
    gives the same run. Where a trial is too short for one batch, random ones go on
    until there is enough. Raises ValueError, before any step, if the model needs what
    the task does not know.
    """
    if cfg.batch > MOST_RANDOM * task.horizon:
        raise ValueError(
            f"batch is {cfg.batch}, but must be at most {MOST_RANDOM * task.horizon}, "
            f"{MOST_RANDOM} trials of {task.name}: so many are random at the most."
        )
    agent, diary = Agent(task, cfg, rng), Diary(cfg.H, rng.device)
    env = task.make()
    parts: dict[str, Part] = {
        "rng": rng,
        "agent": agent,
        "diary": diary,
        "env": Between(env),
    }

    def close(k: int, trial: Batch, loss: float) -> None:
        diary.close(k, trial, loss, agent.model_steps, log)
        if checkpoint:
            checkpoint.save(diary.steps, gather(parts))

    try:
        env.reset(seed=rng.key("env") % 2**31)
        restore(checkpoint.load() if checkpoint else None, parts)
        u = rng.numpy("behaviour").uniform
        while diary.steps < cfg.batch:  # 1
            close(0, episode(env, lambda s, t: u(-1, 1, task.da), rng.device), np.nan)
        for k in range(diary.k + 1, cfg.episodes + 1):  # 2
            loss = agent.fit(Batch.cat(diary.D))  # 3
            agent.planner.reset()

            def act(s: Tensor, t: int) -> np.ndarray:
                chosen = agent.plan(s)  # 5-8
                if t % cfg.look == 0:
                    diary.planned[t] = agent.worth(s, chosen)
                return chosen[0].cpu().numpy()  # 9: the first action only

            close(k, episode(env, act, rng.device), loss)  # 4, 10
    finally:
        env.close()
    known = diary.arrays(cfg.episodes)
    return Result(**known, model_steps=agent.model_steps, agent=agent)
