"""Gymnasium's MuJoCo environments with other observations, or without ends."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv

MOST = float(np.finfo(np.float64).max)  # Gymnasium frowns on infinite bounds


def _bounded(env: gym.Env) -> gym.Env:
    shape = env.observation_space.shape
    env.observation_space = gym.spaces.Box(-MOST, MOST, shape, np.float64)
    return env


def ant_truncated(**arguments: Any) -> gym.Env:
    """Ant-v5 that shows qpos[2:] and qvel only (27 numbers), as in MBPO."""
    return _bounded(AntEnv(include_cfrc_ext_in_observation=False, **arguments))


def humanoid_truncated(**arguments: Any) -> gym.Env:
    """Humanoid-v5 that shows qpos[2:] and qvel only (45 numbers), as in MBPO."""
    for part in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext"):
        arguments[f"include_{part}_in_observation"] = False
    return _bounded(HumanoidEnv(**arguments))


class HalfCheetahSpeed(HalfCheetahEnv):
    """HalfCheetah-v5 with the forward speed (x' - x) / dt of the last step, 0 after a
    reset, as component 0 of the observation, so that the reward can be seen from it (as
    in PETS)."""

    def __init__(self, **arguments: Any):
        super().__init__(**arguments)
        n = self.data.qpos.size + self.data.qvel.size  # x out, speed in
        self.observation_space = gym.spaces.Box(-MOST, MOST, (n,), np.float64)

    def _get_obs(self):
        return np.concatenate([[0.0], super()._get_obs()])

    def step(self, a):
        s, r, d, cut, info = super().step(a)
        s[0] = info["x_velocity"]
        return s, r, d, cut, info


class _Upright(MujocoEnv):
    """Never ends: a fall costs height instead.

    r = x' + 1 - 0.1 |a|^2 - 3 (z - 1.3)^2, with height and forward speed as they are
    seen before the step: a function of (s, a).
    """

    def __init__(self, **arguments: Any):
        super().__init__(terminate_when_unhealthy=False, **arguments)  # type: ignore
        _bounded(self)

    def step(self, a):
        x_dot = self.model.nq - 1  # in s, the first speed after q[1:]
        s = self._get_obs()  # type: ignore[attr-defined]
        cost = 0.1 * np.sum(np.square(a)) + 3 * (s[0] - 1.3) ** 2
        s_next, _, _, cut, info = super().step(a)
        return s_next, float(s[x_dot] + 1 - cost), False, cut, info


class HopperNT(_Upright, HopperEnv):
    """Hopper-v5 that never ends (BMPO); see ``rules.hopper_nt_reward``."""


class Walker2dNT(_Upright, Walker2dEnv):
    """Walker2d-v5 that never ends (BMPO); see ``rules.walker_nt_reward``."""
