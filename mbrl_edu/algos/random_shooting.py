"""Random shooting: of many random plans, take the best.

Lecture, "Random Shooting (RS)"; Nagabandi et al. (2018), section IV.C.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.imagine.plan import Evaluate, check_plan, judge


@dataclass(frozen=True)
class Config:
    """Settings of random shooting."""

    N: int = 2000  # candidates, as many as CEM evaluates in all its rounds (PETS)

    def __post_init__(self):
        check.integer("N", self.N, low=1)


class RandomShooting:
    """a_{t:t+H} ~ U([-1, 1]), N times; the plan is argmax of its worth."""

    def __init__(self, cfg: Config | None = None):
        self.cfg = cfg or Config()

    def reset(self) -> None:
        """Nothing to forget: every search starts from nothing."""

    def __call__(
        self, evaluate: Evaluate, H: int, da: int, g: torch.Generator
    ) -> Tensor:
        """The best of N plans: (H, da). Plans that are not worth a number lose."""
        check_plan(H, da)
        shape = (self.cfg.N, H, da)
        plans = 2 * torch.rand(shape, generator=g, device=g.device) - 1
        return plans[judge(evaluate, plans).argmax()]
