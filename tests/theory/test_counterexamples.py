"""The numbers of every counterexample, derived again in another way."""

import numpy as np
import pytest

from mbrl_edu.theory import bounds_mbpo, errata
from mbrl_edu.theory import counterexamples as ce
from mbrl_edu.theory import counterexamples_variants as cv

TIMES = np.arange(20_000)


@pytest.mark.parametrize("name", sorted(errata.COUNTEREXAMPLES))
def test_gap_is_above_the_printed_and_not_above_the_corrected_bound(name):
    example = errata.COUNTEREXAMPLES[name]()
    assert example.name == name
    assert example.gap > 1.3 * example.printed_bound
    assert example.gap <= example.corrected_bound * (1 + 1e-9)
    for text in (example.where, example.printed, example.why, example.corrected):
        assert len(text) > 10


def test_table_has_a_row_for_each():
    rows = errata.table()
    assert [row["name"] for row in rows] == list(errata.COUNTEREXAMPLES)
    assert all(isinstance(row["gap"], float) for row in rows)


@pytest.mark.parametrize("e, k, gamma", [(0.1, 20, 0.9), (0.1, 40, 0.9), (0.3, 8, 0.8)])
def test_main_text_4_3(e, k, gamma):
    """In the trap by t with probability 1-(1-e)^(t-1); model: goal, after min(t,k)."""
    example = ce.main_text_4_3(e, k, gamma)
    t = TIMES[1:]
    real = -(1 - (1 - e) ** (t - 1))
    model = 1 - (1 - e) ** (np.minimum(t, k) - 1)
    gap = (gamma**t * (model - real)).sum()
    assert example.gap == pytest.approx(gap, rel=1e-9)
    allowed = 2 * gamma**k * e / (1 - gamma) ** 2
    assert example.data["e_printed"] == 0
    assert example.printed_bound == pytest.approx(allowed, rel=1e-9)
    assert example.data["e_m_prime"] == pytest.approx(e)  # all that leave, at t = 1
    extra = 2 * k * e / (1 - gamma)
    assert example.corrected_bound == pytest.approx(allowed + extra, rel=1e-9)


def test_main_text_4_3_at_the_numbers_of_the_errata_page():
    example = ce.main_text_4_3(0.1, 20, 0.9)
    assert example.gap == pytest.approx(8.45, abs=0.005)
    assert example.printed_bound == pytest.approx(2.43, abs=0.005)
    assert example.corrected_bound == pytest.approx(42.4, abs=0.05)
    longer = ce.main_text_4_3(0.1, 40, 0.9)
    assert longer.gap == pytest.approx(8.525, abs=0.005)
    assert longer.printed_bound == pytest.approx(0.30, abs=0.005)


def test_main_text_4_3_corrected_with_its_own_error():
    """The main text's error works if the drift of the states is added."""
    example = ce.main_text_4_3()
    assert example.gap <= bounds_mbpo.tight_data_states(0.9, 1.0, 0.0, 0.1, 20)


def test_action_of_the_error():
    """The model falls into the trap at rate e, in truth nothing ever happens."""
    e, k, gamma = 0.1, 20, 0.9
    fallen = 1 - (1 - e) ** np.minimum(TIMES, k)
    gap = 2 * (gamma**TIMES * fallen).sum()
    assert ce.action_of_the_error(e, k).gap == pytest.approx(gap, rel=1e-9)


def test_kl_in_b2():
    for e in (0.1, 0.01):
        example = ce.kl_in_b2(e)
        assert example.gap == pytest.approx(e)
        assert example.printed_bound == pytest.approx(-0.5 * np.log(1 - 4 * e**2))
    assert ce.kl_in_b2(0.1).printed_bound == pytest.approx(0.0204, abs=5e-5)


def test_kl_in_b3():
    """E r_t = (2 e)^t in the model and 0 in truth, t >= 1."""
    example = ce.kl_in_b3(1e-3, 0.9)
    assert example.gap == pytest.approx(0.9 * 2e-3 / (1 - 0.9 * 2e-3), rel=1e-6)
    assert example.gap == pytest.approx(0.0018, abs=5e-6)
    assert example.printed_bound == pytest.approx(0.00036, abs=5e-7)


def test_branch_point_misses_the_first_reward():
    example = ce.branch_point(k=3)
    assert example.gap == pytest.approx(1) and example.printed_bound == 0


