"""Policies: the squashed Gaussian's density, its gradients, and the simple ones."""

import math

import pytest
import torch

from mbrl_edu.control import policies
from mbrl_edu.control.policies import TanhGaussian
from mbrl_edu.core.rng import Streams


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def gaussian(mu, sd, ds=3):
    """A policy whose u ~ N(mu, sd^2) whatever s is; in 64 bits."""
    made = TanhGaussian(ds, len(mu), (4,)).double()
    with torch.no_grad():
        made.net[-1].weight.zero_()
        made.net[-1].bias.copy_(torch.tensor([*mu, *(math.log(x) for x in sd)]))
    return made


@pytest.mark.parametrize(
    ("mu", "sd"), [(0.0, 1.0), (0.7, 0.3), (-1.5, 0.5), (0.0, 3.0), (2.0, 0.02)]
)
def test_density_against_numerical_integration(mu, sd):
    """Over the actions themselves, so that the Jacobian of tanh is tested too: mass 1,
    and the mean and entropy that draws have."""
    eps = torch.linspace(-9, 9, 400_001, dtype=torch.float64)[:, None]
    u = mu + sd * eps
    log_pi = policies.log_density(u, eps, torch.full_like(eps, math.log(sd)))
    a = torch.tanh(u)[:, 0]
    mass = torch.trapezoid(log_pi.exp(), a)
    assert mass.item() == pytest.approx(1, abs=1e-6)
    mean = torch.trapezoid(a * log_pi.exp(), a).item()
    entropy = -torch.trapezoid(log_pi * log_pi.exp(), a).item()
    s = torch.zeros(200_000, 3, dtype=torch.float64)
    drawn, log_pi = gaussian([mu], [sd]).sample(s, generator())
    error = drawn.std().item() / math.sqrt(len(s))
    assert drawn.mean().item() == pytest.approx(mean, abs=5 * error + 1e-9)
    error = log_pi.std().item() / math.sqrt(len(s))
    assert -log_pi.mean().item() == pytest.approx(entropy, abs=5 * error)


def test_components_multiply():
    mu, sd, s = [0.5, -1.0], [0.4, 1.3], torch.zeros(6, 3, dtype=torch.float64)
    a, log_pi = gaussian(mu, sd).sample(s, generator())
    u = torch.atanh(a)
    law = torch.distributions.Normal(torch.tensor(mu), torch.tensor(sd))
    expected = (law.log_prob(u) - torch.log(1 - a**2)).sum(1)
    assert torch.allclose(log_pi, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_lost_where_actions_round_to_one(dtype):
    """log(1 - tanh(u)^2) = log 4 - 2 |u| - 2 log(1 + exp(-2 |u|))."""
    u = torch.tensor([[-300.0], [-30.0], [-9.0], [0.0], [9.0], [30.0], [300.0]]).to(
        dtype
    )
    u.requires_grad_()
    zero = torch.zeros_like(u)
    log_pi = policies.log_density(u, zero, zero) + math.log(2 * math.pi) / 2
    x = [abs(v) for v in u.flatten().tolist()]
    exact = [2 * v - math.log(4) + 2 * math.log1p(math.exp(-2 * v)) for v in x]
    assert log_pi.tolist() == pytest.approx(exact, rel=10 * torch.finfo(dtype).eps)
    (slope,) = torch.autograd.grad(log_pi.sum(), u)  # of -log(1 - tanh(u)^2)
    assert torch.allclose(slope, 2 * torch.tanh(u))


def test_log_sd_is_cut_at_its_bounds():
    for raw, expected in ((-50.0, -20.0), (0.5, 0.5), (7.0, 2.0)):
        made = gaussian([0.1], [math.exp(raw)])
        mu, log_sd = made.gaussian(torch.zeros(1, 3, dtype=torch.float64))
        assert log_sd.item() == pytest.approx(expected)
    # at sd = exp(-20) the draw is mu to all digits of 32 bits; its density is still
    # that of eps
    made = gaussian([0.1], [math.exp(-50)]).float()
    a, log_pi = made.sample(torch.zeros(5, 3), generator())
    eps = torch.randn(5, generator=generator())
    assert torch.allclose(a, torch.tanh(torch.tensor(0.1)).expand(5, 1))
    slope = math.log(1 - math.tanh(0.1) ** 2)
    expected = 20 - eps**2 / 2 - math.log(2 * math.pi) / 2 - slope
    assert torch.allclose(log_pi, expected, atol=1e-5)


def test_draws_and_densities_are_differentiable():
    with Streams(0).init("pi"):
        made = TanhGaussian(3, 2, (8,)).double()
    s = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: made.sample(s, generator()), s)


def test_uniform_actions():
    a = policies.uniform(3, generator())(torch.zeros(20_000, 2))
    assert a.shape == (20_000, 3) and a.min() >= -1 and a.max() <= 1
    error = 1 / math.sqrt(3 * len(a))
    assert a.mean(0).abs().max() < 5 * error
    assert (a.var(0) - 1 / 3).abs().max() < 0.02
    assert policies.uniform(1, generator())(torch.zeros(2)).shape == (1,)
    with pytest.raises(ValueError, match="da is 0, but must be a whole number"):
        policies.uniform(0, generator())


def test_linear_actions():
    act = policies.linear(torch.tensor([[1.0, 2.0]]))
    s = torch.tensor([[0.1, 0.2], [1.0, 1.0], [-3.0, 0.0]])
    assert torch.allclose(act(s), torch.tensor([[0.5], [1.0], [-1.0]]))
    with pytest.raises(ValueError, match=r"K has shape \(2,\), but must have"):
        policies.linear(torch.ones(2))
