"""Backward policies: both losses of the lecture, by hand and on known conditionals."""

import copy
import math

import pytest
import torch

from mbrl_edu.control.backward_policy import (
    KINDS,
    LOG_VAR,
    ConditionalGAN,
    Config,
    MaximumLikelihood,
)
from mbrl_edu.core.rng import Streams

SMALL = Config(hidden=(32, 32), lr=3e-3, var=None)


def make(kind, cfg=SMALL, ds=1, da=1, seed=0):
    with Streams(seed).init("pi_b"):
        return kind(ds, da, cfg)


def teach(pi_b, a, s_next, steps, rng):
    for _ in range(steps):
        i = torch.randint(len(a), (128,), generator=rng["rows"])
        pi_b.update(a[i], s_next[i], rng["gan"])


def weights(pi_b):
    return torch.cat([p.detach().ravel() for p in pi_b.parameters()])


def test_maximum_likelihood_recovers_a_conditional_gaussian():
    """a ~ N(sin(2 s') / 2, (0.1 e^s')^2), -1 < s' < 1, at 4000 pairs. The divergence
    KL(true, learned), mean over s', is a quarter of what the right mean with the best
    constant variance leaves."""
    rng, pi_b = Streams(0), make(MaximumLikelihood, Config((32, 32), 1e-3, None))

    def truth(s):
        return (2 * s).sin() / 2, 0.1 * s.exp()

    s_next = torch.rand(4000, 1, generator=rng["s"]) * 2 - 1
    mu, sd = truth(s_next)
    a = mu + sd * torch.randn(4000, 1, generator=rng["a"])
    teach(pi_b, a, s_next, 800, rng)
    mu, sd = truth(torch.linspace(-1, 1, 101)[:, None])
    with torch.no_grad():
        found, lv = pi_b.gaussian(torch.linspace(-1, 1, 101)[:, None])

    def divergence(mean, var):
        error = (mu - mean).square()
        return ((sd**2 + error) / var - 1 + var.log() - 2 * sd.log()).mean() / 2

    assert divergence(found, lv.exp()) < divergence(mu, sd.square().mean()) / 4


def test_its_loss_is_twice_the_negative_log_likelihood_up_to_a_constant():
    pi_b, g = make(MaximumLikelihood, ds=3, da=2), torch.Generator().manual_seed(0)
    s_next, a = torch.randn(5, 3, generator=g), torch.rand(5, 2, generator=g) * 2 - 1
    mu, lv = pi_b.gaussian(s_next)
    log_p = torch.distributions.Normal(mu, (lv / 2).exp()).log_prob(a)
    by_hand = -2 * log_p.mean() - math.log(2 * math.pi)
    torch.testing.assert_close(pi_b.loss(a, s_next), by_hand)


def test_mean_and_log_variance_stay_inside_their_bounds():
    pi_b = make(MaximumLikelihood)
    mu, lv = pi_b.gaussian(torch.tensor([[-1e4], [1e4]]))
    assert mu.abs().max() <= 1
    assert LOG_VAR[0] <= lv.min() and lv.max() <= LOG_VAR[1] + 1e-4  # they are soft


def test_draws_are_cut_at_two_standard_deviations_and_at_one():
    """A normal law cut at 2 sd has the sd 0.8796 (of one that is not)."""
    s_next, g = torch.full((40_000, 1), 0.3), torch.Generator().manual_seed(0)
    fixed, free = (make(MaximumLikelihood, Config((32,), var=v)) for v in (0.01, None))
    mu, lv = (x[0].item() for x in fixed.gaussian(s_next[:1]))
    for pi_b, sd in ((fixed, 0.1), (free, math.exp(lv / 2))):
        a = pi_b.draw(s_next, g)
        assert (a.abs() <= 1).all() and (a - mu).abs().max() <= 2 * sd + 1e-6
        if sd == 0.1:  # the law stays inside +- 1
            assert abs(mu) < 0.8 and a.mean().item() == pytest.approx(mu, abs=0.002)
            assert a.std().item() == pytest.approx(0.08796, rel=0.02)
    assert free.draw(s_next, g).std() > 2 * fixed.draw(s_next, g).std()


def mixture(s_next, g):
    """a = +- (0.5 + 0.25 s') + 0.05 eps, both signs equally likely."""
    sign = torch.randint(2, s_next.shape, generator=g) * 2 - 1
    eps = torch.randn(s_next.shape, generator=g)
    return sign * (0.5 + 0.25 * s_next) + 0.05 * eps


