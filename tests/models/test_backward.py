"""Backward models: a model of the transitions in reverse."""

import math
from dataclasses import replace

import pytest
import torch

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.backward import reverse, reverse_layout, reverse_rule
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.fit import Config as Fit
from mbrl_edu.models.fit import fit
from mbrl_edu.models.layout import Angles, Layout


def batch():
    return Batch(
        s=torch.tensor([[1.0, 2.0]]),
        a=torch.tensor([[0.5]]),
        r=torch.tensor([7.0]),
        s_next=torch.tensor([[10.0, 20.0]]),
        d=torch.tensor([1.0]),
    )


def test_reversing_exchanges_the_two_states_and_nothing_else():
    past = reverse(batch())
    assert past.s.tolist() == [[10, 20]] and past.s_next.tolist() == [[1, 2]]
    assert (past.a, past.r, past.d) == (batch().a, batch().r, batch().d)
    assert all(torch.equal(x, y) for x, y in zip(reverse(past), batch()))


def test_inputs_and_targets_by_hand():
    layout = reverse_layout(Layout(2, 1, Angles((1,))))
    past = reverse(batch())
    x = layout.x(past.s, past.a)
    wanted = [math.sin(20), math.cos(20), 10, 0.5]  # of s', then a
    assert x[0].tolist() == pytest.approx(wanted, rel=1e-6)
    assert layout.target(past).tolist() == [[7, 1 - 10, 2 - 20]]
    r, s = layout.apply(past.s, past.a, layout.target(past))
    assert r.tolist() == [7] and s.tolist() == [[1, 2]]


def test_a_known_reward_gets_its_arguments_in_their_own_order():
    def reward(s, a, s_next):
        return s[:, 0] + 100 * a[:, 0] + 1000 * s_next[:, 0]

    forward, past = Layout(2, 1, reward=reward), reverse(batch())
    r, _ = reverse_layout(forward).apply(past.s, past.a, torch.tensor([[-9.0, -18.0]]))
    assert r.tolist() == [1 + 50 + 10_000]
    twice = reverse_rule(reverse_rule(reward))
    one = batch()
    assert twice(one.s, one.a, one.s_next) == reward(one.s, one.a, one.s_next)


def learned(s, a, r, s_next):
    """A small backward model of these transitions."""
    rng, d = Streams(0), torch.zeros(len(s))
    layout = reverse_layout(Layout(s.shape[1], a.shape[1]))
    model = Ensemble(layout, Config(2, 2, (32,)), rng)
    cfg = Fit(batch=64, epochs=20)
    fit(model, reverse(Batch(s, a, r, s_next, d)), cfg, rng["fit"])
    return model


def test_it_recovers_an_invertible_linear_system():
    """s' = A s + B a, so s = inv(A) (s' - B a); here r = s_0 + s'_1. What is left is at
    most a tenth of what s - s' and r vary: 1 % of their variance."""
    g = torch.Generator().manual_seed(0)
    A, B = torch.tensor([[0.9, 0.4], [-0.3, 0.8]]), torch.tensor([[0.2], [1.0]])
    s, a = torch.randn(1500, 2, generator=g), torch.rand(1500, 1, generator=g) * 2 - 1
    s_next = s @ A.T + a @ B.T
    r = s[:, 0] + s_next[:, 1]
    model = learned(s[:1000], a[:1000], r[:1000], s_next[:1000])
    s, a, r, s_next = s[1000:], a[1000:], r[1000:], s_next[1000:]
    inverse = (s_next - a @ B.T) @ torch.linalg.inv(A).T
    torch.testing.assert_close(inverse, s, atol=1e-4, rtol=1e-4)
    truth = torch.cat([r[:, None], inverse - s_next], 1)
    with torch.no_grad():
        error = model.predict(s_next, a)[0].mean(0) - truth
    assert (error.std(0) < 0.1 * truth.std(0)).all()


def test_it_recovers_the_posterior_of_a_noisy_system():
    """s ~ N(0, 1) and s' = 0.8 s + a + 0.5 eps: by Bayes' rule s given (s', a) is
    Gaussian with mean 0.8 (s' - a) / 0.89 and variance 0.25 / 0.89."""
    g = torch.Generator().manual_seed(1)
    s, eps = torch.randn(2, 3000, 1, generator=g)
    a = torch.rand(3000, 1, generator=g) * 2 - 1
    s_next = 0.8 * s + a + 0.5 * eps
    model = learned(s, a, s[:, 0], s_next)
    x = torch.linspace(-1.5, 1.5, 7)[:, None]
    with torch.no_grad():
        mean, lv = model.predict(x, torch.full_like(x, 0.3))
    mean, sd = mean.mean(0)[:, 1:] + x, (lv / 2).exp().mean(0)[:, 1:]
    sigma = math.sqrt(0.25 / 0.89)
    assert (mean - 0.8 * (x - 0.3) / 0.89).abs().max() < sigma / 4
    assert (sd / sigma - 1).abs().max() < 0.15


def test_forward_and_backward_layouts_are_settings_of_the_same_networks():
    forward = Layout(2, 1, Angles((1,)), absolute=(0,))
    back = reverse_layout(forward)
    assert replace(back, reward=None) == forward and back.dx == forward.dx
