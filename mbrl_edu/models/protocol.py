"""What every model of the world offers to rollouts and planners."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from mbrl_edu.models.layout import Layout


class Model(Protocol):
    """p_hat(r, s' | s, a), as B members that each give a Gaussian.

    The vector y = (r, s' - s) has ``layout.dy`` entries: 1 + ds, reward first, or ds
    where the reward is a known function. ``layout.apply(s, a, y)`` turns it into r, s'.
    """

    layout: Layout
    B: int  # members
    elites: Tensor  # (E,) the members that sample draws from

    def predict(self, s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of y from every member: (n, ds), (n, da) -> (B, n, dy)
        each. A model without noise gives a log-variance of minus infinity."""
        ...

    def sample(
        self, s: Tensor, a: Tensor, g: torch.Generator, who: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One draw of r (n,) and s' (n, ds), differentiable in s and a.

        Row i comes from member ``who[i]``; without ``who`` every row draws its member
        uniformly from the elites (TS1). Only the member a row drew is evaluated.
        """
        ...


class FeatureModel(Model, Protocol):
    """A model with a representation inside, for feature-based adaptation (AMPO)."""

    def features(self, s: Tensor, a: Tensor) -> Tensor:
        """Last hidden layer of every member: (B, n, h)."""
        ...
