"""Linear-quadratic tasks and probes: every exact answer found in a second way."""

import itertools

import numpy as np
import pytest
import torch

from mbrl_edu.envs import line
from mbrl_edu.envs.lqr import LQR, LinearQuadratic, point_masses
from mbrl_edu.envs.probes import PROBES
from mbrl_edu.envs.tasks import lqr_task, task

ONE = LinearQuadratic([[0.9]], [[0.5]], np.diag([1, 0.1]), 0.95)
SYSTEMS = [ONE, point_masses(1), point_masses(3, 0.9), line.exact()]


def gain(system, seed=0):
    """A policy that is stable but not the best."""
    K = system.optimal_gain()
    return K + 0.1 * np.random.default_rng(seed).normal(size=K.shape)


def simulated(system, K, s, steps=3000):
    """Discounted return, step by step."""
    total = 0.0
    for t in range(steps):
        z = np.concatenate([s, K @ s])
        total -= system.gamma**t * z @ system.C @ z
        s = system.A @ s + system.B @ (K @ s)
    return total


def test_the_numbers_of_the_one_dimensional_example():
    """a = .9, b = .5, gamma = .95, cost s^2 + .1 u^2, u = -k s, k = .7, s0 = 1.3."""
    assert -ONE.gradient([[-0.7]], [[1.3**2]]) == pytest.approx(1.49199, abs=1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_values_are_the_returns(system):
    g = np.random.default_rng(1)
    K, s, a = gain(system), g.normal(size=system.ds), g.normal(size=system.da)
    assert system.V(s, K) == pytest.approx(simulated(system, K, s))
    z = np.concatenate([s, a])
    after = simulated(system, K, system.A @ s + system.B @ a)
    assert system.Q(s, a, K) == pytest.approx(-z @ system.C @ z + system.gamma * after)
    assert system.Q(s, K @ s, K) == pytest.approx(system.V(s, K))
    many = g.normal(size=(4, 2, system.ds))
    assert system.V(many, K).shape == (4, 2)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_gradient_is_that_of_finite_differences(system):
    g = np.random.default_rng(2)
    K, S0 = gain(system), np.cov(g.normal(size=(system.ds, 50)))
    S0, h = np.atleast_2d(S0), 1e-5
    exact = system.gradient(K, S0)
    for i, j in np.ndindex(*K.shape):
        step = np.zeros_like(K)
        step[i, j] = h
        rise = (system.J(K + step, S0) - system.J(K - step, S0)) / (2 * h)
        assert exact[i, j] == pytest.approx(rise, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_best_gain_is_best(system):
    g, K = np.random.default_rng(3), system.optimal_gain()
    S0 = np.eye(system.ds)
    assert np.abs(system.gradient(K, S0)).max() < 1e-8
    for _ in range(20):
        other = K + 0.05 * g.normal(size=K.shape)
        s = g.normal(size=system.ds)
        assert system.V(s, other) < system.V(s, K)
        a = g.normal(size=system.da)
        assert system.Q(s, a, K) < system.V(s, K)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("H", [1, 2, 7])
def test_the_best_plan_is_found_by_least_squares_too(system, H):
    """All actions at once: the return is a quadratic function of them."""
    n, m = system.ds, system.da
    s0 = np.random.default_rng(4).normal(size=n)
    root = np.linalg.cholesky(system.C + 1e-14 * np.eye(n + m)).T

    def residuals(actions):
        s, out = s0, []
        for t, a in enumerate(actions.reshape(H, m)):
            out.append(system.gamma ** (t / 2) * root @ np.concatenate([s, a]))
            s = system.A @ s + system.B @ a
        return np.concatenate(out)

    free = residuals(np.zeros(H * m))
    slopes = np.stack([residuals(e) - free for e in np.eye(H * m)], 1)
    best = np.linalg.lstsq(slopes, -free)[0]
    K, P = system.finite(H)
    s, plan = s0, []
    for t in range(H):
        plan.append(K[t] @ s)
        s = system.A @ s + system.B @ plan[-1]
    assert np.concatenate(plan) == pytest.approx(best, abs=1e-6)
    assert s0 @ P @ s0 == pytest.approx(np.sum(residuals(best) ** 2), abs=1e-9)


def test_long_plans_begin_like_the_best_policy():
    for system in SYSTEMS:
        assert np.allclose(system.finite(500)[0][0], system.optimal_gain(), atol=1e-8)


def test_noise_costs_what_simulation_says():
    system = point_masses(1, gamma=0.9)
    noisy = LinearQuadratic(system.A, system.B, system.C, 0.9, W=0.04 * np.eye(2))
    K, n, g = system.optimal_gain(), 20_000, np.random.default_rng(5)
    s, total = np.tile([0.5, -0.2], (n, 1)), np.zeros(n)
    for t in range(120):
        z = np.concatenate([s, s @ K.T], 1)
        total -= 0.9**t * np.einsum("ni,ij,nj->n", z, system.C, z)
        s = z[:, :2] @ system.A.T + z[:, 2:] @ system.B.T + 0.2 * g.normal(size=(n, 2))
    error = total.std() / n**0.5
    assert abs(total.mean() - noisy.V([0.5, -0.2], K)) < 4 * error
    K = gain(system)
    h, S0 = 1e-5, np.outer([0.5, -0.2], [0.5, -0.2])
    step = np.array([[h, 0]])
    rise = (noisy.J(K + step, S0) - noisy.J(K - step, S0)) / (2 * h)
    assert noisy.gradient(K, S0)[0, 0] == pytest.approx(rise, abs=1e-6)


@pytest.mark.parametrize("n", [1, 4])
def test_the_environment_is_the_system_wherever_episodes_go(n):
    t, system = lqr_task(n), point_masses(n)
    K, env = system.optimal_gain(), LQR(n)
    for seed in range(20):
        env.reset(seed=seed)
        if seed < 4:  # the corners, where the actions are largest
            env.s = env.high * np.tile([(1, 1), (1, -1), (-1, 1), (-1, -1)][seed], n)
        s0, total = env.s.copy(), 0.0
        for i in range(400):
            a = K @ env.s
            assert np.abs(a).max() < 1
            s = env.s.copy()
            _, r, *_ = env.step(a)
            total += system.gamma**i * r
            said = t.reward(*map(torch.tensor, (s, a, env.s)))
            assert said == pytest.approx(r)
        assert total == pytest.approx(system.V(s0, K))


def test_the_line_is_its_linear_quadratic_problem_while_on_it():
    g = np.random.default_rng(6)
    s, a = torch.tensor(g.normal(size=(50, 2))), torch.tensor(g.uniform(-1, 1, (50, 1)))
    s_next, system = line.dynamics(s, a), line.exact()
    assert torch.allclose(system.dynamics(s, a), s_next)
    on = line.terminal(s, a, s_next) == 0
    r = line.reward(s, a, s_next)
    assert on.sum() > 40 and torch.allclose(system.reward(s, a, s_next)[on], r[on])


def test_the_best_policy_on_the_line():
    """Its actions stay inside their bounds, and no fall costs less, whenever it is."""
    system, env = line.exact(), line.Line()
    K, gamma = system.optimal_gain(), system.gamma
    for s0 in itertools.product((-1.5, -0.7, 0.1, 1.5), (-0.3, 0.3)):
        env.reset(seed=0)
        env.s = np.array(s0)
        total = 0.0
        for i in range(2000):
            a = K @ env.s
            _, r, d, *_ = env.step(a)
            total += gamma**i * r
            assert np.abs(a).max() < 1 and not d
        assert total == pytest.approx(system.V(s0, K))
        for t in range(1, 150):
            assert cheapest_fall(s0, t, gamma) > -total


def cheapest_fall(s0, t, gamma):
    """Least cost of any t actions, bounded or not, after which abs(x) >= 3."""
    pushes = np.arange(t)[:, None] - np.arange(t)[None]  # x_k is linear in the actions
    G = 0.2**2 * np.where(pushes >= 0, pushes + 1, 0)
    drift = s0[0] + 0.2 * s0[1] * np.arange(1, t + 1)
    w = gamma ** np.arange(t)
    H = G.T @ (w[:, None] * G) + np.diag(4.0 * w)
    a = np.linalg.solve(H, -G.T @ (w * drift))
    x = drift + G @ a
    cost = w @ (x**2 + 4 * a**2) + 20 * gamma ** (t - 1)
    give = G[-1] @ np.linalg.solve(H, G[-1])
    return cost + min(max(0, 3 - side * x[-1]) ** 2 for side in (-1, 1)) / give


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.eye(3), np.ones((2, 1)), np.eye(3)), r"A has shape \(3, 3\), but must"),
        ((np.eye(2), np.ones((2, 1)), np.eye(2)), r"C has shape \(2, 2\), but must"),
        (([[np.nan]], [[1]], np.eye(2)), "A has entries that are not finite"),
        (([[1]], [[1]], [[1, 0], [1, 1]]), "C is not symmetric"),
        (([[1]], [[1]], np.eye(2), 1.5), "gamma is 1.5"),
    ],
)
def test_bad_systems_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        LinearQuadratic(*arguments)


