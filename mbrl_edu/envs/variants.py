"""Gymnasium's MuJoCo environments with other observations, or without ends."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
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


class HopperNT(HopperEnv):
    """Hopper-v5 that never ends: a fall costs height instead (BMPO).

    r = x' + 1 - 0.1 |a|^2 - 3 (z - 1.3)^2, with height and forward speed as they are
    seen before the step: a function of (s, a).
    """

    def __init__(self, **arguments: Any):
        super().__init__(terminate_when_unhealthy=False, **arguments)
        _bounded(self)

    def step(self, a):
        r = _upright(self._get_obs(), np.asarray(a, float), self.model.nq - 1)
        s, _, _, cut, info = super().step(a)
        return s, r, False, cut, info


class Walker2dNT(Walker2dEnv):
    """Walker2d-v5 that never ends, with the reward of ``HopperNT`` (BMPO)."""

    def __init__(self, **arguments: Any):
        super().__init__(terminate_when_unhealthy=False, **arguments)
        _bounded(self)

    def step(self, a):
        r = _upright(self._get_obs(), np.asarray(a, float), self.model.nq - 1)
        s, _, _, cut, info = super().step(a)
        return s, r, False, cut, info


def _upright(s: np.ndarray, a: np.ndarray, speed: int) -> float:
    """The reward of both; ``speed``: which entry of s is the forward speed."""
    return float(s[speed] + 1 - 0.1 * np.sum(a**2) - 3 * (s[0] - 1.3) ** 2)
