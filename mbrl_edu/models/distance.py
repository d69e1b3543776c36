"""How far apart two samples of features lie, for every member of a model.

A distance is one small object: ``forward(x, y)`` says how far, differentiably in both.
One that must itself be learned has ``sharpen(x, y, g)`` too. To add another, write

    class Means(Distance):
        def forward(self, x, y):
            return (x.mean(1) - y.mean(1)).norm(dim=-1)

and hand it over: ``ampo(parts, cfg, rng, distance=Means())``. Lecture, "Notations"
(integral probability metrics); Shen et al. (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.core.nets import MemberLinear
from mbrl_edu.core.rng import Streams

SIGMAS = (1e-3, 5e-3, 1e-2, 5e-2, 0.1, 1.0, 5.0, 10.0)  # AMPO's code


class Distance(nn.Module):
    """Distance of features x (B, n, h) from features y (B, n, h), member by member."""

    steps = 0  # calls of ``sharpen`` before each step of who makes the features
    betas = (0.9, 0.999)  # Adam's, for that step
    decay = False  # whether the weights behind y decay meanwhile, as in a fit

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(B,), differentiable in x and y."""
        raise NotImplementedError

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The one number to be lowered by other features; the mean over members."""
        return self(x, y).mean()

    def sharpen(self, x: Tensor, y: Tensor, g: torch.Generator) -> None:
        """Learn to tell x from y, if this is learned."""


class Critics(nn.Module):
    """One function f: R^h -> R per member, with ``hidden`` ReLU units (AMPO's code)."""

    def __init__(self, B: int, h: int, hidden: int):
        super().__init__()
        self.first, self.last = MemberLinear(B, h, hidden), MemberLinear(B, hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h) -> (B, n)."""
        return self.last(self.first(x).relu()).squeeze(-1)


class Wasserstein(Distance):
    """W1 = sup E f(x) - E f(y) over all f of slope 1 (Kantorovich and Rubinstein).

    f is a network that climbs there while a penalty holds its slope at 1 between the
    two samples (WGAN-GP, Gulrajani et al. 2017). It is below W1 until f has learned,
    and the penalty is soft: where y is x moved by W1, f's best slope, and with it what
    is found, is 1 + W1 / (2 penalty) times too large. With a single feature, f can be
    caught at slope -1: the penalty is as low there, and highest between.
    """

    def __init__(
        self,
        B: int,
        h: int,
        rng: Streams,
        name: str = "critic",
        device: str = "cpu",
        hidden: int = 100,
        steps: int = 5,
        penalty: float = 10.0,
        lr: float = 1e-4,
        decay: float = 1e-5,
    ):
        """For B members with h features; ``steps`` is for ``Distance.steps``, ``decay``
        f's own weight decay. Defaults are AMPO's. First weights depend on the seed and
        ``name`` alone. Raises ValueError for a setting out of range."""
        super().__init__()
        self.steps = check.integer("steps", steps, low=1)
        self.penalty = check.number("penalty", penalty, low=0, open_low=True)
        check.integer("hidden", hidden, low=1)
        with rng.init(name):
            self.f = Critics(B, h, hidden).to(device)
        layers = [self.f.first, self.f.last]
        groups: list[dict[str, Any]] = [
            {"params": [layer.weight for layer in layers], "weight_decay": decay},
            {"params": [layer.bias for layer in layers]},
        ]
        lr = check.number("lr", lr, low=0, open_low=True)
        self.opt = torch.optim.Adam(groups, lr=lr, fused=True)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """mean f(x) - mean f(y): (B,)."""
        return self.f(x).mean(1) - self.f(y).mean(1)

    def sharpen(self, x: Tensor, y: Tensor, g: torch.Generator) -> None:
        """One step of f up mean f(x) - mean f(y) - penalty mean (slope - 1)^2."""
        x, y = x.detach(), y.detach()
        u = torch.rand((*x.shape[:2], 1), generator=g, device=x.device)
        loss = self.penalty * slope_penalty(self.f, y + u * (x - y)) - self.loss(x, y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()

    # Adam's state belongs to state_dict()

    def get_extra_state(self) -> dict:
        return self.opt.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state)


def slope_penalty(f: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """mean (|grad f(z)| - 1)^2 over the points z (B, n, h).

    A point's slope is the length of its gradient, over its h features. (AMPO's code
    sums over the n points instead, which holds no function to slope 1.)
    """
    z = z.detach().requires_grad_()
    (slope,) = torch.autograd.grad(f(z).sum(), z, create_graph=True)
    length = (slope.square().sum(-1) + 1e-8).sqrt()  # a root has no slope at 0
    return (length - 1).square().mean()


class MMD(Distance):
    """MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y), unbiased: no point meets itself.

    k(x, y) = sum_sigma exp(-|x - y|^2 / (2 sigma^2)), so that some width always fits.
    Nothing is learned; about 0, and as often below it, for samples of one law. What is
    lowered is sqrt(sum_b MMD^2_b), as in AMPO's code, with Adam as there.
    """

    betas = (0.5, 0.999)
    decay = True

    def __init__(self, sigmas: Sequence[float] = SIGMAS):
        super().__init__()
        self.sigmas = [check.number("sigmas", s, low=0, open_low=True) for s in sigmas]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """MMD^2: (B,). Raises ValueError if there are fewer than two points."""
        n, m = x.shape[1], y.shape[1]
        if min(n, m) < 2:
            raise ValueError(f"x, y have {n}, {m} points, but must have 2 at least.")
        k_xx, k_yy, k_xy = self.kernel(x, x), self.kernel(y, y), self.kernel(x, y)
        return (
            _off_diagonal_mean(k_xx) + _off_diagonal_mean(k_yy) - 2 * k_xy.mean((1, 2))
        )

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """sqrt(sum_b MMD^2_b), not below 1e-3, where it has no slope."""
        return self(x, y).sum().clamp(min=1e-6).sqrt()

    def kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """k(x_i, y_j): (B, n, h), (B, m, h) -> (B, n, m)."""
        far = x.square().sum(-1)[:, :, None] + y.square().sum(-1)[:, None]
        far = (far - 2 * x @ y.mT).clamp(min=0)  # rounding may dip below
        widths = [torch.exp(far / (-2 * sigma**2)) for sigma in self.sigmas]
        return torch.stack(widths).sum(0)


def _off_diagonal_mean(k: Tensor) -> Tensor:
    """(B, n, n) -> (B,)."""
    n = k.shape[1]
    diagonal = k.diagonal(dim1=1, dim2=2).sum(1)
    return (k.sum((1, 2)) - diagonal) / (n * (n - 1))


def sliced_w1(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Mean over directions (h, m) of the exact W1 between the samples' projections.

    x, y (B, n, h), equally many -> (B,). On a line W1 pairs the i-th smallest with the
    i-th smallest. With unit directions it is at most W1, and needs no critic.
    """
    return (
        ((x @ directions).sort(1)[0] - (y @ directions).sort(1)[0]).abs().mean((1, 2))
    )
