"""The book's own environments against independent simulations of the same thing."""

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from scipy.integrate import solve_ivp

from mbrl_edu.envs import line, pilco_cartpole, rendering, swingup
from mbrl_edu.envs.cartpole import ContinuousCartPole
from mbrl_edu.envs.pilco_cartpole import PilcoCartPole
from mbrl_edu.envs.swingup import CartPoleSwingUp
from mbrl_edu.envs.tasks import pilco_task, task

BACKENDS = [name for name in ("egl", "osmesa") if rendering.can_draw(name)]


@pytest.mark.parametrize("seed", range(5))
def test_at_full_force_the_cart_pole_is_gymnasiums(seed):
    ours, theirs = ContinuousCartPole(), gym.make("CartPole-v1").unwrapped
    g = np.random.default_rng(seed)
    start, _ = ours.reset(seed=seed)
    assert (np.abs(start) <= 0.05).all()
    for _ in range(40):
        theirs.reset(seed=0)
        theirs.state = ours.s = g.uniform([-2.4, -2, -0.21, -2], [2.4, 2, 0.21, 2])
        for _ in range(5):
            a = int(g.integers(2))
            s, r, d, *_ = ours.step([2.0 * a - 1])
            s_theirs, r_theirs, d_theirs, *_ = theirs.step(a)
            assert np.allclose(s, s_theirs, atol=1e-6) and r == r_theirs
            assert d == d_theirs
            if d:
                break


def test_half_the_force_is_half_as_strong():
    ours = ContinuousCartPole()
    speeds = []
    for a in (0.5, 1.0):
        ours.reset(seed=0)
        ours.s = np.zeros(4)
        speeds.append(ours.step([a])[0][1])
    assert speeds[0] == pytest.approx(speeds[1] / 2)


def test_the_line_by_hand():
    env = line.Line()
    env.reset(seed=0)
    env.s = np.array([1.0, 0.5])
    s, r, d, cut, _ = env.step([0.5])  # v' = 0.6, x' = 1.12
    assert s == pytest.approx([1.12, 0.6])
    assert (d, cut) == (False, False)
    assert r == pytest.approx(-(1.12**2) - 4 * 0.25)
    env.s = np.array([2.9, 0.6])
    s, r, d, *_ = env.step([0.0])
    assert d and r == pytest.approx(-(3.02**2) - 20)


def test_the_swing_up_is_the_task_of_the_paper():
    env = CartPoleSwingUp()
    m = env.model
    assert m.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    assert env.dt == pytest.approx(0.04) and m.opt.timestep == pytest.approx(0.02)
    assert m.jnt_range[0].tolist() == [-2.5, 2.5] and not m.jnt_limited[1]
    assert m.actuator_gear[0, 0] == 100
    assert m.actuator_ctrlrange.tolist() == [[-3, 3]] and m.actuator_ctrllimited[0]
    assert m.dof_damping.tolist() == [1, 1]
    assert m.body_mass[1:] == pytest.approx([swingup.CART, swingup.POLE])
    assert m.body_inertia[2, 0] == pytest.approx(swingup.INERTIA)
    starts = np.array([env.reset(seed=i)[0] for i in range(400)])
    assert np.abs(starts.mean(0)).max() < 4 * 0.1 / 400**0.5
    assert np.abs(starts.std(0) / 0.1 - 1).max() < 4 / 800**0.5


