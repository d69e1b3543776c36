"""AutoMBPO: its environment by hand, its controller on a known answer, its switches."""

import functools
from dataclasses import asdict, replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from memory import Cut, Memory, cut_after, weights
from test_mbpo import LINE, TINY, best_return, same
from test_mbpo import run as run_mbpo

from mbrl_edu.algos import ampo, autombpo, bmpo, maac, mbpo
from mbrl_edu.algos.autombpo import Config, Controller, Fixed, follow
from mbrl_edu.algos.hyper import Dials, Units
from mbrl_edu.algos.hyper_env import ID, HyperEnv
from mbrl_edu.algos.hyper_meter import Meter, density
from mbrl_edu.algos.hyper_runs import one_by_one, play, reference_jobs, scaled
from mbrl_edu.algos.hyper_training import Best, Training
from mbrl_edu.algos.loop import Knobs, Progress, learn
from mbrl_edu.algos.presets import preset
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment.backends import in_parallel

ALL = "autombpo/fit+real_ratio+G+k"  # the name of what a controller of all knobs keeps
BASE = asdict(TINY) | {"T": 160}
SMALL = Config(
    **BASE, stages=2, runs=2, references=2, explore=1, updates=4, G_max=4, k_max=3
)
UNITS = Units((0, 0, 0, -50), (2, 100, 10, 0), (-40.0, -30.0), 5.0)
TINIEST = replace(SMALL, M=5, G=1, epochs=1, episodes=1)  # where little must happen


# What a decision sees


def test_the_density_of_an_action_is_that_of_its_draw():
    agent = mbpo.mbpo(LINE, SMALL, Streams(0)).agent
    s = torch.randn(50, 2, generator=Streams(0)["s"])
    a, log_pi = agent.sample(s, Streams(0)["a"])
    torch.testing.assert_close(
        density(agent.pi, s, a).float(), log_pi.exp(), rtol=1e-3, atol=1e-5
    )
    edge = density(agent.pi, s, torch.ones(50, 1))  # where tanh has rounded to 1
    assert edge.isfinite().all()


def test_the_policy_shift_by_hand():
    """Two epochs of one step each, densities put in by hand; the cut at 100; only five
    epochs count; new once per epoch."""
    agent = mbpo.mbpo(LINE, SMALL, Streams(0)).agent
    meter = Meter(agent, epoch=1)
    s, a = torch.zeros(1, 2), torch.zeros(1, 1)
    now = density(agent.pi, s, a)
    assert meter.read(True) == (0, 0)  # no step of the policy yet
    meter.steps.extend([(s, a, now + 0.5), (s, a, now - 0.25), (s, a, now + 1e6)])
    assert meter.read(False)[1] == 0
    assert meter.read(True)[1] == pytest.approx((0.5 + 0.25 + 100) / 3)
    for _ in range(4):
        meter.stepped(s, a)
    assert meter.policy_shift() == pytest.approx(100 / 5)  # the first two are too old
    with torch.no_grad():
        agent.pi.net[-1].bias += 0.3
    moved = (density(agent.pi, s, a) - now).abs().item()
    assert meter.policy_shift() == pytest.approx((100 + 4 * moved) / 5, rel=1e-4)


def test_the_critic_loss_is_the_mean_since_the_last_decision():
    meter = Meter(mbpo.mbpo(LINE, SMALL, Streams(0)).agent, epoch=1)
    for loss in (1.0, 2.0, 6.0):
        meter.updated({"loss_q": torch.tensor(loss)})
    assert meter.read(False)[0] == 3 and meter.read(False)[0] == 0


def dials(cfg=SMALL, **metrics):
    """A decision at step 85 of 60 + 100, in the middle of the first epoch."""
    base = mbpo.Schedule(cfg.k, cfg.G, cfg.real_ratio)
    meter = SimpleNamespace(read=lambda begins: (30.0, 4.0), base=None)
    now = Knobs(k=2, G=3, real_ratio=0.05, fit=True)
    known = {"model_loss": 0.5, "return": -20.0} | metrics
    return Dials(cfg, base, meter, UNITS), Progress(85, 0, now, known)


