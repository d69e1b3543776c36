"""Contracts of chapter 4, Shooting."""

import numpy as np

from mbrl_edu.envs.lqr import LinearQuadratic, point_masses
from mbrl_edu.envs.plans import Plans
from mbrl_edu.grading.contract import Wrong, call, compare, contract


def _is(answer, value, atol=1e-6):
    """Whether an answer by hand is this wrong value."""
    try:
        return bool(np.isclose(float(answer), value, rtol=0, atol=atol))
    except (TypeError, ValueError):
        return False


@contract("shooting.candidates")
def candidates(answer):
    """By hand: the least N with which at least one plan of ten actions has all of them
    in the right half, with probability 1/2 or more."""
    p = 2.0**-10
    if _is(answer, 2**10):
        raise Wrong("1 / p is how many it takes on average; here: (1 - p)^N <= 1/2.")
    if _is(answer, np.log(2) / -np.log1p(-p), 0.51) and float(answer) != 710:
        raise Wrong("round up: 709 plans give a little less than one half.")
    compare(answer, 710, "ten actions, each right with probability 1/2")
    return "all N fail with probability (1 - 2^-10)^N; that is below 1/2 from 710 on."


@contract("shooting.halve")
def halve(answer):
    """By hand: by which factor N must grow to halve the regret of RS with D = 20."""
    if _is(answer, 2**20):
        raise Wrong("regret is a squared distance: eps^(D/2), not eps^D.")
    compare(answer, 2**10, "D = 20")
    return "regret falls like N^(-2/D), so N must grow by 2^(D/2)."


@contract("shooting.refit")
def refit(answer):
    """refit(plans (N, H, da), values (N,), mean, var, top, alpha) -> (mean, var)."""
    g = np.random.default_rng(4)
    for broken in (False, True):
        plans, values = g.uniform(-1, 1, (30, 3, 2)), g.normal(size=30)
        if broken:
            values[[3, 11]] = np.nan
        old, top, alpha = (g.normal(size=(3, 2)), np.full((3, 2), 0.25)), 6, 0.3
        order = np.argsort(-np.where(np.isnan(values), -np.inf, values))
        elites = plans[order[:top]]
        fitted = elites.mean(0), elites.var(0)
        right = [alpha * o + (1 - alpha) * f for o, f in zip(old, fitted)]
        got = call(answer, plans, values, *old, top, alpha)
        of = "30 plans" + (", two of which are worth NaN" if broken else "")
        if not isinstance(got, tuple | list) or len(got) != 2:
            raise Wrong(f"for {of} the result must be a pair (mean, var).")
        _common_slips(got, fitted, old, elites, alpha, of)
        for name, x, y in zip(("mean", "var"), got, right):
            compare(x, y, f"{of}, the {name},")
    return "moment matching to the elites, smoothed with the old mean and variance."


def _common_slips(got, fitted, old, elites, alpha, of):
    """Sentences for results that are wrong in a known way."""
    if np.shape(got[1]) != np.shape(fitted[1]):
        return
    if np.allclose(got[1], fitted[1]) and np.allclose(
        got[0], alpha * old[0] + (1 - alpha) * fitted[0]
    ):
        raise Wrong(f"for {of} the variance is that of the elites alone: not smoothed.")
    if np.allclose(got[1], alpha * fitted[1] + (1 - alpha) * old[1]):
        raise Wrong(f"for {of} alpha is the weight of the new values, not the old.")
    if np.allclose(got[1], alpha * old[1] + (1 - alpha) * elites.var(0, ddof=1)):
        raise Wrong(f"for {of} the variance is divided by top - 1, not by top.")


@contract("shooting.weights")
def weights(answer):
    """weights(values (N,), lam) -> (N,), proportional to exp(values / lam)."""
    for values, lam in (([0.0, 1.0], 1.0), ([3.0, -2.0, 0.5], 0.7), ([-np.inf, 0], 2)):
        x = np.array(values, float)
        right = np.exp((x - x.max()) / lam)
        of = f"values {values} and lam = {lam}"
        got = call(answer, x.copy(), lam)
        compare(got, right / right.sum(), of)
    large = np.array([-5000.0, -5001.0])
    got = call(answer, large.copy(), 1.0)
    if not np.isfinite(np.asarray(got, float)).all():
        raise Wrong("values -5000 and -5001 give NaN: subtract the largest first.")
    compare(got, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], "values -5000 and -5001")
    return "only differences of values matter, so the largest may be subtracted."


@contract("shooting.best-plan")
def best_plan(answer):
    """best_plan(A, B, C, gamma, H, s) -> (H, da): the exact open-loop plan."""
    g = np.random.default_rng(5)
    C = np.diag([1.0, 0.5, 2.0])
    C[0, 2] = C[2, 0] = 0.3  # a price on s times a, too
    mixed = LinearQuadratic(g.normal(size=(2, 2)), g.normal(size=(2, 1)), C, 0.9)
    for system, H in ((point_masses(1), 1), (point_masses(2), 7), (mixed, 4)):
        s, plans = g.uniform(-0.8, 0.8, system.ds), Plans(system, H)
        given = system.A, system.B, system.C, system.gamma, H, s
        got = call(answer, *given)
        of = f"ds = {system.ds}, da = {system.da}, H = {H}"
        if np.shape(got) == (H, system.da):
            frozen = _one_gain(system, s, H)
            if np.allclose(got, frozen) and not np.allclose(got, plans.best(s)):
                raise Wrong(
                    f"for {of} the gain without end was used; near the end of a plan "
                    "less is worth doing, so every step has its own gain."
                )
        compare(got, plans.best(s), of, atol=1e-6)
    return "the recursion gives the gains backwards, the states come forwards."


def _one_gain(system, s, H):
    """The plan of the policy that is best without end."""
    K, plan = system.optimal_gain(), []
    for _ in range(H):
        plan.append(K @ s)
        s = system.A @ s + system.B @ plan[-1]
    return np.array(plan)