def distance(x, y):
    """W1 of two samples of the same size, (n,) each."""
    return (x.sort().values - y.sort().values).abs().mean().item()


def best_gaussian(s0, g, n=4000):
    """The smallest W1 that any Gaussian has from the mixture: the mean is 0 by
    symmetry, the standard deviation is tried out."""
    y = mixture(torch.full((n,), s0), g).sort().values
    z = torch.special.ndtri((torch.arange(n) + 0.5) / n)
    return min(distance(sd * z, y) for sd in torch.linspace(0, 1.5, 151))


def test_the_gan_finds_two_modes_that_no_gaussian_can():
    """W1 from the true conditional, at five s': half of what the best of all Gaussians
    reaches, while maximum likelihood cannot do better than that best."""
    rng, states = Streams(0), (-0.8, -0.4, 0.0, 0.4, 0.8)
    s_next = torch.rand(4000, 1, generator=rng["s"]) * 2 - 1
    a = mixture(s_next, rng["a"])
    cfg = Config(hidden=(64, 64), lr=1e-3, var=None)
    gan, mle = make(ConditionalGAN, cfg), make(MaximumLikelihood, SMALL)
    teach(gan, a, s_next, 800, rng)
    teach(mle, a, s_next, 300, rng)
    for s0 in states:
        s = torch.full((4000, 1), s0)
        y, best = mixture(s, rng["y"]).ravel(), best_gaussian(s0, rng["y"])
        assert distance(gan.draw(s, rng["x"]).ravel(), y) < best / 2
        mu, lv = (x[0].detach() for x in mle.gaussian(s[:1]))
        x = mu + (lv / 2).exp() * torch.randn(4000, generator=rng["x"])
        assert distance(x, y) > 0.9 * best  # 0.9: both are samples


def test_the_losses_of_the_gan_by_hand():
    """A linear D with slope (3, -4) in a, so |dD/da|^2 = 25."""
    pi_b = make(ConditionalGAN, Config(hidden=(4,), slope=0.2), ds=1, da=2)
    pi_b.D = torch.nn.Linear(3, 1)
    with torch.no_grad():
        pi_b.D.weight.copy_(torch.tensor([[3.0, -4.0, 1.0]]))
        pi_b.D.bias.fill_(0.5)
    a, fake = torch.tensor([[0.1, 0.2]]), torch.tensor([[-0.3, 0.4]])
    s_next = torch.tensor([[2.0]])
    real = 1 / (1 + math.exp(-(0.3 - 0.8 + 2 + 0.5)))
    made = 1 / (1 + math.exp(-(-0.9 - 1.6 + 2 + 0.5)))
    wanted = -math.log(real) - math.log(1 - made) + 0.1 * 25
    assert pi_b.loss_D(a, fake, s_next).item() == pytest.approx(wanted, rel=1e-5)


def test_each_of_the_two_moves_its_own_weights_the_right_way():
    g = torch.Generator().manual_seed(0)
    s_next, a = torch.randn(64, 1, generator=g), torch.full((64, 1), 0.9)
    pi_b = make(ConditionalGAN, Config(hidden=(16,), lr=1e-2))
    before = pi_b.draw(s_next, g).mean()
    for _ in range(100):
        metrics = pi_b.update(a, s_next, g)
    # all real actions are 0.9, so that is where the generator must go
    assert pi_b.draw(s_next, g).mean() > before + 0.3
    assert set(metrics) == {"loss_pi_b", "loss_D"}


@pytest.mark.parametrize("name", list(KINDS))
def test_a_stored_policy_goes_on_bit_for_bit(name):
    rng, one, other = Streams(0), make(KINDS[name]), make(KINDS[name], seed=1)
    s_next, a = torch.rand(2, 300, 1, generator=rng["data"])
    teach(one, a, s_next, 3, rng)
    assert not torch.equal(weights(one), weights(other))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for pi_b in (one, other):
        teach(pi_b, a, s_next, 3, Streams(2))
    assert torch.equal(weights(one), weights(other))


@pytest.mark.parametrize(
    ("bad", "says"),
    [({"lr": 0}, "lr is 0"), ({"var": 0.0}, "var is 0.0"), ({"slope": -1}, "slope")],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        Config(**bad)
    with pytest.raises(ValueError, match="ds is 0"):
        make(MaximumLikelihood, ds=0)