def test_learned_reward():
    """One wrong call in the transition, one in the reward, once t >= 1."""
    e, gamma = 0.05, 0.9
    calls = np.minimum(TIMES, 1) + 1
    gap = 2 * (gamma**TIMES * (1 - (1 - e) ** calls)).sum()
    assert ce.learned_reward(e, 1, gamma).gap == pytest.approx(gap, rel=1e-9)


def test_bmpo_anchor():
    """pi_D has leaked for t - k2 steps when the rollout starts; models are exact."""
    e, gamma, k1, k2 = 0.05, 0.95, 20, 1
    example = cv.bmpo_anchor(k1, k2, e, gamma)
    leaked = 1 - (1 - e) ** np.maximum(TIMES - k2, 0)
    gap = 2 * (gamma**TIMES * leaked).sum()
    assert example.gap == pytest.approx(gap, rel=1e-9)
    assert gap == pytest.approx(18.5, abs=0.05)
    printed = 2 * gamma ** (k1 + k2) * e / (1 - gamma) ** 2
    assert example.printed_bound == pytest.approx(printed, abs=1e-9)
    assert printed == pytest.approx(13.6, abs=0.05)


def in_the_trap(prob, gamma):
    """Discounted share of time in the trap when it is entered at rate `prob`."""
    return (1 - gamma) * (gamma**TIMES * (1 - (1 - prob) ** TIMES)).sum()


def test_ampo_examples():
    trap = in_the_trap(0.01, 0.99)
    model = np.sqrt(-2 * np.log(1 - 0.01))  # sqrt(2 KL) where the state is never left
    example = cv.ampo_normalisation(0.01, 0.99)
    assert example.gap == pytest.approx(2 * trap / 0.01, rel=1e-9)
    # the larger difference: T^(trap | state) is .01 in the good state and 1 in the trap
    assert example.printed_bound == pytest.approx(
        0.99 * (trap * 0.99 * 2 + model), rel=1e-9
    )
    example = cv.ampo_sup_r(0.01, 0.99)
    assert example.gap == pytest.approx(trap, rel=1e-9) and example.printed_bound == 0


def test_ampo_signed_class():
    m, prob, gamma = 9, 0.01, 0.999
    example = cv.ampo_signed(m, prob, gamma)
    trap = in_the_trap(prob, gamma)
    assert example.gap == pytest.approx(2 * trap, rel=1e-6)
    model = np.sqrt(-2 * np.log(1 - prob))
    bound = gamma * (trap * (1 - prob) / m * (m + 1) + model)
    assert example.printed_bound == pytest.approx(bound, rel=1e-6)


def test_maac_gradient():
    """J = cos(s0) + gamma cos(s1) + gamma^2 s2 with s_{t+1} = (1 + theta) s_t + c."""
    gamma, theta = 0.9, -0.5

    def J(th, c):
        s1 = (1 + th) + c
        return 1 + gamma * np.cos(s1) + gamma**2 * ((1 + th) * s1 + c)

    h = 1e-6
    slope = [(J(theta + h, c) - J(theta - h, c)) / (2 * h) for c in (0.0, 0.3)]
    example = cv.maac_gradient(0.3, gamma)
    assert example.gap == pytest.approx(abs(slope[0] - slope[1]), abs=1e-8)
    assert example.data["errors"].e_f == 0 and example.data["errors"].e_Q == 0
    assert example.printed_bound == 0


def test_maac_improvement():
    """J(theta) = sum gamma^t [2 (1-theta)^t - 1]; its slope by differences."""
    gamma, alpha = 0.99, 1e-7
    example = cv.maac_improvement()
    slope = example.data["slope"]

    def J(theta):
        return (gamma**TIMES * (2 * (1 - theta) ** TIMES - 1)).sum()

    assert (J(0.01 + 1e-6) - J(0.01 - 1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-4)
    loss = J(0.01 + alpha * slope) - J(0.01 - alpha * slope)
    assert example.gap == pytest.approx(loss, rel=1e-6)
    assert loss == pytest.approx(5.0, abs=0.01)
    assert example.printed_bound == pytest.approx(2e-8, rel=1e-3)
    assert example.corrected_bound == pytest.approx(20, abs=0.01)
