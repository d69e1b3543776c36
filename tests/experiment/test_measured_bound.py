"""The meter of MBPO's bound against closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_edu.algos import mbpo
from mbrl_edu.control.policies import TanhGaussian
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.lqr import point_masses
from mbrl_edu.experiment import measured_bound as mb


class Shifted:
    """A model whose mean is off by ``off`` in x, with the true noise; two members."""

    def __init__(self, task, off):
        self.task, self.off, self.elites = task, off, torch.arange(2)

    def predict(self, s, a):
        mean = self.task.dynamics(s, a) + torch.tensor([self.off, 0.0]) - s
        lv = torch.full_like(mean, 2 * math.log(mb.NOISE))
        return torch.stack([mean, mean]), torch.stack([lv, lv])

    def sample(self, s, a, g, who=None):
        mean = self.predict(s, a)[0][0] + s
        s_next = mean + mb.NOISE * torch.randn(mean.shape, generator=g)
        return self.task.reward(s, a, s_next), s_next


@pytest.fixture
def meter():
    return mb.Meter(mb.noisy_mass(), mb.QUICK, Streams(0)["meter"], chains=4000)


def constant(mu, log_sd):
    """A policy that does not look at the state."""
    with Streams(0).init("pi"):
        pi = TanhGaussian(2, 1, (4,))
    for p in pi.parameters():
        torch.nn.init.zeros_(p)
    pi.net[-1].bias.data = torch.tensor([mu, log_sd])
    return pi.requires_grad_(False)


def normal_tv(shift, sd):
    """TV of two normal laws of equal spread: 2 Phi(shift / 2 sd) - 1."""
    return math.erf(shift / (2 * sd) / math.sqrt(2))


@pytest.mark.parametrize("off", [0.0, 0.05, 0.2])
def test_model_error_is_total_variation(meter, off):
    s, a = torch.randn(4000, 2), torch.rand(4000, 1)
    found = meter._error(Shifted(meter.task, off), s, a).mean().item()
    assert abs(found - normal_tv(off, mb.NOISE)) < 0.02


def test_policy_shift_is_total_variation(meter):
    s = torch.zeros(3, 2)
    meter.past = [(500, constant(0.4, math.log(0.5)))]
    found = meter._shift(constant(0.0, math.log(0.5)), s)
    assert np.allclose(found, normal_tv(0.4, 0.5), atol=1e-3)
    meter.past = [(100, None), (300, constant(0.0, math.log(0.5)))]  # a mixture
    found = meter._shift(constant(0.0, math.log(0.5)), s)
    meter.past = meter.past[:1]
    assert np.allclose(found, meter._shift(constant(0.0, math.log(0.5)), s) / 4)


def test_returns_agree_where_model_and_policy_are_right(meter):
    """The true model, data from the policy itself: all three returns are one, and it
    is that of the linear-quadratic formulas."""
    noise = mb.NOISE**2 * np.eye(2)
    system = replace(point_masses(1, mb.GAMMA), W=noise)
    K = system.optimal_gain()

    class Agent:
        def sample(self, s, g):
            return s @ torch.tensor(K.T).float(), None

    agent, model = Agent(), Shifted(meter.task, 0.0)
    paths, rewards, _ = meter._world(agent, model)
    eta = (rewards.mean(1) * mb.GAMMA ** torch.arange(mb.STEPS)).sum().item()
    exact = system.J(K, np.diag(np.array([0.8, 0.2]) ** 2 / 3))
    assert abs(eta / exact - 1) < 0.05
    imagined = meter._imagined(agent, model, meter._starts(), mb.STEPS).sum().item()
    assert abs(imagined / exact - 1) < 0.05
    episodes = paths[:100].permute(1, 0, 2)[:400].flatten(0, 1)  # 100 steps each
    branched = meter._branched(agent, model, episodes)
    assert abs(branched / exact - 1) < 0.1


def test_measuring_changes_nothing_that_learns():
    task, cfg = mb.noisy_mass(), mb.QUICK

    def last(watched):
        rng = Streams(4)
        meter = mb.Meter(task, cfg, rng["meter"], chains=16) if watched else None
        done = mb.learn(mbpo.mbpo(task, cfg, rng), cfg, rng, watch=meter)
        return torch.cat([p.flatten() for p in done.parts.agent.pi.parameters()])

    assert torch.equal(last(True), last(False))
