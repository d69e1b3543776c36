"""Model predictive path integral control: a soft, weighted mean of random plans.

After Williams et al. (2017), with smooth noise in the spirit of Nagabandi et al. (2020,
section 3.3). Not as there: several rounds per step; a temperature in standard
deviations of the worth; no cost of the noise itself, as if it were drawn around the
plan; the noise is a stationary first-order process; the mean is that of clipped plans
and moves on with a zero at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_edu.algos.cem import shifted
from mbrl_edu.core import check
from mbrl_edu.imagine.plan import Evaluate, check_plan, judge


@dataclass(frozen=True)
class Config:
    """Settings of MPPI."""

    N: int = 400  # candidates per round
    iterations: int = 5  # rounds
    sigma: float = 0.5  # standard deviation of the noise on the mean plan
    smooth: float = 0.8  # correlation of the noise from one step to the next
    temperature: float = 0.2  # of the weights, in standard deviations of the worth

    def __post_init__(self):
        check.integer("N", self.N, low=1)
        check.integer("iterations", self.iterations, low=1)
        check.number("sigma", self.sigma, low=0, open_low=True)
        check.number("smooth", self.smooth, low=0, high=1, open_high=True)
        check.number("temperature", self.temperature, low=0, open_low=True)


class MPPI:
    """mean <- sum_i w_i plan_i with w_i ~ exp(worth_i / temperature)."""

    def __init__(self, cfg: Config | None = None):
        self.cfg = cfg or Config()
        self.reset()

    def reset(self) -> None:
        """Begin at the middle of the bounds again."""
        self.mean: Tensor | None = None

    def __call__(
        self, evaluate: Evaluate, H: int, da: int, g: torch.Generator
    ) -> Tensor:
        """A plan (H, da); it begins at the last one, one step later."""
        check_plan(H, da)
        if self.mean is None or self.mean.shape != (H, da):
            self.mean = torch.zeros(H, da, device=g.device)
        else:
            self.mean = shifted(self.mean)
        for _ in range(self.cfg.iterations):
            plans = (self.mean + self._noise(H, da, g)).clamp(-1, 1)
            w = weights(judge(evaluate, plans), self.cfg.temperature)
            self.mean = torch.einsum("n,nhd->hd", w.to(plans), plans)
        return self.mean

    def _noise(self, H: int, da: int, g: torch.Generator) -> Tensor:
        """n_t = c n_{t-1} + sqrt(1 - c^2) eps_t, with deviation sigma at every t."""
        c = self.cfg.smooth
        eps = torch.randn(H, self.cfg.N, da, generator=g, device=g.device)
        noise = [eps[0]]
        for e in eps[1:]:
            noise.append(c * noise[-1] + (1 - c * c) ** 0.5 * e)
        return self.cfg.sigma * torch.stack(noise, 1)


def weights(values: Tensor, temperature: float) -> Tensor:
    """exp(worth / temperature), normalised: (N,) -> (N,), a lost plan gets 0.

    The worth is measured in its own standard deviations, so that the temperature means
    the same on every task. If all are lost or equal, all count the same.
    """
    fine = values[values.isfinite()]
    spread = fine.std(correction=0) if len(fine) else values.new_zeros(())
    if spread <= 0:
        w = (values == values.max()).to(values)
        return w / w.sum()
    return torch.softmax((values - values.max()) / (temperature * spread), 0)