def test_bad_gains_are_refused():
    with pytest.raises(ValueError, match="spectral radius 1.36"):
        ONE.V([1.0], [[1.0]])
    with pytest.raises(ValueError, match=r"K has shape \(1, 2\), but must have"):
        ONE.V([1.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="H is 0"):
        ONE.finite(0)
    with pytest.raises(ValueError, match="noise is -1"):
        LQR(noise=-1)


@pytest.mark.parametrize("kind", PROBES)
def test_probes_have_their_values(kind):
    """Q is the return, V its maximum over a, reached at the best action."""
    gamma, env = 0.9, kind()
    for seed in range(8):
        g = np.random.default_rng(seed)
        s, _ = env.reset(seed=seed)
        s, a = torch.tensor(s), torch.tensor(g.uniform(-1, 1, 1))
        total, d, t, seen, action = 0.0, False, 0, s, a
        while not d and t < 400:
            seen, r, d, cut, _ = env.step(action)
            assert not cut
            total, t = total + gamma**t * r, t + 1
            action = kind.best(torch.tensor(seen))
        assert kind.Q(s, a, gamma) == pytest.approx(total, abs=1e-6)
        grid = torch.linspace(-1, 1, 201)[:, None]
        Q = kind.Q(s.expand(201, 1), grid, gamma)
        assert Q.max() == pytest.approx(float(kind.V(s, gamma)), abs=1e-6)
        assert Q.max() == kind.Q(s, kind.best(s), gamma)


def test_the_probes_ask_what_they_claim():
    one, zero = torch.ones(1), torch.zeros(1)
    V = {kind.__name__: kind.V for kind in PROBES}
    assert V["ProbeConstant"](zero, 0.9) == 1
    assert V["ProbeObservation"](-one, 0.9) == -1
    assert V["ProbeDiscount"](zero, 0.9) == pytest.approx(0.9)
    assert V["ProbeDiscount"](one, 0.9) == 1
    assert V["ProbeTimeLimit"](zero, 0.9) == pytest.approx(10)
    env = task("ProbeTimeLimit-v0").make()
    env.reset(seed=0)
    assert [env.step([0.0])[2:4] for _ in range(5)] == 4 * [(0, 0)] + [(False, True)]
    both = next(kind for kind in PROBES if kind.__name__ == "ProbeBoth")
    assert both.best(torch.tensor([[-1.0], [1.0]])).tolist() == [[-0.5], [0.5]]
    starts = [task("ProbeBoth-v0").make().reset(seed=i)[0][0] for i in range(20)]
    assert set(starts) == {-1, 1}
