"""Dyna-Q+: Dyna-Q that plans as if what was long untried were rewarding.

Sutton (1990); Sutton & Barto (2018), section 8.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym

from mbrl_edu.algos import dyna_q as base
from mbrl_edu.algos.q_learning import Log, Result, Watch, table
from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.tabular import TimedModel


@dataclass(frozen=True)
class Config(base.Config):
    """Settings of Dyna-Q, and of its bonus."""

    kappa: float = 1e-3  # bonus per square root of a step not tried; 0: none
    untried: bool = True  # plan with actions never taken too (S&B section 8.3)

    def __post_init__(self):
        super().__post_init__()
        check.number("kappa", self.kappa, low=0)


def dyna_q_plus(
    env: gym.Env,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    watch: Watch | None = None,
) -> Result:
    """Dyna-Q with the planning reward r + kappa sqrt(tau), where tau counts the real
    steps since (s, a) was last tried. The bonus never enters the direct update.

    With kappa = 0 and untried = False it is Dyna-Q, bit for bit.
    """
    model = TimedModel(cfg.kappa, len(table(env)[0]), cfg.untried)
    return base.dyna_q(env, cfg, rng, log, watch, model)
