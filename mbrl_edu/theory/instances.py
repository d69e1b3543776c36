"""Families of small problems on which every bound is tried.

Random problems alone are far from any bound, so the families include the shapes a bound
can break on: deterministic and periodic chains, chains that almost never leave a state,
a leak into a trap (near-tight), an error confined to one pair, no error, no shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from mbrl_edu.theory._arrays import Array, lift
from mbrl_edu.theory.mdp import FiniteMDP

GAMMAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Instance:
    """A true MDP, a model, a policy, a data policy and a branch length, or a batch.

    mdp FiniteMDP with batch (...); P_hat (..., S, A, S) the model; pi, pi_D (..., S,
    A); k (...) integers.
    """

    mdp: FiniteMDP
    P_hat: Array
    pi: Array
    pi_D: Array
    k: Any

    def __getitem__(self, i: Any) -> Instance:
        """The instance (or smaller batch) at index `i` of the batch."""
        return Instance(self.mdp[i], self.P_hat[i], self.pi[i], self.pi_D[i], self.k[i])


def laws(rng: Generator, *shape: int, concentration: float = 1.0) -> Array:
    """Dirichlet laws over the last axis; a small concentration makes them sparse."""
    weights = rng.standard_gamma(concentration, size=shape) + 1e-300
    return weights / weights.sum(axis=-1, keepdims=True)


def blend(p: Array, q: Array, share: Any) -> Array:
    """(1 - share) p + share q; `share` broadcasts against the leading axes."""
    share = np.asarray(share)
    share = lift(share, p.ndim - share.ndim)
    return (1 - share) * p + share * q


def small(rng: Generator, *shape: int) -> Array:
    """Numbers in (1e-4, 1), uniform on the logarithm."""
    return 10 ** rng.uniform(-4, 0, size=shape)


def _base(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """The parts that the families have in common; a family replaces some of them."""
    P, pi_D = laws(rng, n, S, A, S), laws(rng, n, S, A)
    sign = rng.choice([-1.0, 1.0], size=(n, S, A))
    reward = np.where(rng.random((n, 1, 1)) < 0.5, sign, rng.uniform(-1, 1, sign.shape))
    return {
        "P": P,
        "r": reward,
        "rho0": laws(rng, n, S),
        "gamma": rng.choice(GAMMAS, size=n),
        "P_hat": blend(P, laws(rng, n, S, A, S), small(rng, n)),
        "pi_D": pi_D,
        "pi": blend(pi_D, laws(rng, n, S, A), small(rng, n)),
        "k": rng.integers(0, 35, size=n),
    }


def random(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """Dense Dirichlet kernels, model and policy at a random distance."""
    return _base(rng, n, S, A)


def far(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """Sparse kernels; the model and the policy have nothing to do with the truth."""
    new = {"P": laws(rng, n, S, A, S, concentration=0.1), "pi": laws(rng, n, S, A)}
    model = laws(rng, n, S, A, S, concentration=0.1)
    return {**_base(rng, n, S, A), **new, "P_hat": model}


def deterministic(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """Every pair has one successor, in the model too; deterministic policies."""
    P = np.eye(S)[rng.integers(S, size=(n, S, A))]
    wrong = rng.random((n, S, A, 1)) < 0.2
    pi_D = np.eye(A)[rng.integers(A, size=(n, S))]
    other = np.eye(A)[rng.integers(A, size=(n, S))]
    return {
        **_base(rng, n, S, A),
        "P": P,
        "P_hat": np.where(wrong, np.eye(S)[rng.integers(S, size=(n, S, A))], P),
        "rho0": np.eye(S)[rng.integers(S, size=n)],
        "pi_D": pi_D,
        "pi": np.where(rng.random((n, S, 1)) < 0.3, other, pi_D),
    }


def periodic(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """A cycle through all states; the second action and the model may stumble."""
    cycle = np.broadcast_to(np.roll(np.eye(S), 1, axis=1)[:, None], (S, A, S))
    P = np.broadcast_to(cycle, (n, S, A, S)).copy()
    P[:, :, -1] = blend(P[:, :, -1], laws(rng, n, S, S), small(rng, n))
    model = blend(P, laws(rng, n, S, A, S), small(rng, n, S, A))
    return {**_base(rng, n, S, A), "P": P, "P_hat": model, "rho0": np.eye(S)[n * [0]]}


def near_absorbing(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """States that are almost never left; the model changes the rate of leaving."""
    stay = np.broadcast_to(np.eye(S)[:, None], (n, S, A, S))
    P = blend(stay, laws(rng, n, S, A, S), small(rng, n, S, A))
    model = blend(P, laws(rng, n, S, A, S), small(rng, n, S, A))
    return {**_base(rng, n, S, A), "P": P, "P_hat": model}


def near_tight(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """State 0 (r = +1) leaks into the trap S - 1 (r = -1), under pi_D or in the model.

    Action 0 stays in 0, the last action leaks; everything else is random. Small leaks
    bring the tight bound as close as can be.
    """
    out = _base(rng, n, S, A)
    trap, home = np.eye(S)[-1], np.eye(S)[0]
    P, r = out["P"], np.broadcast_to(np.where(np.arange(S) == 0, 1.0, -1.0), (n, S))
    P[:, 0], P[:, -1], P[:, 0, -1] = home, trap, trap
    leak = lift(np.where(rng.random(n) < 0.5, small(rng, n), 0.0), 1)
    wrong = lift(np.where(rng.random(n) < 0.7, small(rng, n), 0.0), 1)
    P_hat, pi, pi_D = P.copy(), np.zeros((n, S, A)), np.zeros((n, S, A))
    P_hat[:, 0, 0] = (1 - wrong) * home + wrong * trap
    pi[..., 0] = pi_D[..., 0] = 1.0
    pi_D[..., 0], pi_D[..., -1] = 1 - leak, leak
    rho0 = np.broadcast_to(home, (n, S))
    reward = np.broadcast_to(r[..., None], (n, S, A))
    new = {"P": P, "P_hat": P_hat, "pi": pi, "pi_D": pi_D, "rho0": rho0, "r": reward}
    return {**out, **new}


def gate(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """The model is wrong only where pi_D never goes (adversarial for Theorem 4.3).

    pi_D stays in state 0; pi steps to state 1 with a small probability; there the truth
    leads to the trap S - 1 (r = -1) and the model, with some probability, to a good
    end. Needs S >= 4 to be what it says; it is a valid instance for any S >= 2.
    """
    out = _base(rng, n, S, A)
    eye = np.eye(S)
    P = np.broadcast_to(eye[:, None], (n, S, A, S)).copy()
    P[:, 0, -1] = eye[1]
    P[:, 1] = eye[-1] if S > 2 else eye[1]
    P_hat = P.copy()
    P_hat[:, 1] = blend(P[:, 1], np.broadcast_to(eye[S // 2], (n, A, S)), small(rng, n))
    pi, pi_D, leave = np.zeros((n, S, A)), np.zeros((n, S, A)), lift(small(rng, n), 1)
    pi_D[..., 0] = 1.0
    pi[..., 0], pi[..., -1] = 1 - leave, leave
    r = np.broadcast_to(np.where(np.arange(S) == S - 1, -1.0, 1.0)[:, None], (n, S, A))
    rho0 = np.broadcast_to(eye[0], (n, S))
    new = {"P": P, "P_hat": P_hat, "pi": pi, "pi_D": pi_D, "r": r, "rho0": rho0}
    return {**out, **new}


def few_pairs(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """The model is wrong in one pair (s, a) only, there by any amount."""
    out = far(rng, n, S, A)
    s, a = rng.integers(S, size=n), rng.integers(A, size=n)
    P_hat = out["P"].copy()
    P_hat[np.arange(n), s, a] = laws(rng, n, S, concentration=0.1)
    return {**out, "P_hat": P_hat}


def same_policy(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """pi = pi_D: all of the gap comes from the model."""
    out = far(rng, n, S, A)
    return {**out, "pi_D": out["pi"]}


def exact_model(rng: Generator, n: int, S: int, A: int) -> dict[str, Any]:
    """p^ = p: all of the gap comes from the policy shift."""
    out = far(rng, n, S, A)
    return {**out, "P_hat": out["P"]}


Family = Callable[[Generator, int, int, int], dict[str, Any]]
FAMILIES: dict[str, Family] = {
    f.__name__: f
    for f in (
        random,
        far,
        deterministic,
        periodic,
        near_absorbing,
        near_tight,
        gate,
        few_pairs,
        same_policy,
        exact_model,
    )
}


def draw(family: str, rng: Generator, n: int, S: int = 4, A: int = 2) -> Instance:
    """`n` instances of one of FAMILIES with S states and A actions."""
    if family not in FAMILIES:
        raise ValueError(f"family = {family!r} is not one of {sorted(FAMILIES)}.")
    if min(n, S - 1, A - 1) < 1:
        raise ValueError(f"n, S, A = {n}, {S}, {A}; they must be at least 1, 2, 2.")
    x = FAMILIES[family](rng, n, S, A)
    mdp = FiniteMDP(x["P"], x["r"], x["rho0"], x["gamma"])
    return Instance(mdp, x["P_hat"], x["pi"], x["pi_D"], x["k"])
