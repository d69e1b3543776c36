"""How the maps of a step hang together: a depends on the features, s' - s on both."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.models.moments import Gaussian, number, tensors


def joint(f: Gaussian, a: Gaussian, J: Tensor) -> Gaussian:
    """The law of (f, a), with J (df, da) = E[da/df]."""
    return Gaussian(*_Joint.apply(*f, *a, J))


def moved(
    s: Gaussian, to_f: Tensor, to_a: Tensor, y: Gaussian, to_y: Tensor
) -> Gaussian:
    """The law of s + y, where y depends on s through x = (f, a).

    Mean slopes of f in s (ds, df), of a in f (df, da), of y in x (df + da, ds).
    """
    return Gaussian(*_Moved.apply(*s, to_f, to_a, *y, to_y))


class _Joint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor):
        m, S, a_m, a_S, J = (number(x) for x in given)
        fa = S @ J
        ctx.known = S, J
        whole = np.concatenate([np.hstack([S, fa]), np.hstack([fa.T, a_S])])
        return tensors(given[0], np.concatenate([m, a_m]), whole)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        S, J = ctx.known
        m, G = (number(x) for x in slopes)
        d = len(J)
        of_fa = G[:d, d:] + G[d:, :d].T
        of_S = of_fa @ J.T
        of_S = G[:d, :d] + (of_S + of_S.T) / 2
        return tensors(slopes[0], m[:d], of_S, m[d:], G[d:, d:], S @ of_fa)


class _Moved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor):
        m, S, to_f, to_a, y_m, y_S, to_y = (number(x) for x in given)
        d = to_f.shape[1]
        # s moves y through its features, and through the action
        through = to_y[:d] + to_a @ to_y[d:]  # (df, ds)
        to_y_in_all = to_f @ through
        C = S @ to_y_in_all  # cov(s, y)
        ctx.known = S, to_f, to_a, to_y[d:], through, to_y_in_all
        S = S + y_S + C + C.T
        return tensors(given[0], m + y_m, (S + S.T) / 2)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor):
        S, to_f, to_a, of_action, through, in_all = ctx.known
        m, G = (number(x) for x in slopes)
        G = (G + G.T) / 2
        X = 2 * G @ in_all.T
        of_S = G + (X + X.T) / 2
        of_all = 2 * S @ G
        of_through = to_f.T @ of_all
        of_to_y = np.concatenate([of_through, to_a.T @ of_through])
        known = m, of_S, of_all @ through.T, of_through @ of_action.T, m, G, of_to_y
        return tensors(slopes[0], *known)
