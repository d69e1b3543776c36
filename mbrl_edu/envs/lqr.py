"""Linear dynamics, quadratic reward: a continuous task whose answers are all known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.core import check
from mbrl_edu.envs.small import Small

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class LinearQuadratic:
    """s' = A s + B a + w, r = -z.C.z with z = (s, a); infinite horizon.

    A (ds, ds), B (ds, da), C (ds + da, ds + da) symmetric, 0 <= gamma <= 1 and the
    covariance W (ds, ds) of the noise w, zero if not given. Policies are a = K s with K
    (da, ds); all results are float64. Cost matrices rather than Q and R let a reward
    depend on s' and on products of s and a.
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    gamma: float = 0.99
    W: ArrayLike = 0.0

    def __post_init__(self):
        for name in ("A", "B", "C"):
            value = np.atleast_2d(np.asarray(getattr(self, name), float))
            object.__setattr__(self, name, value)
        ds, da = self.B.shape
        W = np.broadcast_to(np.asarray(self.W, float), (ds, ds))
        object.__setattr__(self, "W", W)
        wanted = {"A": (ds, ds), "C": (ds + da, ds + da)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}, but must have "
                    f"{shape} to fit B with shape {self.B.shape}."
                )
        for name in ("A", "B", "C", "W"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} has entries that are not finite.")
        if not np.allclose(self.C, self.C.T):
            raise ValueError("C is not symmetric, but must be.")
        check.number("gamma", self.gamma, low=0, high=1)

    @property
    def ds(self) -> int:
        return self.B.shape[0]

    @property
    def da(self) -> int:
        return self.B.shape[1]

    def dynamics(self, s: Tensor, a: Tensor) -> Tensor:
        """The mean of s' (..., ds), for tensors s (..., ds) and a (..., da)."""
        return s @ s.new_tensor(self.A.T) + a @ s.new_tensor(self.B.T)

    def reward(self, s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
        """r (...) for tensors s (..., ds) and a (..., da)."""
        n, C = self.ds, s.new_tensor(self.C)
        of_s = ((s @ C[:n, :n] + 2 * a @ C[n:, :n]) * s).sum(-1)
        return -of_s - ((a @ C[n:, n:]) * a).sum(-1)

    def optimal_gain(self) -> np.ndarray:
        """K (da, ds) of the best policy a = K s (discounted discrete Riccati)."""
        from scipy.linalg import solve_discrete_are

        n, root = self.ds, np.sqrt(self.gamma)
        Q, N, R = self.C[:n, :n], self.C[:n, n:], self.C[n:, n:]
        P = solve_discrete_are(root * self.A, root * self.B, Q, R, s=N)
        return _improve(self._action_cost(P), n)[0]

    def value(self, K: ArrayLike) -> tuple[np.ndarray, float]:
        """P (ds, ds) and c with V(s) = -s.P.s - c for the policy a = K s.

        Raises ValueError where the return of K is minus infinity.
        """
        from scipy.linalg import solve_discrete_lyapunov

        K, loop = self._closed_loop(K)
        stack = np.vstack([np.eye(self.ds), K])  # z = stack s
        P = solve_discrete_lyapunov(loop.T, stack.T @ self.C @ stack)
        noise = self.gamma * np.trace(P @ self.W)
        return P, float(noise / (1 - self.gamma)) if noise else 0.0

    def V(self, s: ArrayLike, K: ArrayLike) -> np.ndarray:
        """V (...) of the policy a = K s at s (..., ds)."""
        P, c = self.value(K)
        s = np.asarray(s, float)
        return -np.einsum("...i,ij,...j", s, P, s) - c

    def Q(self, s: ArrayLike, a: ArrayLike, K: ArrayLike) -> np.ndarray:
        """Q (...) at s (..., ds) and a (..., da): a once, then a = K s."""
        P, c = self.value(K)
        z = np.concatenate([np.asarray(s, float), np.asarray(a, float)], -1)
        return -np.einsum("...i,ij,...j", z, self._action_cost(P), z) - c

    def J(self, K: ArrayLike, S0: ArrayLike) -> float:
        """Expected return from start states with second moment S0 = E[s s^T]."""
        P, c = self.value(K)
        return float(-np.sum(P * np.asarray(S0, float)) - c)

    def gradient(self, K: ArrayLike, S0: ArrayLike) -> np.ndarray:
        """dJ/dK (da, ds), exactly (Fazel et al. 2018, Lemma 1).

        The deterministic policy gradient E_{s~rho}[grad_a Q(s, a) s^T] at a = K s, with
        rho the sum of gamma^t times the law of s_t.
        """
        P, _ = self.value(K)
        K, _ = self._closed_loop(K)
        M, n = self._action_cost(P), self.ds
        return -2 * (M[n:, n:] @ K + M[n:, :n]) @ self.moment(K, S0)

    def moment(self, K: ArrayLike, S0: ArrayLike) -> np.ndarray:
        """sum_t gamma^t E[s_t s_t^T] (ds, ds) under a = K s."""
        from scipy.linalg import solve_discrete_lyapunov

        _, loop = self._closed_loop(K)
        start = np.asarray(S0, float)
        if np.any(self.W):
            start = start + self.gamma / (1 - self.gamma) * np.asarray(self.W)
        return solve_discrete_lyapunov(loop, start)

    def finite(self, H: int) -> tuple[np.ndarray, np.ndarray]:
        """The best H-step plan: K (H, da, ds) with a_t = K[t] s_t, and P (ds, ds) so
        that without noise its return is -s.P.s, discounted by gamma."""
        check.integer("H", H, low=1)
        P, gains = np.zeros((self.ds, self.ds)), []
        for _ in range(H):
            K, P = _improve(self._action_cost(P), self.ds)
            gains.append(K)
        return np.array(gains[::-1]), P

    def _action_cost(self, P: np.ndarray) -> np.ndarray:
        """M with Q(s, a) = -z.M.z when the rest costs s'.P.s'."""
        F = np.hstack([self.A, self.B])
        return self.C + self.gamma * F.T @ P @ F

    def _closed_loop(self, K: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        K = np.atleast_2d(np.asarray(K, float))
        if K.shape != (self.da, self.ds):
            raise ValueError(
                f"K has shape {K.shape}, but must have {(self.da, self.ds)}."
            )
        loop = np.sqrt(self.gamma) * (self.A + self.B @ K)
        radius = np.abs(np.linalg.eigvals(loop)).max()
        if not radius < 1 or (np.any(self.W) and self.gamma == 1):
            raise ValueError(
                f"K gives sqrt(gamma) (A + B K) the spectral radius {radius:.3g} at "
                f"gamma {self.gamma}, but it must be below 1 (and gamma too if there "
                "is noise), or the return is minus infinity."
            )
        return K, loop


def _improve(M: np.ndarray, ds: int) -> tuple[np.ndarray, np.ndarray]:
    """The gain that minimises z.M.z over a, and what is left as a cost of s."""
    K = -np.linalg.solve(M[ds:, ds:], M[ds:, :ds])
    P = M[:ds, :ds] + M[:ds, ds:] @ K
    return K, (P + P.T) / 2


def point_masses(n: int = 1, gamma: float = 0.99) -> LinearQuadratic:
    """n point masses, each pushed by its own action: ds = 2n, da = n.

    One mass: s = (x, v), x' = x + 0.1 v, v' = v + 0.2 a, r = -x^2 - 0.1 v^2 - a^2. The
    problem of each mass stays the same, so only the dimension grows with n. State: all
    positions, then all velocities.
    """
    check.integer("n", n, low=1)
    eye = np.eye(n)
    A = np.kron([[1.0, 0.1], [0.0, 1.0]], eye)
    B = np.kron([[0.0], [0.2]], eye)
    C = np.kron(np.diag([1.0, 0.1, 1.0]), eye)
    return LinearQuadratic(A, B, C, gamma)


class LQR(Small):
    """``point_masses(n)`` as an environment; never ends.

    Episodes begin uniformly in abs(x) <= 0.8, abs(v) <= 0.2. From there the optimal
    action stays inside [-1, 1], where actions are clipped, so the exact solution holds.
    ``noise`` is the standard deviation of Gaussian noise on every component of s'.
    """

    def __init__(self, n: int = 1, noise: float = 0.0, render_mode: str | None = None):
        self.system = point_masses(n)
        self.noise = check.number("noise", noise, low=0)
        super().__init__(self.system.ds, self.system.da, render_mode)
        self.high = np.repeat([0.8, 0.2], n)

    def start(self, g):
        return g.uniform(-self.high, self.high)

    def move(self, s, a):
        s_next = self.system.A @ s + self.system.B @ a
        if self.noise:
            s_next = s_next + self.noise * self.np_random.standard_normal(len(s))
        return s_next

    def pay(self, s, a, s_next):
        z = np.concatenate([s, a])
        return -z @ self.system.C @ z
