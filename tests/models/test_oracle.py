"""The true dynamics as a model."""

import math

import pytest
import torch

from mbrl_edu.core.rng import Streams
from mbrl_edu.models.oracle import Oracle


def step(s, a):
    return 0.9 * s + torch.cat([a, a**2], 1)


def reward(s, a, s_next):
    return s_next[:, 0] - a[:, 0] ** 2


def test_the_oracle_is_exact_and_differentiable():
    model, g = Oracle(2, 1, step, reward), Streams(0)["g"]
    s = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    a = torch.rand(5, 1, dtype=torch.float64, requires_grad=True)
    r, s_next = model.sample(s, a, g)
    assert torch.equal(s_next, step(s, a)) and torch.equal(r, reward(s, a, s_next))
    mean, lv = model.predict(s, a)
    assert mean.shape == lv.shape == (1, 5, 3) and (lv == -math.inf).all()
    r_, s_ = model.layout.apply(s, a, mean[0])
    assert torch.allclose(r_, r) and torch.allclose(s_, s_next)
    assert torch.autograd.gradcheck(lambda s, a: model.sample(s, a, g), (s, a))
    assert model.elites.tolist() == [0]


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="s has shape"):
        Oracle(2, 1, step, reward).predict(torch.zeros(5, 3), torch.zeros(5, 1))
