"""The true dynamics behind the interface of a learned model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mbrl_edu.models.layout import Layout, Reward


class Oracle:
    """s' = step(s, a), r = reward(s, a, s'): one member, no noise.

    ``step`` maps (n, ds), (n, da) to (n, ds). What a method reaches with it is what the
    method reaches with a perfect model.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        step: Callable[[Tensor, Tensor], Tensor],
        reward: Reward,
        device: str = "cpu",
    ):
        self.layout, self.step, self.reward = Layout(ds, da), step, reward
        self.B, self.elites = 1, torch.zeros(1, dtype=torch.long, device=device)

    def predict(self, s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """(r, s' - s) itself, and a log-variance of minus infinity: (1, n, 1 + ds)."""
        r, s_next = self._truth(s, a)
        y = torch.cat([r[:, None], s_next - s], 1)[None]
        return y, torch.full_like(y, float("-inf"))

    def sample(
        self, s: Tensor, a: Tensor, g: torch.Generator, who: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """r (n,), s' (n, ds): nothing is drawn."""
        return self._truth(s, a)

    def _truth(self, s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        self.layout.x(s, a)  # refuses wrong shapes
        s_next = self.step(s, a)
        return self.reward(s, a, s_next), s_next
