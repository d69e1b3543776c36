"""The cross-entropy method (CEM) over plans, with the refinements of iCEM as options.

Lecture, "A refinement: Cross Entropy Method"; Chua et al. (2018) and their code; for
iCEM Pinneri et al. (2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.imagine.plan import Evaluate, check_plan, judge

# (round, plans (N, H, da), worth (N,), new mean (H, da), new variance (H, da))
Watch = Callable[[int, Tensor, Tensor, Tensor, Tensor], None]

CUT = 2.0  # the normal law is cut at so many standard deviations (PETS)
START = 0.25  # variance of every action at the start: (high - low)^2 / 16 (PETS)


@dataclass(frozen=True)
class Config:
    """Settings of the cross-entropy method and of iCEM."""

    N: int = 400  # candidates per round (PETS, cart-pole)
    top: int = 40  # elites that the next round is fitted to (PETS)
    iterations: int = 5  # rounds (PETS)
    alpha: float = 0.1  # weight of the old mean and variance (PETS)
    tol: float = 1e-3  # stops once no variance is above this (PETS)
    colour: float = 0.0  # exponent of coloured noise, 0: white (PETS; iCEM 0.25-3.5)
    keep: float = 0.0  # share of the elites that competes again (iCEM 0.3)
    decay: float = 1.0  # a round has so many times fewer candidates (iCEM 1.25)
    best: bool = False  # returns the best plan seen (iCEM), else the mean (PETS)

    def __post_init__(self):
        check.integer("N", self.N, low=1)
        check.integer("top", self.top, low=1, high=self.N)
        check.integer("iterations", self.iterations, low=1)
        check.number("alpha", self.alpha, low=0, high=1, open_high=True)
        check.number("tol", self.tol, low=0)
        check.number("colour", self.colour, low=0)
        check.number("keep", self.keep, low=0, high=1)
        check.number("decay", self.decay, low=1)


def icem(cfg: Config) -> Config:
    """``cfg`` with iCEM's refinements at values of its authors (Pinneri et al. 2020).

    Not as theirs: mean and kept plans that move on by one step get a zero at the end
    (theirs: the last action again, a fresh draw); old and new variances are mixed, not
    deviations; kept plans are judged again; a round that is narrow enough is the last.
    Their colour depends on the task, 0.25 on a learned swing-up.
    """
    return replace(cfg, colour=2.0, keep=0.3, decay=1.25, best=True)


class CEM:
    """Fits a normal law, one mean and variance per action, to the best plans.

    It begins at the last plan's law, one step later and with zeros at the end, with the
    variance at its start value.
    """

    def __init__(self, cfg: Config | None = None):
        self.cfg = cfg or Config()
        self.reset()

    def reset(self) -> None:
        """Begin at the middle of the bounds again."""
        self.mean: Tensor | None = None
        self.kept: Tensor | None = None

    def __call__(
        self,
        evaluate: Evaluate,
        H: int,
        da: int,
        g: torch.Generator,
        watch: Watch | None = None,
    ) -> Tensor:
        """A plan (H, da). ``watch(round, plans, worth, mean, var)`` sees each round."""
        check_plan(H, da)
        cfg = self.cfg
        mean, kept = self._start(H, da, g)
        var = torch.full_like(mean, START)
        best, best_value = mean, -math.inf
        for i in range(cfg.iterations):
            if var.max() <= cfg.tol:
                break
            N = min(cfg.N, max(round(cfg.N / cfg.decay**i), 2 * cfg.top))
            plans = torch.cat([self._draw(N, mean, var, g), kept])
            if cfg.best and i == cfg.iterations - 1:  # the mean is a candidate too
                plans = torch.cat([plans, mean[None]])
            values = judge(evaluate, plans)
            top = values.topk(cfg.top)
            elites = plans[top.indices[top.values.isfinite()]]  # a lost plan is none
            if top.values[0] > best_value:
                best, best_value = elites[0], top.values[0].item()
            if len(elites):
                new_var, new_mean = torch.var_mean(elites, 0, correction=0)
                mean = cfg.alpha * mean + (1 - cfg.alpha) * new_mean
                var = cfg.alpha * var + (1 - cfg.alpha) * new_var
            kept = elites[: round(cfg.keep * cfg.top)]
            if watch:
                watch(i, plans, values, mean, var)
        self.mean, self.kept = mean, kept
        return best if cfg.best else mean

    def _start(self, H: int, da: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """The last mean and kept plans, one step later; at first zeros and none."""
        if self.mean is None or self.mean.shape != (H, da) or self.kept is None:
            zeros = torch.zeros(H, da, device=g.device)
            return zeros, zeros.expand(0, H, da)
        return shifted(self.mean), shifted(self.kept)

    def _draw(self, N: int, mean: Tensor, var: Tensor, g: torch.Generator) -> Tensor:
        if self.cfg.colour:
            H, da = mean.shape
            eps = coloured(N, H, da, self.cfg.colour, g)
            return (mean + var.sqrt() * eps).clamp(-1, 1)
        return truncated(N, mean, var, g)


def shifted(plans: Tensor) -> Tensor:
    """Plans (..., H, da) one step later: the first action is gone, a zero comes in."""
    return torch.cat([plans[..., 1:, :], torch.zeros_like(plans[..., :1, :])], -2)


def truncated(N: int, mean: Tensor, var: Tensor, g: torch.Generator) -> Tensor:
    """N draws around ``mean``, cut at two standard deviations: (N, *mean.shape).

    The variance is limited so that the cut lies within [-1, 1]. Clipping instead would
    pile plans up on the bounds (PETS, official code).
    """
    room = torch.minimum(mean + 1, 1 - mean) / CUT
    std = torch.minimum(room.clamp_min(0), var.sqrt())
    u = 2 * torch.rand(N, *mean.shape, generator=g, device=g.device) - 1
    # the inverse of the normal distribution function, on the part inside the cut
    z = math.sqrt(2) * torch.erfinv(u * math.erf(CUT / math.sqrt(2)))
    return (mean + std * z).clamp(-1, 1)  # only rounding is clipped


def coloured(N: int, H: int, da: int, colour: float, g: torch.Generator) -> Tensor:
    """Noise with variance 1 and power f^-colour along the plan: (N, H, da).

    colour = 0 is white. The larger it is, the longer an action lasts (iCEM, section
    3.1; Timmer and Koenig 1995). The lowest frequency is 1 / H; the mean over the plan
    has that of the next, as in iCEM's code.
    """
    if H == 1:
        return torch.randn(N, H, da, generator=g, device=g.device)
    f = torch.fft.rfftfreq(H, device=g.device).clamp_min(1 / H)
    scale = f ** (-colour / 2)
    shape = (2, N, da, len(f))
    re, im = torch.randn(shape, generator=g, device=g.device)
    single = torch.zeros(len(f), dtype=torch.bool, device=g.device)
    single[0] = True  # these have no imaginary part: twice the real one instead
    single[-1] = single[-1] | (H % 2 == 0)
    re = torch.where(single, re * math.sqrt(2), re)
    im = torch.where(single, torch.zeros_like(im), im)
    x = torch.fft.irfft(torch.complex(re, im) * scale, n=H)
    # each one-sided frequency counts twice, alone those without a partner
    power = torch.where(single, 2 * scale**2, 4 * scale**2).sum()
    return (x * H / power.sqrt()).transpose(1, 2)