def test_an_observation_by_hand():
    """Progress, model loss, critic loss, shift, return, G, real ratio, k."""
    d, p = dials()
    np.testing.assert_allclose(d.raw(p), [0.5, 30, 4, -20])
    seen = d.observe(p, d.raw(p))
    np.testing.assert_allclose(
        seen, [0.25, 0.25, 0.3, 0.4, 0.6, 3 / 4, 0.05, 2 / 3], rtol=1e-6
    )
    far = d.observe(p, np.array([9.0, np.nan, 1e9, -1e9]))
    np.testing.assert_array_equal(far[1:5], [1, 1, 1, -1])
    del p.metrics["model_loss"]
    assert d.raw(p)[0] == UNITS.high[0]  # nothing is fitted yet
    d, p = dials(replace(SMALL, knobs=("k", "fit")))
    np.testing.assert_allclose(d.observe(p, d.raw(p))[5:], [2 / 3])


# What a decision does


@pytest.mark.parametrize(
    ("choice", "knobs"),
    [
        ((0, 1, 1, 1), Knobs(k=2, G=3, real_ratio=0.05, fit=True)),
        ((1, 1, 1, 1), Knobs(k=2, G=3, real_ratio=0.05, fit=False)),
        ((0, 0, 1, 1), Knobs(k=2, G=3, real_ratio=0.05 / 1.2, fit=True)),
        ((0, 2, 1, 1), Knobs(k=2, G=3, real_ratio=0.05 * 1.2, fit=True)),
        ((0, 1, 0, 1), Knobs(k=2, G=2, real_ratio=0.05, fit=True)),
        ((0, 1, 2, 1), Knobs(k=2, G=4, real_ratio=0.05, fit=True)),
        ((0, 1, 1, 2), Knobs(k=2, G=3, real_ratio=0.05, fit=True)),  # not yet
    ],
)
def test_each_choice_by_hand(choice, knobs):
    d, p = dials()
    turned = d.turn(p, choice)
    assert turned.real_ratio == pytest.approx(knobs.real_ratio, rel=1e-12)
    assert replace(turned, real_ratio=0) == replace(knobs, real_ratio=0)


def test_k_moves_where_an_epoch_begins_and_all_stay_in_their_bounds():
    d, p = dials()
    p.t, p.epoch = 110, 1
    assert [d.turn(p, (0, 1, 1, u)).k for u in (0, 1, 2)] == [1, 2, 3]
    p.knobs = Knobs(k=3, G=4, real_ratio=0.9, fit=True)
    assert d.turn(p, (1, 2, 2, 2)) == Knobs(k=3, G=4, real_ratio=1.0, fit=False)
    p.knobs = Knobs(k=1, G=1, real_ratio=0.9, fit=True)
    most = d.turn(p, (1, 0, 0, 0))
    assert (most.k, most.G) == (1, 1) and most.real_ratio == pytest.approx(0.75)


def test_the_first_decision_always_fits():
    d, p = dials()
    p.t, p.knobs = 60, None
    assert d.turn(p, (1, 1, 2, 2)) == Knobs(k=2, G=3, real_ratio=0.05, fit=True)


def test_what_is_not_decided_is_what_mbpo_does():
    d, p = dials(replace(SMALL, knobs=("G",), k=(0, 1, 2, 3), real_ratio=0.5))
    p.epoch = 4
    assert d.turn(p, (2,)) == Knobs(k=3, G=4, real_ratio=0.5, fit=True)


