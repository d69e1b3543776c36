"""The knobs of MBPO as the actions of another decision process.

Lecture, "AutoMBPO Framework"; Lai et al. (2021) and their code. Here is what a decision
sees and what it does; ``hyper_env`` makes an environment of it, ``autombpo`` a
controller that learns in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.hyper_meter import Meter
from mbrl_edu.algos.loop import Knobs, Progress
from mbrl_edu.core import check

KNOBS = {"fit": 2, "real_ratio": 3, "G": 3, "k": 3}  # number of choices of each
KEEP = {"fit": 0, "real_ratio": 1, "G": 1, "k": 1}  # fit, and turn no other


@dataclass(frozen=True)
class Config(mbpo.Config):
    """MBPO's settings, and what a controller decides about them."""

    knobs: tuple[str, ...] = tuple(KNOBS)  # decided: any of fit, real_ratio, G, k; the
    # others are MBPO's
    decide_every: int | None = None  # real steps between decisions, the paper's tau;
    # none: fit_every (AutoMBPO 125, Humanoid 500)
    c: float = 1.2  # real_ratio is divided by c, kept or multiplied by c (AutoMBPO)
    G_max: int = 20  # G stays in 1 to G_max (AutoMBPO)
    k_max: int = 15  # k stays in 1 to k_max (AutoMBPO: by task)
    price: float = 0.1  # how much more skipping a fit pays than fitting (AutoMBPO)
    ranges: tuple[float, float, float, float] | None = None  # upper ends of model loss,
    # critic loss, policy shift, return, all from 0; none: measured (AutoMBPO: by task)
    references: int = 3  # runs of plain MBPO that ranges and reference come from (ours)
    reward_scale: float | None = None  # return above the reference that pays 1; none: a
    # tenth of the range of returns (AutoMBPO 300, a tenth of 3,000)

    def __post_init__(self):
        super().__post_init__()
        known = [name for name in KNOBS if name in self.knobs]
        if not known or sorted(self.knobs) != sorted(known):
            raise ValueError(
                f"knobs is {self.knobs}, but must name one or more of "
                f"{', '.join(KNOBS)}, each once."
            )
        self._check_times()
        check.number("c", self.c, low=1, open_low=True)
        for name in ("G_max", "k_max", "references"):
            check.integer(name, getattr(self, name), low=1)
        check.number("price", self.price, low=0)
        self._check_first_knobs()
        for end in self.ranges or ():
            check.number("ranges", end, low=0, open_low=True)
        if self.reward_scale is not None:
            check.number("reward_scale", self.reward_scale, low=0, open_low=True)

    def _check_times(self) -> None:
        if self.decide_every is not None:
            each = check.integer("decide_every", self.decide_every, low=1)
            if each % self.fit_every or self.epoch % each:
                raise ValueError(
                    f"decide_every is {each}, but must be a multiple of fit_every = "
                    f"{self.fit_every} and divide epoch = {self.epoch}."
                )
        learning = self.T - self.T_random
        if learning < self.epoch or learning % self.epoch:
            raise ValueError(
                f"T is {self.T}, but must be T_random = {self.T_random} and one or "
                f"more whole epochs of {self.epoch}."
            )

    def _check_first_knobs(self) -> None:
        if "G" in self.knobs:
            check.integer("G", self.G, low=1, high=self.G_max)
        if (
            "k" in self.knobs
            and not 1 <= min(self.k[2:]) <= max(self.k[2:]) <= self.k_max
        ):
            raise ValueError(
                f"k is {self.k}, but where it is turned its lengths must be in 1 to "
                f"k_max = {self.k_max}."
            )
        if "real_ratio" in self.knobs:
            check.number("real_ratio", self.real_ratio, low=0, high=1, open_low=True)

    @property
    def every(self) -> int:
        """Real steps between two decisions."""
        return self.decide_every or self.fit_every

    @property
    def decisions(self) -> int:
        """Decisions of one run."""
        return (self.T - self.T_random) // self.every

    @property
    def last_epoch(self) -> int:
        """Epochs of one run."""
        return (self.T - self.T_random) // self.epoch


