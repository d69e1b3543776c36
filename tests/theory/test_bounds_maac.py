"""MAAC: derivatives against differences, the gradient bound, the constants."""

import numpy as np
import pytest

from mbrl_edu.theory import bounds_maac as maac
from mbrl_edu.theory import mdp as exact
from mbrl_edu.theory import smooth
from mbrl_edu.theory.branch import model_return
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import draw
from mbrl_edu.theory.statements import ratio

SLACK = 1 + 1e-9


def systems(rng, n, ds=2, da=1):
    x = rng.normal(size=(n, smooth.pair_size(ds, da)))
    return smooth.decode_pair(0.7 * x, ds, da)


@pytest.mark.parametrize("H", [0, 1, 4])
def test_gradients_equal_finite_differences(H):
    real, _, theta, s0 = systems(np.random.default_rng(15), 40, 3, 2)
    path, h = smooth.follow(real, theta, s0, H, 0.9), 1e-6
    for i in range(2):
        for j in range(3):
            step = np.zeros_like(theta)
            step[:, i, j] = h
            up = smooth.follow(real, theta + step, s0, H, 0.9).J
            down = smooth.follow(real, theta - step, s0, H, 0.9).J
            slope, g = (up - down) / (2 * h), path.gradient[:, i, j]
            np.testing.assert_allclose(g, slope, rtol=1e-5, atol=1e-5)


def test_jacobians_equal_finite_differences():
    real, *_ = systems(np.random.default_rng(16), 20)
    x, h = np.random.default_rng(17).normal(size=(20, 3)), 1e-6
    for j in range(3):
        step = h * np.eye(3)[j]
        slope = (real.step(x + step) - real.step(x - step)) / (2 * h)
        np.testing.assert_allclose(real.jacobian(x)[..., j], slope, atol=1e-7)
    assert (smooth.norm(real.jacobian(x)) <= real.lipschitz() + 1e-12).all()


@pytest.mark.parametrize("H", [1, 2, 5, 10])
@pytest.mark.parametrize("ds, da", [(1, 1), (3, 2)])
def test_gradient_error_bound(H, ds, da, record_property):
    rng = np.random.default_rng(H)
    real, model, theta, s0 = systems(rng, 1000, ds, da)
    e = smooth.gradient_errors(real, model, theta, s0, H, 0.95)
    value = ratio(*smooth.gradient_pair(e), 1.0)
    record_property("median, largest", (float(np.median(value)), float(value.max())))
    assert value.max() <= SLACK


def test_gradient_constants_of_a_linear_chain():
    """One state, f = L s, no feedback in the policy's slope: everything by hand."""
    c = maac.gradient_constants(2, 0.9, 0.5, 0.5, 0.0, 1.0, 1.0, 0.0, 2.0)
    # g: 0, .5, .75; a = g + 1; D: 0, 1, 2; d: 0, 1, 1.5; E: 0, 0, .5
    assert c.c1 == pytest.approx(0.9 * 1 + 0.81 * 2 * 2)
    assert c.c2 == pytest.approx(0.81 * 1.75)
    assert c.c_v == pytest.approx(0.81 * 2 * (0.5 + 1.5))


def test_no_horizon_leaves_the_critic_alone():
    c = maac.gradient_constants(0, 0.9, 1, 1, 1, 3.0, 1, 1, 1)
    assert (c.c1, c.c2, c.c_v) == (0, 3.0, 0)


def test_softmax_gradient_and_its_constant():
    rng = np.random.default_rng(18)
    x = draw("random", rng, 20, 3, 2)
    theta, h = rng.normal(size=(20, 3, 2)), 1e-6
    g = maac.softmax_gradient(x.mdp, theta)
    for s in range(3):
        step = np.zeros_like(theta)
        step[:, s, 1] = h
        up, down = (
            exact.policy_return(x.mdp, maac.softmax_policy(theta + sign * step))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(
            g[:, s, 1], (up - down) / (2 * h), rtol=1e-4, atol=1e-4
        )
    a, b = rng.normal(size=(2, 5000, 2)) * 10 ** rng.uniform(-3, 1, size=(2, 5000, 1))
    apart = 0.5 * np.abs(maac.softmax_policy(a) - maac.softmax_policy(b)).sum(-1)
    allowed = maac.C3_SOFTMAX * np.linalg.norm(a - b, axis=-1)
    assert (apart <= allowed * SLACK).all() and (apart / allowed).max() > 0.95


def test_gaussian_constant():
    """TV of two Gaussians by numerical integration stays below c3 |mu - mu'|."""
    z = np.linspace(-40, 40, 400_001)
    for sigma, shift in ((1.0, 0.01), (0.5, 0.7), (2.0, 5.0)):
        p, q = (
            np.exp(-(((z - m) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
            for m in (0, shift)
        )
        apart = 0.5 * np.abs(p - q).sum() * (z[1] - z[0])
        assert apart <= maac.c3_gaussian(1.0, sigma) * shift * (1 + 1e-6)
        if shift < 0.1:
            assert apart == pytest.approx(
                maac.c3_gaussian(1.0, sigma) * shift, rel=1e-3
            )


def test_model_return_is_used_for_the_model():
    x = draw("random", np.random.default_rng(19), 5)
    f = Facts(x)
    np.testing.assert_allclose(f.eta_hat, model_return(x.mdp, x.P_hat, x.pi))
    with pytest.raises(AttributeError, match="no quantity 'nonsense'"):
        _ = f.nonsense
