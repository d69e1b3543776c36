"""Contracts of chapter 5, PETS."""

import numpy as np

from mbrl_edu.grading.contract import Wrong, call, compare, contract


def looks_like(got, value, right) -> bool:
    """Whether ``got`` is the known wrong ``value`` and not the right one."""
    try:
        array = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return False
    if array.shape != np.shape(value) or np.allclose(value, right):
        return False
    return np.allclose(array, value, rtol=0, atol=1e-6)


@contract("pets.spread")
def spread(answer):
    """By hand: variance after 25 steps under TSinf; two members, winds of +0.1 and
    -0.1 a step, each with noise of standard deviation 0.2 a step."""
    of, right = "25 steps", 25**2 * 0.1**2 + 25 * 0.2**2
    if looks_like(answer, 25 * (0.1**2 + 0.2**2), right):
        raise Wrong("this is the variance under TS1, where members change every step.")
    if looks_like(answer, 25 * 0.2**2, right):
        raise Wrong("this is the part within a member; the members disagree too.")
    compare(answer, right, of, atol=5e-3)
    return "a wind that stays adds up before it is squared: 25^2 v + 25 sigma^2."


@contract("pets.jensen")
def jensen(answer):
    """By hand: E[exp(-s^2 / 2)] for s ~ N(0, 3)."""
    if looks_like(answer, 1.0, 0.5):
        raise Wrong("this is the reward of the mean, which is what E reports.")
    compare(answer, 0.5, "s ~ N(0, 3)", atol=5e-4)
    return "1 / sqrt(1 + 3): half of what the mean alone promises."


@contract("pets.moments")
def moments(answer):
    """moments(mean, var) -> mean (n, d) and variance (n, d) of an ensemble taken as one
    Gaussian, from the members' own (B, n, d)."""
    g = np.random.default_rng(5)
    for B, n, d in ((2, 1, 1), (5, 4, 3), (1, 3, 2)):
        mean, var = g.normal(size=(B, n, d)), g.uniform(0.1, 2, size=(B, n, d))
        got, of = call(answer, mean.copy(), var.copy()), f"{B} members"
        try:
            got_mean, got_var = got
        except (TypeError, ValueError):
            raise Wrong(
                f"for {of} the result is not a pair (mean, variance)."
            ) from None
        right = var.mean(0) + mean.var(0)
        known = [
            (var.mean(0), "lacks the disagreement of the means"),
            (mean.var(0), "lacks the members' own variance"),
            (np.sqrt(right), "is a standard deviation"),
        ]
        if B > 1:
            sample = var.mean(0) + mean.var(0, ddof=1)
            known.append((sample, "divides by B - 1; the members are all there is"))
        for value, why in known:
            if looks_like(got_var, value, right):
                raise Wrong(f"for {of} the variance {why}.")
        compare(got_mean, mean.mean(0), f"the mean of {of}")
        compare(got_var, right, f"the variance of {of}")
    return "E[sigma^2] + Var[mu]: the law of total variance, as DS uses it."


def small_world(g, B, da=2, ds=3):
    """step(x, a, who) of B members without noise, and a reward that is not linear."""
    K, winds = g.normal(size=(da, ds)), g.normal(size=(B, ds))

    def step(x, a, who):
        return 0.9 * x + a @ K + winds[who]

    def reward(x, a, x_next):
        return np.exp(-(x_next**2).sum(-1) / 20) - 0.1 * (a**2).sum(-1)

    return step, reward


def right_worth(step, reward, s, plans, who):
    """(N, P) returns; particle p of every plan follows the members ``who`` (H, P)."""
    N, H, da = plans.shape
    total = np.zeros((N, who.shape[1]))
    for i in range(N):
        for p in range(who.shape[1]):
            x = s[None]
            for t in range(H):
                a = plans[i, t][None]
                x_next = step(x, a, who[t, p : p + 1])
                total[i, p] += reward(x, a, x_next)[0]
                x = x_next
    return total


@contract("pets.worth")
def worth(answer):
    """worth(step, reward, s, plans, B, P) -> (N,): the mean return of P particles from
    s (ds,) for each of the plans (N, H, da), by TSinf: particle p follows member
    p // (P // B) all the way. ``step(x, a, who)`` and ``reward(x, a, x_next)`` take
    rows (n, ds), (n, da), (n,)."""
    g = np.random.default_rng(7)
    for N, P, B, H in ((3, 4, 2, 2), (2, 3, 3, 4), (5, 6, 3, 3)):
        step, reward = small_world(g, B)
        s, plans = g.normal(size=3), g.uniform(-1, 1, size=(N, H, 2))
        fixed = np.tile(np.arange(P) // (P // B), (H, 1))
        each = right_worth(step, reward, s, plans, fixed)
        got = call(answer, step, reward, s.copy(), plans.copy(), B, P)
        of, right = f"N = {N}, P = {P}, B = {B}, H = {H}", each.mean(1)
        for value, why in (
            (each.reshape(P, N).mean(0), "averages particles of different plans"),
            (each.sum(1), "is the sum over particles; the mean is asked for"),
            (each[:, 0], "follows the first particle only"),
            (each.max(1), "is the best particle's; the mean is asked for"),
        ):
            if looks_like(got, value, right):
                raise Wrong(f"for {of} the result {why}.")
        compare(got, right, of)
    return "lines 6 and 7, with the particles of each plan kept together."
