"""Forward rollouts: k imagined steps from many states at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.data import Batch
from mbrl_edu.models.layout import one_each
from mbrl_edu.models.protocol import Model

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # of (s, a, s'), one number a row


@torch.no_grad()
def rollout(
    model: Model,
    policy: Callable[[Tensor], Tensor],
    s: Tensor,
    k: int,
    g: torch.Generator,
    terminal: Rule | None = None,
    reward: Rule | None = None,
    fixed: bool = False,
) -> Batch:
    """Up to k transitions from each row of s (n, ds), with actions ``policy(s)``.

    Every row draws a member of the model at every step (MBPO), or once if ``fixed``
    (TSinf); only that member is evaluated. A row ends where ``terminal(s, a, s')`` is 1
    (its d is then 1) or where it leaves the finite numbers: that transition is dropped.
    ``reward`` replaces the model's own. The transitions come step by step.
    """
    check.integer("k", k, low=1)
    _check_states(model, s)
    who = _members(model, len(s), g) if fixed else None
    batches = []
    for _ in range(k):
        a = policy(s)
        r, s_next = model.sample(s, a, g, who)
        if reward is not None:
            r = one_each("reward", reward(s, a, s_next), len(s))
        d = torch.zeros_like(r)
        if terminal is not None:
            d = one_each("terminal", terminal(s, a, s_next), len(s)).to(r)
        fine = s_next.isfinite().all(1) & r.isfinite()
        batches.append(Batch(s, a, r, s_next, d).take(fine))
        going = fine & (d == 0)
        s, who = s_next[going], None if who is None else who[going]
        if not len(s):
            break
    return Batch.cat(batches)


@torch.no_grad()
def replay(
    model: Model, s: Tensor, a: Tensor, g: torch.Generator, fixed: bool = False
) -> Tensor:
    """The states that given actions lead to: s (n, ds), a (n, k, da) -> (n, k + 1, ds).

    Beside a real trajectory this shows how a model's errors grow with the horizon.
    Members are drawn as in ``rollout``.
    """
    _check_states(model, s)
    if a.dim() != 3 or len(a) != len(s) or a.shape[2] != model.layout.da:
        raise ValueError(
            f"a has shape {tuple(a.shape)}, but must have "
            f"({len(s)}, k, {model.layout.da})."
        )
    who = _members(model, len(s), g) if fixed else None
    path = [s]
    for action in a.unbind(1):
        path.append(model.sample(path[-1], action, g, who)[1])
    return torch.stack(path, 1)


def _members(model: Model, n: int, g: torch.Generator) -> Tensor:
    i = torch.randint(len(model.elites), (n,), generator=g, device=g.device)
    return model.elites[i]


def _check_states(model: Model, s: Tensor) -> None:
    if s.dim() != 2 or s.shape[1] != model.layout.ds or not len(s):
        raise ValueError(
            f"s has shape {tuple(s.shape)}, but must have (n, {model.layout.ds}) "
            "with n at least 1."
        )
    if not s.isfinite().all():
        raise ValueError(
            "s holds a value that is not finite, but rollouts need numbers."
        )
