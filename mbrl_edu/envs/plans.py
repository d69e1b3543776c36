"""All plans of a linear-quadratic task at once: what each is worth, and the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.core import check
from mbrl_edu.envs.lqr import LinearQuadratic

if TYPE_CHECKING:
    from torch import Tensor


class Plans:
    """All plans of H actions for a noise-free `LinearQuadratic`, exactly.

    With z = (a_0, ..., a_{H-1}) in R^D, D = H da, states are affine in z and the return
    is a quadratic,

        J(z; s) = J*(s) - (z - L s).M.(z - L s),   J*(s) = -s.P.s,

    M (D, D) positive definite, L (D, ds), P (ds, ds); float64. `calls` counts the plans
    that were judged.
    """

    def __init__(self, system: LinearQuadratic, H: int):
        self.system, self.H = system, check.integer("H", H, low=1)
        ds, da, gamma = system.ds, system.da, system.gamma
        D, self.calls = H * da, 0
        self.M, cross = np.zeros((D, D)), np.zeros((D, ds))
        of_z, of_s = np.zeros((ds, D)), np.eye(ds)  # s_t = of_z z + of_s s_0
        for t in range(H):
            pick = np.zeros((da, D))
            pick[:, t * da : (t + 1) * da] = np.eye(da)  # a_t = pick z
            F, G = np.vstack([of_z, pick]), np.vstack([of_s, np.zeros((da, ds))])
            self.M += gamma**t * F.T @ system.C @ F
            cross += gamma**t * F.T @ system.C @ G
            of_z, of_s = system.A @ of_z + system.B @ pick, system.A @ of_s
        self.L = -np.linalg.solve(self.M, cross)
        self.P = system.finite(H)[1]

    def best(self, s: ArrayLike) -> np.ndarray:
        """The best plan (H, da) from s (ds,)."""
        return (self.L @ np.asarray(s, float)).reshape(self.H, -1)

    def regret(self, s: ArrayLike, plans: ArrayLike) -> np.ndarray:
        """J* - J of plans (..., H, da) from s, at least 0: (...)."""
        d = np.asarray(plans, float) - self.best(s)
        d = d.reshape(*d.shape[:-2], -1)
        return ((d @ self.M) * d).sum(-1)

    def gap(self, s: ArrayLike) -> float:
        """What doing nothing loses: the regret of the plan 0."""
        return float(self.regret(s, np.zeros((self.H, self.system.da))))

    def mean_gap(self, S0: ArrayLike) -> float:
        """The gap averaged over start states with second moment S0 = E[s s^T]."""
        return float(np.sum(self.L.T @ self.M @ self.L * np.asarray(S0, float)))

    def evaluate(self, s: ArrayLike) -> Callable[[Tensor], Tensor]:
        """What plans (N, H, da) are worth from s, (N,) as float32, for a planner."""
        import torch

        s = np.asarray(s, float)
        best = torch.tensor(self.best(s), dtype=torch.float32)
        M = torch.tensor(self.M, dtype=torch.float32)
        top = float(-s @ self.P @ s)

        def worth(plans: Tensor) -> Tensor:
            self.calls += len(plans)
            d = (plans - best).flatten(1)
            return top - ((d @ M) * d).sum(1)

        return worth


def best_of(N: ArrayLike, M: np.ndarray) -> np.ndarray:
    """Least expected regret of the best of N uniform plans in [-1, 1]^D.

    The set {regret <= eps} is an ellipsoid, whose share of the box is at most
    c eps^(D/2) with c = V_D / (2^D sqrt(det M)), V_D the volume of the unit ball.
    Integrating (1 - c eps^(D/2))^N gives

        c^(-2/D) Gamma(1 + 2/D) Gamma(N + 1) / Gamma(N + 1 + 2/D),

    a lower bound that is exact up to the part of the ellipsoid outside the box.
    """
    from scipy.special import gammaln

    N, D = np.asarray(N, float), len(M)
    log_ball = D / 2 * math.log(math.pi) - gammaln(D / 2 + 1)
    log_c = log_ball - D * math.log(2) - np.linalg.slogdet(M)[1] / 2
    p = 2 / D
    return np.exp(-p * log_c + gammaln(1 + p) + gammaln(N + 1) - gammaln(N + 1 + p))
