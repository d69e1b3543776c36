"""PETS: learns a task whose optimum is exact, keeps its books, refuses bad input."""

import dataclasses
import functools
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import mbrl_edu
from mbrl_edu.algos import pets as module
from mbrl_edu.algos.cem import CEM
from mbrl_edu.algos.mppi import MPPI
from mbrl_edu.algos.pets import MODELS, PLANNERS, Agent, Config, pets
from mbrl_edu.algos.presets import preset
from mbrl_edu.algos.random_shooting import RandomShooting
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import lqr
from mbrl_edu.envs.task import Task
from mbrl_edu.envs.tasks import lqr_task, task
from mbrl_edu.experiment.checkpoint import Checkpoint

# as small as it gets: these runs are about the loop, not about learning
TINY = Config(
    2, H=3, N=10, top=2, iterations=2, hidden=(8,), epochs=2, batch=20, look=4
)


def tiny(**values):
    return dataclasses.replace(TINY, **values)


# It learns


SYSTEM = dataclasses.replace(lqr.point_masses(), gamma=1.0)


@functools.cache
def learned(seed):
    """One random trial and two planned ones, 100 steps each, on point masses."""
    return pets(lqr_task(), Config(2, H=12, epochs=100), Streams(seed))


def of_doing_nothing(s, steps=100):
    total = 0.0
    for _ in range(steps):
        z = np.append(s, 0.0)
        total -= z @ SYSTEM.C @ z
        s = SYSTEM.A @ s
    return total


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_trials_come_close_to_the_exact_optimum(seed):
    """Both together lose at most 10 % of what lies between doing nothing and the best
    that is possible from where they began; both are known exactly. (Random actions are
    far below doing nothing.)"""
    run, (_, P) = learned(seed), SYSTEM.finite(100)
    assert run.lengths.tolist() == [100] * 3
    starts = [run.s[100 * k].astype(float) for k in (1, 2)]
    best = np.array([-s @ P @ s for s in starts])
    nothing = np.array([of_doing_nothing(s) for s in starts])
    assert (run.returns[1:] <= best + 1e-3).all()
    assert (best - run.returns[1:]).sum() < 0.10 * (best - nothing).sum()


@pytest.mark.slow
def test_a_good_model_knows_what_its_plans_bring():
    """Twelve steps ahead, in the second trial, to 0.1 (returns of a trial: about 5)."""
    run = learned(0)
    late = run.planned_in == 2
    assert late.sum() == 9  # of the looks at 0, 10, ... the last reaches too far
    assert np.abs(run.planned - run.obtained)[late].mean() < 0.1


# The loop


def test_the_books_are_right():
    rows = []
    run = pets(task("Line-v0"), TINY, Streams(1), lambda t, row: rows.append((t, row)))
    T = run.lengths.sum()
    assert run.s.shape == (T, 2) and run.a.shape == (T, 1) and run.r.shape == (T,)
    ends = run.lengths.cumsum()
    trials = np.split(run.r, ends[:-1])
    assert run.returns == pytest.approx([r.sum() for r in trials], rel=1e-5)
    assert [t for t, _ in rows] == ends.tolist()
    assert [row["episode"] for _, row in rows] == [0, 1, 2]
    assert [row["return"] for _, row in rows] == run.returns.tolist()
    assert np.isnan(rows[0][1]["loss"])
    assert [row["loss"] for _, row in rows[1:]] == run.losses.tolist()
    assert np.isfinite(run.losses).all()
    # two rounds a step, iCEM: 10, and 8 + 1 kept + the mean; 5 particles, 3 steps
    kept = 0 if round(0.3 * TINY.top) == 0 else 1
    first, later = 10 + 8 + kept + 1, 10 + kept + 8 + kept + 1
    steps = run.lengths[1:]
    assert run.model_steps == ((steps - 1) * later + first).sum() * 5 * 3


def test_random_trials_go_on_until_there_is_one_batch():
    run = pets(task("Line-v0"), tiny(episodes=1, batch=70), Streams(1))
    n = run.lengths
    assert len(n) > 2 and n[:-1].sum() >= 70 > n[:-2].sum()
    assert len(run.losses) == 1 and np.isfinite(run.losses).all()
    assert set(run.planned_in) == {1}


def test_planned_returns_stand_beside_those_obtained():
    run = pets(task("Line-v0"), tiny(model="true", propagation="E"), Streams(1))
    ends = run.lengths.cumsum()
    obtained = [
        run.r[begin + t : begin + t + 3].sum()
        for begin, n in zip(ends[:-1], run.lengths[1:])
        for t in range(0, n, 4)
        if t + 3 <= n
    ]
    assert run.obtained == pytest.approx(np.array(obtained), rel=1e-4)
    assert np.isnan(run.losses).all()
    # with H = 1 the one action planned is the one taken, and the model is the truth
    run = pets(task("Line-v0"), tiny(model="true", H=1), Streams(1))
    assert run.planned == pytest.approx(run.obtained, abs=1e-4)


