"""MBPO and its loop: order, settings, sameness, resuming, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from memory import Cut, Memory, cut_after, weights
from torch.utils._python_dispatch import TorchDispatchMode

from mbrl_edu.algos import mbpo, sac
from mbrl_edu.algos.loop import Knobs, Progress, learn
from mbrl_edu.algos.mbpo import Config, Schedule, ramp
from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import line
from mbrl_edu.envs.tasks import TASKS, task

LINE = task("Line-v0")
TINY = Config(
    T=210, T_random=60, epoch=50, fit_every=25, M=40, G=2, batch=32, fit_batch=32,
    hidden=(16,), model_hidden=(16,), B=3, elites=2, epochs=3, episodes=2,
)  # fmt: skip


def run(cfg=TINY, seed=0, change=None, **known):
    rng = Streams(seed)
    parts = mbpo.mbpo(LINE, cfg, rng)
    return learn(change(parts) if change else parts, cfg, rng, **known)


@pytest.fixture(scope="module")
def base():
    return run()


def same(a, b):
    return torch.equal(weights(a.parts), weights(b.parts)) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("evaluations", "returns", "lengths")
    )


def test_the_same_seed_gives_the_same_weights(base):
    assert same(base, run()) and not same(base, run(seed=1))


def test_logging_and_evaluating_change_nothing(base):
    rows = []
    many = run(
        replace(TINY, episodes=4),
        log=lambda t, m: rows.append((t, m)),
        watch=lambda p, D, parts: {"seen": len(D.env)},
    )
    assert torch.equal(weights(base.parts), weights(many.parts))
    assert [t for t, _ in rows] == [60, 110, 160, 210]
    assert [m["seen"] for _, m in rows] == [60, 110, 160, 210]
    assert all(isinstance(v, float) for _, m in rows for v in m.values())
    # the same starts; but a product of four rows may round otherwise than one of two
    np.testing.assert_allclose(base.evaluations, many.evaluations[:, :2], rtol=1e-5)


def test_the_loop_calls_its_verbs_in_the_order_of_the_figure():
    calls = []

    def change(parts):
        def noted(name):
            verb = getattr(parts, name)

            def called(*args):
                calls.append(name)
                return verb(*args)

            return called

        verbs = "act fit starts rollout adapt improve schedule".split()
        return replace(parts, **{name: noted(name) for name in verbs})

    run(replace(TINY, T=110), change=change)
    first = ["schedule", "fit", "starts", "rollout", "adapt"]
    real = ["act", "improve", "improve"]
    assert calls == 2 * (first + 25 * real)


def test_data_and_updates_are_counted(base):
    assert len(base.D.env) == TINY.T and base.updates == 2 * (TINY.T - TINY.T_random)
    assert base.lengths.sum() <= TINY.T and len(base.returns) == len(base.lengths)
    assert len(base.D.model.rollouts) == 2  # an epoch has two fits
    assert len(base.D.initial.states) == len(base.lengths) + 1


def test_the_end_of_a_run_is_evaluated_wherever_it_lies():
    rows = []
    found = run(replace(TINY, T=170), log=lambda t, m: rows.append((t, m["updates"])))
    assert [t for t, _ in rows] == found.evaluated_at.tolist() == [60, 110, 160, 170]
    assert rows[-1][1] == found.updates == 110 * TINY.G


def test_a_time_limit_is_no_end_and_an_imagined_end_is_that_of_the_task():
    """On the line an episode is cut off after 30 steps; some fall off before."""
    found = run(replace(TINY, T=500, k=(0, 1, 3, 3)))
    cut = np.array(found.lengths) == LINE.horizon
    assert cut.any() and found.D.env.all().d.sum() == (~cut).sum()
    s, a, _, s_next, d = found.D.model.data
    assert torch.equal(d, LINE.terminal(s, a, s_next)) and 0 < d.sum() < len(d)


def test_imagined_actions_are_drawn():
    cfg, rng = TINY, Streams(0)
    parts = mbpo.mbpo(LINE, cfg, rng)
    s = torch.zeros(200, 2)
    made = parts.rollout(s, 1)
    assert made.a.std() > 0.1  # from one and the same state


def test_rollouts_branch_off_real_states_or_begin_at_the_start(base):
    real = {tuple(s) for s in base.D.env.all().s.tolist()}
    assert {tuple(s) for s in base.D.model.rollouts[-1].s[:40].tolist()} <= real
    other = run(replace(TINY, start="initial"))
    starts = {tuple(s) for s in torch.cat(other.D.initial.states).tolist()}
    assert {tuple(s) for s in other.D.model.rollouts[-1].s[:40].tolist()} <= starts
    assert not same(base, other)


@pytest.mark.parametrize(
    "change",
    [{"k": (0, 1, 2, 2)}, {"real_ratio": 0.5}, {"G": 3}, {"known_reward": True}],
)
def test_each_setting_changes_the_run(base, change):
    before, after = (
        r.parts.agent.pi.state_dict()["net.0.weight"]
        for r in (base, run(replace(TINY, **change)))
    )
    assert not torch.equal(before, after)


def test_without_rollouts_it_is_soft_actor_critic():
    """k = 0: the model is fitted in vain; also with every transition real."""
    cfg = sac.Config(
        T=210, T_random=60, epoch=50, G=2, batch=32, hidden=(16,), episodes=2
    )
    plain = sac.train(LINE, cfg, Streams(0))
    silent = run(replace(TINY, k=(0, 1, 0, 0)))
    for a, b in zip(plain.parts.agent.parameters(), silent.parts.agent.parameters()):
        assert torch.equal(a, b)
    np.testing.assert_array_equal(plain.evaluations, silent.evaluations)


@pytest.mark.parametrize("calls", [3, 100, 290])
def test_a_run_that_is_resumed_ends_like_one_that_never_stopped(base, calls):
    kept, rng = Memory(), Streams(0)
    broken = cut_after(mbpo.mbpo(LINE, TINY, rng), calls)
    rows = []
    with pytest.raises(Cut):
        learn(broken, TINY, rng, checkpoint=kept)
    at = kept.t[-1]
    resumed = run(checkpoint=kept, log=lambda t, m: rows.append(t))
    assert same(base, resumed) and resumed.updates == base.updates
    assert min(rows) > at and kept.t == sorted(set(kept.t))


def test_an_interruption_before_the_first_episode_ends_starts_anew(base):
    assert same(base, run(checkpoint=Memory()))


# What makes a host wait for a GPU: reading a value, an unknown size, a copy
WAITS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "_to_copy",
    "copy_",
}


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.add(str(function).split(".")[1])
        return function(*args, **(kwargs or {}))


def test_a_policy_update_has_nothing_that_a_gpu_waits_for():
    """Checked on any machine; the tests marked gpu ask the GPU itself."""
    operations = Operations()

    def watched(parts):
        def improve(D, now):
            with operations:
                return parts.improve(D, now)

        return replace(parts, improve=improve)

    run(change=watched)
    assert "_fused_adam_" in operations.seen and not operations.seen & WAITS
    with operations:  # and it would be seen
        float(torch.ones(1) + 1)
    assert operations.seen & WAITS == {"_local_scalar_dense"}


def test_the_schedule_of_the_official_code():
    hopper = Schedule((20, 150, 1, 15), 20, 0.05)

    def k(epoch):
        return hopper(Progress(epoch=epoch)).k

    first = {k(e): e for e in reversed(range(200))}
    assert (first[2], first[4], first[9], first[12], first[15]) == (
        30,
        48,
        95,
        123,
        150,
    )
    assert k(50) == 4 and k(100) == 9 and k(125) == 12
    assert [ramp(x, 0, 2, 1, 5) for x in (-1, 0, 1, 2, 9)] == [1, 1, 3, 5, 5]


def test_knobs_are_what_the_schedule_says():
    seen = []

    def change(parts):
        def schedule(now):
            seen.append((now.t, now.epoch))
            return Knobs(k=len(seen) % 2, G=len(seen), real_ratio=1.0, fit=False)

        return replace(parts, schedule=schedule)

    result = run(change=change)
    assert seen == [(60, 0), (85, 0), (110, 1), (135, 1), (160, 2), (185, 2)]
    assert result.updates == 25 * (1 + 2 + 3 + 4 + 5 + 6)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_it_runs_on_every_task(name):
    cfg = replace(TINY, T=65, epoch=5, fit_every=5, M=5, G=1, episodes=1, epochs=1)
    short = replace(TASKS[name], horizon=20)
    result = mbpo.train(short, cfg, Streams(0))
    assert weights(result.parts).isfinite().all() and len(result.D.env) == 65


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"T": 0}, "T is 0"),
        ({"k": (5, 5, 1, 1)}, "k is"),
        ({"k": (0, 1, -1, 1)}, "k is"),
        ({"real_ratio": 1.5}, "real_ratio"),
        ({"epoch": 60}, "multiple of fit_every"),
        ({"T_random": 30}, "T_random is 30"),
        ({"start": "middle"}, "start"),
        ({"elites": 4}, "elites is 4, but must be at most B = 3"),
        ({"T": 60}, "T is 60, but must be above T_random = 60"),
        ({"model_hidden": ()}, "model_hidden is ()"),
        ({"fit_batch": 0}, "fit_batch is 0"),
        ({"stop": "none"}, "stop is 'none'"),
        ({"model_lr": 0.0}, "lr is 0.0"),
        ({"lr": 0.0}, "lr"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        replace(TINY, **bad)


def test_an_unknown_reward_cannot_be_known():
    cfg = replace(TINY, known_reward=True)
    with pytest.raises(ValueError, match="known_reward is True, but the reward of Hop"):
        mbpo.mbpo(task("Hopper-v5"), cfg, Streams(0))


def best_return(rng, episodes):
    """Of the exact optimum, from the same starts."""
    K = torch.as_tensor(line.exact().optimal_gain(), dtype=torch.float32)
    return evaluate(LINE, lambda s: (s @ K.T).clamp(-1, 1), rng, episodes)


def test_it_learns_the_line():
    """Within 10 % of the exact optimum after 600 real steps, 200 of them random; before
    it learns, a policy pays more than twice as much. Its policy sees imagined steps
    alone, so that the model does the work."""
    cfg = Config(
        T=600, T_random=200, epoch=200, fit_every=50, M=1000, G=10, batch=128,
        fit_batch=64, hidden=(64, 64), model_hidden=(64, 64), B=3, elites=2, lr=1e-3,
        tau=0.01, real_ratio=0.0,
    )  # fmt: skip
    rng = Streams(0)
    result = mbpo.train(LINE, cfg, rng)
    best = best_return(rng, cfg.episodes).mean()
    assert result.evaluations[0].mean() < 2 * best
    assert 1.1 * best < result.evaluations[-1].mean() <= best + 0.05