def test_what_the_base_changes_moves_the_knobs_too():
    """The base's k goes from 2 to 3, its G from 4 to 8, its real_ratio from 0.1 to 0.2:
    knobs that are not turned go along, those that are move by the turn besides."""
    d, p = dials(replace(SMALL, G_max=20, k_max=9))
    was = Knobs(k=2, G=4, real_ratio=0.1, fit=True)
    base = Knobs(k=3, G=8, real_ratio=0.2, fit=True)
    for now in (was, replace(was, k=5, G=3, real_ratio=0.15)):
        d.meter.base, p.knobs, p.t = was, now, 110
        d = replace(d, base=lambda p: base)
        kept = d.turn(p, (0, 1, 1, 1))
        assert kept == base if now == was else (kept.k, kept.G) == (6, 7)
        assert kept.real_ratio == pytest.approx(now.real_ratio * 2, rel=1e-12)
        d.meter.base = was
        more = d.turn(p, (0, 2, 2, 2))
        assert (more.k, more.G) == (kept.k + 1, kept.G + 1)
        assert more.real_ratio == pytest.approx(1.2 * kept.real_ratio, rel=1e-12)
        again = replace(p, knobs=more)
        assert d.turn(again, (0, 1, 1, 1)) == more  # the base stands still now


def test_between_two_decisions_nothing_is_turned_and_nothing_fitted():
    d, p = dials(replace(SMALL, decide_every=50))
    assert not d.due(p) and d.between(p) == replace(p.knobs, fit=False)
    d, p = dials(replace(SMALL, decide_every=50, knobs=("k",)))
    assert d.between(p) == Knobs(k=2, G=SMALL.G, real_ratio=0.05, fit=True)


# The environment


def test_it_is_registered_and_gymnasium_finds_no_fault():
    env = gym.make(ID, task=LINE, cfg=TINIEST, units=UNITS)
    assert env.action_space == gym.spaces.MultiDiscrete([2, 3, 3, 3])
    assert env.observation_space.shape == (8,)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def rewards(env, seed, choices):
    env.reset(seed=seed)
    steps = [env.step(u) for u in choices]
    assert [s[2] for s in steps] == [False] * (len(steps) - 1) + [True]
    return steps


def test_the_reward_by_hand():
    env = HyperEnv(LINE, SMALL, UNITS)
    fit, skip = (0, 1, 1, 1), (1, 1, 1, 1)
    steps = rewards(env, 3, [fit, skip, skip, fit])
    infos = [s[4] for s in steps]
    assert [i["t"] for i in infos] == [85, 110, 135, 160]
    first, last = infos[-1]["evaluations"]
    assert infos[1]["raw"][3] == first and infos[3]["raw"][3] == last
    expected = [-0.05, 0.05 + (first + 40) / 5, 0.05, -0.05 + (last + 30) / 5]
    np.testing.assert_allclose([s[1] for s in steps], expected)
    with pytest.raises(ValueError, match="call reset"):
        env.step(fit)


def test_without_a_choice_about_fits_none_is_paid():
    cfg = replace(SMALL, knobs=("G",))
    steps = rewards(HyperEnv(LINE, cfg, UNITS), 3, [(1,)] * 4)
    assert steps[0][1] == steps[2][1] == 0 != steps[1][1]


def test_the_same_seed_gives_the_same_episode():
    env = HyperEnv(LINE, TINIEST, UNITS)
    choices = [(0, 2, 2, 2), (1, 0, 1, 0), (0, 1, 2, 2), (0, 2, 0, 1)]
    runs = [rewards(env, seed, choices) for seed in (5, 5, 6)]
    seen = [np.concatenate([np.r_[s[0], s[1]] for s in steps]) for steps in runs]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert np.abs(seen[0].reshape(4, 9)[:, :8]).max() <= 1


