"""The Gaussian process against its formulas, and what it learns."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.models import gp as room
from mbrl_edu.models.gp import GP, Config
from mbrl_edu.models.layout import Layout, no_reward

LAYOUT = Layout(2, 1, reward=no_reward)  # two outputs, three inputs
THETA = torch.tensor([[0.2, 0.5, 1.0, 0.3, -2.0], [0.0, 1.0, 0.5, -0.2, -1.5]]).double()


def points(n=30, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=g, dtype=torch.float64)
    y = torch.stack([x[:, 0].sin() + x[:, 2], x[:, 1] * x[:, 0]], 1)
    return x, y + 0.05 * torch.randn(n, 2, generator=g, dtype=torch.float64)


def batch(x, y):
    s, a = x[:, :2], x[:, 2:]
    return Batch(s, a, s[:, 0], s + y, torch.zeros(len(s)))


def by_hand(x, x2, theta):
    """SE-ARD, entry by entry."""
    scale, sf = theta[:-2].exp().numpy(), theta[-2].exp().item()
    k = np.empty((len(x), len(x2)))
    for i, u in enumerate(x.numpy()):
        for j, v in enumerate(x2.numpy()):
            k[i, j] = sf**2 * math.exp(-0.5 * (((u - v) / scale) ** 2).sum())
    return k


def conditioned():
    model, (x, y) = GP(LAYOUT), points()
    model.condition(x, y, THETA)
    return model, x, y


def test_posterior_and_likelihood_equal_their_formulas():
    model, x, y = conditioned()
    new, _ = points(7, seed=1)
    mean, var = model.latent(new)
    value = room.log_likelihood(x, y, THETA)
    for e in range(2):
        K = by_hand(x, x, THETA[e]) + THETA[e, -1].exp().item() ** 2 * np.eye(30)
        k = by_hand(x, new, THETA[e])
        expected = k.T @ np.linalg.inv(K) @ y[:, e].numpy()
        assert np.allclose(mean[:, e], expected, atol=1e-9)
        prior = THETA[e, -2].exp().item() ** 2
        expected = prior - np.diag(k.T @ np.linalg.inv(K) @ k)
        assert np.allclose(var[:, e], expected, atol=1e-9)
        law = multivariate_normal(np.zeros(30), K)
        assert value[e].item() == pytest.approx(law.logpdf(y[:, e].numpy()), rel=1e-9)
    assert torch.allclose(model.beta[0], torch.linalg.solve(
        model.L[0] @ model.L[0].T, y[:, 0]), atol=1e-9)  # fmt: skip


def test_gradients_against_finite_differences():
    model, x, y = conditioned()
    theta = THETA.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: room.log_likelihood(x, y, t), theta)
    s, a = (z.clone().requires_grad_() for z in (x[:4, :2], x[:4, 2:]))
    assert torch.autograd.gradcheck(model.predict, (s, a))
    g = Streams(0)["g"]
    place = g.get_state()

    def draw(s, a):
        g.set_state(place)
        return model.sample(s, a, g)[1]

    assert torch.autograd.gradcheck(draw, (s, a))


def test_at_the_data_the_posterior_is_the_data_if_there_is_no_noise():
    model, (x, y) = GP(LAYOUT), points()
    theta = THETA.clone()
    theta[:, -1] = math.log(1e-5)
    model.condition(x, y, theta)
    mean, var = model.latent(x)
    assert torch.allclose(mean, y, atol=1e-4) and var.max() < 1e-6
    far, wide = model.latent(x + 100)
    assert torch.allclose(far, torch.zeros_like(far))  # back to the prior
    assert torch.allclose(wide, (2 * theta[:, -2]).exp().expand_as(wide))


def test_prediction_includes_the_noise_and_draws_follow_it():
    model, x, _ = conditioned()
    s, a = x[:1, :2], x[:1, 2:]
    mean, lv = model.predict(s, a)
    latent, var = model.latent(x[:1])
    assert mean.shape == lv.shape == (1, 1, 2) and torch.equal(mean[0], latent)
    assert torch.allclose(lv[0].exp(), var + (2 * THETA[:, -1]).exp())
    n = 20_000
    _, s_next = model.sample(s.expand(n, 2), a.expand(n, 1), Streams(0)["g"])
    change = s_next - s
    assert ((change.mean(0) - mean[0, 0]).abs() < 5 * (lv / 2).exp() / n**0.5).all()
    assert torch.allclose(change.std(0), (lv[0, 0] / 2).exp(), rtol=0.03)


def test_marginal_likelihood_recovers_hyper_parameters():
    """A function drawn from the process itself: 300 points in the plane."""
    x = torch.from_numpy(Streams(0).numpy("x").uniform(-4, 4, (300, 2)))
    theta = torch.tensor([[0.8, 2.0, 1.5, 0.1]]).double().log()
    L = room._factor(x, theta)[0]
    z = torch.from_numpy(Streams(0).numpy("z").standard_normal((300, 1)))
    model = GP(Layout(2, 0, reward=no_reward))
    found = model._maximise(x, L @ z)
    error = (found - theta[0]).abs()
    # theory: sn has relative sd 1 / sqrt(2 N) = 4 %; the others depend on few cycles
    assert error[:2].max() < 0.2 and error[2] < 0.5 and error[3] < 0.15
    better = room.log_likelihood(x, L @ z, found[None])
    assert better >= room.log_likelihood(x, L @ z, theta)


def test_fit_learns_and_ignores_constants():
    x, y = points(120)
    x = torch.cat([x, torch.full((120, 1), 3.0)], 1)  # a constant action
    layout = Layout(2, 2, reward=no_reward)
    model = GP(layout, Config(fit_on=80))
    data = Batch(x[:, :2], x[:, 2:], x[:, 0], x[:, :2] + y, torch.zeros(120))
    values = model.fit(data, Streams(0)["gp"])
    assert len(values) == 2 and model.X.shape == (120, 4)
    new, truth = points(50, seed=3)
    mean, _ = model.predict(new[:, :2], torch.cat([new[:, 2:], x[:50, 3:]], 1))
    assert ((mean[0] - truth) ** 2).mean() < 0.1 * truth.var()
    sn = model.theta[:, -1].exp()
    assert torch.allclose(sn, torch.full((2,), 0.05).double(), rtol=0.4)
    flat = Batch(x[:, :2], x[:, 2:], x[:, 0], x[:, :2] + 0.0, torch.zeros(120))
    model.fit(flat, Streams(0)["gp"])  # a target that is always 0
    assert model.predict(new[:, :2], x[:50, 2:])[0].abs().max() < 1e-6


def test_walls_of_the_penalty():
    model, std = GP(LAYOUT), torch.ones(3).double()
    inside = torch.tensor([2.0, -2.0, 0.0, 0.0, -5.0]).double()
    assert model.penalty(inside, std) < 1e-3
    for i, value in ((0, 5.5), (1, -5.5), (4, -8.0)):
        outside = inside.clone()
        outside[i] = value
        assert model.penalty(outside, std) > 50
    at_the_end = torch.tensor([math.log(100.0), 0, 0, 0, 0]).double()
    assert model.penalty(at_the_end, std).item() == pytest.approx(1.0)


def test_what_cannot_be_learned_from_is_refused():
    x, y = points(3)
    with pytest.raises(ValueError, match="has no data yet"):
        GP(LAYOUT).predict(x[:, :2], x[:, 2:])
    with pytest.raises(ValueError, match="has 1 transitions"):
        GP(LAYOUT).fit(batch(x[:1], y[:1]))
    with pytest.raises(ValueError, match="at most 2"):
        GP(LAYOUT, Config(limit=2)).fit(batch(x, y))
    y[1, 0] = math.nan
    with pytest.raises(ValueError, match="batch.s_next holds"):
        GP(LAYOUT).fit(batch(x, y))
    with pytest.raises(ValueError, match="singular"):
        room.cholesky(-torch.eye(3).double()[None])


def test_repeated_rows_need_only_jitter():
    x, y = points(4)
    x, y = x.repeat(5, 1), y.repeat(5, 1)
    theta = THETA.clone()
    theta[:, -1] = -30.0
    model = GP(LAYOUT)
    model.condition(x, y, theta)
    assert torch.allclose(model.latent(x)[0], y, atol=1e-3)
