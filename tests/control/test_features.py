"""What networks see of a state: the swing-up's angle must not count its turns."""

import math

import pytest
import torch

from mbrl_edu.algos import mbpo
from mbrl_edu.algos import ppo as ppo_loop
from mbrl_edu.algos.presets import preset
from mbrl_edu.control import ppo, sac
from mbrl_edu.control.advantage import Rollout
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import plain
from mbrl_edu.envs.tasks import task

SWING = task("CartPoleSwingUp-v0")


def agents(features=plain, ds=4):
    return {
        "sac": sac.SAC(ds, 1, sac.Config(hidden=(8,)), Streams(0), features=features),
        "ppo": ppo.PPO(
            ds,
            1,
            ppo.Config(hidden=(8,), normalise_state=True),
            Streams(0),
            features=features,
        ),
    }


def values(agent, s, a):
    return agent.V(s) if isinstance(agent, ppo.PPO) else agent.q(s, a)


@pytest.mark.parametrize("name", ["sac", "ppo"])
def test_a_whole_turn_changes_nothing(name):
    s, a = torch.randn(16, 4), torch.rand(16, 1)
    turned = s + torch.tensor([0.0, 2 * math.pi, 0.0, 0.0])
    seeing, blind = agents(SWING.features)[name], agents()[name]
    torch.testing.assert_close(
        seeing.mean(turned), seeing.mean(s), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        values(seeing, turned, a), values(seeing, s, a), atol=1e-5, rtol=1e-5
    )
    gap = (values(blind, turned, a) - values(blind, s, a)).abs().max()
    assert gap > 1e-3  # without features it does


def test_ppo_keeps_moments_of_what_it_sees():
    agent, g = agents(SWING.features)["ppo"], Streams(0)["act"]
    s, s_next = torch.randn(2, 32, 2, 4)
    a, log_pi, V = agent.act(s.flatten(0, 1), g)
    a, log_pi, V = (x.unflatten(0, (32, 2)) for x in (a, log_pi, V))
    r, zero = torch.randn(32, 2), torch.zeros(32, 2)
    agent.update(Rollout(s, a, log_pi, V, r, s_next, zero, zero), g)
    seen = SWING.features(s.flatten(0, 1))
    torch.testing.assert_close(agent.states.mean.float(), seen.mean(0))


def test_mbpo_learns_with_the_features_of_the_task():
    cfg = mbpo.Config(**preset("mbpo", SWING.name, "cheap"))
    agent = mbpo.mbpo(SWING, cfg, Streams(0)).agent
    assert agent.pi.features is SWING.features and agent.q.features is SWING.features
    assert agent.q_bar.features is SWING.features


def test_ppo_learns_with_the_features_of_the_task():
    cfg = ppo_loop.Config(steps=64, actors=2, rollout=16, episodes=1, hidden=(8,))
    found = ppo_loop.ppo(SWING, cfg, Streams(0))
    assert found.agent.features is SWING.features