def test_an_episode_is_a_run_of_mbpo():
    """Fit and keep: the loop inside the environment is MBPO's, bit for bit."""
    env = HyperEnv(LINE, SMALL, UNITS)
    rewards(env, 0, [(0, 1, 1, 1)] * 4)
    base = run_mbpo(mbpo.Config(**BASE))
    inside, outside = env.loop.parts.agent, base.parts.agent
    for a, b in zip(inside.parameters(), outside.parameters()):
        assert torch.equal(a, b)
    np.testing.assert_array_equal(env.loop._result().evaluations, base.evaluations)


# A run under a controller


@pytest.fixture(scope="module")
def base():
    return run_mbpo(mbpo.Config(**BASE))


def under(controller, cfg=SMALL, seed=0, **known):
    return follow(LINE, cfg, Streams(seed), controller, **known)


def test_switched_off_it_is_mbpo(base):
    assert same(base, under(None))
    kept = under(Fixed())
    assert same(base, kept) and ALL in kept.parts.modules


GROWING = {"k": (0, 2, 1, 3)}  # MBPO's own k goes 1, 2 in the two epochs


def test_where_k_grows_by_itself_keep_is_still_mbpo():
    growing = run_mbpo(mbpo.Config(**BASE | GROWING))
    rows = []
    cfg = replace(SMALL, **GROWING)
    kept = under(Fixed(), cfg, log=lambda t, m: rows.append(m))
    assert same(growing, kept) and [m.get("k") for m in rows] == [None, 1, 2]


@pytest.mark.parametrize("change", [{}, GROWING, {"decide_every": 50}])
def test_the_reference_is_mbpo_itself(change):
    """Also where its k grows, and where it fits between two decisions."""
    cfg, rng = replace(SMALL, **change, references=1), Streams(0)
    ((_, found),) = one_by_one(reference_jobs(LINE, cfg, rng))
    seed = rng.key("reference/0") % 2**31
    plain = mbpo.train(LINE, mbpo.Config(**BASE | {"k": cfg.k}), Streams(seed))
    np.testing.assert_array_equal(found["evaluations"], plain.evaluations[1:].mean(1))
    assert found["steps"] == cfg.T and found["raw"].shape == (cfg.decisions, 4)
    assert found["raw"][-1, 3] == found["evaluations"][-1]
    wanted = [[1, 0.05, 2, 1], [1, 0.05, 2, 2 if change == GROWING else 1]]
    each = cfg.decisions // 2
    np.testing.assert_allclose(found["knobs"], np.repeat(wanted, each, 0), rtol=1e-6)


@pytest.mark.parametrize(
    "choice", [(1, 1, 1, 1), (0, 2, 1, 1), (0, 1, 0, 1), (0, 1, 1, 2)]
)
def test_each_knob_alone_changes_the_run(base, choice):
    def last(result):
        return result.parts.agent.pi.state_dict()["net.0.weight"]

    cfg = replace(SMALL, real_ratio=0.5)
    other = under(Fixed(choice=choice), cfg)
    assert not torch.equal(last(under(Fixed(), cfg)), last(other))


def controller(seed=0, **changes):
    cfg = replace(SMALL, **changes)
    return Controller(cfg.knobs, cfg.ppo_config, Streams(seed), UNITS, greedy=False)


def test_a_run_under_a_controller_can_be_resumed(base):
    whole = under(controller())
    assert not same(base, whole)
    kept, rng = Memory(), Streams(0)
    parts = autombpo.autombpo(
        mbpo.mbpo(LINE, SMALL, rng), SMALL, rng, controller(), UNITS
    )
    with pytest.raises(Cut):
        learn(cut_after(parts, 60), SMALL, rng, checkpoint=kept)
    resumed = under(controller(seed=1), checkpoint=kept)  # its weights are kept too
    assert same(whole, resumed)
    meters = [r.parts.modules[ALL].state_dict() for r in (whole, resumed)]
    for a, b in zip(meters[0].pop("steps"), meters[1].pop("steps")):
        assert torch.equal(a, b)
    assert meters[0] == meters[1]


