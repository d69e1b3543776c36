"""Actions that are held for several steps: a longer time step for one who learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.data import Batch


def held(
    act: Callable[[Tensor], np.ndarray], hold: int
) -> Callable[[Tensor, int], np.ndarray]:
    """``act(s)`` at every ``hold``-th step, and the same action until the next: what
    ``episode`` asks for."""
    check.integer("hold", hold, low=1)
    last = np.zeros(0)

    def again(s: Tensor, t: int) -> np.ndarray:
        nonlocal last
        if t % hold == 0:
            last = act(s)
        return last

    return again


def decisions(D: Batch, lengths: Sequence[int], hold: int) -> Batch:
    """Episodes of these lengths, one after the other in D, as transitions over ``hold``
    steps: r is their sum. Steps left at the end of an episode are left out; all in 64
    bits."""
    check.integer("hold", hold, low=1)
    if sum(lengths) != len(D.r):
        raise ValueError(
            f"lengths sum to {sum(lengths)}, but must sum to the {len(D.r)} steps in D."
        )
    parts, begin = [], 0
    for n in lengths:
        first = torch.arange(begin, begin + n - hold + 1, hold, device=D.r.device)
        last = first + hold - 1
        r = D.r[begin : begin + hold * len(first)].reshape(-1, hold).sum(1)
        parts.append(Batch(D.s[first], D.a[first], r, D.s_next[last], D.d[last]))
        begin += n
    return Batch(*(x.double() for x in Batch.cat(parts)))
