"""Distances of features: against exact W1, closed forms and hand-made cases."""

import copy
from math import exp, sqrt

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from mbrl_edu.core.rng import Streams
from mbrl_edu.models.distance import (
    MMD,
    Critics,
    Distance,
    Wasserstein,
    sliced_w1,
    slope_penalty,
)
from mbrl_edu.theory.distances import w1


def exact_w1(x, y):
    """Of two samples (n, h) of equal size, by linear programme."""
    points = torch.cat([x, y]).double().numpy()
    metric = np.linalg.norm(points[:, None] - points[None], axis=-1)
    p = np.repeat([1.0, 0.0], len(x)) / len(x)
    return w1(metric, p, p[::-1])


def clouds(h, n, shifts, spreads=(1.0,)):
    """One pair of samples (n, h) per member; y is moved and scaled."""
    g = torch.Generator().manual_seed(7)
    x = 0.2 * torch.randn(len(shifts), n, h, generator=g)
    y = 0.2 * torch.randn(len(shifts), n, h, generator=g)
    y = y * torch.tensor(spreads).reshape(-1, 1, 1)
    return x, y + torch.tensor(shifts)[:, None]


def learned(x, y, steps=600, **how):
    distance = Wasserstein(len(x), x.shape[2], Streams(0), lr=3e-3, **how)
    g = Streams(0)["critic"]
    for _ in range(steps):
        distance.sharpen(x, y, g)
    return distance(x, y).detach().numpy()


# W1 by a critic


def test_on_a_line_the_critic_finds_the_distance_of_the_sorted_samples():
    x, y = clouds(1, 200, [[0.5], [-0.7]], [0.5, 2.0])
    exact = [wasserstein_distance(a[:, 0], b[:, 0]) for a, b in zip(x, y)]
    np.testing.assert_allclose(learned(x, y), exact, rtol=0.05)


def test_in_the_plane_the_critic_finds_the_distance_of_the_linear_programme():
    x, y = clouds(2, 30, [[0.5, 0.0], [0.4, -0.4]], [1.0, 0.5])
    exact = [exact_w1(a, b) for a, b in zip(x, y)]
    np.testing.assert_allclose(learned(x, y), exact, rtol=0.05)


def test_the_soft_penalty_makes_it_larger_as_the_docstring_says():
    """Two points at distance D: D slope - p (slope - 1)^2 is largest at slope
    1 + D / 2p."""
    D = 4.0
    x, y = torch.tensor([D, 0.0]).expand(1, 8, 2), torch.zeros(1, 8, 2)
    for p in (10.0, 40.0):
        found = learned(x, y, penalty=p, decay=0.0).item()
        assert found == pytest.approx(D * (1 + D / (2 * p)), rel=0.01)


def test_it_has_the_sign_of_a_supremum_and_changes_it_with_the_roles():
    x, y = clouds(1, 50, [[0.5]])
    distance = Wasserstein(1, 1, Streams(0))
    assert torch.equal(distance(x, y), -distance(y, x))
    assert learned(x, y).item() > 0 < learned(y, x).item()


@pytest.mark.parametrize(("length", "penalty"), [(1.0, 0.0), (3.0, 4.0), (0.5, 0.25)])
def test_the_slope_of_a_point_is_over_its_features(length, penalty):
    """f(z) = w z has slope |w| everywhere. Summed over the points instead, as AMPO's
    code does, it would be sqrt(n) |w_j| for feature j."""
    w = torch.tensor([0.6, 0.8]) * length
    z = torch.randn(1, 5, 2, generator=Streams(0)["z"])
    found = slope_penalty(lambda z: z @ w, z)
    assert found.item() == pytest.approx(penalty, abs=1e-6)
    other_axis = (sqrt(5) * w - 1).square().mean().item()
    assert abs(found.item() - other_axis) > 0.1


def test_the_penalty_of_a_curved_function_is_a_mean_over_points():
    z = torch.tensor([[[3.0, 4.0], [0.0, 0.5]], [[0.0, 0.0], [1.0, 0.0]]])
    found = slope_penalty(lambda z: z.square().sum(-1) / 2, z)  # slope |z|
    assert found.item() == pytest.approx((16 + 0.25 + 1 + 0) / 4, rel=1e-3)


def test_sharpening_leaves_the_features_alone_and_members_apart():
    x, y = clouds(2, 20, [[0.5, 0.0], [0.4, -0.4]])
    x.requires_grad_()
    both, rng = Wasserstein(2, 2, Streams(0), decay=0.0), Streams(0)
    changed = Wasserstein(2, 2, Streams(0), decay=0.0)
    other = torch.cat([y[:1], y[1:] + 1])  # the second member meets something else
    for _ in range(3):
        both.sharpen(x, y, rng["g"])
    rng = Streams(0)
    for _ in range(3):
        changed.sharpen(x, other, rng["g"])
    a, b = both.f.first.weight, changed.f.first.weight
    assert x.grad is None and torch.equal(a[0], b[0]) and not torch.equal(a[1], b[1])