def stacked(first, checkpoint=None, cut=None):
    """AutoMBPO on BMPO on AMPO on MAAC, for 50 real steps after the random ones."""
    cfg = replace(TINIEST, T=110, knobs=first.knobs)
    base, rng = {f: asdict(cfg)[f] for f in asdict(TINY)}, Streams(0)
    parts = mbpo.mbpo(LINE, cfg, rng)
    parts = maac.maac(parts, maac.Config(**base, H=1), rng)
    parts = ampo.ampo(parts, ampo.Config(**base, G_adapt=1), rng)
    parts = bmpo.bmpo(parts, bmpo.Config(**base, N_mpc=4), rng)
    parts = autombpo.autombpo(parts, cfg, rng, first, UNITS)
    parts = cut_after(parts, cut) if cut else parts
    return learn(parts, cfg, rng, checkpoint=checkpoint)


def test_it_stacks_with_the_other_variants():
    knobs, kept = ("fit", "real_ratio", "k"), Memory()
    whole = stacked(controller(knobs=knobs))
    assert len(whole.parts.modules["autombpo/fit+real_ratio+k"].steps) == 50
    assert not same(whole, stacked(Fixed(knobs)))
    with pytest.raises(Cut):
        stacked(controller(knobs=knobs), kept, 40)
    assert kept.t[-1] > 60  # in the middle of what is learnt
    assert same(whole, stacked(controller(knobs=knobs), kept))


def two(seed, checkpoint=None, cut=None, knobs=(("k", "fit"), ("G",))):
    """A controller on another one; their weights depend on the seed."""
    rng = Streams(0)
    parts = mbpo.mbpo(LINE, SMALL, rng)
    for own in knobs:
        cfg = replace(SMALL, knobs=own)
        first = controller(seed, knobs=own)
        parts = autombpo.autombpo(parts, cfg, rng, first, UNITS)
    parts = cut_after(parts, cut) if cut else parts
    return learn(parts, SMALL, rng, checkpoint=checkpoint)


def test_two_controllers_are_kept_apart():
    whole, kept = two(seed=0), Memory()
    own = [name for name in whole.parts.modules if name.startswith("autombpo")]
    assert own == [
        *("autombpo/k+fit", "autombpo/k+fit/controller"),
        *("autombpo/G", "autombpo/G/controller"),
    ]
    with pytest.raises(Cut):
        two(seed=0, checkpoint=kept, cut=60)
    assert same(whole, two(seed=1, checkpoint=kept))
    with pytest.raises(ValueError, match="another controller turns G"):
        two(seed=0, knobs=(("k", "G"), ("fit",), ("G",)))


def test_a_controller_is_saved_loaded_and_applied_to_another_task(tmp_path):
    own = controller()
    own.save(tmp_path / "controller.pt")
    loaded = Controller.load(tmp_path / "controller.pt")
    assert loaded.units == own.units and loaded.knobs == own.knobs
    assert same(under(own), under(loaded))
    cfg = replace(TINIEST, T=110)
    results = [
        follow(task("ContinuousCartPole-v0"), cfg, Streams(0), c, UNITS)
        for c in (loaded, Fixed())
    ]
    assert not same(*results)
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="must hold a controller"):
        Controller.load(tmp_path / "other.pt")


# Learning


class Stub(gym.Env):
    """Eight decisions; each one pays 1/8 for every knob that is turned to where it is
    best: fit in the first half and skip in the second, always raise real_ratio."""

    observation_space = gym.spaces.Box(-1, 1, (6,), np.float32)
    action_space = gym.spaces.MultiDiscrete([2, 3])

    def _see(self):
        x = np.zeros(6, np.float32)
        x[0] = self.t / 8
        knobs = {"fit": 0, "real_ratio": 0, "G": 0, "k": 0}
        # as after one epoch, whose return is all that was paid
        own = {"t": 8, "raw": np.ones(4), "evaluations": np.array([self.total])}
        return x, own | knobs

    def reset(self, seed=None, options=None):
        self.t, self.total = 0, 0.0
        return self._see()

    def step(self, u):
        r = ((u[0] == (self.t >= 4)) + (u[1] == 2) * 1.0) / 8
        self.t, self.total = self.t + 1, self.total + r
        return *self._see()[:1], r, self.t == 8, False, self._see()[1]


