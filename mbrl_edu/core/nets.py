"""Networks: a plain perceptron, and B linear maps side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbrl_edu.core import check, gemm


def mlp(*sizes: int, activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """Linear layers with ``activation`` between them: (n, sizes[0]) -> (n, sizes[-1]).

    Weights come from torch's usual start; build it inside ``rng.init(name)``.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes is {sizes!r}, but must have at least 2 entries.")
    for size in sizes:
        check.integer("sizes", size, low=1)
    gemm.prepare()
    layers: list[nn.Module] = []
    for i, o in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(i, o), activation()]
    return nn.Sequential(*layers[:-1])


class MemberLinear(nn.Module):
    """B linear maps side by side: (B, n, i) -> (B, n, o).

    Weights start from a normal law of sd 1 / (2 sqrt(i)) cut at 2 sd, biases from 0
    (PETS, MBPO: official code); build it inside ``rng.init(name)``.
    """

    def __init__(self, B: int, i: int, o: int):
        super().__init__()
        check.integer("B", B, low=1)
        check.integer("i", i, low=1)
        check.integer("o", o, low=1)
        gemm.prepare()
        sd = 0.5 / i**0.5
        self.weight = nn.Parameter(torch.empty(B, i, o))
        self.bias = nn.Parameter(torch.zeros(B, 1, o))
        nn.init.trunc_normal_(self.weight, std=sd, a=-2 * sd, b=2 * sd)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)

    def member(self, b: int, x: Tensor) -> Tensor:
        """Member b alone: (n, i) -> (n, o)."""
        return torch.addmm(self.bias[b], x, self.weight[b])
