"""BMPO: returns against sums over times, the bounds and their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu.theory import FiniteMDP
from mbrl_edu.theory import bounds_bmpo as bmpo
from mbrl_edu.theory import mdp as exact
from mbrl_edu.theory.branch import sliding_return
from mbrl_edu.theory.instances import draw, laws

SLACK = 1 + 1e-9
seeds = st.integers(0, 2**32 - 1)


def test_backward_kernel_is_bayes_rule():
    x = draw("random", np.random.default_rng(0), 3, 3, 2)
    mu = laws(np.random.default_rng(1), 3, 3)
    b = bmpo.backward_kernel(x.mdp, x.pi, mu)
    np.testing.assert_allclose(b.sum(axis=(-2, -1)), 1)
    after = np.einsum("ns,nst->nt", mu, exact.policy_kernel(x.mdp, x.pi))
    back = np.einsum("nt,ntsa->nsa", after, b)  # the law of (s, a) is recovered
    np.testing.assert_allclose(back, mu[..., None] * x.pi, atol=1e-14)


def test_eps_b_equals_its_definition_and_is_zero_for_a_stationary_chain():
    x = draw("random", np.random.default_rng(2), 4, 3, 2)
    b_hat = bmpo.average_backward_kernel(x.mdp, x.pi)
    value = bmpo.eps_b(x.mdp, b_hat, x.pi)
    for i in range(4):
        P, mu, worst = exact.policy_kernel(x.mdp[i], x.pi[i]), x.mdp.rho0[i], 0.0
        for _ in range(300):
            b = bmpo.backward_kernel(x.mdp[i], x.pi[i], mu)
            apart = 0.5 * np.abs(b - b_hat[i]).sum(axis=(-2, -1))
            mu = mu @ P
            worst = max(worst, mu @ apart)
        assert value[i] == pytest.approx(worst, abs=1e-10)
    one = x.mdp[0]
    P = exact.policy_kernel(one, x.pi[0])
    still = np.linalg.matrix_power(P, 500)[0]
    start = FiniteMDP(one.P, one.r, still / still.sum(), one.gamma)
    b = bmpo.average_backward_kernel(start, x.pi[0])
    assert bmpo.eps_b(start, b, x.pi[0]) < 1e-9


def test_bmpo_returns_are_sums_over_times():
    x = draw("random", np.random.default_rng(3), 30, 3, 2)
    x = x[np.asarray(x.mdp.gamma) < 0.96]
    b_hat = bmpo.average_backward_kernel(x.mdp.with_model(x.P_hat), x.pi)
    k1, k2 = 3, 2
    args = (x.mdp, x.P_hat, b_hat, x.pi, x.pi_D, k1, k2)
    for i in range(k1 + k2 + 1):
        ideal, buffered = bmpo.ideal_return(*args, i), bmpo.buffer_return(*args, i)
        for j in range(3):
            m, gamma = x.mdp[j], x.mdp.gamma[j]
            P_D, P = (exact.policy_kernel(m, p) for p in (x.pi_D[j], x.pi[j]))
            M = exact.policy_kernel(m.with_model(x.P_hat[j]), x.pi[j])
            back, power = b_hat[j].sum(axis=-1), np.linalg.matrix_power
            sums = [0.0, 0.0]
            for t in range(700):
                position = min(t, i)
                anchor = m.rho0 @ power(P_D, max(t - i, 0)) @ power(P, k1)
                for which in (0, 1):
                    if which == 1 and i < k1:  # from the buffer, k1 - i steps back
                        position = i
                        anchor = m.rho0 @ power(P_D, t + k1 - i)
                    elif which == 1:  # sliding branch of length i - k1
                        length = i - k1
                        anchor = m.rho0 @ power(P_D, max(t - length, 0))
                        position = k1 + min(t, length)
                    if position >= k1:
                        s = anchor @ power(M, position - k1)
                        reward = (s[:, None] * x.pi[j] * m.r).sum()
                    else:
                        s = anchor @ power(back, k1 - position - 1)
                        reward = (np.einsum("t,tsa->sa", s, b_hat[j]) * m.r).sum()
                    sums[which] += gamma**t * reward
            assert ideal[j] == pytest.approx(sums[0], abs=1e-8)
            assert buffered[j] == pytest.approx(sums[1], abs=1e-8)


@settings(deadline=None)
@given(st.floats(0, 0.97), st.integers(0, 12), st.integers(0, 12), seeds)
def test_position_bound_is_the_sum_and_below_the_slide(gamma, k1, k2, seed):
    e_f, e_b, e_pi = np.random.default_rng(seed).random(3)
    t = np.arange(2000)
    for i in {0, k1, k1 + k2}:
        ahead = np.maximum(np.minimum(t, i) - k1, 0) * e_f
        behind = np.maximum(k1 - np.minimum(t, i), 0) * e_b
        total = 2 * (gamma**t @ (np.maximum(t - i, 0) * e_pi + ahead + behind))
        value = bmpo.position(gamma, 1, e_f, e_b, e_pi, k1, i)
        assert value == pytest.approx(total, rel=1e-7, abs=1e-9)
    slide = bmpo.bidirectional(gamma, 1, max(e_f, e_b), e_pi, k1, k2)
    end = bmpo.position(gamma, 1, e_f, e_b, e_pi, k1, k1 + k2)
    assert end <= slide * SLACK + 1e-9
    assert slide <= bmpo.forward(gamma, 1, max(e_f, e_b), e_pi, k1, k2) * SLACK


def test_buffer_anchor_forward_is_the_mbpo_branch():
    x = draw("far", np.random.default_rng(4), 20)
    b_hat = bmpo.average_backward_kernel(x.mdp, x.pi)
    for j in (0, 3):
        eta = bmpo.buffer_return(x.mdp, x.P_hat, b_hat, x.pi, x.pi_D, 5, 4, 5 + j)
        branch = sliding_return(x.mdp, x.P_hat, x.pi, x.pi_D, j)
        np.testing.assert_allclose(eta, branch)
