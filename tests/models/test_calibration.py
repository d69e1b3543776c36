"""Scores of predicted laws against definitions and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mbrl_edu.models import calibration as c

MU = np.array([[-1.0], [0.5], [2.0]])
SIGMA = np.array([[0.3], [1.0], [0.6]])
real = st.floats(-5, 5)


@given(real, st.floats(0.01, 5), real)
def test_one_member_is_a_gaussian(mu, sigma, y):
    law = [mu], [sigma]
    assert c.nll(*law, y) == pytest.approx(-norm.logpdf(y, mu, sigma), rel=1e-9)
    assert c.cdf(*law, y) == pytest.approx(norm.cdf(y, mu, sigma), rel=1e-9)
    z = (y - mu) / sigma
    gaussian = sigma * (
        z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)
    )
    assert c.crps(*law, y) == pytest.approx(gaussian, rel=1e-9, abs=1e-12)
    twice = [mu, mu], [sigma, sigma]
    for score in (c.nll, c.cdf, c.crps):
        assert score(*twice, y) == pytest.approx(score(*law, y), rel=1e-9, abs=1e-12)


@given(real, st.floats(-2, 3))
def test_scores_do_not_depend_on_the_origin(shift, y):
    for score in (c.nll, c.cdf, c.crps):
        moved = score(MU[:, 0] + shift, SIGMA[:, 0], y + shift)
        assert moved == pytest.approx(score(MU[:, 0], SIGMA[:, 0], y), abs=1e-9)


def draws(n, seed):
    g = np.random.default_rng(seed)
    i = g.integers(3, size=n)
    return MU[i, 0] + SIGMA[i, 0] * g.standard_normal(n)


@pytest.mark.parametrize("y", [-3.0, 0.1, 1.7, 6.0])
def test_mixture_against_monte_carlo(y):
    n = 400_000
    x, x2 = draws(n, 1), draws(n, 2)
    gain = np.abs(x - y) - 0.5 * np.abs(x - x2)
    error = 5 * gain.std() / math.sqrt(n)
    assert abs(c.crps(MU[:, 0], SIGMA[:, 0], y) - gain.mean()) < error
    below = (x <= y).mean()
    assert abs(c.cdf(MU[:, 0], SIGMA[:, 0], y) - below) < 5 * 0.5 / math.sqrt(n)
    dy = 1e-5
    density = np.diff([c.cdf(MU[:, 0], SIGMA[:, 0], v) for v in (y - dy, y + dy)])[0]
    nll = -math.log(density / (2 * dy))
    assert c.nll(MU[:, 0], SIGMA[:, 0], y) == pytest.approx(nll, abs=1e-4)
    mean, aleatoric, epistemic = c.moments(MU, SIGMA)
    assert mean == pytest.approx(x.mean(), abs=5 * x.std() / math.sqrt(n))
    assert aleatoric + epistemic == pytest.approx(x.var(), rel=0.01)


def test_a_point_is_judged_by_its_distance():
    mu, sigma, y = np.array([[0.0, 1.0, 2.0]]), np.zeros((1, 3)), np.array([0.5, 1, 0])
    assert np.allclose(c.crps(mu, sigma, y), [0.5, 0, 2])
    assert c.nll(mu, sigma, y).tolist() == [math.inf, -math.inf, math.inf]
    assert c.coverage(c.cdf(mu, sigma, y[[0, 0, 0]]), 0.9) == 0
    assert np.allclose(c.crps([[0.0], [2.0]], [[0.0], [0.0]], [1.0]), [0.5])


def test_coverage_and_calibration_of_a_law_that_is_right_and_one_that_is_not():
    y, n = draws(40_000, 3), 40_000
    F = c.cdf(np.tile(MU, n), np.tile(SIGMA, n), y)
    for level in (0.5, 0.9):
        error = 5 * math.sqrt(level * (1 - level) / n)
        assert abs(c.coverage(F, level) - level) < error
    assert c.calibration_error(F) < 0.01
    narrow = c.cdf(np.zeros((1, n)), np.ones((1, n)), 2 * norm.ppf(F))
    inside = 2 * norm.cdf(norm.ppf(0.95) / 2) - 1  # outcomes are twice as wide
    assert c.coverage(narrow, 0.9) == pytest.approx(inside, abs=0.012)
    assert c.calibration_error(np.zeros(10)) == pytest.approx(0.5)
    assert c.sharpness(MU, SIGMA) == pytest.approx(draws(n, 4).std(), rel=0.02)


def test_scores_are_the_means():
    y = draws(50, 5)
    mu, sigma = np.tile(MU, 50), np.tile(SIGMA, 50)
    row = c.scores(mu, sigma, y)
    assert row["crps"] == c.crps(mu, sigma, y).mean()
    assert row["cover50"] == c.coverage(c.cdf(mu, sigma, y), 0.5)
    assert len(row) == 6


def test_bad_laws_are_refused():
    with pytest.raises(ValueError, match=r"mu has shape \(2,\), but must be"):
        c.nll([0.0, 1.0], 1.0, [0.0, 0.0])
    with pytest.raises(ValueError, match="sigma has an entry below 0"):
        c.crps([0.0], [-1.0], 0.0)
