"""The layers of a model up to its features, and how they learn to hide a difference.

Two extractors begin as copies of those layers: ``source`` sees inputs of one kind,
``target`` of another. Both learn to make the two kinds of features alike; the model's
next fit then begins with ``target``. Its last layer, its normaliser and Adam's state
for its fits stay as they are. Shen et al. (2020) and their code, after Shen et al.
(2018).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.models.distance import Distance, sliced_w1
from mbrl_edu.models.ensemble import Ensemble

POINTS, DIRECTIONS = 512, 32  # that a shift is measured with: inputs, projections


class Extractor(nn.ModuleList):
    """A copy of the model's layers up to its features."""

    def __init__(self, model: Ensemble):
        super().__init__(copy.deepcopy(model.layers[:-1]))

    def forward(self, z: Tensor) -> Tensor:
        """Normalised inputs (B, n, dx) -> features (B, n, h)."""
        for layer in self:
            z = F.silu(layer(z), inplace=not torch.is_grad_enabled())
        return z


class Pair(nn.Module):
    """Both extractors, the distance that they lower, and one Adam for the two, whose
    moments stay from one adaptation to the next (AMPO's code)."""

    def __init__(self, model: Ensemble, distance: Distance, lr: float = 1e-4):
        """``distance`` sets Adam's betas, and whether ``target`` decays as in a fit.

        Raises ValueError for a step size ``lr`` that is not positive."""
        super().__init__()
        self.source, self.target = Extractor(model), Extractor(model)
        self.distance, self.B = distance, model.B
        groups: list[dict[str, Any]] = [{"params": list(self.source.parameters())}]
        for layer, rate in zip(self.target, model.cfg.rates):
            rate = rate if distance.decay else 0.0
            groups += [{"params": [layer.weight], "weight_decay": rate}]
            groups += [{"params": [layer.bias]}]
        lr = check.number("lr", lr, low=0, open_low=True)
        self.opt = torch.optim.Adam(groups, lr, betas=distance.betas, fused=True)
        self.adapted = False  # whether ``target`` waits for the model's next fit

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """``source`` of inputs x, ``target`` of inputs y: (B, n, h) each."""
        return self.source(x), self.target(y)

    def begin(self, model: Ensemble) -> None:
        """Both extractors become the model's."""
        _copy(model.layers[:-1], self.source)
        _copy(model.layers[:-1], self.target)
        self.adapted = False

    def hand_over(self, model: Ensemble) -> None:
        """The model's features become ``target``'s if that has learnt since ``begin``
        and was not handed over yet; ``source`` is of no more use."""
        if self.adapted:
            _copy(self.target, model.layers[:-1])
        self.adapted = False

    def step(self, batches: Iterator[tuple[Tensor, ...]], g: torch.Generator) -> Tensor:
        """``distance.steps`` of the distance, a batch each, then one of both extractors
        on the last batch; returns what it lowers, as it was before."""
        for _ in range(max(1, self.distance.steps)):
            x, y = next(batches)
            if self.distance.steps:
                with torch.no_grad():
                    z_x, z_y = self(x, y)
                self.distance.sharpen(z_x, z_y, g)
        loss = self.distance.loss(*self(x, y))
        self.opt.zero_grad()
        loss.backward(inputs=[*self.source.parameters(), *self.target.parameters()])
        self.opt.step()
        self.adapted = True
        return loss.detach()

    @torch.no_grad()
    def shift(
        self, x: Tensor, y: Tensor, g: torch.Generator, one: bool = False
    ) -> Tensor:
        """How far features of inputs x (N, dx) and y (M, dx) lie apart, as a multiple
        of what two samples of x show by chance: about 1 where both have one law.

        A ratio of ``sliced_w1``s: without a critic, and blind to features that merely
        shrink. With ``one``, ``target`` makes both kinds of features.
        """
        n, B = min(POINTS, len(x) // 2, len(y)), self.B
        source = self.target if one else self.source
        rows = torch.randperm(len(x), generator=g, device=g.device).split(n)
        there = torch.randperm(len(y), generator=g, device=g.device)[:n]
        z_x, again = (source(x[i].expand(B, n, -1)) for i in rows[:2])
        z_y = self.target(y[there].expand(B, n, -1))
        shape = z_x.shape[-1], DIRECTIONS
        directions = torch.randn(shape, generator=g, device=g.device)
        directions = F.normalize(directions, dim=0)
        apart, chance = (sliced_w1(z_x, z, directions).sum() for z in (z_y, again))
        return apart / chance

    # Adam's state belongs to state_dict()

    def get_extra_state(self) -> dict:
        return {"opt": self.opt.state_dict(), "adapted": self.adapted}

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state["opt"])
        self.adapted = state["adapted"]


def shuffled(z: Tensor, B: int, n: int, g: torch.Generator) -> Iterator[Tensor]:
    """Batches (B, n, dx) of rows of z (N, dx), n <= N, without end: every member goes
    through all rows in an order of its own, then in another. What is left over at the
    end of an order is left out (AMPO's code)."""
    while True:
        orders = [
            torch.randperm(len(z), generator=g, device=g.device) for _ in range(B)
        ]
        for rows in torch.stack(orders).split(n, 1)[: len(z) // n]:
            yield z[rows]


@torch.no_grad()
def _copy(layers: nn.ModuleList, to: nn.ModuleList) -> None:
    for p, q in zip(to.parameters(), layers.parameters()):
        p.copy_(q)