def test_the_first_trial_is_random_and_no_planner_changes_it():
    runs = [pets(task("Line-v0"), tiny(planner=p), Streams(3)) for p in PLANNERS]
    n = runs[0].lengths[0]
    for run in runs:
        assert (run.a[:n] == runs[0].a[:n]).all()
        assert (run.s[n] == runs[0].s[n]).all() or run.lengths[0] != n
        assert np.abs(run.a).max() <= 1
    assert np.abs(runs[0].a[:n]).max() > 0.5 and runs[0].a[:n].std() > 0.3


def test_same_seed_same_run_and_looking_changes_nothing():
    first, again, other, blind = (
        pets(task("Line-v0"), tiny(look=look), Streams(seed))
        for seed, look in ((5, 4), (5, 4), (6, 4), (5, 1000))
    )
    assert (first.a == again.a).all() and (first.losses == again.losses).all()
    assert (first.planned == again.planned).all()
    assert first.a.shape == blind.a.shape and (first.a == blind.a).all()
    assert len(blind.planned) < len(first.planned)
    n = min(len(first.a), len(other.a))
    assert (first.a[:n] != other.a[:n]).any()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("propagation", ["TS1", "DS", "E"])
def test_every_model_runs(model, propagation):
    cfg = tiny(episodes=1, model=model, propagation=propagation, gp_rows=20)
    run = pets(task("Line-v0"), cfg, Streams(0))
    assert np.isfinite(run.returns).all() and run.agent.cfg == cfg
    assert np.isnan(run.losses[0]) == (model in ("GP", "true"))


def test_the_planner_forgets_at_every_trial(monkeypatch):
    resets = []
    monkeypatch.setattr(CEM, "reset", lambda self: resets.append(self))
    monkeypatch.setattr(CEM, "mean", None, raising=False)
    monkeypatch.setattr(CEM, "kept", None, raising=False)
    pets(task("Line-v0"), TINY, Streams(0))
    # one configuration is checked, then the agent's own: at its start, and per trial
    assert resets.count(resets[-1]) == 3


def test_a_learned_reward_and_features_are_used():
    known = dataclasses.replace(
        task("Line-v0"), reward=None, features=lambda s: s[:, :1]
    )
    agent = Agent(known, TINY, Streams(0))
    assert agent.layout.dy == 3 and agent.layout.dx == 2
    assert np.isfinite(pets(known, tiny(episodes=1), Streams(0)).returns).all()


def test_names_lead_to_planners_with_their_settings():
    kinds = {"cem": CEM, "icem": CEM, "mppi": MPPI, "random_shooting": RandomShooting}
    for name in PLANNERS:
        planner = module.make_planner(tiny(planner=name, N=30, iterations=4))
        assert type(planner) is kinds[name]
        assert planner.cfg.N == (120 if name == "random_shooting" else 30)
    assert module.make_planner(tiny(planner="icem")).cfg.best
    assert not module.make_planner(tiny(planner="cem")).cfg.best


def test_the_particles_see_the_elites_after_every_fit():
    agent = Agent(task("Line-v0"), TINY, Streams(0))
    x = torch.rand(64, 2)
    agent.fit(Batch(x, x[:, :1], x[:, 0], x, torch.zeros(64)))
    assert sorted(agent.imagine.model.elites.tolist()) == [0, 1, 2, 3, 4]


# Stopped and resumed


class Stop(Exception):
    pass


def stopped_and_resumed(known, cfg, folder, after):
    """A run that breaks off while trial ``after`` is logged, and one that goes on."""

    def stop(t, row):
        if row["episode"] == after:
            raise Stop

    with pytest.raises(Stop):
        pets(known, cfg, Streams(4), stop, Checkpoint(folder, every=0))
    rows = []
    again = Checkpoint(folder, every=0)
    run = pets(known, cfg, Streams(4), lambda t, row: rows.append(row), again)
    return run, rows


def same_state(x, y):
    if isinstance(x, dict):
        assert x.keys() == y.keys()
        return all(same_state(x[k], y[k]) for k in x)
    if isinstance(x, (list, tuple)):
        return len(x) == len(y) and all(map(same_state, x, y))
    return torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y


