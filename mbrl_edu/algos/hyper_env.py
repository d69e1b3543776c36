"""The hyper-MDP of AutoMBPO: an environment in which an episode is a run of MBPO.

    env = gym.make("mbrl_edu/AutoMBPO-v0", task=task("Line-v0"), cfg=Config(...))

It is registered when this file is imported. Lecture, "AutoMBPO Framework"; Lai et al.
(2021) and their code.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import gymnasium as gym
import numpy as np

from mbrl_edu.algos.hyper import KNOBS, Config, Dials, Units, unmeasured
from mbrl_edu.algos.hyper_meter import Meter, metered
from mbrl_edu.algos.loop import Knobs, Loop, Parts, Progress, Result
from mbrl_edu.algos.mbpo import mbpo
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.envs.tasks import task as find

ID = "mbrl_edu/AutoMBPO-v0"
Variant = Callable[[Parts, Streams], Parts]


def observations(knobs: tuple[str, ...]) -> int:
    """Number of entries of an observation."""
    return 5 + len(set(knobs) - {"fit"})


class HyperEnv(gym.Env):
    """One episode is one run of MBPO, one step is ``decide_every`` real steps of it.

    Observation (see ``hyper.Dials``): Box [-1, 1]. Action: one choice for each of
    ``cfg.knobs`` in their order, MultiDiscrete. Reward: half of ``price`` for a fit
    skipped, less as much for one made; at the last decision of an epoch, how far the
    evaluation is above that of plain MBPO, (return - reference[epoch]) / units.reward.
    The run's end is a true end, since the observation tells the time.

    ``reset(seed)`` begins the run of MBPO with this seed. ``info``: ``t``, ``epoch``,
    the knobs, ``raw`` (4,) what is observed, unscaled, and ``evaluations`` (epochs so
    far,). ``variant(parts, rng)`` changes MBPO; without ``units``, the ends of
    ``cfg.ranges``, or 1, are taken and the reference is 0.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        task: Task | str = "Line-v0",
        cfg: Config | None = None,
        units: Units | None = None,
        variant: Variant | None = None,
        device: str = "cpu",
    ):
        self.task = find(task) if isinstance(task, str) else task
        self.cfg = cfg or Config()
        self.units = units or unmeasured(self.cfg)
        if len(self.units.reference) < self.cfg.last_epoch:
            raise ValueError(
                f"units.reference has {len(self.units.reference)} epochs, but a run "
                f"has {self.cfg.last_epoch}."
            )
        self.variant, self.device = variant, device
        n = observations(self.cfg.knobs)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (n,), np.float32)
        sizes = [KNOBS[name] for name in self.cfg.knobs]
        self.action_space = gym.spaces.MultiDiscrete(sizes)
        self.steps: Generator[Progress, Knobs, Result] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.close()
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        rng = Streams(seed, self.device)
        parts = mbpo(self.task, self.cfg, rng)
        if self.variant:
            parts = self.variant(parts, rng)
        meter = Meter(parts.agent, self.cfg.epoch)
        self.dials = Dials(self.cfg, parts.schedule, meter, self.units)
        self.loop = Loop(metered(parts, meter), self.cfg, rng)
        self.steps = self.loop.run()
        next(self.steps)
        return self._see()

    def step(self, action):
        if self.steps is None:
            raise ValueError("The run has not begun or is over: call reset() first.")
        p, epoch = self.loop.progress, self.loop.progress.epoch
        knobs = self.dials.turn(p, action)
        over = self._play(knobs)
        r = self.cfg.price * (0.5 - knobs.fit) if "fit" in self.cfg.knobs else 0.0
        if p.epoch > epoch:
            above = p.metrics["return"] - self.units.reference[epoch]
            r += above / self.units.reward
        s, info = self._see()
        if over:
            self.steps = None
        return s, float(r), over, False, info

    def _play(self, knobs: Knobs) -> bool:
        """The run up to its next decision; whether it is over."""
        assert self.steps is not None
        try:
            p = self.steps.send(knobs)
            while not self.dials.due(p):
                p = self.steps.send(self.dials.between(p))
        except StopIteration:
            return True
        return False

    def _see(self) -> tuple[np.ndarray, dict[str, Any]]:
        p = self.loop.progress
        raw = self.dials.raw(p)
        knobs = p.knobs or self.dials.base(p)
        later = self.loop.evaluations[1:]  # the first was before any learning
        evaluations = np.array([np.mean(returns) for _, returns in later])
        info = {"t": p.t, "epoch": p.epoch, "raw": raw, "evaluations": evaluations}
        return self.dials.observe(p, raw), info | vars(knobs)

    def close(self) -> None:
        """Ends the run that is under way."""
        if self.steps is not None:
            self.steps.close()
        self.steps = None


if ID not in gym.registry:
    gym.register(ID, entry_point=f"{__name__}:HyperEnv")
