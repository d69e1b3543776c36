"""What plans are worth on a linear-quadratic task: by rollout, recursion, sampling."""

import numpy as np
import pytest
import torch

from mbrl_edu.envs.lqr import LinearQuadratic, point_masses
from mbrl_edu.envs.plans import Plans, best_of


def mixed(gamma=0.9):
    """Three states, two actions, and prices on products of s and a."""
    g = np.random.default_rng(0)
    root = g.normal(size=(5, 5))
    A, B = g.normal(size=(3, 3)) / 2, g.normal(size=(3, 2))
    return LinearQuadratic(A, B, root @ root.T + np.eye(5), gamma)


def rollout(system, s, plan):
    total, weight = 0.0, 1.0
    for a in plan:
        z = np.concatenate([s, a])
        total -= weight * z @ system.C @ z
        s, weight = system.A @ s + system.B @ a, weight * system.gamma
    return total


@pytest.mark.parametrize("system", [point_masses(1), point_masses(3), mixed()])
@pytest.mark.parametrize("H", [1, 2, 9])
def test_worth_and_regret_are_those_of_a_rollout(system, H):
    plans, g = Plans(system, H), np.random.default_rng(H)
    s = g.normal(size=system.ds)
    tried = g.uniform(-1, 1, (20, H, system.da))
    J = np.array([rollout(system, s, plan) for plan in tried])
    best = -s @ plans.P @ s
    assert np.allclose(best - plans.regret(s, tried), J, rtol=1e-9)
    worth = plans.evaluate(s)(torch.tensor(tried, dtype=torch.float32))
    assert np.allclose(worth.numpy(), J, rtol=1e-4) and plans.calls == 20
    assert plans.gap(s) == pytest.approx(best - rollout(system, s, 0 * tried[0]))


@pytest.mark.parametrize("system", [point_masses(2), mixed(1.0)])
def test_the_best_plan_is_that_of_the_recursion(system):
    H = 6
    plans, s = Plans(system, H), np.random.default_rng(1).normal(size=system.ds)
    gains, x, plan = system.finite(H)[0], s, []
    for K in gains:
        plan.append(K @ x)
        x = system.A @ x + system.B @ plan[-1]
    assert np.allclose(plans.best(s), plan)
    assert plans.regret(s, plans.best(s)) == pytest.approx(0, abs=1e-12)
    assert np.linalg.eigvalsh(plans.M).min() > 0


def test_plans_from_the_box_of_starts_stay_inside_the_bounds():
    for H in (5, 20, 50):
        plans = Plans(point_masses(1), H)
        for s in ([0.8, 0.2], [0.8, -0.2], [-0.8, 0.2]):
            assert np.abs(plans.best(s)).max() < 1


def test_best_of_n_is_exact_where_the_ellipsoid_fits():
    """One action: |a - a*| is uniform near 0, so the least of N is known."""
    M, g = np.array([[3.0]]), np.random.default_rng(2)
    N = 400
    least = 3 * (g.uniform(-1, 1, (4000, N)) ** 2).min(1)  # a* = 0
    error = least.std() / len(least) ** 0.5
    assert best_of(N, M) == pytest.approx(3 * 2 / ((N + 1) * (N + 2)))
    assert abs(least.mean() - best_of(N, M)) < 4 * error


@pytest.mark.parametrize("D", [2, 5, 12])
def test_best_of_n_is_a_lower_bound(D):
    g = np.random.default_rng(D)
    root = g.normal(size=(D, D))
    M, center = np.eye(D) + root @ root.T / D, g.uniform(-1, 1, D)
    for N in (1, 10, 1000):
        d = g.uniform(-1, 1, (300, N, D)) - center
        least = ((d @ M) * d).sum(-1).min(1)
        assert least.mean() + 4 * least.std() / 300**0.5 > best_of(N, M)
    falls = best_of([1000, 2000], M)
    assert falls[0] / falls[1] == pytest.approx(2 ** (2 / D), rel=2e-3)


def test_a_bad_horizon_is_refused():
    with pytest.raises(ValueError, match="H is 0"):
        Plans(point_masses(1), 0)
