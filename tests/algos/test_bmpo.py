"""BMPO: each of its three changes, alone, off, together, by hand and as a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from memory import Cut, Memory, cut_after, weights

from mbrl_edu.algos import ampo, bmpo, maac, mbpo
from mbrl_edu.algos.bmpo import Config, boltzmann
from mbrl_edu.algos.loop import learn
from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import line
from mbrl_edu.envs.tasks import task

LINE = task("Line-v0")
OFF = Config(
    T=135, T_random=60, epoch=50, fit_every=25, M=40, G=2, batch=32, fit_batch=32,
    hidden=(16,), model_hidden=(16,), B=3, elites=2, epochs=3, episodes=2,
    k_back=(0, 1, 0, 0), beta=(0, 1, 0, 0), H_mpc=0, N_mpc=10,
)  # fmt: skip
BACK, START, PLAN = (
    {"k_back": (0, 1, 2, 2)},
    {"beta": (0, 1, 0.5, 0.5)},
    {"H_mpc": 2},
)
ALL = replace(OFF, **BACK, **START, **PLAN)


def run(cfg=OFF, seed=0, line=LINE, **known):
    rng = Streams(seed)
    parts = bmpo.bmpo(mbpo.mbpo(line, cfg, rng), cfg, rng)
    return learn(parts, cfg, rng, **known)


def base_weights(result):
    """Of the agent and the forward model, which MBPO has too."""
    return torch.cat(
        [
            p.detach().ravel()
            for name in ("agent", "model")
            for p in result.parts.modules[name].parameters()
        ]
    )


def same(a, b):
    return torch.equal(base_weights(a), base_weights(b)) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("evaluations", "returns", "lengths")
    )


@pytest.fixture(scope="module")
def off():
    return run()


@pytest.fixture(scope="module")
def whole():
    return run(ALL)


def test_off_is_mbpo_bit_for_bit(off):
    plain = mbpo.train(LINE, OFF, Streams(0))
    assert same(off, plain) and torch.equal(weights(off.parts), weights(plain.parts))
    assert off.parts.modules.keys() == {"agent", "model"}


def test_each_switch_alone_changes_the_run(off):
    runs = [off, *(run(replace(OFF, **switch)) for switch in (BACK, START, PLAN))]
    vectors = [base_weights(r) for r in runs]
    assert all(
        not torch.equal(a, b) for i, a in enumerate(vectors) for b in vectors[:i]
    )
    held = [len(r.D.model.rollouts[0].r) for r in runs]
    assert held[0] == held[2] == 40 and 40 < held[1] <= 120


def test_a_backward_part_that_imagines_nothing_moves_nothing(off):
    """Its lengths are 0 for the first five epochs: the networks exist and learn."""
    late = run(replace(OFF, k_back=(5, 6, 0, 1)))
    assert same(off, late) and "bmpo/model" in late.parts.modules
    assert same(off, run(replace(OFF, beta=(5, 6, 0, 1))))


@pytest.mark.parametrize("fits", [[True] * 3, [True, False, False]])
def test_the_backward_policy_takes_a_step_for_every_real_step(fits):
    """Before each of the three rollouts, whether or not the models are fitted."""
    cfg, rng, calls, fitted = replace(OFF, **BACK), Streams(0), [], []
    parts = bmpo.bmpo(mbpo.mbpo(LINE, cfg, rng), cfg, rng)
    pi_b, left = parts.modules["bmpo/pi_b"], iter(fits)
    update = pi_b.update
    pi_b.update = lambda *batch: calls.append(batch) or update(*batch)

    def noted(D):
        fitted.append(len(D.env))
        return parts.fit(D)

    def schedule(now):
        return replace(parts.schedule(now), fit=next(left))

    learn(replace(parts, schedule=schedule, fit=noted), cfg, rng)
    assert len(calls) == 3 * cfg.fit_every and len(fitted) == sum(fits)


def test_the_kind_of_backward_policy_and_its_data_matter():
    cfg = replace(OFF, **BACK)
    kinds = [
        run(replace(cfg, **change))
        for change in ({}, {"loss_b": "gan"}, {"var_b": None}, {"recent": 1})
    ]
    vectors = [base_weights(r) for r in kinds]
    assert all(
        not torch.equal(a, b) for i, a in enumerate(vectors) for b in vectors[:i]
    )


def test_backward_and_forward_rollouts_begin_in_the_same_states(whole):
    """Forward transitions come first; both parts are linked step by step."""
    parts, D = whole.parts, whole.D
    s0 = parts.starts(D, 30)
    b = parts.rollout(s0, 2)
    assert len(b.r) == 4 * 30  # nothing ends: the line is long
    s, s_next = (x.view(4, 30, 2) for x in (b.s, b.s_next))
    assert torch.equal(s[0], s0) and torch.equal(s[1], s_next[0])  # forward
    assert torch.equal(s_next[2], s0) and torch.equal(s_next[3], s[2])  # backward
    real = {tuple(x) for x in D.env.all().s.tolist()}
    assert {tuple(x) for x in s0.tolist()} <= real


def test_backward_ends_are_those_of_the_later_state(whole):
    s0 = torch.tensor([[3.5, 0.0], [0.5, 0.0]])  # the first is off the line
    b = whole.parts.rollout(s0, 1)
    back = b.s_next.eq(s0[0]).all(1)
    assert b.d[back].tolist() == [1] and back.sum() == 1
    assert b.s_next.eq(s0[1]).all(1).sum() == 1 and len(b.r) == 2 + 2 + 1


def test_boltzmann_weights_by_hand_and_their_cap():
    V = torch.tensor([0.0, math.log(2), math.log(5)])
    p, beta = boltzmann(V, 1.0)
    torch.testing.assert_close(p, torch.tensor([1.0, 2, 5]) / 8)
    assert beta == 1
    p, beta = boltzmann(torch.tensor([-300.0, 100.0, 0.0]), 1.0)
    assert beta.item() == pytest.approx(10 / 400)
    assert (p[1] / p[0]).item() == pytest.approx(math.exp(10), rel=1e-3)
    p, beta = boltzmann(torch.full((4,), 7.0), 0.3)  # no range, no cap
    assert p.tolist() == [0.25] * 4 and beta.item() == pytest.approx(0.3)


def test_starts_are_drawn_with_these_odds():
    """Two states, one worth ln 3 / 2 more to all four critics: three to one."""
    rng, cfg = Streams(0), replace(OFF, **START, M=8000)
    parts = mbpo.mbpo(LINE, cfg, rng)

    class Critic(torch.nn.Module):
        def forward(self, s, a):
            return (s[:, 0] * math.log(3)).expand(2, -1)  # 2 V is 2 ln 3 s_0

    parts.agent.q = parts.agent.q_bar = Critic()
    two = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    parts = replace(parts, starts=lambda D, M: two.repeat(M // 2, 1))
    parts = bmpo.bmpo(parts, cfg, rng)
    drawn = parts.starts(run(replace(OFF, T=85)).D, cfg.M)[:, 0].mean().item()
    assert drawn == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / cfg.M))


def test_schedules_follow_the_epochs():
    rows = []
    cfg = replace(OFF, T=210, k_back=(0, 2, 1, 3), beta=(0, 2, 1e-6, 0), G=0, epochs=1)
    run(cfg, log=lambda t, m: rows.append((t, m["k_back"], m["beta"])) if t > 60 else 0)
    # logged at an epoch's end are the last decision's, which was inside that epoch
    assert [(t, k) for t, k, _ in rows] == [(110, 1), (160, 2), (210, 3)]
    assert [b for _, _, b in rows] == pytest.approx([1e-6, 5e-7, 0])


def test_real_actions_look_ahead_and_evaluation_does_not(whole):
    parts, s = whole.parts, torch.tensor([[0.5, 0.1]])
    assert torch.equal(parts.policy(s), parts.agent.mean(s))
    a = parts.act(s)
    assert a.shape == (1, 1) and a.abs() <= 1 and not torch.equal(a, parts.policy(s))


def test_looking_ahead_finds_the_better_actions():
    """Critics that love a place far to the right: with them actions push right."""
    rng, cfg = Streams(0), replace(OFF, H_mpc=1, N_mpc=200)
    parts = mbpo.mbpo(LINE, cfg, rng)

    class Right(torch.nn.Module):
        def forward(self, s, a):
            return (1e4 * s[:, 1]).expand(2, -1)

    class World:
        layout = parts.model.layout

        def sample(self, s, a, g, who=None):
            s_next = line.dynamics(s, a)
            return line.reward(s, a, s_next), s_next

    parts.agent.q_bar = Right()
    act = bmpo.bmpo(replace(parts, model=World()), cfg, rng).act
    s = torch.zeros(1, 2)
    drawn = parts.agent.sample(s.expand(200, -1), rng["bmpo/mpc"])[0].max()
    fresh = bmpo.bmpo(replace(parts, model=World()), cfg, Streams(0)).act
    assert fresh(s).item() == drawn.item() and act(s).item() > 0.5


@pytest.mark.parametrize("calls", [30, 140])
@pytest.mark.parametrize("kind", ["mle", "gan"])
def test_a_run_that_is_resumed_ends_like_one_that_never_stopped(kind, calls):
    short, cfg = replace(LINE, horizon=20), replace(ALL, loss_b=kind)
    kept, rng = Memory(), Streams(0)
    whole = run(cfg, line=short)
    broken = bmpo.bmpo(mbpo.mbpo(short, cfg, rng), cfg, rng)
    with pytest.raises(Cut):
        learn(cut_after(broken, calls), cfg, rng, checkpoint=kept)
    resumed = run(cfg, line=short, checkpoint=kept)
    assert kept.t and same(whole, resumed)
    assert torch.equal(weights(whole.parts), weights(resumed.parts))


def test_it_stacks_on_other_variants_and_is_still_resumed():
    """On AMPO on MAAC: all have learned, and the run is resumed bit for bit."""
    short = replace(LINE, horizon=20)
    shared = {name: getattr(ALL, name) for name in mbpo.Config.__dataclass_fields__}

    def stack(rng):
        parts = mbpo.mbpo(short, ALL, rng)
        parts = maac.maac(parts, maac.Config(**shared, H=1), rng)
        ampo_cfg = ampo.Config(**shared, G_adapt=2, n_critic=1, adapt_batch=16)
        return bmpo.bmpo(ampo.ampo(parts, ampo_cfg, rng), ALL, rng)

    rows, kept, rng = [], Memory(), Streams(0)
    whole = learn(stack(rng), ALL, rng, log=lambda t, m: rows.append(m))
    assert {"shift", "back_loss", "k_back", "beta", "loss_pi_b"} <= rows[-1].keys()
    rng = Streams(0)
    with pytest.raises(Cut):
        learn(cut_after(stack(rng), 140), ALL, rng, checkpoint=kept)
    rng = Streams(0)
    resumed = learn(stack(rng), ALL, rng, checkpoint=kept)
    assert kept.t and same(whole, resumed)
    assert torch.equal(weights(whole.parts), weights(resumed.parts))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"k_back": (0, 1, -1, 1)}, "k_back is .*nothing negative"),
        ({"k_back": (1, 1, 1, 1)}, "k_back is .*first epoch before the last"),
        ({"beta": (0, 1, -0.1, 0)}, "beta is .*nothing negative"),
        ({"beta": (0, 1, math.nan, 0)}, "beta is .*nothing negative"),
        ({"k": (0, 1, 0, 0), **BACK}, "without forward steps"),
        ({"loss_b": "ml"}, "loss_b is 'ml'.*Did you mean 'mle'"),
        ({"var_b": 0.0}, "var_b is 0.0"),
        ({"recent": 0}, "recent is 0"),
        ({"H_mpc": -1}, "H_mpc is -1"),
        ({"N_mpc": 0}, "N_mpc is 0"),
        ({"T": 0}, "T is 0"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        replace(OFF, **bad)


def test_nobody_looks_beyond_the_end_of_an_episode():
    cfg, rng = replace(OFF, H_mpc=LINE.horizon + 1), Streams(0)
    with pytest.raises(ValueError, match="an episode of Line-v0 has .* steps at most"):
        bmpo.bmpo(mbpo.mbpo(LINE, cfg, rng), cfg, rng)


class Bare(torch.nn.Module):
    """An agent without target critics."""

    q = None


@pytest.mark.parametrize(("change", "name"), [(START, "beta"), (PLAN, "H_mpc")])
def test_values_need_critics(change, name):
    cfg, rng = replace(OFF, **change), Streams(0)
    parts = replace(mbpo.mbpo(LINE, cfg, rng), agent=Bare())
    with pytest.raises(ValueError, match=f"{name} is .* needs critics .* a Bare, has"):
        bmpo.bmpo(parts, cfg, rng)
    bmpo.bmpo(parts, replace(OFF, **BACK), rng)  # this needs none


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", ["mle", "gan"])
def test_on_a_gpu(kind):
    result = bmpo.train(LINE, replace(ALL, loss_b=kind), Streams(1, "cuda"))
    own = weights(result.parts)
    assert own.is_cuda and own.isfinite().all()


def test_it_learns_the_line():
    """Within 15 % of the exact optimum after 600 real steps, 200 of them random, with
    all that it has switched on; before, a policy pays more than twice as much."""
    cfg = Config(
        T=600, T_random=200, epoch=200, fit_every=50, M=400, G=5, batch=128,
        fit_batch=64, hidden=(64, 64), model_hidden=(64, 64), B=3, elites=2, lr=1e-3,
        tau=0.01, epochs=20, k_back=(0, 1, 1, 1), beta=(0, 2, 0.01, 0), H_mpc=1,
        N_mpc=50,
    )  # fmt: skip
    rng = Streams(0)
    result = bmpo.train(LINE, cfg, rng)
    K = torch.as_tensor(line.exact().optimal_gain(), dtype=torch.float32)
    best = evaluate(LINE, lambda s: (s @ K.T).clamp(-1, 1), rng, cfg.episodes).mean()
    assert result.evaluations[0].mean() < 2 * best
    assert 1.15 * best < result.evaluations[-1].mean() <= best + 0.05
