"""Distances against closed forms, each other and their duals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu.theory import distances as d
from mbrl_edu.theory.instances import laws

seeds = st.integers(0, 2**32 - 1)


def cloud(rng, n, dim=2):
    x = rng.normal(size=(n, dim))
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 6))
def test_w1_by_linear_programme_equals_the_formula_on_the_line(seed, n):
    rng = np.random.default_rng(seed)
    x, p, q = rng.normal(size=n), laws(rng, n), laws(rng, n, concentration=0.2)
    metric = np.abs(x[:, None] - x)
    assert d.w1(metric, p, q) == pytest.approx(d.w1_line(x, p, q), abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 6))
def test_every_distance_dominates_the_functions_of_its_ball(seed, n):
    rng = np.random.default_rng(seed)
    p, q, f = laws(rng, n), laws(rng, n), rng.normal(size=n)
    metric = cloud(rng, n)
    gram = np.exp(-(metric**2))
    gap = abs((p - q) @ f) - 1e-8  # the accuracy of the linear programme
    assert gap <= d.half_span(f) * 2 * d.tv(p, q)
    assert gap <= d.lipschitz_constant(metric, f) * d.w1(metric, p, q)
    assert gap <= d.kernel_norm(gram, f) * d.mmd(gram, p, q)


def test_w1_with_the_discrete_metric_is_total_variation():
    rng = np.random.default_rng(0)
    for n in (2, 5, 8):
        p, q = laws(rng, n), laws(rng, n)
        metric = 1 - np.eye(n)
        assert d.w1(metric, p, q) == pytest.approx(d.tv(p, q), abs=1e-9)


def test_the_witness_of_the_mmd_attains_it():
    rng = np.random.default_rng(1)
    gram, p, q = np.exp(-(cloud(rng, 5) ** 2)), laws(rng, 5), laws(rng, 5)
    witness = gram @ (p - q)
    attained = (p - q) @ witness / d.kernel_norm(gram, witness)
    assert attained == pytest.approx(d.mmd(gram, p, q), rel=1e-9)


def test_values_by_hand():
    p, q = [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]
    assert d.tv(p, q) == 0.5
    assert d.w1_line([0.0, 1.0, 3.0], p, q) == pytest.approx(1.5)
    assert d.w1_line([3.0, 0.0, 1.0], [0, 0.5, 0.5], [0.5, 0, 0.5]) == pytest.approx(
        1.5
    )
    assert d.mmd(np.eye(3), p, q) == pytest.approx(np.sqrt(0.5))
    assert d.kl(p, q) == np.inf
    assert d.kl([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.5 * np.log(4 / 3))
    assert d.kl(p, p) == 0


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_pinsker_and_batches(seed):
    rng = np.random.default_rng(seed)
    p, q, x = laws(rng, 7, 4), laws(rng, 7, 4), rng.normal(size=4)
    assert (d.tv(p, q) <= np.sqrt(d.kl(p, q) / 2) + 1e-12).all()
    line = d.w1_line(x, p, q)
    for i in range(7):
        assert line[i] == pytest.approx(d.w1_line(x, p[i], q[i]), abs=1e-13)
        assert d.kl(p, q)[i] == pytest.approx(d.kl(p[i], q[i]))


@pytest.mark.parametrize(
    "metric, p, sentence",
    [
        (np.ones((2, 2)), [0.5, 0.5], "zero on its diagonal"),
        (np.array([[0, 1.0], [2.0, 0]]), [0.5, 0.5], "symmetric"),
        (np.zeros((3, 3)), [0.5, 0.5], "do not fit"),
        (1 - np.eye(2), [0.5, 0.6], "p sums to 1.1"),
    ],
)
def test_bad_input_is_refused(metric, p, sentence):
    with pytest.raises(ValueError, match=sentence):
        d.w1(metric, p, [0.5, 0.5])
