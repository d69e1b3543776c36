"""Draws from an ensemble: every row from the member it drew."""

import math
from unittest.mock import Mock

import pytest
import torch

from mbrl_edu.core.rng import Streams
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.layout import Layout

SMALL = Config(B=4, elites=3, hidden=(16, 16))


def model(cfg=SMALL, double=False):
    made = Ensemble(Layout(3, 2), cfg, Streams(0))
    return made.double() if double else made


def states(n, seed=1, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(n, 3, generator=g, dtype=dtype)
    return s, torch.rand(n, 2, generator=g, dtype=dtype) * 2 - 1


def naive(made, s, a, g):
    """Evaluate every member on every row, then pick."""
    who = made.elites[torch.randint(len(made.elites), (len(s),), generator=g)]
    mean, lv = made.predict(s, a)
    row = torch.arange(len(s))
    mean, lv = mean[who, row], lv[who, row]
    eps = torch.randn(mean.shape, generator=g, dtype=mean.dtype)
    return made.layout.apply(s, a, mean + (0.5 * lv).exp() * eps)


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_grouped_draws_equal_evaluating_all_and_picking(n):
    made = model(double=True)
    made.elites = torch.tensor([3, 0, 2])
    s, a = states(n, dtype=torch.float64)
    grouped = made.sample(s, a, Streams(5)["g"])
    for x, y in zip(grouped, naive(made, s, a, Streams(5)["g"])):
        assert torch.allclose(x, y, atol=1e-12)


def test_rows_keep_the_member_they_are_given():
    made, (s, a) = model(double=True), states(50, dtype=torch.float64)
    who = torch.randint(4, (50,), generator=Streams(0)["who"])
    mean, lv = made.predict(s, a)
    mean_, lv_ = made.predict_rows(s, a, who)
    assert torch.allclose(mean_, mean[who, torch.arange(50)], atol=1e-12)
    assert torch.allclose(lv_, lv[who, torch.arange(50)], atol=1e-12)
    all_of_one = torch.ones(50, dtype=torch.long)
    assert torch.allclose(made.predict_rows(s, a, all_of_one)[0], mean[1], atol=1e-12)


def test_draws_are_uniform_over_the_elites():
    made = model()
    made.elites = torch.tensor([3, 0, 2])
    counts = torch.bincount(made.draw(30_000, Streams(0)["g"]), minlength=4)
    assert counts[1] == 0
    assert (counts[[0, 2, 3]] - 10_000).abs().max() < 5 * math.sqrt(30_000 * 2 / 9)


def test_draws_follow_the_predicted_law():
    made = model(Config(B=1, elites=1, hidden=(8,)))
    s, a = states(1)
    mean, lv = made.predict(s, a)
    r, s_next = made.sample(s.expand(40_000, 3), a.expand(40_000, 2), Streams(0)["g"])
    y = torch.cat([r[:, None], s_next - s], 1)
    sd = (lv[0, 0] / 2).exp()
    assert ((y.mean(0) - mean[0, 0]).abs() < 5 * sd / 200).all()
    assert torch.allclose(y.std(0), sd, rtol=0.02)


def test_draws_are_differentiable_in_s_and_a():
    made, g = model(double=True), Streams(2)["g"]
    place = g.get_state()

    def draw(s, a):
        g.set_state(place)
        return made.sample(s, a, g)

    s, a = (x.requires_grad_() for x in states(6, dtype=torch.float64))
    assert torch.autograd.gradcheck(draw, (s, a), atol=1e-6)


@pytest.mark.parametrize("n", [4, 400, 4096, 4100])
def test_even_groups_side_by_side_give_the_same(n, monkeypatch):
    """Small groups of equal size are evaluated together, all others one by one."""
    made, (s, a) = model(), states(n)
    z = made.normalise(made.layout.x(s, a))
    with torch.no_grad():
        together, apart = made._side_by_side(z), made._one_by_one(z, [n // 4] * 4)
    assert torch.allclose(together, apart, atol=1e-6)
    for even in (True, False):
        who = torch.arange(n) % 4
        who[:1] += not even  # one member has a row more than another
        path = Mock(return_value=apart)
        monkeypatch.setattr(made, "_side_by_side", path)
        made.predict_rows(s, a, who)
        assert path.called == (even and n <= 4096)


def test_a_member_that_does_not_exist_is_refused():
    s, a = states(3)
    with pytest.raises(ValueError, match="who holds 4, but members are 0 to 3"):
        model().predict_rows(s, a, torch.tensor([0, 4, 1]))


def test_features_of_many_rows_come_in_parts(monkeypatch):
    made, (s, a) = model(double=True), states(20, dtype=torch.float64)
    whole = made.features(s, a)
    monkeypatch.setattr("mbrl_edu.models.ensemble.MANY", 7)
    assert torch.allclose(made.features(s, a), whole, atol=1e-12)
