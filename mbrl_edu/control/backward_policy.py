"""Backward policies pi_b(a|s'): which action led here?

Lecture, "Backward Policy": learned from recent real pairs (a, s'), so that it follows
the policy that acts, by maximum likelihood or by a conditional GAN.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbrl_edu.control.policies import Features, width
from mbrl_edu.core import check
from mbrl_edu.core.nets import mlp
from mbrl_edu.envs.task import plain

LOG_VAR = (-10.0, 1.0)  # soft bounds of the log-variance (BMPO's code; never learned)
NOISE = 8  # inputs of noise of the generator (ours)


@dataclass(frozen=True)
class Config:
    """Settings of both kinds; the defaults are those of BMPO's code."""

    hidden: tuple[int, ...] = (256, 256)  # units per hidden layer, ReLU (BMPO)
    lr: float = 3e-4  # Adam's step size (BMPO)
    var: float | None = 0.01  # mle: variance of drawn actions, None: the learned one
    # (BMPO: 0.01, on Pendulum the learned one)
    slope: float = 0.1  # gan: weight of the penalty on the discriminator's slope (ours)

    def __post_init__(self):
        check.number("lr", self.lr, low=0, open_low=True)
        if self.var is not None:
            check.number("var", self.var, low=0, open_low=True)
        check.number("slope", self.slope, low=0)


class MaximumLikelihood(nn.Module):
    """pi_b(a|s') = N(mu(s'), var(s')), every component on its own; |mu| < 1.

    Its loss is the lecture's L_MLE, -log pi_b(a|s'), doubled and without constants, as
    in BMPO's code. Weights come from torch's usual start; build it inside
    ``rng.init(name)``. ``draw`` is cut at 2 standard deviations and at +- 1 (BMPO).
    ``features`` (..., ds) -> (..., dx) is what the network sees of s'.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        cfg: Config,
        device: str = "cpu",
        features: Features = plain,
    ):
        super().__init__()
        self.cfg, self.da = cfg, check.integer("da", da, low=1)
        dx = width(features, check.integer("ds", ds, low=1))
        self.features = features
        self.net = mlp(dx, *cfg.hidden, 2 * da, activation=nn.ReLU).to(device)
        self.opt = torch.optim.Adam(self.parameters(), lr=cfg.lr, fused=True)

    def gaussian(self, s_next: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of a: (n, ds) -> (n, da) each."""
        (low, high), (mu, lv) = LOG_VAR, self.net(self.features(s_next)).chunk(2, 1)
        lv = high - F.softplus(high - lv)
        return torch.tanh(mu), low + F.softplus(lv - low)

    @torch.no_grad()
    def draw(self, s_next: Tensor, g: torch.Generator) -> Tensor:
        """One action for every s' (n, ds): (n, da)."""
        mu, lv = self.gaussian(s_next)
        sd = (lv / 2).exp() if self.cfg.var is None else self.cfg.var**0.5
        eps = nn.init.trunc_normal_(torch.empty_like(mu), a=-2, b=2, generator=g)
        return (mu + sd * eps).clamp(-1, 1)

    def loss(self, a: Tensor, s_next: Tensor) -> Tensor:
        """mean[(mu - a)^2 / var + log var] over rows and components."""
        mu, lv = self.gaussian(s_next)
        return ((mu - a).square() * (-lv).exp() + lv).mean()

    def update(
        self, a: Tensor, s_next: Tensor, g: torch.Generator
    ) -> dict[str, Tensor]:
        """One step on real a (n, da) and s' (n, ds); ``g`` is not needed here."""
        loss = self.loss(a, s_next)
        _step(self.opt, loss)
        return {"loss_pi_b": loss.detach()}

    def get_extra_state(self) -> dict:
        return self.opt.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state)


class ConditionalGAN(nn.Module):
    """pi_b as a network a = pi_b(s', z) of s' and noise z ~ N(0, 1), of any law.

    min over pi_b, max over D of  E[log D(a, s')] + E[log(1 - D(pi_b(s', z), s'))]
    (lecture), one step each. D is kept from getting steep by slope / 2 E|dD/da|^2 at
    the real actions, without which the two may circle for ever (Mescheder et al. 2018,
    R1; D there is what ``score`` is here). BMPO's released code has no GAN.
    ``features`` (..., ds) -> (..., dx) is what both networks see of s'.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        cfg: Config,
        device: str = "cpu",
        features: Features = plain,
    ):
        super().__init__()
        self.cfg, self.da = cfg, check.integer("da", da, low=1)
        dx = width(features, check.integer("ds", ds, low=1))
        self.features = features
        self.net = mlp(dx + NOISE, *cfg.hidden, da, activation=nn.ReLU).to(device)
        self.D = mlp(dx + da, *cfg.hidden, 1, activation=nn.ReLU).to(device)
        self.opt, self.opt_D = self._adam(self.net), self._adam(self.D)

    def _adam(self, net: nn.Module) -> torch.optim.Adam:
        """Without momentum, which makes the two circle (Mescheder et al. 2018)."""
        return torch.optim.Adam(
            net.parameters(), lr=self.cfg.lr, betas=(0.0, 0.99), fused=True
        )

    def forward(self, s_next: Tensor, g: torch.Generator) -> Tensor:
        shape = (len(s_next), NOISE)
        z = torch.randn(shape, generator=g, device=g.device, dtype=s_next.dtype)
        return torch.tanh(self.net(torch.cat([self.features(s_next), z], 1)))

    @torch.no_grad()
    def draw(self, s_next: Tensor, g: torch.Generator) -> Tensor:
        """One action for every s' (n, ds): (n, da)."""
        return self(s_next, g)

    def score(self, a: Tensor, s_next: Tensor) -> Tensor:
        """log D - log(1 - D): (n,). Positive where a looks real."""
        return self.D(torch.cat([a, self.features(s_next)], 1)).squeeze(1)

    def loss_D(self, a: Tensor, fake: Tensor, s_next: Tensor) -> Tensor:
        """-mean[log D(a, s') + log(1 - D(fake, s'))] and the penalty on the slope."""
        a = a.detach().requires_grad_()
        real = self.score(a, s_next)
        (slope,) = torch.autograd.grad(real.sum(), a, create_graph=True)
        penalty = self.cfg.slope / 2 * slope.square().sum(1).mean()
        loss = F.softplus(-real) + F.softplus(self.score(fake, s_next))
        return loss.mean() + penalty

    def update(
        self, a: Tensor, s_next: Tensor, g: torch.Generator
    ) -> dict[str, Tensor]:
        """One step of D and one of pi_b on real a (n, da) and s' (n, ds)."""
        loss_D = self.loss_D(a, self.draw(s_next, g), s_next)
        _step(self.opt_D, loss_D)
        fake = self.score(self(s_next, g), s_next)
        loss = -F.softplus(fake).mean()  # mean log(1 - D)
        _step(self.opt, loss)
        return {"loss_pi_b": loss.detach(), "loss_D": loss_D.detach()}

    def get_extra_state(self) -> dict:
        return {"pi_b": self.opt.state_dict(), "D": self.opt_D.state_dict()}

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state["pi_b"])
        self.opt_D.load_state_dict(state["D"])


def _step(opt: torch.optim.Optimizer, loss: Tensor) -> None:
    weights = opt.param_groups[0]["params"]
    for p in weights:
        p.grad = None
    loss.backward(inputs=weights)
    opt.step()


BackwardPolicy = MaximumLikelihood | ConditionalGAN
KINDS: dict[str, type[BackwardPolicy]] = {
    "mle": MaximumLikelihood,
    "gan": ConditionalGAN,
}
