"""End conditions and rewards of Gymnasium's tasks, as functions of (s, a, s').

Read off the sources of Gymnasium's version 5 environments and tested against them. All
inputs are float tensors of any leading shape in raw units, except that actions are
scaled to [-1, 1]: ``2 * a`` below is what an environment with bounds -2, 2 is given.
"Not (inside)" rather than "outside", so that a state with nan in it is an end.
"""

import math

import torch
from torch import Tensor


def _end(alive: Tensor, like: Tensor) -> Tensor:
    return (~alive).to(like)


def _finite(s: Tensor) -> Tensor:
    return s.isfinite().all(-1)


# Pendulum-v1: s = (cos th, sin th, th'), th = 0 upright
def pendulum_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    theta = torch.atan2(s[..., 1], s[..., 0])
    torque = 2 * a[..., 0]
    return -(theta**2 + 0.1 * s[..., 2] ** 2 + 0.001 * torque**2)


def pendulum_dynamics(s: Tensor, a: Tensor) -> Tensor:
    theta = torch.atan2(s[..., 1], s[..., 0])
    # g = 10, m = l = 1, dt = 0.05; the angle moves with the clipped new speed
    speed = s[..., 2] + 0.05 * (15 * theta.sin() + 3 * 2 * a[..., 0])
    speed = speed.clamp(-8, 8)
    theta = theta + 0.05 * speed
    return torch.stack([theta.cos(), theta.sin(), speed], -1)


# InvertedPendulum-v5: s = (x, th, x', th')
def inverted_pendulum_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return _end(_finite(s_next) & (s_next[..., 1].abs() <= 0.2), s_next)


def inverted_pendulum_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return 1 - inverted_pendulum_end(s, a, s_next)


# InvertedDoublePendulum-v5: s = (x, sin th1, sin th2, cos th1, cos th2, x', th1', th2',
# constraint force), th2 relative to th1; both poles 0.6 m
def _tip(s: Tensor) -> tuple[Tensor, Tensor]:
    x, sin1, sin2, cos1, cos2 = s[..., :5].unbind(-1)
    sin12, cos12 = sin1 * cos2 + cos1 * sin2, cos1 * cos2 - sin1 * sin2
    return x + 0.6 * (sin1 + sin12), 0.6 * (cos1 + cos12)


def double_pendulum_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return _end(_tip(s_next)[1] > 1, s_next)


def double_pendulum_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    x, y = _tip(s_next)
    cost = 0.01 * x**2 + (y - 2) ** 2
    cost = cost + 1e-3 * s_next[..., 6] ** 2 + 5e-3 * s_next[..., 7] ** 2
    return 10 * (1 - double_pendulum_end(s, a, s_next)) - cost


# Reacher-v5: the last two components are fingertip - target
def reacher_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return -torch.linalg.vector_norm(s_next[..., 8:10], dim=-1) - a.pow(2).sum(-1)


# Pusher-v5: the last nine components are the places of tip, object and goal
def pusher_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    tip, thing, goal = s_next[..., 14:23].unflatten(-1, (3, 3)).unbind(-2)
    near = torch.linalg.vector_norm(thing - tip, dim=-1)
    far = torch.linalg.vector_norm(thing - goal, dim=-1)
    return -far - 0.5 * near - 0.1 * (2 * a).pow(2).sum(-1)


# HalfCheetah with its speed as component 0 (``task.Speed``), then HalfCheetah-v5
def cheetah_speed_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return s_next[..., 0] - 0.1 * a.pow(2).sum(-1)


def cheetah_speed_features(s: Tensor) -> Tensor:
    """(z, sin pitch, cos pitch, rest) (..., 18): PETS shows its model no speed."""
    pitch = s[..., 2:3]
    return torch.cat([s[..., 1:2], pitch.sin(), pitch.cos(), s[..., 3:]], -1)


# Hopper-v5, Walker2d-v5: s = (z, pitch, joint angles, velocities clipped to +-10)
def hopper_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    z, pitch = s_next[..., 0], s_next[..., 1]
    small = (s_next[..., 1:].abs() < 100).all(-1)
    return _end(small & (z > 0.7) & (z < math.inf) & (pitch.abs() < 0.2), s_next)


def walker_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    z, pitch = s_next[..., 0], s_next[..., 1]
    return _end((z > 0.8) & (z < 2) & (pitch.abs() < 1), s_next)


# HopperNT, Walker2dNT: the same states, no end; the reward looks at s and a (BMPO)
def hopper_nt_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return s[..., 5] + 1 - 0.1 * a.pow(2).sum(-1) - 3 * (s[..., 0] - 1.3) ** 2


def walker_nt_reward(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    return s[..., 8] + 1 - 0.1 * a.pow(2).sum(-1) - 3 * (s[..., 0] - 1.3) ** 2


# Ant-v5, Humanoid-v5, also truncated: s begins with z
def ant_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    z = s_next[..., 0]
    return _end(_finite(s_next) & (z >= 0.2) & (z <= 1), s_next)


def humanoid_end(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    z = s_next[..., 0]
    return _end((z > 1) & (z < 2), s_next)
