"""What networks see of a state: the swing-up's angle must not count its turns."""

import math

import pytest
import torch

from mbrl_edu.algos import bmpo, dpg, mbpo, svg
from mbrl_edu.algos import ppo as ppo_loop
from mbrl_edu.algos.presets import preset
from mbrl_edu.control import backward_policy, ppo, sac
from mbrl_edu.control.advantage import Rollout
from mbrl_edu.control.reparameterised import Reparameterised
from mbrl_edu.core.data import Batch
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
    cfg = ppo_loop.Config(T=64, actors=2, rollout=16, episodes=1, hidden=(8,))
    found = ppo_loop.ppo(SWING, cfg, Streams(0))
    assert found.agent.features is SWING.features


TURN = torch.tensor([0.0, 2 * math.pi, 0.0, 0.0])


def others(features):
    """Functions of s and a that have networks in them."""
    g = lambda: Streams(0)["noise"]  # noqa: E731 (the same noise for every call)
    with Streams(0).init("pi"):
        cfg = backward_policy.Config(hidden=(8,))
        mle, gan = (
            kind(4, 1, cfg, features=features)
            for kind in backward_policy.KINDS.values()
        )
        pi = Reparameterised(4, 1, (8,), features=features)
    return {
        "backward, mle": lambda s, a: mle.draw(s, g()),
        "backward, gan": lambda s, a: gan.draw(s, g()),
        "backward, gan's D": lambda s, a: gan.score(a, s),
        "svg": lambda s, a: pi(s, a),
    }


@pytest.mark.parametrize("name", list(others(plain)))
def test_a_whole_turn_changes_nothing_elsewhere(name):
    s, a = torch.randn(16, 4), torch.rand(16, 1)
    f, blind = others(SWING.features)[name], others(plain)[name]
    torch.testing.assert_close(f(s + TURN, a), f(s, a), atol=1e-5, rtol=1e-5)
    assert (blind(s + TURN, a) - blind(s, a)).abs().max() > 1e-3


def batch_of_turns(turn):
    g = torch.Generator().manual_seed(0)
    s, s_next = torch.randn(2, 16, 4, generator=g)
    a, r = torch.rand(16, 2, generator=g) - 0.5, torch.randn(16, generator=g)
    return Batch(s + turn, a, r, s_next + turn, torch.zeros(16))


@pytest.mark.parametrize("method", ["dpg", "0", "1"])
def test_an_update_does_not_count_turns(method):
    """Losses of critic and policy gradient: the same bits or nearly, a turn later."""
    found = []
    for turn in (0.0, TURN):
        batch, rng = batch_of_turns(turn), Streams(0)
        if method == "dpg":
            agent = dpg.DPG(SWING, dpg.Config(hidden=(8,)), rng)
            loss = agent.update(batch._replace(a=batch.a[:, :1]))["loss_q"]
        else:
            cfg = svg.Config(hidden=(8,), variant=method, model_hidden=(8,))
            agent = svg.SVG(SWING, cfg, rng)
            update = agent.update_0 if method == "0" else agent.update_1
            loss = update(*svg.split(batch))["loss_q"]
        grads = [p.grad for p in agent.pi.parameters()]
        found.append([loss, *grads, agent.policy(batch.s)])
    for x, y in zip(*found, strict=True):
        torch.testing.assert_close(x, y, atol=1e-4, rtol=1e-4)


def test_bmpo_learns_with_the_features_of_the_task():
    options = preset("mbpo", SWING.name, "cheap") | {"k_back": (0, 1, 1, 1)}
    rng = Streams(0)
    cfg = bmpo.Config(**options)
    parts = bmpo.bmpo(mbpo.mbpo(SWING, cfg, rng), cfg, rng)
    assert parts.modules["bmpo/pi_b"].features is SWING.features
