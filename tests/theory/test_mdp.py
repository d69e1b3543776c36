"""The exact solver of finite MDPs against brute force and against known values."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu import theory
from mbrl_edu.theory import FiniteMDP


def laws(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def random_case(rng, S=4, A=3, batch=(), gamma=None):
    gamma = rng.uniform(0, 0.95, size=batch)[()] if gamma is None else gamma
    P, rho0 = laws(rng, *batch, S, A, S), laws(rng, *batch, S)
    mdp = FiniteMDP(P, rng.normal(size=(*batch, S, A)), rho0, gamma)
    return mdp, laws(rng, *batch, S, A)


@st.composite
def cases(draw):
    """A single MDP and a policy; half of them with deterministic transitions."""
    S, A = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mdp, pi = random_case(rng, S, A, gamma=draw(st.floats(0, 0.97)))
    if draw(st.booleans()):
        P = np.eye(S)[rng.integers(S, size=(S, A))]
        mdp = FiniteMDP(P, mdp.r, np.eye(S)[0], mdp.gamma)
        pi = np.eye(A)[rng.integers(A, size=S)]
    return mdp, pi


def corridor(n, gamma=0.9):
    """States 0..n; actions left and right; 0 reflects, n is terminal (+1 on entry)."""
    P, r = np.zeros((n + 1, 2, n + 1)), np.zeros((n + 1, 2))
    for s in range(n):
        P[s, 0, max(s - 1, 0)] = P[s, 1, s + 1] = 1
    P[n, :, n] = 1
    r[n - 1, 1] = 1
    return FiniteMDP(P, r, np.eye(n + 1)[0], gamma)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_values_and_return_equal_the_long_sum(case):
    mdp, pi = case
    P_pi, r_pi = np.zeros((mdp.S, mdp.S)), np.zeros(mdp.S)
    for s, a in product(range(mdp.S), range(mdp.A)):
        P_pi[s] += pi[s, a] * mdp.P[s, a]
        r_pi[s] += pi[s, a] * mdp.r[s, a]
    np.testing.assert_allclose(theory.policy_kernel(mdp, pi), P_pi, atol=1e-14)
    np.testing.assert_allclose(theory.policy_reward(mdp, pi), r_pi, atol=1e-14)
    V, weight = np.zeros(mdp.S), np.eye(mdp.S)
    for _ in range(1500):  # 0.97 ** 1500 < 1e-19
        V, weight = V + weight @ r_pi, mdp.gamma * weight @ P_pi
    np.testing.assert_allclose(theory.policy_values(mdp, pi), V, rtol=1e-10, atol=1e-10)
    assert theory.policy_return(mdp, pi) == pytest.approx(mdp.rho0 @ V, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_optimum_equals_the_best_of_all_deterministic_policies(case):
    mdp, _ = case
    choices = product(range(mdp.A), repeat=mdp.S)
    policies = np.eye(mdp.A)[np.array(list(choices))]  # (A^S, S, A)
    best = theory.policy_values(mdp, policies).max(axis=0)
    Q, V = theory.value_iteration(mdp)
    np.testing.assert_allclose(V, best, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(theory.action_values(mdp, V), Q, rtol=1e-9, atol=1e-9)
    greedy = theory.greedy_policy(Q, tol=1e-9)
    np.testing.assert_allclose(theory.policy_values(mdp, greedy), V, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_sweep_contracts_by_gamma(case):
    mdp, _ = case
    _, V, sweeps = theory.value_iteration(mdp, record=True)
    distance = np.array([np.abs(v - V).max() for v in sweeps])
    assert np.array_equal(sweeps[0], np.zeros(mdp.S)) and np.array_equal(sweeps[-1], V)
    assert (distance[1:] <= mdp.gamma * distance[:-1] + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 12))
def test_distributions_and_occupancy(case, T):
    mdp, pi = case
    mu = theory.state_distributions(mdp, pi, T)
    assert mu.shape == (T + 1, mdp.S)
    P_pi = theory.policy_kernel(mdp, pi)
    for t in range(T + 1):
        direct = mdp.rho0 @ np.linalg.matrix_power(P_pi, t)
        np.testing.assert_allclose(mu[t], direct, atol=1e-12)
    rho = theory.occupancy(mdp, pi)
    assert rho.min() >= -1e-15 and rho.sum() == pytest.approx(1)
    long = theory.state_distributions(mdp, pi, 1500)
    weights = (1 - mdp.gamma) * mdp.gamma ** np.arange(1501)
    np.testing.assert_allclose(rho, (weights @ long)[:, None] * pi, atol=1e-10)
    eta = theory.policy_return(mdp, pi)
    assert (rho * mdp.r).sum() == pytest.approx((1 - mdp.gamma) * eta, abs=1e-9)


def test_batch_equals_loop():
    rng = np.random.default_rng(0)
    mdp, pi = random_case(rng, batch=(3, 2))
    goal = rng.random((3, 2, mdp.S)) < 0.3
    goal[..., 0] = True
    Q, V = theory.value_iteration(mdp)
    batched = {
        "values": theory.policy_values(mdp, pi),
        "eta": theory.policy_return(mdp, pi),
        "mu": theory.state_distributions(mdp, pi, 4),
        "rho": theory.occupancy(mdp, pi),
        "steps": theory.expected_steps(mdp, pi, goal),
        "V": V,
        "greedy": theory.greedy_policy(Q),
    }
    for i in product(range(3), range(2)):
        one, p = mdp[i], pi[i]
        Q, V = theory.value_iteration(one)
        single = {
            "values": theory.policy_values(one, p),
            "eta": theory.policy_return(one, p),
            "mu": theory.state_distributions(one, p, 4),
            "rho": theory.occupancy(one, p),
            "steps": theory.expected_steps(one, p, goal[i]),
            "V": V,
            "greedy": theory.greedy_policy(Q),
        }
        for name, value in single.items():
            np.testing.assert_allclose(
                batched[name][i], value, rtol=1e-10, atol=1e-10, err_msg=name
            )


def test_a_batch_of_policies_on_one_mdp():
    mdp, _ = random_case(np.random.default_rng(1))
    pis = laws(np.random.default_rng(2), 5, mdp.S, mdp.A)
    eta = theory.policy_return(mdp, pis)
    rho = theory.occupancy(mdp, pis)
    assert eta.shape == (5,) and rho.shape == (5, mdp.S, mdp.A)
    for i in range(5):
        assert eta[i] == pytest.approx(theory.policy_return(mdp, pis[i]))
        np.testing.assert_allclose(rho[i], theory.occupancy(mdp, pis[i]), atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_reflected_random_walk_takes_n_times_n_plus_one_steps(n):
    # h(i) - h(i + 1) = 2 i + 2 for the walk reflected at 0, so h(0) = n (n + 1)
    mdp = corridor(n)
    pi = np.full((n + 1, 2), 0.5)
    h = theory.expected_steps(mdp, pi, np.arange(n + 1) == n)
    i = np.arange(n + 1)
    np.testing.assert_allclose(h, n * (n + 1) - i * (i + 1), rtol=1e-10)


def test_expected_steps_equals_the_sum_of_survival_probabilities():
    mdp, pi = random_case(np.random.default_rng(3), S=5)
    goal = np.arange(5) == 2
    walk = np.where(goal[:, None], 0.0, theory.policy_kernel(mdp, pi))
    alive, total = (~goal).astype(float), np.zeros(5)
    for _ in range(400):
        total, alive = total + alive, walk @ alive * ~goal
    np.testing.assert_allclose(theory.expected_steps(mdp, pi, goal), total, rtol=1e-9)


def test_corridor_optimum():
    mdp = corridor(6)
    Q, V = theory.value_iteration(mdp)
    np.testing.assert_allclose(V[:6], 0.9 ** np.arange(5, -1, -1))
    assert V[6] == 0
    pi = theory.greedy_policy(Q)
    np.testing.assert_array_equal(pi[:6], np.tile([0.0, 1.0], (6, 1)))
    np.testing.assert_array_equal(pi[6], [0.5, 0.5])  # both actions tie at the end


def test_expected_steps_refuses_an_unreachable_goal():
    mdp = corridor(4)
    left = np.tile([1.0, 0.0], (5, 1))
    with pytest.raises(ValueError, match="terminal is missed .* start state 0"):
        theory.expected_steps(mdp, left, np.arange(5) == 4)
    with pytest.raises(ValueError, match="terminal"):
        theory.expected_steps(mdp, left, np.zeros(5, dtype=bool))
    with pytest.raises(ValueError, match="terminal has type int64"):
        theory.expected_steps(mdp, left, np.arange(5))


def test_expected_steps_is_infinite_only_where_the_goal_can_be_missed():
    # 0 -> goal; 1 -> goal or trap; the trap (2) stays; the goal leads to the trap
    P = np.zeros((4, 1, 4))
    P[0, 0, 3] = P[2, 0, 2] = P[3, 0, 2] = 1
    P[1, 0, [2, 3]] = 0.5
    mdp = FiniteMDP(P, np.zeros((4, 1)), np.eye(4)[0], 0.9)
    h = theory.expected_steps(mdp, np.ones((4, 1)), np.arange(4) == 3)
    np.testing.assert_array_equal(h, [1, np.inf, np.inf, 0])


GOOD = {
    "P": np.full((2, 2, 2), 0.5),
    "r": np.zeros((2, 2)),
    "rho0": np.array([1.0, 0.0]),
    "gamma": 0.9,
}


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"P": np.full((2, 2, 2), 0.6)}, r"P at index \(0, 0\) sums to 1.2"),
        ({"P": np.full((2, 2), 0.5)}, r"P has shape \(2, 2\); it needs at least 3"),
        ({"P": np.full((2, 2, 3), 1 / 3)}, "last axis must be the number of states, 2"),
        ({"P": np.tile([1.5, -0.5], (2, 2, 1))}, "P has the entry -0.5"),
        ({"P": np.full((2, 2, 2), np.nan)}, "P holds NaN"),
        ({"r": np.zeros((2, 3))}, r"r has shape \(2, 3\); P asks for \(..., 2, 2\)"),
        ({"r": [["a", 1], [1, 1]]}, "r must be an array of real numbers"),
        ({"rho0": [0.5, 0.4]}, "rho0 sums to 0.9"),
        ({"rho0": [0.5, 0.25, 0.25]}, r"rho0 has shape \(3,\)"),
        ({"gamma": 1.0}, r"gamma = 1 is not allowed; it must be in \[0, 1\)"),
        ({"gamma": -0.1}, "gamma = -0.1 is not allowed"),
        ({"r": np.zeros((3, 2, 2)), "gamma": np.zeros(2)}, "batch dimensions do not"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        FiniteMDP(**{**GOOD, **change})


def test_bad_arguments_are_refused():
    mdp = FiniteMDP(**GOOD)
    with pytest.raises(ValueError, match=r"pi has shape \(3, 2\)"):
        theory.policy_values(mdp, np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match="pi at index"):
        theory.policy_values(mdp, np.full((2, 2), 0.4))
    with pytest.raises(ValueError, match="pi has batch dimensions"):
        batch = FiniteMDP(**{**GOOD, "r": np.zeros((3, 2, 2))})
        theory.policy_values(batch, np.full((2, 2, 2), 0.5))
    with pytest.raises(ValueError, match="T = 1.5"):
        theory.state_distributions(mdp, np.full((2, 2), 0.5), 1.5)
    with pytest.raises(ValueError, match="tol = 0"):
        theory.value_iteration(mdp, tol=0)
    with pytest.raises(ValueError, match="V has shape"):
        theory.action_values(mdp, np.zeros(3))


def test_arrays_are_read_only_and_results_are_plain_numbers():
    mdp = FiniteMDP(**GOOD)
    with pytest.raises(ValueError):
        mdp.P[0, 0, 0] = 1
    assert mdp.r_max == 0 and mdp.batch == () and (mdp.S, mdp.A) == (2, 2)
    assert np.ndim(theory.policy_return(mdp, np.full((2, 2), 0.5))) == 0
    with pytest.raises(IndexError):
        mdp[0]
    model = mdp.with_model(np.tile(np.eye(2)[0], (2, 2, 1)))
    assert model.P[1, 0, 0] == 1 and mdp.P[1, 0, 0] == 0.5
