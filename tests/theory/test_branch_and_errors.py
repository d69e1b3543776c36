"""Branched returns against sums over time, errors against their definitions."""

import numpy as np
import pytest

from mbrl_edu.theory import branch, errors
from mbrl_edu.theory.instances import FAMILIES, draw, laws
from mbrl_edu.theory.mdp import policy_kernel, policy_return, policy_reward

T = 800  # 0.95 ** 800 < 1e-17


@pytest.fixture(scope="module", params=["random", "deterministic", "near_absorbing"])
def instance(request):
    rng = np.random.default_rng(0)
    x = draw(request.param, rng, 60, 4, 3)
    return x[np.asarray(x.mdp.gamma) < 0.96]


def chains(x, i):
    one = x[i]
    P_D, P_pi = policy_kernel(one.mdp, one.pi_D), policy_kernel(one.mdp, one.pi)
    M = policy_kernel(one.mdp.with_model(one.P_hat), one.pi)
    return one, P_D, P_pi, M, policy_reward(one.mdp, one.pi)


def test_sliding_return_is_the_sum_over_times(instance):
    eta = branch.sliding_return(
        instance.mdp, instance.P_hat, instance.pi, instance.pi_D, instance.k
    )
    for i in range(5):
        one, P_D, _, M, r_pi = chains(instance, i)
        k, total, real = int(one.k), 0.0, one.mdp.rho0
        for t in range(T):
            model_steps = np.linalg.matrix_power(M, min(t, k))
            total += one.mdp.gamma**t * real @ model_steps @ r_pi
            if t >= k:
                real = real @ P_D
        assert eta[i] == pytest.approx(total, abs=1e-9)


def test_head_first_return_is_the_sum_over_times(instance):
    eta = branch.head_first_return(
        instance.mdp, instance.P_hat, instance.pi, instance.pi_D, instance.k
    )
    for i in range(5):
        one, P_D, _, M, r_pi = chains(instance, i)
        r_D, law, total = policy_reward(one.mdp, one.pi_D), one.mdp.rho0, 0.0
        for t in range(T):
            total += one.mdp.gamma**t * law @ (r_pi if t < one.k else r_D)
            law = law @ (M if t < one.k else P_D)
        assert eta[i] == pytest.approx(total, abs=1e-9)


def test_branch_point_return_is_the_sum_over_start_times(instance):
    eta = branch.branch_point_return(
        instance.mdp, instance.P_hat, instance.pi, instance.pi_D, instance.k
    )
    for i in range(5):
        one, P_D, _, M, r_pi = chains(instance, i)
        value, law, total = (
            np.linalg.matrix_power(M, int(one.k)) @ r_pi,
            one.mdp.rho0,
            0,
        )
        for t in range(T):
            total, law = total + one.mdp.gamma**t * law @ value, law @ P_D
        assert eta[i] == pytest.approx(total, abs=1e-9)


def test_limits_of_the_branch_length(instance):
    x, zero = instance, np.zeros(instance.mdp.batch, dtype=int)
    args = (x.mdp, x.P_hat, x.pi, x.pi_D)
    full = branch.model_return(x.mdp, x.P_hat, x.pi)
    np.testing.assert_allclose(branch.sliding_return(*args, 900), full, atol=1e-9)
    np.testing.assert_allclose(branch.head_first_return(*args, 900), full, atol=1e-9)
    data = policy_return(x.mdp, x.pi_D)
    np.testing.assert_allclose(branch.head_first_return(*args, zero), data, atol=1e-9)
    same = branch.sliding_return(x.mdp, x.mdp.P, x.pi, x.pi, x.k)
    np.testing.assert_allclose(same, policy_return(x.mdp, x.pi), atol=1e-9)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_simulation_lemma_is_an_equality(family):
    x = draw(family, np.random.default_rng(7), 100)
    gap = policy_return(x.mdp, x.pi) - branch.model_return(x.mdp, x.P_hat, x.pi)
    value = branch.simulation_gap(x.mdp, x.P_hat, x.pi)
    np.testing.assert_allclose(value, gap, atol=1e-9)