@pytest.mark.parametrize(
    ("name", "values", "after"),
    [
        ("Line-v0", {}, 0),
        ("Line-v0", {}, 1),
        ("Line-v0", {"precision": "bf16", "hidden": (8, 8)}, 3),
        ("Line-v0", {"batch": 30, "planner": "mppi"}, 2),
        ("Line-v0", {"model": "GP", "gp_rows": 20}, 2),
        ("Line-v0", {"model": "true"}, 2),
        ("CartPoleSwingUp-v0", {"epochs": 1}, 2),
    ],
)
def test_a_run_that_is_resumed_ends_like_one_never_stopped(
    tmp_path, name, values, after
):
    known = dataclasses.replace(task(name), horizon=20)
    cfg = tiny(episodes=3, **values)
    whole = pets(known, cfg, Streams(4))
    run, rows = stopped_and_resumed(known, cfg, tmp_path, after)
    assert [row["episode"] for row in rows] == list(range(after, 4))
    for field in ("returns", "lengths", "losses", "planned", "obtained", "s", "a", "r"):
        x, y = getattr(whole, field), getattr(run, field)
        assert np.array_equal(x, y, equal_nan=True), field
    assert run.model_steps == whole.model_steps
    assert same_state(run.agent.state_dict(), whole.agent.state_dict())
    ends = [r.agent.rng.state_dict() for r in (run, whole)]
    assert same_state(ends[0]["torch"], ends[1]["torch"])
    s = torch.as_tensor(run.s[-1])
    for r in (run, whole):
        r.agent.planner.reset()
    assert torch.equal(run.agent.plan(s), whole.agent.plan(s))


