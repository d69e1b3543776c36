"""Finite Markov decision processes, solved exactly.

Everything here is plain linear algebra in float64. An MDP may carry any number of
leading batch dimensions, written `...`: ten thousand random MDPs are one `FiniteMDP`,
and every function treats them at once. S and A are the numbers of states and actions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mbrl_edu.theory._arrays import Array, discount, law, lift, real, scalar, steps


@dataclass(frozen=True)
class FiniteMDP:
    """A finite MDP, or a batch of them.

    P      (..., S, A, S)  P[s, a, s_next], rows sum to one; a terminal state is a state
                           that stays where it is with reward zero
    r      (..., S, A)     expected reward of the pair (s, a)
    rho0   (..., S)        law of the first state
    gamma  number or (...) discount factor in [0, 1)

    Leading dimensions of the four are broadcast against each other. The stored arrays
    are float64 and read-only. Raises ValueError, naming the argument, where a shape
    does not fit, a law does not sum to one or `gamma` is outside [0, 1).
    """

    P: Array
    r: Array
    rho0: Array
    gamma: Any

    def __post_init__(self) -> None:
        P = law("P", self.P, ndim=3)
        r = real("r", self.r, ndim=2)
        rho0 = law("rho0", self.rho0)
        gamma = discount("gamma", self.gamma)
        S, A = P.shape[-3:-1]
        if P.shape[-1] != S:
            raise ValueError(
                f"P has shape {P.shape}; its last axis must be the number of states,"
                f" {S} (P[s, a, s_next])."
            )
        if r.shape[-2:] != (S, A):
            raise ValueError(f"r has shape {r.shape}; P asks for (..., {S}, {A}).")
        if rho0.shape[-1] != S:
            raise ValueError(f"rho0 has shape {rho0.shape}; P asks for (..., {S}).")
        leads = (P.shape[:-3], r.shape[:-2], rho0.shape[:-1], gamma.shape)
        try:
            batch = np.broadcast_shapes(*leads)
        except ValueError:
            names = ", ".join(
                f"{n} {b}" for n, b in zip(("P", "r", "rho0", "gamma"), leads)
            )
            raise ValueError(f"The batch dimensions do not fit: {names}.") from None
        arrays = {
            "P": np.broadcast_to(P, batch + P.shape[-3:]),
            "r": np.broadcast_to(r, batch + r.shape[-2:]),
            "rho0": np.broadcast_to(rho0, batch + rho0.shape[-1:]),
            "gamma": np.broadcast_to(gamma, batch) if gamma.ndim else float(gamma),
        }
        for name, value in arrays.items():
            object.__setattr__(self, name, value)

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading dimensions, () for a single MDP."""
        return self.P.shape[:-3]

    @property
    def S(self) -> int:
        """Number of states."""
        return int(self.P.shape[-1])

    @property
    def A(self) -> int:
        """Number of actions."""
        return int(self.P.shape[-2])

    @property
    def r_max(self) -> Any:
        """max over s, a of |r(s, a)|, shape (...)."""
        return scalar(np.abs(self.r).max(axis=(-2, -1)))

    def __getitem__(self, i: Any) -> FiniteMDP:
        """The MDP (or smaller batch) at index `i` of the batch dimensions."""
        if not self.batch:
            raise IndexError(
                "This FiniteMDP is a single MDP: it has no batch to index."
            )
        gamma = self.gamma if np.ndim(self.gamma) == 0 else self.gamma[i]
        return FiniteMDP(self.P[i], self.r[i], self.rho0[i], gamma)

    def with_model(self, P: ArrayLike) -> FiniteMDP:
        """The same task with the transition probabilities `P` (..., S, A, S)."""
        return replace(self, P=np.asarray(P, dtype=np.float64))


def as_policy(mdp: FiniteMDP, pi: ArrayLike, name: str = "pi") -> Array:
    """`pi` (..., S, A) as float64, checked to be a policy for `mdp`.

    Its leading dimensions may be any that broadcast with those of `mdp`.
    """
    p = law(name, pi, ndim=2)
    if p.shape[-2:] != (mdp.S, mdp.A):
        raise ValueError(
            f"{name} has shape {p.shape}; the MDP asks for (..., {mdp.S}, {mdp.A})."
        )
    try:
        np.broadcast_shapes(p.shape[:-2], mdp.batch)
    except ValueError:
        raise ValueError(
            f"{name} has batch dimensions {p.shape[:-2]}; they do not fit those of the"
            f" MDP, {mdp.batch}."
        ) from None
    return p


def solve(matrix: Array, b: Array) -> Array:
    """x (..., S) with matrix x = b, for matrices (..., S, S) and vectors b (..., S)."""
    return np.asarray(np.linalg.solve(matrix, b[..., None])[..., 0], dtype=np.float64)


