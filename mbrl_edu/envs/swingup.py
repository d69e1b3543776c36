"""Cart-pole swing-up: the task of PETS (Chua et al. 2018), simulated by MuJoCo."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.utils import EzPickle
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.envs import rendering
from mbrl_edu.envs.small import MOST

MODEL = Path(__file__).parent / "assets" / "swingup.xml"
LENGTH, RAIL = 0.6, 2.5  # m: the pole, and half the rail
VOLTS, GEAR = 3.0, 100.0  # control at a = 1, newtons per unit of control
COST = 0.01  # price of the squared control
STEP, SUBSTEPS = 0.02, 2  # s, simulator steps per step of the task
# What MuJoCo computes from the capsules in the file: kg, kg, kg m^2 about its middle.
CART, POLE, INERTIA = 10.47197551197, 5.018585355564, 0.1887490666295
GRAVITY, DAMPING = 9.81, 1.0


class CartPoleSwingUp(MujocoEnv, EzPickle):
    """Swing the pole up and hold it over the middle of the rail.

    s = (x, theta, x', theta'), theta = 0 hangs down, theta grows without bound. The
    pole hangs from a cart that is pushed with 300 a newtons; a step takes 0.04 s.
    r = exp(-|tip - (0, 0.6)|^2 / 0.6^2) - 0.01 (3 a)^2 at s'; never ends.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, render_mode: str | None = None, width=640, height=256):
        check.choice("render_mode", render_mode, [None, "rgb_array"])
        if render_mode:
            rendering.prepare()
        EzPickle.__init__(self, render_mode, width, height)
        MujocoEnv.__init__(
            self,
            str(MODEL),
            SUBSTEPS,
            gym.spaces.Box(-MOST, MOST, (4,), np.float32),
            render_mode,
            width,
            height,
            camera_name="side",
        )
        self.action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def _observe(self) -> np.ndarray:
        return self.state_vector().astype(np.float32)

    def reset_model(self) -> np.ndarray:
        noise = self.np_random.normal(0, 0.1, 4)
        self.set_state(noise[:2], noise[2:])
        return self._observe()

    def step(self, a):
        a = np.clip(np.asarray(a, dtype=float), -1.0, 1.0)
        self.do_simulation(VOLTS * a, self.frame_skip)
        x, theta = self.data.qpos
        tip = np.array([x - LENGTH * np.sin(theta), -LENGTH * np.cos(theta)])
        miss = np.sum((tip - [0, LENGTH]) ** 2)
        r = np.exp(-miss / LENGTH**2) - COST * np.sum((VOLTS * a) ** 2)
        return self._observe(), float(r), False, False, {}


def features(s: Tensor) -> Tensor:
    """(sin theta, cos theta, x, x', theta') (..., 5): what networks should see."""
    x, theta, x_dot, theta_dot = s.unbind(-1)
    return torch.stack([theta.sin(), theta.cos(), x, x_dot, theta_dot], -1)


def reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    x, theta = s_next[..., 0], s_next[..., 1]
    miss = (x - LENGTH * theta.sin()) ** 2 + LENGTH**2 * (theta.cos() + 1) ** 2
    return torch.exp(-miss / LENGTH**2) - COST * (VOLTS * a).pow(2).sum(-1)


def dynamics(s: Tensor, a: Tensor) -> Tensor:
    """s' (..., 4) after a (..., 1) in s (..., 4): the simulator in closed form.

    Lagrange's equations of cart and pole and MuJoCo's soft end stops, integrated by the
    classical Runge-Kutta method like the simulator does.
    """
    force = GEAR * VOLTS * a[..., 0].clamp(-1, 1)
    for _ in range(SUBSTEPS):
        k1 = _rates(s, force)
        k2 = _rates(s + STEP / 2 * k1, force)
        k3 = _rates(s + STEP / 2 * k2, force)
        k4 = _rates(s + STEP * k3, force)
        s = s + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s


def _rates(s: Tensor, force: Tensor) -> Tensor:
    x, theta, x_dot, theta_dot = s.unbind(-1)
    arm = POLE * LENGTH / 2
    # [[total, couple], [couple, spin]] (x'', theta'') = (push, turn)
    total, spin = CART + POLE, INERTIA + arm * LENGTH / 2
    couple = -arm * theta.cos()
    push = force - DAMPING * x_dot - arm * theta.sin() * theta_dot**2
    turn = -DAMPING * theta_dot - arm * GRAVITY * theta.sin()
    det = total * spin - couple**2
    free = (spin * push - couple * turn) / det  # x'' without the end stops
    push = push + _stop(x, x_dot, free, spin / det)
    x_acc = (spin * push - couple * turn) / det
    theta_acc = (total * turn - couple * push) / det
    return torch.stack([x_dot, theta_dot, x_acc, theta_acc], -1)


def _stop(x: Tensor, x_dot: Tensor, free: Tensor, give: Tensor) -> Tensor:
    """Force of an end stop, as in the chapter "Computation" of MuJoCo's manual with its
    default solref and solimp; ``give`` is the acceleration per newton."""
    side = -torch.sign(x)
    deep = (x.abs() - RAIL).clamp_min(0)
    near, far, width, time = 0.9, 0.95, 0.001, max(0.02, 2 * STEP)
    u = (deep / width).clamp_max(1)
    hard = near + (far - near) * torch.where(u < 0.5, 2 * u**2, 1 - 2 * (1 - u) ** 2)
    wanted = hard * deep / (far * time) ** 2 - 2 / (far * time) * side * x_dot
    hang = POLE * LENGTH / 2  # at theta = 0
    spin = INERTIA + hang * LENGTH / 2
    rest = spin / ((CART + POLE) * spin - hang**2)  # give at theta = 0
    soft = (1 - hard) / hard * rest
    stop = ((wanted - side * free) / (give + soft)).clamp_min(0)
    return side * torch.where(deep > 0, stop, torch.zeros_like(stop))