@dataclass(frozen=True)
class Units:
    """What is small and what is large in a task; ``autombpo.measure`` finds it.

    ``low`` and ``high`` (4,) are the ranges of model loss, critic loss, policy shift
    and return; ``reference`` (epochs,) is the return that MBPO has after each epoch,
    and ``reward`` how much above it pays 1.
    """

    low: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    high: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    reference: tuple[float, ...] = ()
    reward: float = 1.0

    def __post_init__(self):
        if any(not a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(
                f"low is {self.low} and high is {self.high}, but every range needs "
                "its low end below its high end."
            )
        check.number("reward", self.reward, low=0, open_low=True)


def unmeasured(cfg: Config) -> Units:
    """The units before anything is known of the task but what ``cfg`` says."""
    high = cfg.ranges or (1.0, 1.0, 1.0, 1.0)
    reward = cfg.reward_scale or high[3] / 10
    return Units(high=high, reference=(0.0,) * cfg.last_epoch, reward=reward)


@dataclass(frozen=True)
class Dials:
    """What a decision sees and what it does. ``base`` sets what is not decided."""

    cfg: Config
    base: Callable[[Progress], Knobs]
    meter: Meter
    units: Units

    def due(self, p: Progress) -> bool:
        """Whether now is the time for a decision."""
        return (p.t - self.cfg.T_random) % self.cfg.every == 0

    def raw(self, p: Progress) -> np.ndarray:
        """Model loss, critic loss, policy shift, return (4,); once per decision.

        Before the first fit, the model's loss is at its upper end.
        """
        loss, shift = self.meter.read(self._epoch_begins(p))
        m = p.metrics
        model_loss = m.get("model_loss", self.units.high[0])
        return np.array([model_loss, loss, shift, m["return"]], float)

    def observe(self, p: Progress, raw: np.ndarray) -> np.ndarray:
        """Progress of the run, the four of ``raw``, then G, real_ratio and k as far as
        they are decided: (5 + ...,) float32, cut to [-1, 1]."""
        cfg, now = self.cfg, p.knobs or self.base(p)
        share = {"G": now.G / cfg.G_max, "real_ratio": now.real_ratio}
        share["k"] = now.k / cfg.k_max
        low, high = np.array(self.units.low), np.array(self.units.high)
        progress = (p.t - cfg.T_random) / (cfg.T - cfg.T_random)
        own = [share[name] for name in share if name in cfg.knobs]
        x = np.array([progress, *(raw - low) / (high - low), *own])
        return np.clip(np.nan_to_num(x, nan=1.0), -1, 1).astype(np.float32)

    def turn(self, p: Progress, choice: Sequence[int]) -> Knobs:
        """The knobs after a decision: one choice for each of ``cfg.knobs``.

        fit: 0 fits, 1 skips, and the first decision always fits; the others: 0 less,
        1 the same, 2 more, which moves k only where an epoch begins. What the base
        schedule changes meanwhile moves the knobs too, so that one that is never turned
        is that of the base.
        """
        cfg, base, old = self.cfg, self.base(p), self.meter.base
        now = followed(p.knobs, old or base, base) if p.knobs else base
        u, self.meter.base = KEEP | dict(zip(cfg.knobs, map(int, choice))), base
        k = now.k + u["k"] - 1 if self._epoch_begins(p) else now.k
        turned: dict[str, Any] = {
            "fit": u["fit"] == 0 or p.knobs is None,
            "real_ratio": min(now.real_ratio * cfg.c ** (u["real_ratio"] - 1), 1.0),
            "G": min(max(now.G + u["G"] - 1, 1), cfg.G_max),
            "k": min(max(k, 1), cfg.k_max),
        }
        return replace(base, **{name: turned[name] for name in cfg.knobs})

    def between(self, p: Progress) -> Knobs:
        """The knobs where rollouts are made between two decisions: as they were, and
        no fit if that is what is decided (AutoMBPO, Humanoid)."""
        kept = {name: getattr(p.knobs, name) for name in self.cfg.knobs}
        if "fit" in kept:
            kept["fit"] = False
        return replace(self.base(p), **kept)

    def _epoch_begins(self, p: Progress) -> bool:
        return (p.t - self.cfg.T_random) % self.cfg.epoch == 0


def followed(now: Knobs, old: Knobs, new: Knobs) -> Knobs:
    """The knobs ``now`` after the base schedule went from ``old`` to ``new``: G and k
    go as many steps, real_ratio by the same factor."""
    ratio = now.real_ratio
    if new.real_ratio != old.real_ratio:
        turned = ratio / old.real_ratio if old.real_ratio else 1.0
        ratio = turned * new.real_ratio  # exactly the base's where it is not turned
    return replace(
        now, k=now.k + new.k - old.k, G=now.G + new.G - old.G, real_ratio=ratio
    )
