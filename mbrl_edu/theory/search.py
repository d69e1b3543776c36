"""Look for the worst instance: a hill climb on |gap| / bound, many climbers at once.

Random instances sit orders of magnitude below a bound and did not find a false theorem
in 20 000 tries; a climb finds it in seconds. A true statement must survive the climb.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mbrl_edu.theory._arrays import Array, lift
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import Instance
from mbrl_edu.theory.mdp import FiniteMDP
from mbrl_edu.theory.statements import Statement, ratio

Score = Callable[[Array], Array]  # points (n, d) -> scores (n,)


class Climb(NamedTuple):
    """The best point (d,) of a climb, its score, and the best score per round."""

    point: Array
    score: float
    history: Array


def climb(
    score: Score, start: Array, rounds: int, rng: Generator, stop: float = np.inf
) -> Climb:
    """Maximise `score` from the points `start` (n, d), each its own climber.

    A round changes a random tenth to all coordinates of each point by Gaussian noise of
    a random size and keeps the change where the score did not fall; every 25 rounds the
    worse half restarts from the better half. Ends early once a score exceeds `stop`.
    NaN scores count as minus infinity.
    """
    x = np.array(start, dtype=np.float64)
    n, d = x.shape
    value = np.nan_to_num(score(x), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    history = []
    for i in range(rounds):
        share = 10 ** rng.uniform(-1, 0, size=(n, 1))
        size = 10 ** rng.uniform(-2, 0.7, size=(n, 1))
        moved = x + (rng.random((n, d)) < share) * size * rng.normal(size=(n, d))
        new = np.nan_to_num(score(moved), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        better = new >= value
        x[better], value[better] = moved[better], new[better]
        if i % 25 == 24:
            order = np.argsort(value)
            x[order[: n // 2]] = x[order[n - n // 2 :]]
            value[order[: n // 2]] = value[order[n - n // 2 :]]
        history.append(value.max())
        if value.max() > stop:
            break
    best = int(value.argmax())
    return Climb(x[best], float(value[best]), np.array(history))


def softmax(x: Array) -> Array:
    """exp(x) over its sum along the last axis."""
    w = np.exp(x - x.max(axis=-1, keepdims=True))
    return w / w.sum(axis=-1, keepdims=True)


def sizes(S: int, A: int) -> dict[str, tuple[int, ...]]:
    """Blocks of the vector that `decode` reads, in order."""
    return {
        "P": (S, A, S),
        "other": (S, A, S),
        "wrong": (S, A),
        "pi_D": (S, A),
        "new": (S, A),
        "shift": (S,),
        "rho0": (S,),
        "r": (S, A),
    }


def dimension(S: int, A: int) -> int:
    """Length of the vector that describes an instance with S states, A actions."""
    return sum(int(np.prod(shape)) for shape in sizes(S, A).values())


def decode(x: Array, S: int, A: int, gamma: float, k: int) -> Instance:
    """Vectors (n, d) as instances: softmax of logits, so any vector is allowed.

    Model and policy are mixtures (1 - w) truth + w other with w the logistic function
    of a coordinate, so that small errors in few places are within reach.
    """
    part, at = {}, 0
    for name, shape in sizes(S, A).items():
        size = int(np.prod(shape))
        part[name] = x[:, at : at + size].reshape(-1, *shape)
        at += size
    weight = {
        n: 1 / (1 + np.exp(-np.clip(part[n], -40, 40))) for n in ("wrong", "shift")
    }
    P, pi_D = softmax(part["P"]), softmax(part["pi_D"])
    w, v = lift(weight["wrong"], 1), lift(weight["shift"], 1)
    reward = np.clip(part["r"], -1, 1)
    mdp = FiniteMDP(P, reward, softmax(part["rho0"]), gamma)
    P_hat = (1 - w) * P + w * softmax(part["other"])
    pi = (1 - v) * pi_D + v * softmax(part["new"])
    return Instance(mdp, P_hat, pi, pi_D, np.full(len(x), k))


def worst(
    rule: Statement,
    S: int,
    A: int,
    gamma: float,
    k: int,
    seed: int = 0,
    climbers: int = 80,
    rounds: int = 200,
    stop: float = np.inf,
) -> tuple[Climb, Instance]:
    """The climb on |gap| / bound of one statement, and the worst instance found.

    rule is an entry of `statements.MBPO`, `statements.MBPO_FALSE` or of the tables in
    `statements_variants`. A score above one is a violation.
    """

    def score(x: Array) -> Array:
        facts = Facts(decode(x, S, A, gamma, k))
        return ratio(*rule(facts), np.maximum(facts.R, 1e-3) / (1 - gamma))

    rng = np.random.default_rng(seed)
    found = climb(score, starts(rng, climbers, S, A), rounds, rng, stop)
    return found, decode(found.point[None], S, A, gamma, k)[0]


def starts(rng: Generator, n: int, S: int, A: int) -> Array:
    """`n` random points for `climb`: spread logits, small errors in most places."""
    x = rng.normal(size=(n, dimension(S, A))) * 10 ** rng.uniform(-0.3, 1, size=(n, 1))
    at = 0
    for name, shape in sizes(S, A).items():
        size = int(np.prod(shape))
        if name in ("wrong", "shift"):
            x[:, at : at + size] -= rng.uniform(0, 8, size=(n, 1))
        at += size
    return x
