"""Contracts of chapter 7, MBPO."""

import math

import numpy as np

from mbrl_edu.grading.contract import Wrong, call, compare, contract
from mbrl_edu.grading.pets import looks_like


@contract("mbpo.pool")
def pool(answer):
    """By hand: imagined steps in the store per real step; 100,000 rollouts of one step
    after each fit, a fit every 250 real steps, kept for 1,000 real steps."""
    if looks_like(answer, 400_000, 400):
        raise Wrong("this is the whole store; how many is it for each real step?")
    if looks_like(answer, 100, 400):
        raise Wrong("this is one fit's rollouts over 1,000 steps; there are more fits.")
    compare(answer, 400, "four fits in 1,000 real steps", atol=1e-6)
    return "four fits of 100,000 rollouts in 1,000 real steps."


@contract("mbpo.soft")
def soft(answer):
    """By hand: the soft value of Q = (1, 0) at temperature 1."""
    right, of = math.log(math.e + 1), "Q = (1, 0)"
    share = math.e / (math.e + 1)
    if looks_like(answer, 1, right):
        raise Wrong("this is the hard maximum; the entropy of the policy is paid too.")
    try:
        if abs(float(answer) - share) < 5e-3:
            raise Wrong(
                "this is what the softmax gets from Q; its entropy is paid too."
            )
    except (TypeError, ValueError):
        pass
    compare(answer, right, of, atol=5e-3)
    return "ln(e^1 + e^0), above the maximum by what randomness is worth."


@contract("mbpo.target")
def target(answer):
    """target(r, d, q, log_pi, alpha, gamma) -> (n,): the soft Bellman target; q (2, n)
    are the slow critics at (s', a')."""
    g = np.random.default_rng(11)
    for n, alpha, gamma in ((1, 0.5, 0.9), (6, 0.2, 0.99), (5, 1.0, 0.5)):
        r, log_pi, q = g.normal(size=n), g.normal(size=n), g.normal(size=(2, n))
        d = np.zeros(n) if n == 1 else (np.arange(n) % 3 == 0).astype(float)
        inner = q.min(0) - alpha * log_pi
        right, of = r + gamma * (1 - d) * inner, f"n = {n}, alpha = {alpha}"
        got = call(answer, r.copy(), d.copy(), q.copy(), log_pi.copy(), alpha, gamma)
        for value, why in (
            (r + gamma * inner, "looks beyond the end of an episode"),
            (r + gamma * (1 - d) * q.min(0), "pays no entropy"),
            (
                r + gamma * (1 - d) * (q.min(0) + alpha * log_pi),
                "punishes entropy: the sign of log_pi",
            ),
            (
                r + gamma * (1 - d) * (q.max(0) - alpha * log_pi),
                "takes the larger critic",
            ),
            (
                r + gamma * (1 - d) * (q.mean(0) - alpha * log_pi),
                "takes the mean of the critics",
            ),
            (
                r + gamma * (1 - d) * q.min(0) - gamma * alpha * log_pi,
                "pays entropy after the end",
            ),
            (r + (1 - d) * inner, "is not discounted"),
        ):
            if looks_like(got, value, right):
                raise Wrong(f"for {of} the result {why}.")
        compare(got, right, of)
    return "r + gamma (1 - d) (min Q - alpha log pi)."


def world():
    """step, policy and end of a small deterministic world whose rows end early."""

    def step(s, a):
        s_next = 1.3 * s + a @ np.array([[0.5, -0.2]])
        return -(s_next**2).sum(1) - (a[:, 0] ** 2), s_next

    def policy(s):
        return np.tanh(s[:, :1] - 0.3 * s[:, 1:])

    def end(s, a, s_next):
        return (np.abs(s_next[:, 0]) > 2).astype(float)

    return step, policy, end


def right_branch(step, policy, end, s, k):
    """What is asked for, row by row: (s, a, r, s_next, d)."""
    rows, going = [], [s[i : i + 1] for i in range(len(s))]
    for _ in range(k):
        kept = []
        for x in going:
            a = policy(x)
            r, x_next = step(x, a)
            d = end(x, a, x_next)
            rows.append((x, a, r, x_next, d))
            if not d[0]:
                kept.append(x_next)
        going = kept
    return tuple(np.concatenate(x) for x in zip(*rows))


FIELDS = ("s", "a", "r", "s_next", "d")


@contract("mbpo.branch")
def branch(answer):
    """branch(step, policy, end, s, k) -> (s, a, r, s_next, d): at most k steps from
    each row of s, depth by depth; a row stops after its step into an end."""
    starts = np.array([[0.3, 0.1], [1.4, -0.5], [-1.9, 0.7], [0.0, 0.2]])
    for s, k in ((starts, 1), (starts[[0, 3]], 3), (starts, 6)):
        step, policy, end = world()
        right = right_branch(step, policy, end, s, k)
        got = call(answer, step, policy, end, s.copy(), k)
        of = f"{len(s)} starts and k = {k}"
        if got is None:
            raise Wrong(f"for {of} there is no result; does the function return it?")
        try:
            got = [np.asarray(x, float) for x in got]
        except (TypeError, ValueError):
            raise Wrong(f"for {of} the result is not (s, a, r, s_next, d).") from None
        if len(got) != 5 or any(x.ndim == 0 for x in got):
            raise Wrong(f"for {of} the result is not (s, a, r, s_next, d).")
        _ends(end, got, right, of)
        _length(len(got[2]), len(right[2]), int(right[4].sum()), len(s) * k, of)
        for name, x, y in zip(FIELDS, got, right):
            compare(x, y, f"{name} of {of}")
    return "lines 6 to 8, with the step into the end kept and nothing after it."


def _ends(end, got, right, of: str) -> None:
    """Wrong, if ends are looked for in the wrong place."""
    s, a, _, _, d = got
    if s.shape != right[0].shape or not np.allclose(s, right[0]):
        return
    if looks_like(d, end(s, a, s), right[4]):
        raise Wrong(f"for {of} ends are judged by s, but must be by s_next.")


def _length(n: int, right: int, ends: int, all_steps: int, of: str) -> None:
    """Wrong, if the number of steps is."""
    if n == all_steps != right:
        raise Wrong(f"for {of} rows go on after their end.")
    if n == right - ends != right:
        raise Wrong(f"for {of} the steps into an end are missing; they have d = 1.")
    if n != right:
        raise Wrong(f"for {of} there are {n} steps, but must be {right}.")