def train_stub(seed=0, log=None, checkpoint=None, parallel=one_by_one, **changes):
    how = {"stages": 8, "runs": 8, "updates": 60, "explore": 2} | changes
    cfg = replace(SMALL, knobs=("fit", "real_ratio"), **how)
    plain = [functools.partial(play, 0, Stub, 0, Fixed(cfg.knobs))]
    rng = Streams(seed)
    return Training(
        cfg, rng, plain, lambda units: Stub(), log, checkpoint, parallel
    ).run()


@pytest.mark.parametrize(("learner", "stages"), [("autombpo", 16), ("general", 8)])
def test_ppo_finds_a_schedule_that_is_known_to_be_best(learner, stages):
    """The best schedule earns 2, the best that never changes 3/2, a random one 5/6. The
    greedy controller may miss the moment of the change by one decision (1/8)."""
    found = train_stub(learner=learner, stages=stages, updates=300)
    assert abs(found.returns[0].mean() - 5 / 6) < 0.25
    env, total, over = Stub(), 0.0, False
    s = env.reset()[0]
    while not over:
        s, r, over, *_ = env.step(found.controller.choose(s, Streams(0)["g"]))
        total += r
    assert total >= 2 - 1 / 8


def equal(a, b):
    """Whether two trainings ended alike, bit for bit."""
    states = a.controller.state_dict(), b.controller.state_dict()
    same_weights = all(
        torch.equal(x, states[1][name])
        for name, x in states[0].items()
        if isinstance(x, torch.Tensor)
    )
    names = ("returns", "rewards", "schedules", "reference")
    arrays = (np.array_equal(getattr(a, n), getattr(b, n)) for n in names)
    return same_weights and all(arrays) and a.best == b.best


QUICK = {"stages": 3, "runs": 3, "updates": 4}


def test_the_order_and_the_place_of_the_runs_change_nothing():
    whole, rows = train_stub(**QUICK), {}

    def backwards(jobs):
        return [job() for job in reversed(jobs)]

    def processes(jobs):
        return in_parallel(jobs, 2, "loky")

    for name, how in (("plain", one_by_one), ("back", backwards)):
        rows[name] = []
        again = train_stub(
            parallel=how, log=lambda t, m, n=name: rows[n].append((t, m)), **QUICK
        )
        assert equal(whole, again)
    assert rows["plain"] == rows["back"] and len(rows["plain"]) == 1 + 3 * 3
    assert [m["stage"] for _, m in rows["plain"]] == [0] + 3 * [1] + 3 * [2] + 3 * [3]
    assert [t for t, _ in rows["plain"]] == [8 * n for n in range(1, 11)]
    assert equal(whole, train_stub(parallel=processes, **QUICK))
    assert not equal(whole, train_stub(seed=1, **QUICK))


@pytest.mark.parametrize("runs", [0, 1, 3, 4, 8])
def test_training_can_be_resumed_at_every_run(runs):
    """Cut off before run number ``runs``, counted from that of plain MBPO."""
    left, kept, first, later = [runs], Memory(), [], []

    def cut(jobs):
        for job in jobs:
            if left[0] == 0:
                raise Cut
            left[0] -= 1
            yield job()

    def into(rows):
        return lambda t, m: rows.append((t, m))

    with pytest.raises(Cut):
        train_stub(checkpoint=kept, parallel=cut, log=into(first), **QUICK)
    assert len(kept.t) == runs == len(first)
    resumed = train_stub(checkpoint=kept, log=into(later), **QUICK)
    assert equal(train_stub(**QUICK), resumed) and len(later) == 10 - runs
    assert [t for t, _ in first + later] == [8 * n for n in range(1, 11)]


