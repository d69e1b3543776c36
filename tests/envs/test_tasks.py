"""The table of tasks: what it says of the simulator is what the simulator does."""

import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from transitions import LIMITS, SMALL_LIMITS, transitions

from mbrl_edu.envs import CONTINUOUS, Task, continuous
from mbrl_edu.envs.tasks import TASKS, lqr_task, task

N = 1000  # transitions per task and seed; every second one near an end
ENDS = [*set(LIMITS) - {"CartPoleSwingUp-v0"}, *SMALL_LIMITS]
ENDS += ["InvertedDoublePendulum-v5"]


def tensors(*arrays):
    return [torch.as_tensor(x) for x in arrays]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", TASKS)
def test_the_table_agrees_with_the_simulator(name, seed):
    t = TASKS[name]
    s, a, r, s_next, d, _ = transitions(name, N, seed)
    d_said = t.terminal(*tensors(s, a, s_next)).numpy()
    if name in ENDS:
        assert 50 < d.sum() < N - 50, "too few ends, or too few others, to test it"
    # Flags may differ only where s' is within rounding of the limit. The double
    # pendulum ends by a height that its simulator computed just before s'.
    eps = 1e-4 if name == "InvertedDoublePendulum-v5" else 1e-6
    wrong = d_said != d
    nearly = [t.terminal(*tensors(s, a, s_next * (1 + x))).numpy() for x in (-eps, eps)]
    assert (nearly[0] != nearly[1])[wrong].all() and wrong.mean() < 2e-3
    if t.dynamics:
        said = t.dynamics(*tensors(s, a)).numpy()
        assert np.abs((said - s_next) / (1 + np.abs(s_next))).max() < 1e-5
    if t.reward:
        error = np.abs(t.reward(*tensors(s, a, s_next)).numpy() - r) / (1 + np.abs(r))
        if name == "InvertedDoublePendulum-v5":
            free = (np.abs(s_next[:, 5:8]) < 10).all(1) & (s_next[:, 8] == 0)
            assert free.mean() > 0.95  # speeds not clipped, cart not at a stop
            assert error[free & ~wrong].max() < 1e-4
        else:
            assert error[~wrong].max() < 1e-5


@pytest.mark.parametrize("name", TASKS)
def test_the_table_knows_sizes_and_limits(name):
    t = TASKS[name]
    env = t.make()
    assert env.action_space == gym.spaces.Box(-1, 1, (t.da,), np.float32)
    assert env.observation_space.shape == (t.ds,)
    assert env.observation_space.dtype == np.float32
    assert t.name == name and 0 < t.gamma < 1
    assert gym.spec(t.gym_id).max_episode_steps == t.horizon
    s, _ = env.reset(seed=0)
    assert s.dtype == np.float32 and s.shape == (t.ds,)
    assert (t.reward is None) == t.note.startswith("No reward: ")
    assert pickle.loads(pickle.dumps(t)).gym_id == t.gym_id
    x = t.features(torch.as_tensor(s)[None])
    assert x.ndim == 2 and x.isfinite().all()


@pytest.mark.parametrize("name", TASKS)
def test_a_time_limit_is_no_end(name):
    t = TASKS[name]
    env = t.make()
    s, _ = env.reset(seed=3)
    for i in range(t.horizon):
        a = env.action_space.sample() * 0
        _, _, d, cut, _ = env.step(a)
        assert cut == (i + 1 == t.horizon)
        if d:
            assert name in ENDS or name.startswith("Probe")
            break


@pytest.mark.parametrize("name", TASKS)
def test_all_leading_shapes_and_types(name):
    t = TASKS[name]
    s, a, _, s_next, *_ = transitions(name, 24, 5)
    for dtype in (torch.float32, torch.float64):
        flat = [x.to(dtype) for x in tensors(s, a, s_next)]
        deep = [x.reshape(2, 3, 4, -1) for x in flat]
        for rule in filter(None, (t.terminal, t.reward)):
            assert rule(*deep).shape == (2, 3, 4) and rule(*deep).dtype == dtype
            assert torch.equal(rule(*deep).flatten(), rule(*flat))
        if t.dynamics:
            assert t.dynamics(*deep[:2]).shape == (2, 3, 4, t.ds)
            assert t.dynamics(*deep[:2]).dtype == dtype


@pytest.mark.parametrize("name", TASKS)
def test_states_that_are_not_finite_are_ends(name):
    t = TASKS[name]
    s, a = torch.zeros(2, t.ds), torch.zeros(2, t.da)
    s_next = torch.full((2, t.ds), torch.nan)
    s_next[1] = torch.inf
    ends = name in ENDS or t.terminal(s, a, s).all() or name == "ProbeDiscount-v0"
    assert (t.terminal(s, a, s_next) == float(bool(ends))).all()


@pytest.mark.parametrize("name", TASKS)
def test_rewards_and_dynamics_are_differentiable(name):
    t = TASKS[name]
    s, a, _, s_next, *_ = transitions(name, 4, 6)
    inputs = [x.double().requires_grad_() for x in tensors(s, a, s_next)]
    for rule, args in ((t.reward, inputs), (t.dynamics, inputs[:2])):
        if rule and rule(*args).requires_grad:
            assert torch.autograd.gradcheck(rule, args, atol=1e-4)


# name -> price of |a|^2; place of the forward speed in s
FORWARD = {
    "Swimmer-v5": (1e-4, 3),
    "Hopper-v5": (1e-3, 5),
    "Walker2d-v5": (1e-3, 8),
    "HalfCheetah-v5": (0.1, 8),
    "Ant-v5": (0.5, 13),
    "Humanoid-v5": (0.1 * 0.4**2, 22),
}


