"""A Gaussian policy that takes its noise as an argument: a = pi(s, eta; theta)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mbrl_edu.control.policies import Features, log_density, width
from mbrl_edu.core import check
from mbrl_edu.core.nets import mlp
from mbrl_edu.envs.task import plain


class Reparameterised(nn.Module):
    """u = mu(s) + sigma(s) eta with eta ~ N(0, 1); a = tanh(u), or u if not squashed.

    A policy written as a function of its noise has a derivative in s and theta for
    every single draw, and the noise behind a recorded action can be found again
    (lecture, "From deterministic to stochastic"; Heess et al. 2015, section 4). The
    log of sigma lies between those of the two ``sigma``; where they are equal, sigma is
    fixed. ``hidden`` () makes mu and log sigma linear in s. Weights come from torch's
    usual start; build it inside ``rng.init(name)``. ``features`` (..., ds) -> (..., dx)
    is what the network sees of s.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        hidden: Sequence[int] = (64, 64),
        sigma: tuple[float, float] = (0.05, 0.5),
        squash: bool = True,
        features: Features = plain,
    ):
        super().__init__()
        self.ds = check.integer("ds", ds, low=1)
        self.da = check.integer("da", da, low=1)
        check_sigma(sigma)
        self.squash = check.choice("squash", squash, (True, False))
        self.features = features
        self.net = mlp(width(features, ds), *hidden, 2 * da)
        self.log_sigma = [math.log(x) for x in sigma]

    def gaussian(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma of u: (..., ds) -> (..., da) each."""
        mu, x = self.net(self.features(s)).chunk(2, -1)
        low, high = self.log_sigma
        return mu, low + (high - low) * torch.sigmoid(x)

    def forward(self, s: Tensor, eta: Tensor) -> Tensor:
        """a = pi(s, eta): (..., ds), (..., da) -> (..., da)."""
        mu, log_sigma = self.gaussian(s)
        u = mu + log_sigma.exp() * eta
        return torch.tanh(u) if self.squash else u

    def mean(self, s: Tensor) -> Tensor:
        """The action without noise, pi(s, 0): (..., ds) -> (..., da)."""
        mu = self.gaussian(s)[0]
        return torch.tanh(mu) if self.squash else mu

    def draw(self, s: Tensor, g: torch.Generator) -> Tensor:
        """Noise eta ~ N(0, 1) for every row of s: (..., ds) -> (..., da)."""
        shape = (*s.shape[:-1], self.da)
        return torch.randn(shape, generator=g, device=g.device, dtype=s.dtype)

    def noise(self, s: Tensor, a: Tensor) -> Tensor:
        """The eta behind a: pi(s, noise(s, a)) = a, (..., ds), (..., da) -> (..., da).

        A squashed action that was rounded to 1 has no finite u; it is taken as the
        nearest number below 1 that keeps some digits.
        """
        mu, log_sigma = self.gaussian(s)
        return (self._before_tanh(a) - mu) / log_sigma.exp()

    def log_prob(self, s: Tensor, a: Tensor) -> Tensor:
        """log pi(a|s): (..., ds), (..., da) -> (...)."""
        mu, log_sigma = self.gaussian(s)
        u = self._before_tanh(a)
        eta = (u - mu) / log_sigma.exp()
        if self.squash:
            return log_density(u, eta, log_sigma)
        return torch.distributions.Normal(mu, log_sigma.exp()).log_prob(a).sum(-1)

    def _before_tanh(self, a: Tensor) -> Tensor:
        if not self.squash:
            return a
        most = 1 - 4 * torch.finfo(a.dtype).eps
        return torch.atanh(a.clamp(-most, most))


def check_sigma(sigma: tuple[float, float]) -> None:
    """Raises ValueError unless 0 < sigma[0] <= sigma[1], both finite."""
    if len(sigma) != 2:
        raise ValueError(f"sigma is {sigma}, but must be two numbers, low and high.")
    check.number("sigma", sigma[0], low=0, open_low=True)
    check.number("sigma", sigma[1], low=sigma[0])