def test_exploration_falls_from_one_to_nothing():
    cfg = replace(SMALL, explore=5)
    np.testing.assert_allclose(
        [cfg.eps(i) for i in range(8)], [1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0]
    )
    assert replace(SMALL, explore=0).eps(0) == 0
    sure = controller(knobs=("fit", "real_ratio"))
    with torch.no_grad():
        for net in sure.pi.nets:  # it always chooses 0
            net[-1].bias += torch.tensor([50.0, *[0.0] * (len(net[-1].bias) - 1)])
    shares = []
    for eps in (0.0, 0.5, 1.0):
        runs = [play(0, Stub, i, sure, eps)[1]["rollout"] for i in range(60)]
        shares.append(
            np.mean([float((x["a"] != 0).any(1).float().mean()) for x in runs])
        )
        x = runs[-1]  # random decisions are kept with the controller's own probability
        torch.testing.assert_close(x["log_pi"], sure.log_pi(x["s"], x["a"]).detach())
    # another vector than (0, 0) has a chance of 5/6
    assert shares[0] == 0
    np.testing.assert_allclose(shares[1:], [5 / 12, 5 / 6], atol=0.06)


def test_the_best_stage_is_kept():
    """Of the stages without random decisions, that with the best return."""
    best = Best(SMALL.eps)  # only stage 0 is random
    for stage, value in enumerate([9.0, 1.0, 3.0, 2.0]):
        best.offer(stage, value, controller(seed=stage))
    assert (best.stage, best.score) == (2, 3.0)
    for name, x in controller(seed=2).state_dict().items():
        if isinstance(x, torch.Tensor):
            assert torch.equal(x, best.weights[name])


def test_units_are_measured_by_hand():
    def run(model, critic, shift, returns):
        raw = np.array([[model, critic, shift, r] for r in returns])
        return {"raw": torch.tensor(raw), "evaluations": torch.tensor(returns)}

    runs = [run(1.0, 4.0, 0.0, [-30.0, -20.0]), run(2.0, 2.0, 0.0, [-50.0, -10.0])]
    units = scaled(runs, SMALL)
    assert units.low == (0, 0, 0, -50) and units.high == (3, 6, 1, 10)
    assert units.reference == (-40, -15) and units.reward == 6
    given = replace(SMALL, ranges=(1.0, 2.0, 3.0, 3000.0), reward_scale=300.0)
    units = scaled(runs, given)
    assert units == Units((0, 0, 0, 0), given.ranges, (-40, -15), 300)


def test_the_front_door_trains_and_reports_every_run(tmp_path):
    import mbrl_edu

    own = asdict(TINIEST) | {"T": 110, "stages": 1, "runs": 1, "references": 1}
    run = mbrl_edu.run("autombpo", "Line-v0", folder=tmp_path, progress=False, **own)
    assert [row["stage"] for row in run.rows] == [0, 1]
    assert [row["step"] for row in run.rows] == [110, 220]
    assert run.result.schedules.shape == (1, 1, 2, 4)
    stored = mbrl_edu.run("autombpo", "Line-v0", folder=tmp_path, progress=False, **own)
    found = autombpo.rebuilt(stored.config, stored.result)
    assert (
        stored.result.controller is None and found.units == run.result.controller.units
    )
    for a, b in zip(found.parameters(), run.result.controller.parameters()):
        assert torch.equal(a, b)
    # the reference is what plain MBPO had
    plain = Streams(Streams(0).key("reference/0") % 2**31)
    cfg = replace(TINIEST, T=110, stages=1, runs=1, references=1)
    base = mbpo.train(LINE, cfg, plain)
    np.testing.assert_allclose(run.result.reference, base.evaluations[1:].mean(1))
    assert autombpo.measure(LINE, cfg, Streams(0)).reference == tuple(
        run.result.reference
    )


