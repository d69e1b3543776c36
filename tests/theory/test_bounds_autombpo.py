"""AutoMBPO: exact bias, sampling, and the best share of real samples."""

import numpy as np
import pytest

from mbrl_edu.theory import FiniteMDP
from mbrl_edu.theory import bounds_autombpo as autombpo
from mbrl_edu.theory import mdp as exact
from mbrl_edu.theory.instances import draw, laws

SLACK = 1 + 1e-9


def test_optimum_equals_value_iteration():
    for family in ("random", "deterministic", "near_absorbing"):
        x = draw(family, np.random.default_rng(10), 60, 5, 3)
        pi, V = autombpo.optimum(x.mdp)
        _, reference = exact.value_iteration(x.mdp, 1e-13)
        np.testing.assert_allclose(V, reference, atol=1e-8)
        np.testing.assert_allclose(exact.policy_values(x.mdp, pi), V, atol=1e-10)


def test_mixed_kernel_and_sampled_kernel():
    rng = np.random.default_rng(11)
    x = draw("random", rng, 3, 4, 2)
    np.testing.assert_allclose(autombpo.mixed_kernel(x.mdp, x.P_hat, 1.0), x.mdp.P)
    np.testing.assert_allclose(autombpo.mixed_kernel(x.mdp, x.P_hat, 0.0), x.P_hat)
    real = autombpo.successors(x.mdp.P, 40_000, rng)
    model = autombpo.successors(x.P_hat, 40_000, rng)
    P = autombpo.sampled_kernel(real, model, 20_000, 0.5, 4)
    np.testing.assert_allclose(P.sum(-1), 1)
    mixed = autombpo.mixed_kernel(x.mdp, x.P_hat, 0.5)
    assert np.abs(P - mixed).max() < 5 * np.sqrt(0.25 / 40_000)
    for beta, n in ((0.0, 5), (0.1, 40_000), (0.5, 50_000)):
        with pytest.raises(ValueError, match=f"beta = {beta}"):
            autombpo.sampled_kernel(real, model, n, beta, 4)


def share_problem(n=300, S=8, A=3):
    rng = np.random.default_rng(12)
    P = laws(rng, n, S, A, S, concentration=0.5)
    other = laws(rng, n, S, A, S, concentration=0.5)
    mdp = FiniteMDP(P, rng.uniform(0, 1, (n, S, A)), laws(rng, n, S), 0.9)
    return mdp, 0.75 * P + 0.25 * other


def test_best_share_of_real_samples_grows_with_their_number(record_property):
    mdp, P_hat = share_problem()
    out = autombpo.share_experiment(mdp, P_hat, [3, 30, 150], [0.05, 0.2, 0.5, 1.0], 0)
    record_property("best", out["best"].tolist())
    assert out["loss"].shape == (3, 4, 300) and (out["loss"] >= -1e-9).all()
    assert (np.diff(out["best"]) >= 0).all()
    assert out["best"][0] < 0.5 and out["best"][-1] == 1.0
    # the differences are many standard errors (paired over the MDPs), not noise
    for row, better, worse in ((0, 0, 3), (2, 3, 0)):
        paired = out["loss"][row, worse] - out["loss"][row, better]
        assert paired.mean() > 5 * paired.std() / np.sqrt(300)


def test_finite_sample_bound_holds_and_its_optimum_is_at_an_end():
    mdp, P_hat = share_problem(60, 4, 2)
    tv_max = 0.5 * np.abs(mdp.P - P_hat).sum(-1).max(axis=(-2, -1))
    rng = np.random.default_rng(13)
    real = autombpo.successors(mdp.P, 200, rng)
    model = autombpo.successors(P_hat, 1800, rng)
    for n, beta in ((20, 0.1), (200, 0.1), (200, 0.5), (200, 1.0)):
        P_used = autombpo.sampled_kernel(real, model, n, beta, 4)
        loss = autombpo.planning_loss(mdp, P_used).max(axis=-1)
        bound = autombpo.share_bound(0.9, beta, n, tv_max, 4, 2, delta=0.1)
        assert (loss <= bound).mean() >= 0.9
    betas = np.linspace(0.02, 1, 99)
    for n, end in ((3, 0), (100_000, -1)):
        value = autombpo.share_bound(0.9, betas, n, 0.3, 4, 2)
        assert value.argmin() == range(99)[end]
        assert (np.diff(value, 2) <= 1e-12).all()  # concave


def test_empirical_laws_stay_within_the_sampling_error():
    rng = np.random.default_rng(14)
    p, n = laws(rng, 2000, 4), 30
    counts = rng.multinomial(n, p) / n
    apart = 0.5 * np.abs(counts - p).sum(-1)
    assert (apart > autombpo.sampling_error(n, 4, 1, 0.1)).mean() <= 0.1