def policy_kernel(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """P_pi[s, s_next] = sum_a pi(a|s) P(s_next|s,a), shape (..., S, S)."""
    return np.einsum("...sa,...sat->...st", as_policy(mdp, pi), mdp.P)


def policy_reward(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """r_pi[s] = sum_a pi(a|s) r(s,a), shape (..., S)."""
    return np.einsum("...sa,...sa->...s", as_policy(mdp, pi), mdp.r)


def policy_values(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """V_pi (..., S) from the linear system (I - gamma P_pi) V = r_pi."""
    system = np.eye(mdp.S) - lift(mdp.gamma, 2) * policy_kernel(mdp, pi)
    return solve(system, policy_reward(mdp, pi))


def action_values(mdp: FiniteMDP, V: ArrayLike) -> Array:
    """Q[s, a] = r(s,a) + gamma sum_s' P(s'|s,a) V(s'), shape (..., S, A).

    V (..., S) are the values of the next states.
    """
    V = real("V", V, ndim=1)
    if V.shape[-1] != mdp.S:
        raise ValueError(f"V has shape {V.shape}; the MDP asks for (..., {mdp.S}).")
    return mdp.r + lift(mdp.gamma, 2) * np.einsum("...sat,...t->...sa", mdp.P, V)


def policy_return(mdp: FiniteMDP, pi: ArrayLike) -> Any:
    """eta[pi] = E[sum_t gamma^t r(s_t, a_t)], s_0 ~ rho0, a_t ~ pi; shape (...).

    Not normalised: a reward of one for ever is worth 1 / (1 - gamma).
    """
    return scalar(np.einsum("...s,...s->...", mdp.rho0, policy_values(mdp, pi)))


def value_iteration(mdp: FiniteMDP, tol: float = 1e-12, record: bool = False) -> Any:
    """(Q, V), optimal, (..., S, A) and (..., S), by sweeps V <- max_a (r + gamma P V).

    Starts at V = 0 and stops when a sweep moves no entry of the batch by more than
    tol * max(1, |V|_inf); a sweep shrinks the distance to the optimum by the factor
    gamma, so the result is then within gamma / (1 - gamma) of that move.
    With `record=True` it is (Q, V, list of V), one per sweep and the zero start first.
    """
    if not tol > 0:
        raise ValueError(f"tol = {tol!r} is not allowed; it must be positive.")
    V = np.zeros(mdp.batch + (mdp.S,))
    history = [V]
    while True:
        Q = action_values(mdp, V)
        move = np.abs(Q.max(axis=-1) - V).max()
        V = Q.max(axis=-1)
        if record:
            history.append(V)
        if move <= tol * max(1.0, np.abs(V).max()):
            return (Q, V, history) if record else (Q, V)


def greedy_policy(Q: ArrayLike, tol: float = 1e-12) -> Array:
    """The policy (..., S, A) that is uniform over the best actions of each state.

    Actions within tol * max(1, |max_a Q|) of the best count as ties.
    """
    Q = real("Q", Q, ndim=2)
    best = Q.max(axis=-1, keepdims=True)
    tie = Q >= best - tol * np.maximum(1.0, np.abs(best))
    return tie / tie.sum(axis=-1, keepdims=True)


def state_distributions(mdp: FiniteMDP, pi: ArrayLike, T: int) -> Array:
    """Laws of s_0, ..., s_T under `pi`, shape (..., T + 1, S)."""
    steps("T", T)
    P_pi = policy_kernel(mdp, pi)
    law_t = np.broadcast_to(mdp.rho0, P_pi.shape[:-1])
    laws = [law_t]
    for _ in range(T):
        law_t = np.einsum("...s,...st->...t", law_t, P_pi)
        laws.append(law_t)
    return np.stack(laws, axis=-2)


def discounted_states(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """nu (..., S) = (1 - gamma) sum_t gamma^t law(s_t) under `pi`; sums to one."""
    system = np.eye(mdp.S) - lift(mdp.gamma, 2) * policy_kernel(mdp, pi)
    nu = solve(system.swapaxes(-1, -2), (1 - lift(mdp.gamma, 1)) * mdp.rho0)
    return np.maximum(nu, 0.0)  # rounding may leave -1e-18


def occupancy(mdp: FiniteMDP, pi: ArrayLike) -> Array:
    """rho (..., S, A) = (1 - gamma) sum_t gamma^t law(s_t, a_t); sums to one."""
    return discounted_states(mdp, pi)[..., None] * as_policy(mdp, pi)


def _can_reach(P_pi: Array, goal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(..., S) whether `goal` (..., S) is entered with positive probability."""
    edge, reach = P_pi > 0, goal
    for _ in range(P_pi.shape[-1]):  # a path needs at most S - 1 edges
        further = reach | (edge & reach[..., None, :]).any(axis=-1)
        if (further == reach).all():
            break
        reach = further
    return reach


def expected_steps(mdp: FiniteMDP, pi: ArrayLike, terminal: ArrayLike) -> Array:
    """Expected number of steps until `terminal` is reached, from each state (..., S).

    terminal  boolean (..., S), the set to reach. Zero in the set itself, infinite where
              the set is missed with positive probability. Raises ValueError where that
              can happen from a start state (rho0 > 0) or where the set is empty.
    """
    goal = np.asarray(terminal)
    if goal.dtype != np.bool_ or goal.shape[-1:] != (mdp.S,):
        raise ValueError(
            f"terminal has type {goal.dtype} and shape {goal.shape}; it must be boolean"
            f" with shape (..., {mdp.S})."
        )
    P_pi = policy_kernel(mdp, pi)
    goal = np.broadcast_to(goal, np.broadcast_shapes(goal.shape, P_pi.shape[:-1]))
    inside = np.where(goal[..., None], 0.0, P_pi)  # the walk ends in the goal
    lost = _can_reach(inside, ~_can_reach(inside, goal))
    if (lost & (mdp.rho0 > 0)).any():
        state = int(np.argwhere(lost & (mdp.rho0 > 0))[0, -1])
        raise ValueError(
            f"terminal is missed for ever with positive probability from start state"
            f" {state}; the expected number of steps is infinite."
        )
    still = goal | lost
    walk = np.where(still[..., None] | still[..., None, :], 0.0, P_pi)
    h = solve(np.eye(mdp.S) - walk, (~still).astype(float))
    return np.where(lost, np.inf, h)
