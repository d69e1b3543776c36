"""Policies: uniform, linear, and a Gaussian that tanh squashes into (-1, 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.core.nets import mlp
from mbrl_edu.envs.task import plain

LOG_SD = (-20.0, 2.0)  # bounds of the log standard deviation (MBPO's code)

Policy = Callable[[Tensor], Tensor]  # s (..., ds) -> a (..., da) in [-1, 1]


Features = Callable[[Tensor], Tensor]  # s (..., ds) -> what networks see (..., dx)


def width(features: Features, ds: int) -> int:
    """dx, the entries that networks see of a state with ds."""
    return features(torch.zeros(1, ds)).shape[-1]


def uniform(da: int, g: torch.Generator) -> Policy:
    """a ~ U[-1, 1]^da whatever s (..., ds) is: the steps before anything is learnt."""
    check.integer("da", da, low=1)

    def policy(s: Tensor) -> Tensor:
        shape = (*s.shape[:-1], da)
        a = torch.rand(shape, generator=g, device=g.device, dtype=s.dtype)
        return 2 * a - 1

    return policy


def linear(K: Tensor) -> Policy:
    """a = K s with K (da, ds), clipped to [-1, 1]."""
    if K.dim() != 2:
        raise ValueError(f"K has shape {tuple(K.shape)}, but must have (da, ds).")
    return lambda s: (s @ K.to(s).mT).clamp(-1, 1)


class TanhGaussian(nn.Module):
    """pi(a|s): a = tanh(u) with u ~ N(mu(s), sd(s)^2), every component on its own.

    Source: Haarnoja et al. (2018b), appendix C. Perceptron with ReLU; mu and log sd are
    the two halves of its output, log sd is cut to [-20, 2]. Weights come from torch's
    usual start; build it inside ``rng.init(name)``. ``features`` (..., ds) -> (..., dx)
    is what the network sees of s.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        hidden: Sequence[int] = (256, 256),
        features: Features = plain,
    ):
        super().__init__()
        self.ds = check.integer("ds", ds, low=1)
        self.da = check.integer("da", da, low=1)
        self.features = features
        self.net = mlp(width(features, ds), *hidden, 2 * da, activation=nn.ReLU)

    def gaussian(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sd of u: (..., ds) -> (..., da) each."""
        if s.shape[-1:] != (self.ds,):
            raise ValueError(
                f"s has shape {tuple(s.shape)}, but must have (n, {self.ds})."
            )
        mu, log_sd = self.net(self.features(s)).chunk(2, -1)
        return mu, log_sd.clamp(*LOG_SD)

    def sample(self, s: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """One draw a (..., da) for each s (..., ds), and log pi(a|s) (...).

        Both are differentiable in s and in the weights (a = tanh(mu + sd eps)).
        """
        mu, log_sd = self.gaussian(s)
        eps = torch.randn(mu.shape, generator=g, device=g.device, dtype=mu.dtype)
        u = mu + log_sd.exp() * eps
        return torch.tanh(u), log_density(u, eps, log_sd)

    def mean(self, s: Tensor) -> Tensor:
        """tanh(mu(s)), the greedy action: (..., ds) -> (..., da)."""
        return torch.tanh(self.gaussian(s)[0])


def log_density(u: Tensor, eps: Tensor, log_sd: Tensor) -> Tensor:
    """log pi(a|s) = log N(eps; 0, 1) - log sd - log(1 - a^2), summed over components.

    u = mu + sd eps, a = tanh(u): (..., da) -> (...). The last term is rewritten as
    1 - tanh(u)^2 = 4 / (e^u + e^-u)^2, so that nothing is lost where a rounds to 1; eps
    is given, because (u - mu) / sd loses digits where sd is small.
    """
    slope = 2 * (math.log(2) - torch.logaddexp(u, -u))  # log(1 - tanh(u)^2)
    gauss = -eps.square() / 2 - log_sd - math.log(2 * math.pi) / 2
    return (gauss - slope).sum(-1)