def test_the_swing_up_pays_for_the_place_of_the_tip():
    env, t = CartPoleSwingUp(), task("CartPoleSwingUp-v0")
    g = np.random.default_rng(0)
    for _ in range(200):
        env.reset(seed=0)
        env.set_state(g.uniform([-2, -9], [2, 9]), g.normal(0, 2, 2))
        a = g.uniform(-1, 1, 1)
        s, r, *_ = env.step(a)
        mujoco.mj_forward(env.model, env.data)
        pole = env.data.body("pole")
        tip = pole.xpos + pole.xmat.reshape(3, 3) @ [0, 0, -0.6]
        miss = np.sum((tip - [0, 0, 0.6]) ** 2)
        assert r == pytest.approx(np.exp(-miss / 0.36) - 0.01 * (3 * a[0]) ** 2)
    up = torch.tensor([0.0, np.pi, 0, 0])
    zero = torch.zeros(1)
    assert t.reward(up, zero, up) == pytest.approx(1)
    assert t.reward(up, zero, torch.zeros(4)) == pytest.approx(np.exp(-4))
    x = t.features(torch.tensor([1.0, np.pi / 2, 2, 3]))
    assert x.tolist() == pytest.approx([1, 0, 1, 2, 3], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_swing_up_in_closed_form_is_mujocos(seed):
    env, g = CartPoleSwingUp(), np.random.default_rng(seed)
    env.reset(seed=seed)
    S, A, S_next = [], [], []
    for i in range(600):
        near = g.choice([-1, 1]) * g.uniform(2.45, 2.52)  # the rail's ends
        x = near if i % 2 else g.uniform(-2, 2)
        env.set_state(np.array([x, g.uniform(-7, 7)]), g.normal(0, 2, 2))
        S.append(env.state_vector())
        A.append(g.uniform(-1, 1, 1))
        env.step(A[-1])
        S_next.append(env.state_vector())
    S, A, S_next = (torch.tensor(np.array(x)) for x in (S, A, S_next))
    miss = (swingup.dynamics(S, A) - S_next).abs().amax(-1)
    struck = (S[:, 0].abs() > 2.5) | (S_next[:, 0].abs() > 2.5)
    assert struck.sum() > 100
    # MuJoCo finds the force of a stop by iteration, to about this accuracy
    assert miss[::2].max() < 1e-9 and miss.max() < 1e-4


def test_swing_up_that_goes_round_never_ends():
    env = task("CartPoleSwingUp-v0").make()
    env.reset(seed=0)
    total = 0.0
    for i in range(200):
        _, r, d, cut, _ = env.step([np.sign(np.sin(i / 4))])
        total += r
        assert not d and cut == (i == 199)
    assert total < 200


def rod_on_a_cart(s, force, m=0.5, M=0.5, l=0.5, b=0.1, g=9.82):  # noqa: E741
    """0.1 s of Lagrange's equations with the matrix of masses, to 1e-10."""

    def rates(_, s):
        x, theta, v, w = s
        masses = [[M + m, m * l / 2 * np.cos(theta)], [0, m * l**2 / 3]]
        masses[1][0] = masses[0][1]
        push = force - b * v + m * l / 2 * np.sin(theta) * w**2
        turn = -m * g * l / 2 * np.sin(theta)
        return [v, w, *np.linalg.solve(masses, [push, turn])]

    return solve_ivp(rates, (0, 0.1), s, rtol=1e-10, atol=1e-10).y[:, -1]


def test_pilcos_cart_pole_is_a_rod_on_a_cart():
    env, g = PilcoCartPole(), np.random.default_rng(0)
    for _ in range(50):
        env.reset(seed=0)
        s = env.s = g.normal(0, [1, 3, 2, 5])
        a = g.uniform(-1.5, 1.5, 1)  # clipped
        s_next, r, d, *_ = env.step(a)
        exact = rod_on_a_cart(s, 10 * np.clip(a[0], -1, 1))
        assert env.s == pytest.approx(exact, abs=1e-5) and not d
        assert s_next == pytest.approx(env.s, rel=1e-6)
        x, theta = exact[:2]
        tip = np.array([x + 0.5 * np.sin(theta), -0.5 * np.cos(theta)])
        miss = np.sum((tip - [0, 0.5]) ** 2)
        assert r == pytest.approx(np.exp(-miss / (2 * 0.25**2)), abs=1e-4)
        s = torch.as_tensor(env.s)
        assert pilco_cartpole.tip(s).square().sum().item() == pytest.approx(
            miss, abs=1e-5
        )
    starts = np.array([env.reset(seed=i)[0] for i in range(400)])
    assert np.abs(starts.mean(0)).max() < 4 * 0.1 / 400**0.5
    assert np.abs(starts.std(0) / 0.1 - 1).max() < 4 / 800**0.5


def test_noise_is_on_the_readings_alone():
    env, quiet = (PilcoCartPole(noise=x) for x in (0.01, 0.0))
    read, r = [], []
    for e in (env, quiet):
        e.reset(seed=1)
        steps = [e.step([np.sin(t)]) for t in range(400)]
        read.append([s for s, *_ in steps])
        r.append([pay for _, pay, *_ in steps])
    assert r[0] == r[1] and (env.s == quiet.s).all()
    eps = np.array(read[0]) - read[1]
    assert np.abs(eps.std(0) / 0.01 - 1).max() < 4 / 800**0.5
    assert pilco_task(0.01).make().unwrapped.noise == 0.01
    with pytest.raises(ValueError, match="noise is -1"):
        PilcoCartPole(noise=-1)


def test_bad_render_mode_is_refused():
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        CartPoleSwingUp(render_mode="human")


def headless(monkeypatch):
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)


@pytest.mark.skipif(not BACKENDS, reason="neither EGL nor OSMesa loads here")
@pytest.mark.parametrize("name", ["CartPoleSwingUp-v0", "InvertedPendulum-v5"])
def test_pictures_without_a_screen(monkeypatch, name):
    headless(monkeypatch)
    env = task(name).make(render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    for _ in range(3):
        env.step([1.0])
    second = env.render()
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    assert first.std() > 5 and (first != second).any()
    env.close()


@pytest.mark.skipif(not BACKENDS, reason="neither EGL nor OSMesa loads here")
def test_gymnasium_checker_finds_nothing_in_the_pictures(monkeypatch, recwarn):
    headless(monkeypatch)
    env = gym.make("mbrl_edu/CartPoleSwingUp-v0", render_mode="rgb_array")
    check_env(env.unwrapped)
    assert [str(w.message) for w in recwarn] == []
    env.close()


def test_where_nothing_can_draw_one_sentence_says_so(monkeypatch):
    headless(monkeypatch)
    monkeypatch.setattr(rendering, "can_draw", lambda backend: False)
    monkeypatch.setattr(rendering.sys, "platform", "linux")
    for name in ("CartPoleSwingUp-v0", "Hopper-v5"):
        with pytest.raises(RuntimeError, match="MuJoCo cannot draw here"):
            task(name).make(render_mode="rgb_array")


def test_a_screen_or_a_choice_is_respected(monkeypatch):
    headless(monkeypatch)
    monkeypatch.setattr(rendering, "can_draw", lambda backend: 1 / 0)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    rendering.prepare()
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setenv("DISPLAY", ":0")
    rendering.prepare()