def test_a_critic_goes_on_from_its_state():
    x, y = clouds(2, 20, [[0.5, 0.0]])
    first, again = (Wasserstein(1, 2, Streams(seed)) for seed in (0, 1))
    first.sharpen(x, y, Streams(2)["g"])
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    for distance in (first, again):
        distance.sharpen(x, y, Streams(3)["g"])
    assert torch.equal(first.f.first.weight, again.f.first.weight)


def test_critics_have_the_shape_of_the_paper():
    f = Critics(7, 200, 100)
    assert sum(p.numel() for p in f.parameters()) == 7 * (200 * 100 + 100 + 100 + 1)
    assert f(torch.zeros(7, 3, 200)).shape == (7, 3)


# MMD


def test_mmd_by_hand():
    """x = {0, 1}, y = {0, 2, 3}, widths 1 and 2."""
    x = torch.tensor([[[0.0], [1.0]]])
    y = torch.tensor([[[0.0], [2.0], [3.0]]])

    def k(d):
        return exp(-(d**2) / 2) + exp(-(d**2) / 8)

    within_x = k(1)
    within_y = (k(2) + k(3) + k(1)) / 3
    across = (k(0) + k(2) + k(3) + k(1) + k(1) + k(2)) / 6
    expected = within_x + within_y - 2 * across
    assert MMD([1.0, 2.0])(x, y).item() == pytest.approx(expected, abs=1e-6)


def test_mmd_is_unbiased():
    """Over many small samples its mean is the exact MMD^2 of the laws: for N(0, 1) and
    N(m, 1), E k = s / sqrt(s^2 + 2) exp(-m^2 / (2 s^2 + 4)). With every point meeting
    itself, the mean for equal laws would be above 1/4."""
    g, mmd, n = torch.Generator().manual_seed(1), MMD([1.0]), 6
    for m in (0.0, 1.0):
        x = torch.randn(4000, n, 1, generator=g)
        y = torch.randn(4000, n, 1, generator=g) + m
        found = mmd(x, y).double()
        expected = 2 * (1 - exp(-(m**2) / 6)) / sqrt(3)
        error = found.std().item() / sqrt(len(found))
        assert abs(found.mean().item() - expected) < 4 * error
        assert error < 0.01 and (found < 0).any()


def test_the_mixture_tells_shifts_of_every_size_apart():
    """One width alone misses shifts much larger or smaller than itself."""
    g = torch.Generator().manual_seed(1)
    for size in (0.02, 1.0, 10.0):
        x, y = (size * torch.randn(20, 100, 3, generator=g) for _ in range(2))
        same, moved = MMD()(x, y), MMD()(x, y + size)
        assert moved.mean() > 10 * same.mean().abs()


def test_what_mmd_lowers_is_a_root_over_all_members():
    x = torch.zeros(2, 4, 1)
    y = torch.full((2, 4, 1), 50.0)
    assert MMD([1.0]).loss(x, y).item() == pytest.approx(2.0)  # sqrt(2 + 2)
    assert MMD([1.0]).loss(x, x).item() == pytest.approx(1e-3)


# Any distance


@pytest.mark.parametrize("make", [lambda: Wasserstein(2, 3, Streams(0)), MMD])
def test_a_distance_moves_both_kinds_of_features(make):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 3, generator=g).requires_grad_()
    y = (torch.randn(2, 5, 3, generator=g) + 1).requires_grad_()
    distance = make()
    assert isinstance(distance, Distance) and distance(x, y).shape == (2,)
    distance.loss(x, y).backward()
    assert (x.grad.abs().sum((1, 2)) > 0).all() and (y.grad.abs().sum() > 0).all()


def test_sliced_w1_is_exact_on_every_line_and_never_above_w1():
    x, y = clouds(2, 25, [[0.5, 0.1], [0.0, 0.0]], [1.0, 3.0])
    lines = torch.tensor([[1.0, 0.6, 0.0, -0.8], [0.0, 0.8, 1.0, 0.6]])
    exact = [
        np.mean([wasserstein_distance(a @ v, b @ v) for v in lines.T])
        for a, b in zip(x, y)
    ]
    found = sliced_w1(x, y, lines)
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    assert all(found.numpy() <= [exact_w1(a, b) for a, b in zip(x, y)])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"penalty": 0.0}, "penalty is 0.0"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"hidden": 0}, "hidden is 0"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        Wasserstein(2, 3, Streams(0), **bad)


def test_mmd_refuses_what_it_cannot_average():
    with pytest.raises(ValueError, match="sigmas is 0.0"):
        MMD([1.0, 0.0])
    with pytest.raises(ValueError, match="have 1, 3 points, but must have 2"):
        MMD()(torch.zeros(1, 1, 2), torch.zeros(1, 3, 2))