def test_model_reward_replaces_the_reward():
    x = draw("random", np.random.default_rng(1), 8)
    args = (x.mdp, x.P_hat, x.pi, x.pi_D, x.k)
    plain = branch.sliding_return(*args)
    np.testing.assert_allclose(branch.sliding_return(*args, x.mdp.r), plain)
    np.testing.assert_allclose(branch.sliding_return(*args, 2 * x.mdp.r), 2 * plain)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_errors_equal_their_definitions(family):
    x = draw(family, np.random.default_rng(2), 4, 3, 2)
    pairs = errors.model_error_by_pair(x.mdp, x.P_hat)
    e_m, e_prime = (
        errors.eps_m(x.mdp, x.P_hat, x.pi_D),
        errors.eps_m_prime(x.mdp, x.P_hat, x.pi),
    )
    mixed = errors.model_error(x.mdp, pairs, x.pi_D, x.pi)
    e_pi = errors.policy_shift(x.pi, x.pi_D)
    for i in range(4):
        one = x[i]
        tv = 0.5 * np.abs(one.mdp.P - one.P_hat).sum(-1)
        for walk, act, value in (
            (one.pi_D, one.pi_D, e_m[i]),
            (one.pi, one.pi, e_prime[i]),
            (one.pi_D, one.pi, mixed[i]),
        ):
            law, worst, P = one.mdp.rho0, 0.0, policy_kernel(one.mdp, walk)
            for _ in range(3000):
                worst = max(worst, law @ (act * tv).sum(-1))
                law = law @ P
            assert value == pytest.approx(worst, abs=1e-12)
        worst = max(0.5 * np.abs(one.pi[s] - one.pi_D[s]).sum() for s in range(3))
        assert e_pi[i] == pytest.approx(worst, abs=1e-14)


def test_branch_error_equals_its_definition():
    x = draw("far", np.random.default_rng(3), 6, 3, 2)
    k = np.array([0, 1, 2, 3, 5, 8])
    pairs = errors.model_error_by_pair(x.mdp, x.P_hat)
    value = errors.branch_model_error(x.mdp, pairs, x.pi_D, x.pi, k)
    for i in range(6):
        _, P_D, P_pi, *_ = chains(x, i)
        f, worst, before = (x.pi[i] * pairs[i]).sum(-1), 0.0, x.mdp.rho0[i]
        for _ in range(3000):
            law = before
            for _ in range(k[i]):
                worst, law = max(worst, law @ f), law @ P_pi
            before = before @ P_D
        assert value[i] == pytest.approx(worst, abs=1e-12)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_averages_never_exceed_the_maxima(family):
    x = draw(family, np.random.default_rng(4), 50)
    e_pi = errors.policy_shift(x.pi, x.pi_D)
    for walk, e in (
        (x.pi, errors.eps_m_prime(x.mdp, x.P_hat, x.pi)),
        (x.pi_D, errors.eps_m(x.mdp, x.P_hat, x.pi_D)),
    ):
        assert (errors.mean_model_error(x.mdp, x.P_hat, walk) <= e + 1e-12).all()
        shift = errors.mean_policy_shift(x.mdp, x.pi, x.pi_D, walk)
        assert (shift <= e_pi + 1e-12).all()


def test_joint_error_is_at_least_the_transition_error():
    rng = np.random.default_rng(5)
    joint, other = (laws(rng, 20, 3, 2, 6).reshape(20, 3, 2, 3, 2) for _ in range(2))
    P, r = errors.split_joint(joint, [-1.0, 1.0])
    np.testing.assert_allclose(P.sum(-1), 1)
    np.testing.assert_allclose(r, (joint[..., 1] - joint[..., 0]).sum(-1))
    both = errors.joint_error_by_pair(joint, other)
    alone = 0.5 * np.abs(P - errors.split_joint(other, [-1.0, 1.0])[0]).sum(-1)
    assert (both >= alone - 1e-12).all()


def test_bad_lengths_are_refused():
    x = draw("random", np.random.default_rng(6), 3)
    for k in (-1, 1.5):
        with pytest.raises(ValueError, match="k = "):
            branch.sliding_return(x.mdp, x.P_hat, x.pi, x.pi_D, k)
    with pytest.raises(ValueError, match="family = 'nonsense'"):
        draw("nonsense", np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match="at least 1, 2, 2"):
        draw("random", np.random.default_rng(0), 3, 1, 2)
