"""Backward rollouts: k imagined steps that lead to many states at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mbrl_edu.core.data import Batch
from mbrl_edu.imagine.rollout import Rule, rollout
from mbrl_edu.models.backward import reverse, reverse_rule
from mbrl_edu.models.protocol import Model


def backward_rollout(
    model: Model,
    policy: Callable[[Tensor], Tensor],
    s_next: Tensor,
    k: int,
    g: torch.Generator,
    terminal: Rule | None = None,
) -> Batch:
    """Up to k transitions that lead to each row of s_next (n, ds), the last one first.

    a ~ ``policy(s')``, then (r, s) ~ ``model(s', a)``, a backward model; then s is the
    next s'. It is a rollout in the reversed world: everything else is as in
    ``rollout``. d is 1 where ``terminal(s, a, s')`` is, that is where the *later* state
    is an end; such a transition is kept, and none before it is imagined (BMPO's code).
    """
    end = reverse_rule(terminal) if terminal else None
    return reverse(rollout(model, policy, s_next, k, g, end))
