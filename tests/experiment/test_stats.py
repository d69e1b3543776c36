import numpy as np
import pytest

from mbrl_edu.experiment import stats


def test_iqm_by_hand():
    assert stats.iqm(np.array([9.0, 1, 2, 3, 100, -50, 4, 5])) == 3.5  # 2 off each end
    assert stats.iqm(np.array([100.0, 2, 4, 3, 1])) == 3.0  # one off each end
    assert stats.iqm(np.array([1.0, 2, 9])) == 4.0  # too few to cut
    both = np.array([[1.0, 10], [2, 20], [3, 30], [100, 1000]])
    assert (stats.iqm(both, axis=0) == [2.5, 25]).all()
    assert (stats.iqm(both, axis=1) == [5.5, 11, 16.5, 550]).all()


def test_iqm_agrees_with_the_trimmed_mean_of_scipy():
    from scipy.stats import trim_mean

    x = np.random.default_rng(0).normal(size=(13, 7))
    assert np.allclose(stats.iqm(x), trim_mean(x, 0.25, axis=0))


def test_the_bootstrap_of_two_values_by_hand():
    """Resamples of {0, 1} have mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4."""
    band = stats.bootstrap([0.0, 1.0], stats.mean, level=0.4, resamples=4000)
    assert (band.center, band.low, band.high) == (0.5, 0.5, 0.5)
    band = stats.bootstrap([0.0, 1.0], stats.mean, level=0.6, resamples=4000)
    assert (band.center, band.low, band.high) == (0.5, 0.0, 1.0)
    assert band.runs == 2 and band.level == 0.6


def test_strata_are_resampled_each_by_itself():
    """Two tasks far apart, no spread inside: any resample has the same mean."""
    scores = np.column_stack([np.zeros(5), np.full(5, 100.0)])
    band = stats.bootstrap(scores, stats.mean)
    assert (band.center, band.low, band.high) == (50, 50, 50)
    # and the columns are not drawn together: x - y would then always cancel
    x = np.arange(10.0)
    band = stats.bootstrap(np.column_stack([x, -x]), stats.mean)
    assert band.low < -0.5 and band.high > 0.5


def test_a_curve_keeps_its_runs_whole():
    """Step 2 is 10 minus step 1: with whole runs drawn, so are the bounds."""
    x = np.random.default_rng(1).normal(size=12)
    band = stats.bootstrap_curve(np.column_stack([x, 10 - x]), stats.mean)
    assert band.high[1] == pytest.approx(10 - band.low[0])
    assert band.low.shape == band.center.shape == (2,)


def test_blocks_of_steps_do_not_change_a_curves_band(monkeypatch):
    curves = np.random.default_rng(2).normal(size=(6, 31))
    whole = stats.bootstrap_curve(curves, resamples=200)
    monkeypatch.setattr(stats, "BLOCK", 200 * 6 * 4)
    parts = stats.bootstrap_curve(curves, resamples=200)
    assert (whole.low == parts.low).all() and (whole.high == parts.high).all()


def test_same_seed_same_band_and_generators_are_taken():
    x = np.random.default_rng(0).normal(size=20)
    bands = [stats.bootstrap(x, rng=r) for r in (0, 0, 1)]
    assert bands[0] == bands[1] != bands[2]
    g = [stats.bootstrap(x, rng=np.random.default_rng(5)) for _ in range(2)]
    assert g[0] == g[1]


def test_paired_differences_take_out_what_pairs_share():
    g = np.random.default_rng(3)
    shared = 100 * g.normal(size=20)
    a, b = shared + 1 + 0.1 * g.normal(size=20), shared + 0.1 * g.normal(size=20)
    band = stats.paired_difference(a, b)
    assert 0.9 < band.low < band.center < band.high < 1.1
    assert stats.paired_difference([3.0, 5], [1.0, 1], stats.mean).center == 3


def test_probability_of_improvement_by_hand():
    found = stats.probability_of_improvement([1.0, 3], [0.0, 3])
    assert found.center == (1 + 0 + 1 + 0.5) / 4
    a, b = [[2.0, 0], [2, 0]], [[1.0, 1], [1, 1]]  # better on one task, worse on one
    found = stats.probability_of_improvement(a, b)
    assert (found.center, found.low, found.high) == (0.5, 0.5, 0.5)
    found = stats.probability_of_improvement([5.0, 6, 7], [1.0, 2])
    assert (found.center, found.low, found.high, found.runs) == (1, 1, 1, 2)


def test_the_draws_of_improvement_are_the_bootstraps():
    """The weighted sum equals the mean over really drawn runs."""
    x, y = np.array([0.0, 2, 4]), np.array([1.0, 2])
    found = stats.probability_of_improvement(x, y, level=0.8, resamples=20_000)
    g = np.random.default_rng(9)
    xs, ys = x[g.integers(3, size=(20_000, 3))], y[g.integers(2, size=(20_000, 2))]
    pairs = np.sign(xs[:, :, None] - ys[:, None]).mean((1, 2)) / 2 + 0.5
    assert np.allclose(np.quantile(pairs, [0.1, 0.9]), [found.low, found.high])


def coverage(statistic, n, sets=600, level=0.9):
    """Share of data sets whose band holds the truth, 0."""
    data = np.random.default_rng(0).normal(size=(sets, n))
    bands = [
        stats.bootstrap(x, statistic, level, 400, rng=i) for i, x in enumerate(data)
    ]
    return np.mean([b.low <= 0 <= b.high for b in bands])


def test_bands_hold_the_truth_about_as_often_as_they_say():
    """Percentile bands of n values are a little narrow: for the mean of normal values
    their width is that of a z interval times sqrt((n - 1) / n), which holds the truth
    in 88.1 % of data sets for n = 30 and 90 %. Margin: four standard errors."""
    se = np.sqrt(0.88 * 0.12 / 600)
    assert abs(coverage(stats.mean, 30) - 0.881) < 4 * se


def test_bands_of_the_iqm_hold_the_truth_too():
    assert 0.82 < coverage(stats.iqm, 30) < 0.94


def test_a_higher_level_gives_a_wider_band():
    x = np.random.default_rng(4).normal(size=30)
    narrow, wide = (stats.bootstrap(x, level=v) for v in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: stats.bootstrap([1.0, float("nan")]), "scores holds NaN"),
        (lambda: stats.bootstrap([]), "scores has shape"),
        (lambda: stats.bootstrap(np.zeros((2, 2, 2))), "scores has shape"),
        (lambda: stats.bootstrap([1.0], level=1.0), "level is 1.0"),
        (lambda: stats.bootstrap([1.0], resamples=0), "resamples is 0"),
        (lambda: stats.bootstrap_curve([1.0]), "curves has shape"),
        (lambda: stats.paired_difference([1.0], [1.0, 2]), "they must agree"),
        (
            lambda: stats.probability_of_improvement([[1.0, 2]], [[1.0]]),
            "a has 2 tasks and b 1",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_band_reads_as_a_number_with_its_bounds():
    assert str(stats.Band(1.0, 0.5, 1.25, 0.95, 5)) == "1 [0.5, 1.25]"