@pytest.mark.parametrize("name", FORWARD)
def test_what_the_notes_say_of_the_other_rewards(name):
    price, at = FORWARD[name]
    s, a, r, s_next, d, infos = transitions(name, N, 0)
    forward = np.array([i["reward_forward"] for i in infos])
    seen = -price * (a**2).sum(1)
    if name in ENDS:
        seen += (5 if "Humanoid" in name else 1) * (1 - d)
    if name == "Ant-v5":
        seen -= 5e-4 * (s_next[:, 27:] ** 2).sum(1)
    if name == "Humanoid-v5":
        seen -= np.minimum(5e-7 * (s_next[:, -78:].astype(float) ** 2).sum(1), 10)
    assert np.abs(r - seen - forward).max() < 1e-4 * (1 + np.abs(r).max())
    speed = (s[:, at] + s_next[:, at]) / 2
    miss = forward - (1.25 if name == "Humanoid-v5" else 1) * speed
    print(f"{name}: rms of forward reward - mean speed {np.sqrt((miss**2).mean()):.3f}")
    assert np.sqrt((miss**2).mean()) > 1e-3, "then the reward can be given after all"


@pytest.mark.parametrize("name", CONTINUOUS)
def test_gymnasium_checker_finds_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(f"mbrl_edu/{name}")
        check_env(env.unwrapped, skip_render_check=True)  # pictures: test_tasks_own.py


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_checker_finds_nothing_in_what_tasks_make(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*different from the unwrapped.*")
        check_env(TASKS[name].make(), skip_render_check=True)


def test_actions_are_scaled_and_clipped():
    env, raw = task("Pendulum-v1").make(), gym.make("Pendulum-v1")
    for a, torque in ((0.25, 0.5), (-1, -2), (3, 2)):
        env.reset(seed=1), raw.reset(seed=1)
        s, r, *_ = env.step(np.array([a]))
        s_raw, r_raw, *_ = raw.step(np.array([torque], np.float32))
        assert np.array_equal(s, s_raw) and r == pytest.approx(r_raw, abs=1e-7)
    env = task("HalfCheetah-v5").make()  # which itself does not clip
    env.reset(seed=0)
    *_, info = env.step(3 * np.ones(6))
    assert info["reward_ctrl"] == pytest.approx(-0.1 * 6)


def test_bad_actions_are_refused():
    env = task("Line-v0").make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"a has shape \(2,\), but must have \(1,\)"):
        env.step([0.0, 0.0])
    with pytest.raises(ValueError, match=r"a is \[nan\], but must be finite"):
        env.step([np.nan])


def test_an_unknown_task_is_refused_with_the_nearest_name():
    assert task("Hopper-v5") is TASKS["Hopper-v5"]
    with pytest.raises(ValueError, match="Did you mean 'CartPoleSwingUp-v0'"):
        task("CartpoleSwingup")


class Strange(gym.Env):
    def __init__(self, a, s=None):
        self.action_space = a
        box = gym.spaces.Box(-1, 1, (2,))
        self.observation_space = s if s is not None else box


@pytest.mark.parametrize(
    ("a", "s", "sentence"),
    [
        (gym.spaces.Discrete(2), None, "action space Discrete"),
        (gym.spaces.Box(-1, 1, (2, 2)), None, "a Box of one dimension"),
        (gym.spaces.Box(-np.inf, 1, (2,)), None, "bounds must be finite"),
        (gym.spaces.Box(1, 1, (2,)), None, "low must be below high"),
        (gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(3), "observation space"),
    ],
)
def test_environments_that_do_not_fit_are_refused(a, s, sentence):
    with pytest.raises(ValueError) as error:
        continuous(Strange(a, s), "mine")
    assert sentence in str(error.value) and str(error.value).startswith("mine has the")


def test_a_task_from_any_environment():
    t = Task.from_env("MountainCarContinuous-v0", gamma=0.9)
    assert (t.ds, t.da, t.horizon, t.gamma, t.reward) == (2, 1, 999, 0.9, None)
    env = t.make()
    s, _ = env.reset(seed=0)
    assert t.terminal(*tensors(s, np.zeros(1), s)) == 0
    with pytest.raises(ValueError, match="CartPole-v1 has the action space Discrete"):
        Task.from_env("CartPole-v1")
    with pytest.raises(ValueError, match="horizon is 0"):
        Task.from_env("Pendulum-v1", horizon=0)
    gym.register("Endless-v0", lambda: gym.make("Pendulum-v1").unwrapped)
    with pytest.raises(ValueError, match="no time limit, so horizon must be given"):
        Task.from_env("Endless-v0")


def test_lqr_task_of_any_size():
    t = lqr_task(3, noise=0.1)
    env = t.make()
    assert (t.ds, t.da) == (6, 3) and env.reset(seed=0)[0].shape == (6,)


def test_registering_loads_nothing_heavy():
    ask = (
        "import sys, mbrl_edu.envs, gymnasium as gym; gym.spec('mbrl_edu/LQR-v0');"
        "print(*(n for n in ('torch', 'scipy', 'mujoco') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gamma": 2.0}, "gamma is 2.0"),
        ({"horizon": -3}, "horizon is -3"),
        ({"ds": 0}, "ds is 0"),
        ({"da": 0}, "da is 0"),
    ],
)
def test_fields_of_a_task_are_checked(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(task("Hopper-v5"), **change)


@pytest.mark.parametrize(("key", "size"), [("ds", 11), ("da", 3)])
def test_sizes_that_the_environment_does_not_have_are_refused(key, size):
    wrong = replace(task("Hopper-v5"), **{key: 5})
    with pytest.raises(ValueError, match=f"{key} is 5, but Hopper-v5 has {size}"):
        wrong.make()
