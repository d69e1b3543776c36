"""The world in reverse: which state and reward came before?

A backward model q(s, r | s', a) (lecture, "Dynamics Model Learning") is a model like
any other of transitions in which s and s' are exchanged: the same networks, the same
maximum likelihood, separate weights.

    model = Ensemble(reverse_layout(forward.layout), cfg, rng, "back")
    fit(model, reverse(batch), ...)
    r, s = model.sample(s_next, a, g)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from mbrl_edu.core.data import Batch
from mbrl_edu.models.layout import Layout

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # of (s, a, s'), one number a row


def reverse(batch: Batch) -> Batch:
    """The same transitions with s and s' exchanged; twice is as it was.

    ``d`` stays what it was: 1 where the later of the two states is an end.
    """
    return batch._replace(s=batch.s_next, s_next=batch.s)


def reverse_rule(rule: Rule) -> Rule:
    """An end or a reward f(s, a, s') as a function of (s', a, s)."""
    return lambda s_next, a, s: rule(s, a, s_next)


def reverse_layout(layout: Layout) -> Layout:
    """Inputs (features of s', a); learned is (r, s - s'), reward first (BMPO's code).

    A reward that is known stays known.
    """
    known = layout.reward
    return replace(layout, reward=reverse_rule(known) if known else None)
