"""MBPO's formulas: their printed forms, their order, their limits, the choice of k."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory import choice_of_k

unit = st.floats(0, 1)
gammas = st.floats(0, 0.99)
lengths = st.integers(0, 60)


def close(a, b):
    return a == pytest.approx(b, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(gammas, st.floats(0, 5), unit, unit, lengths)
def test_formulas_as_printed(g, R, e_m, e_pi, k):
    one, two = 1 - g, (1 - g) ** 2
    slide = g ** (k + 1) * e_pi / two + g**k * e_pi / one + k * e_m / one
    assert close(mbpo.theorem_4_3(g, R, e_m, e_pi, k), 2 * R * slide)
    first = 2 * g * R * (e_m + 2 * e_pi) / two + 4 * R * e_pi / one
    assert close(mbpo.theorem_4_1(g, R, e_m, e_pi), first)
    second = g ** (k + 1) * e_pi / two + (g**k + 2) * e_pi / one
    second = 2 * R * (second + k * (e_m + 2 * e_pi) / one)
    assert close(mbpo.theorem_4_2(g, R, e_m, e_pi, k), second)
    b3 = 2 * R * (g * (e_pi + e_m) / two + e_pi / one)
    assert close(mbpo.lemma_b3(g, R, e_m, e_pi), b3)


@settings(deadline=None)
@given(gammas, unit, unit, unit, unit, lengths)
def test_lemma_b4_as_printed_and_as_a_sum_over_times(g, m0, p0, m1, p1, k):
    one, two = 1 - g, (1 - g) ** 2
    printed = g ** (k + 1) * (m0 + p0) / two + k * (m1 + p1) / one
    printed = 2 * (printed + g**k * p0 / one + p1 / one)
    assert close(mbpo.lemma_b4(g, 1, m0, p0, m1, p1, k), printed)
    t = np.arange(4000)
    terms = np.maximum(t - k, 0) * (m0 + p0) + np.minimum(t, k) * (m1 + p1) + p1
    tight = mbpo.lemma_b4_tight(g, 1, m0, p0, m1, p1, k)
    assert tight == pytest.approx(2 * (g**t * terms).sum(), rel=1e-7, abs=1e-9)
    assert tight <= printed * (1 + 1e-9) + 1e-12


@settings(deadline=None)
@given(gammas, unit, unit, lengths)
def test_tight_forms_are_sums_over_times(g, e_m, e_pi, k):
    t = np.arange(4000)  # 0.99 ** 4000 < 1e-17
    states = np.maximum(t - k, 0) * e_pi + np.minimum(t, k) * e_m
    near = {"rel": 1e-7, "abs": 1e-9}
    assert mbpo.tight(g, 1, e_m, e_pi, k) == pytest.approx(2 * (g**t @ states), **near)
    head = states + np.where(t >= k, e_pi, 0)
    value = mbpo.tight_head_first(g, 1, e_m, e_pi, k)
    assert value == pytest.approx(2 * (g**t @ head), **near)
    drift = np.minimum(t, k) * (np.minimum(t, k) - 1) / 2 * e_pi
    value = mbpo.tight_data_states(g, 1, e_m, e_pi, k)
    assert value == pytest.approx(2 * (g**t @ (states + drift)), **near)
    if k >= 1:
        reward = np.maximum(t - (k - 1), 0) * e_pi + np.minimum(t, k - 1) * e_m + e_m
        value = mbpo.tight_learned_reward(g, 1, e_m, e_pi, k)
        assert value == pytest.approx(2 * (g**t @ reward), **near)


@settings(deadline=None)
@given(gammas, unit, unit, lengths)
def test_tight_forms_are_below_the_printed_ones(g, e_m, e_pi, k):
    slack = 1 + 1e-9
    slide = mbpo.theorem_4_3(g, 1, e_m, e_pi, k) * slack + 1e-12
    assert mbpo.tight(g, 1, e_m, e_pi, k) <= slide
    assert mbpo.tight_head_first(g, 1, e_m, e_pi, k) <= slide
    if k >= 1:
        assert mbpo.tight_learned_reward(g, 1, e_m, e_pi, k) <= slide
    if k <= 2:  # so the main text's Theorem 4.3 holds for k <= 2
        assert mbpo.tight_data_states(g, 1, e_m, e_pi, k) <= slide
    second = mbpo.theorem_4_2(g, 1, e_m, e_pi, k) * slack + 1e-12
    assert mbpo.tight_data(g, 1, e_m, e_pi, k) <= second
    first = mbpo.theorem_4_1(g, 1, e_m, e_pi) * slack + 1e-12
    assert mbpo.theorem_4_1_tight(g, 1, e_m, e_pi) <= first


@settings(max_examples=300, deadline=None)
@given(st.floats(0.05, 0.97), st.floats(1e-4, 1), st.floats(1e-4, 1))
def test_best_k_is_the_argmin(g, e_m, e_pi):
    k = np.arange(400)
    values = mbpo.theorem_4_3(g, 1, e_m, e_pi, k)
    best = choice_of_k.best_k(g, e_m, e_pi)
    # rounding may move the argmin by one where two values are equal
    assert values[int(best)] <= values.min() * (1 + 1e-12)
    assert (best > 0) == (e_m < e_pi)
    assert mbpo.theorem_4_2(g, 1, e_m, e_pi, k).argmin() == 0
    tight = mbpo.tight(g, 1, e_m, e_pi, np.append(k, np.inf))
    optimum = 0 if choice_of_k.best_k_tight(e_m, e_pi) == 0 else -1
    assert tight[optimum] <= tight.min() * (1 + 1e-12)


@settings(deadline=None)
@given(unit, st.floats(1e-3, 1), st.floats(-2, 2))
def test_slope_limit_is_the_condition_for_a_positive_k(e_m, e_pi, slope):
    e_prime = e_m + slope * e_pi
    margin = choice_of_k.slope_limit(e_m, e_pi) - slope
    if e_prime >= 0 and abs(margin) > 1e-9:
        assert (choice_of_k.best_k(0.9, e_prime, e_pi) > 0) == (margin > 0)


def test_edges_of_the_choice():
    assert choice_of_k.best_k(0.9, 0.0, 0.1) == np.inf
    assert choice_of_k.best_k(0.9, 0.1, 0.1) == 0
    assert choice_of_k.best_k(0.9, 0.0, 0.0) == 0
    assert choice_of_k.best_k(0.0, 0.05, 0.1) == 1
    assert choice_of_k.best_k(0.5, 0.125, 1.0) == 3
    np.testing.assert_array_equal(
        choice_of_k.best_k(0.5, [0.3, 0.2], [0.2, 0.3]), [0, 1]
    )
    assert choice_of_k.slope_limit(0.0, 0.0) == 1
    assert choice_of_k.slope_limit(0.1, 0.0) == -np.inf


def test_infinite_k_is_the_full_model_rollout():
    assert mbpo.tight(0.9, 1, 0.1, 0.3, np.inf) == pytest.approx(2 * 0.9 * 0.1 / 0.01)
    assert mbpo.theorem_4_3(0.9, 1, 0.0, 0.3, np.inf) == 0
    assert mbpo.theorem_4_3(0.9, 1, 0.1, 0.3, np.inf) == np.inf
    with pytest.raises(ValueError, match="k = inf"):
        mbpo.tight_data_states(0.9, 1, 0.1, 0.3, np.inf)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"gamma": 1.0}, "gamma = 1"),
        ({"r_max": -1.0}, "r_max = -1"),
        ({"e_m_prime": -0.1}, "e_m_prime = -0.1"),
        ({"e_pi": np.nan}, "e_pi holds NaN"),
        ({"k": -1}, "k = -1"),
        ({"k": 0.5}, "k = 0.5"),
    ],
)
def test_bad_input_is_refused(change, sentence):
    good = {"gamma": 0.9, "r_max": 1.0, "e_m_prime": 0.1, "e_pi": 0.1, "k": 1}
    with pytest.raises(ValueError, match=sentence):
        mbpo.theorem_4_3(**{**good, **change})