def test_first_weights_of_the_controller_by_task():
    hopper, ant = (
        Config(**preset("autombpo", task, "paper"))
        for task in ("Hopper-v5", "AntTruncated-v5")
    )
    assert hopper.ppo_config.init == "small" and ant.ppo_config.init == "glorot"
    second = Config(**preset("autombpo", "AntTruncated-v5", "paper-k"))
    assert second.knobs == ("k",) and second.k_max == 25 and not second.small


def test_it_learns_the_line():
    """A controller of fits and real_ratio learns from five short runs. Then it
    drives one with the settings that MBPO learns with: within 10 % of the exact
    optimum after 600 real steps, 200 of them random."""
    short = {"T": 300, "stages": 2, "runs": 2, "references": 1, "updates": 40}
    short |= {"knobs": ("fit", "real_ratio"), "episodes": 1, "G": 2, "epochs": 10}
    cfg = Config(**preset("autombpo", "Line-v0", "cheap") | short)
    rng = Streams(2)
    found = autombpo.train(LINE, cfg, rng)
    cfg = replace(
        cfg, T=600, T_random=200, epoch=200, M=400, G=5, batch=128, fit_batch=64,
        hidden=(64, 64), model_hidden=(64, 64), epochs=None, episodes=5,
    )  # fmt: skip
    driven = follow(LINE, cfg, rng, found.controller)
    best = best_return(rng, cfg.episodes).mean()
    assert driven.evaluations[0].mean() < 2 * best
    assert 1.1 * best < driven.evaluations[-1].mean() <= best + 0.05


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"knobs": ()}, "knobs is"),
        ({"knobs": ("fit", "fit")}, "knobs is"),
        ({"knobs": ("fit", "tau")}, "knobs is"),
        ({"decide_every": 40}, "decide_every is 40"),
        ({"T": 170}, "T is 170.*whole epochs"),
        ({"c": 1.0}, "c is 1.0"),
        ({"price": -0.1}, "price"),
        ({"G": 5}, "G is 5"),
        ({"k": (0, 1, 4, 4)}, "k is .*must be in 1 to k_max = 3"),
        ({"k": (0, 9, 1, 4)}, "k is .*must be in 1 to k_max = 3"),
        ({"k": (0, 9, 0, 1)}, "k is .*must be in 1 to k_max = 3"),
        ({"real_ratio": 0.0}, "real_ratio is 0.0"),
        ({"ranges": (1.0, 0.0, 1.0, 1.0)}, "ranges is 0.0"),
        ({"reward_scale": 0.0}, "reward_scale"),
        ({"references": 0}, "references is 0"),
        ({"stages": 0}, "stages is 0"),
        ({"runs": 0}, "runs is 0"),
        ({"explore": -1}, "explore is -1"),
        ({"learner": "dqn"}, "learner is 'dqn'"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **bad)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="units.reference has 1 epochs"):
        HyperEnv(LINE, SMALL, replace(UNITS, reference=(1.0,)))
    with pytest.raises(ValueError, match="cfg.knobs is .* but must be what"):
        under(Fixed(("fit",)))
    with pytest.raises(ValueError, match="low end below its high end"):
        Units(high=(0.0, 1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="the task|task is"):
        HyperEnv("Nowhere-v0", SMALL, UNITS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    """The controller learns on the CPU, its runs of MBPO are on the GPU; then it drives
    one there."""
    cfg = replace(TINIEST, T=110, stages=1, runs=1, references=1)
    found = autombpo.train(LINE, cfg, Streams(1, "cuda"))
    assert np.isfinite(found.returns).all() and np.isfinite(found.weights).all()
    result = follow(LINE, cfg, Streams(1, "cuda"), found.controller)
    assert result.parts.agent.log_alpha.is_cuda
    assert weights(result.parts).isfinite().all()
