"""Policies of PPO: a Gaussian or several categorical laws over a network's output."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.core.nets import mlp

INITS = ("orthogonal", "glorot", "small")  # first weights, see ``start``


class Gaussian(nn.Module):
    """a ~ N(mu(s), sd^2), one component beside the other; sd does not depend on s.

    ``forward(s)`` (n, ds) is mu (n, da), which the other functions take. Actions are
    not bounded: the environment clips them, log-densities are those of the unclipped
    action. Source: Schulman et al. (2017), section 6.1.
    """

    def __init__(self, ds: int, da: int, hidden: Sequence[int], sd: float):
        super().__init__()
        check.integer("da", da, low=1)
        self.nets = nn.ModuleList([mlp(ds, *hidden, da, activation=nn.Tanh)])
        self.log_sd = nn.Parameter(torch.full((da,), math.log(sd)))

    def forward(self, s: Tensor) -> Tensor:
        """The mean mu(s): (n, ds) -> (n, da)."""
        return self.nets[0](s)

    def draw(self, mu: Tensor, g: torch.Generator) -> Tensor:
        """a (n, da)."""
        eps = torch.randn(mu.shape, generator=g, device=g.device, dtype=mu.dtype)
        return mu + self.log_sd.exp() * eps

    def log_pi(self, mu: Tensor, a: Tensor) -> Tensor:
        """ln pi(a|s), one column: (n, 1)."""
        z = (a - mu) / self.log_sd.exp()
        each = -0.5 * z.square() - self.log_sd - 0.5 * math.log(2 * math.pi)
        return each.sum(-1, keepdim=True)

    def entropy(self, mu: Tensor) -> Tensor:
        """sum_i ln sd_i + ln(2 pi e) / 2, for each row: (n,)."""
        each = self.log_sd + 0.5 * math.log(2 * math.pi * math.e)
        return each.sum().expand(len(mu))

    def greedy(self, mu: Tensor) -> Tensor:
        """The mean inside the box [-1, 1] of actions: (n, da)."""
        return mu.clamp(-1, 1)


class Categorical(nn.Module):
    """Independent choices a_1, ..., a_m, the i-th one of 0, ..., sizes[i] - 1.

    ``forward(s)`` (n, ds) gives the logits of all heads side by side; a is (n, m). With
    ``apart`` every head has a network of its own (AutoMBPO's code), else the heads are
    parts of one network's output.
    """

    def __init__(
        self, ds: int, sizes: Sequence[int], hidden: Sequence[int], apart: bool = False
    ):
        super().__init__()
        if not sizes:
            raise ValueError("actions is (), but must name at least one head.")
        self.sizes = [check.integer("actions", size, low=2) for size in sizes]
        outs = self.sizes if apart else [sum(self.sizes)]
        self.nets = nn.ModuleList(mlp(ds, *hidden, o, activation=nn.Tanh) for o in outs)

    def forward(self, s: Tensor) -> Tensor:
        """Logits of all heads, side by side: (n, ds) -> (n, sum of sizes)."""
        return torch.cat([net(s) for net in self.nets], -1)

    def _heads(self, logits: Tensor) -> list[Tensor]:
        """ln pi(.|s) of every head: (n, sizes[i])."""
        return [z.log_softmax(-1) for z in logits.split(self.sizes, -1)]

    def draw(self, logits: Tensor, g: torch.Generator) -> Tensor:
        """a (n, m), whole numbers."""
        heads = self._heads(logits)
        return torch.cat([torch.multinomial(x.exp(), 1, generator=g) for x in heads], 1)

    def log_pi(self, logits: Tensor, a: Tensor) -> Tensor:
        """ln pi(a_i|s), one column a head: (n, m). Their sum is ln pi(a|s)."""
        heads, columns = self._heads(logits), a.long().split(1, -1)
        return torch.cat([x.gather(-1, i) for x, i in zip(heads, columns)], -1)

    def entropy(self, logits: Tensor) -> Tensor:
        """-sum_i sum_a pi_i(a|s) ln pi_i(a|s): (n,)."""
        return torch.stack([-(x.exp() * x).sum(-1) for x in self._heads(logits)]).sum(0)

    def greedy(self, logits: Tensor) -> Tensor:
        """The likeliest choice of every head: (n, m)."""
        return torch.stack([x.argmax(-1) for x in self._heads(logits)], -1)


def start(net: nn.Module, how: str, last: float) -> None:
    """First weights of a network, biases 0: ``"orthogonal"`` with gain sqrt(2) inside
    and ``last`` on the output (baselines); or, by AutoMBPO's code, ``"glorot"`` or
    ``"small"``, a normal law with standard deviation 0.04."""
    layers = [x for x in net.modules() if isinstance(x, nn.Linear)]
    for layer in layers:
        nn.init.zeros_(layer.bias)
        if how == "glorot":
            nn.init.xavier_uniform_(layer.weight)
        elif how == "small":
            nn.init.normal_(layer.weight, std=0.04)
        else:
            gain = last if layer is layers[-1] else 2**0.5
            nn.init.orthogonal_(layer.weight, gain)