def test_a_run_that_has_ended_is_not_run_again(tmp_path, monkeypatch):
    whole = pets(task("Line-v0"), TINY, Streams(4), None, Checkpoint(tmp_path, every=0))
    monkeypatch.setattr(Agent, "fit", None)
    again = pets(task("Line-v0"), TINY, Streams(4), None, Checkpoint(tmp_path, every=0))
    assert np.array_equal(whole.a, again.a) and len(again.losses) == TINY.episodes


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_run_that_was_killed_is_resumed_to_the_same_end(tmp_path):
    """`kill -9` from outside, at whatever place the third trial is."""
    options = {"episodes": 6, "H": 3, "N": 10, "top": 2, "iterations": 2, "look": 4}
    options |= {"hidden": (8,), "epochs": 2, "batch": 20}
    words = [sys.executable, "-m", "mbrl_edu", "run", "pets", "Line-v0", "--seed", "4"]
    for name, value in options.items():
        words += [f"--{name}", str(value).strip("(,)")]
    words += ["--device", "cpu", "--save-every", "0", "--folder", str(tmp_path)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 200
    while len(list(tmp_path.glob(".*/checkpoint-*.pt"))) < 2:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -9 and not list(tmp_path.glob("pets*"))
    process.stderr.close()
    (run,) = mbrl_edu.resume(tmp_path)
    whole = mbrl_edu.run("pets", "Line-v0", seed=4, device="cpu", **options)
    assert run.manifest["resumed"]["step"] == whole.rows[1]["step"]
    assert [str(row) for row in run.rows] == [str(row) for row in whole.rows]
    assert (run.result.a == whole.result.a).all()
    agents = run.result.agent, whole.result.agent
    assert same_state(*(agent.state_dict() for agent in agents))


# Presets and the front door


def test_the_cheap_preset_is_the_default():
    assert Config(**preset("pets", "CartPoleSwingUp-v0", "cheap")) == Config()


def test_the_front_door(tmp_path, monkeypatch):
    monkeypatch.setenv("MBRL_EDU_PROGRESS", "0")
    options = {
        "batch": 20,
        "H": 3,
        "N": 10,
        "top": 2,
        "hidden": (8,),
        "epochs": 2,
        "episodes": 1,
    }
    done = mbrl_edu.run("pets", "Line-v0", seed=1, folder=tmp_path, **options)
    assert list(done.curve["episode"]) == [0, 1]
    assert done.manifest["left_out"] == ["agent"]
    assert done.manifest["task"] == "mbrl_edu/Line-v0"
    plain = pets(task("Line-v0"), Config(**options), Streams(1))
    assert (plain.a == done.result.a).all()


@pytest.mark.parametrize(
    ("method", "name", "sentence"),
    [
        ("pets", "DynaMaze-v0", "pets is continuous and cannot learn task DynaMaze-v0"),
        ("pets", "CartPole-v1", "CartPole-v1 has the action space"),
        ("dyna_q", "CartPoleSwingUp-v0", "dyna_q is tabular and cannot learn"),
        ("pets", "CartPoleSwingUp", "did you mean CartPoleSwingUp-v0"),
        ("petz", "Line-v0", "did you mean pets"),
    ],
)
def test_the_front_door_refuses_what_does_not_fit(method, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        mbrl_edu.run(method, name)


def test_any_box_environment_can_be_learned(monkeypatch):
    monkeypatch.setenv("MBRL_EDU_PROGRESS", "0")
    cfg = {"episodes": 1, "H": 2, "N": 4, "top": 2, "hidden": (4,), "epochs": 1}
    short = dataclasses.replace(Task.from_env("MountainCarContinuous-v0"), horizon=40)
    run = pets(short, Config(**cfg), Streams(0))
    assert run.agent.layout.reward is None and run.s.shape[1] == 2


# Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"episodes": -1}, "episodes is -1"),
        ({"model": "BNN"}, "model is 'BNN'"),
        ({"planner": "ce"}, "planner is 'ce'.*cem"),
        ({"propagation": "TS"}, "propagation is 'TS'"),
        ({"H": 0}, "H is 0"),
        ({"N": 0}, "N is 0"),
        ({"P": 0}, "P is 0"),
        ({"P": 7}, "P is 7, .* a multiple of the B = 5 members"),
        ({"N": 5, "top": 6}, "top is 6"),
        ({"B": 0}, "B is 0"),
        ({"hidden": ()}, "hidden is ()"),
        ({"decay": (1e-4,)}, "decay is"),
        ({"batch": 0}, "batch is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"look": 0}, "look is 0"),
        ({"gp_rows": 1}, "gp_rows is 1"),
        ({"gp_rows": 5001}, "gp_rows is 5001"),
        ({"average": -1.0}, "average is -1.0"),
        ({"iterations": 0, "planner": "random_shooting"}, "iterations is 0"),
        ({"colour": -1.0}, "colour is -1.0"),
        ({"keep": 1.5}, "keep is 1.5"),
        ({"fewer": 0.5}, "is 0.5"),
        ({"sigma": 0.0}, "sigma is 0.0"),
        ({"smooth": 1.0}, "smooth is 1.0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
    ],
)
def test_bad_settings_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Config(**values)


def test_more_random_trials_than_ten_are_refused():
    with pytest.raises(ValueError, match="batch is 301, but must be at most 300"):
        pets(task("Line-v0"), tiny(batch=301), Streams(0))


def test_the_speed_that_the_features_hide_is_learned_as_it_is():
    """On the half-cheetah, component 0 of s' and not of s' - s, as in PETS's code."""
    layout = Agent(task("HalfCheetahSpeed-v5"), Config(), Streams(0)).layout
    s, a = torch.randn(6, 18), torch.zeros(6, 6)
    y = layout.target(Batch(s, a, torch.zeros(6), s + 1, torch.zeros(6)))
    assert torch.equal(y[:, 0], s[:, 0] + 1)
    assert torch.allclose(y[:, 1:], torch.ones(6, 17), atol=1e-5)
    faster = s.clone()
    faster[:, 0] += 5
    assert torch.equal(layout.x(s, a), layout.x(faster, a))


def test_settings_reach_the_planners():
    made = module.make_planner(tiny(planner="icem", colour=1.5, keep=0.5, fewer=2.0))
    assert (made.cfg.colour, made.cfg.keep, made.cfg.decay) == (1.5, 0.5, 2.0)
    made = module.make_planner(tiny(planner="mppi", sigma=0.3, smooth=0.1))
    assert (made.cfg.sigma, made.cfg.smooth) == (0.3, 0.1)
    assert module.make_planner(tiny(planner="cem")).cfg.colour == 0


@pytest.mark.parametrize("wrong", [lambda s, a, z: z, lambda s, a, z: z[:, :1]])
def test_a_function_of_the_wrong_shape_is_named(wrong):
    known = task("Line-v0")
    with pytest.raises(ValueError, match="reward gave the shape .*, but must give"):
        pets(dataclasses.replace(known, reward=wrong), TINY, Streams(0))
    with pytest.raises(ValueError, match="terminal gave the shape .*, but must give"):
        pets(dataclasses.replace(known, terminal=wrong), TINY, Streams(0))


def test_what_the_task_cannot_give_is_refused_before_the_first_step():
    with pytest.raises(ValueError, match="dynamics and reward of Hopper-v5"):
        pets(task("Hopper-v5"), tiny(model="true"), Streams(0))


def test_an_interrupted_run_closes_its_environment(monkeypatch):
    closed = []
    known = task("Line-v0")
    env = known.make()
    monkeypatch.setattr(Task, "make", lambda self: env)
    monkeypatch.setattr(env, "close", lambda: closed.append(True))

    def stop(t, row):
        if row["episode"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pets(known, TINY, Streams(0), stop)
    assert closed == [True]
