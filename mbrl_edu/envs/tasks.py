"""The table of tasks with continuous actions: ``TASKS`` and ``task(name)``."""

from __future__ import annotations

from typing import Any

from mbrl_edu.core import check
from mbrl_edu.envs import (
    CONTINUOUS,
    cartpole,
    line,
    lqr,
    pilco_cartpole,
    probes,
    rules,
    swingup,
)
from mbrl_edu.envs.task import Task

_NO_X = "the forward reward is (x' - x) / dt and s holds no x, only speeds"
_CLIPPED = (
    f"No reward: {_NO_X} before and after the step, clipped to [-10, 10]. The control "
    "cost 1e-3 |a|^2 and the 1 for staying up can be seen."
)


def _own(name: str, ds: int, da: int, **known: Any) -> Task:
    return Task(name, f"mbrl_edu/{name}", ds, da, horizon=CONTINUOUS[name][1], **known)


def lqr_task(n: int = 1, noise: float = 0.0) -> Task:
    """n point masses: ds = 2n, da = n; ``lqr.point_masses(n)`` knows the answers.

    ``noise``: standard deviation of Gaussian noise on s', whose mean ``dynamics`` is.
    """
    system = lqr.point_masses(n)
    return _own(
        "LQR-v0",
        ds=system.ds,
        da=system.da,
        reward=system.reward,
        dynamics=system.dynamics,
        arguments={"n": n, "noise": noise},
    )


def pilco_task(noise: float = 0.0) -> Task:
    """PILCO's cart-pole. ``noise``: standard deviation of Gaussian noise on what is
    read of s and s'; reward and dynamics are those without it."""
    return _own(
        "PilcoCartPole-v0",
        ds=4,
        da=1,
        reward=pilco_cartpole.reward,
        features=pilco_cartpole.features,
        dynamics=pilco_cartpole.dynamics,
        arguments={"noise": noise},
    )


def _probe(kind: type[probes.Probe]) -> Task:
    name = f"{kind.__name__}-v0"
    return _own(name, ds=1, da=1, terminal=kind.terminal, reward=kind.reward)


_OWN = (
    _own(
        "ContinuousCartPole-v0",
        ds=4,
        da=1,
        terminal=cartpole.terminal,
        reward=cartpole.reward,
        dynamics=cartpole.dynamics,
    ),
    _own(
        "CartPoleSwingUp-v0",
        ds=4,
        da=1,
        reward=swingup.reward,
        features=swingup.features,
        dynamics=swingup.dynamics,
    ),
    pilco_task(),
    _own(
        "Line-v0",
        ds=2,
        da=1,
        terminal=line.terminal,
        reward=line.reward,
        dynamics=line.dynamics,
    ),
    lqr_task(),
    *(_probe(kind) for kind in probes.PROBES),
    _own(
        "HalfCheetahSpeed-v5",
        ds=18,
        da=6,
        reward=rules.cheetah_speed_reward,
        features=rules.cheetah_speed_features,
        absolute=(0,),  # the speed, which the features leave out (PETS)
        note="HalfCheetah-v5 with (x' - x) / dt of the last step as component 0.",
    ),
    _own(
        "HopperNT-v5",
        ds=11,
        da=3,
        reward=rules.hopper_nt_reward,
        note="Hopper-v5 without an end (BMPO). The reward looks at s and a, not at s'.",
    ),
    _own(
        "Walker2dNT-v5",
        ds=17,
        da=6,
        reward=rules.walker_nt_reward,
        note="Walker2d-v5 without an end (BMPO). The reward looks at s and a.",
    ),
    _own(
        "AntTruncated-v5",
        ds=27,
        da=8,
        terminal=rules.ant_end,
        note=f"No reward: {_NO_X}; contact forces, which cost, are not in s.",
    ),
    _own(
        "HumanoidTruncated-v5",
        ds=45,
        da=17,
        terminal=rules.humanoid_end,
        note=f"No reward: {_NO_X}; contact forces, which cost, are not in s.",
    ),
)


def _gymnasium(name: str, ds: int, da: int, **known: Any) -> Task:
    return Task(name, name, ds, da, **known)


_GYMNASIUM = (
    _gymnasium(
        "Pendulum-v1",
        ds=3,
        da=1,
        reward=rules.pendulum_reward,
        dynamics=rules.pendulum_dynamics,
        horizon=200,
        note="The reward looks at s and a, not at s'.",
    ),
    _gymnasium(
        "InvertedPendulum-v5",
        ds=4,
        da=1,
        terminal=rules.inverted_pendulum_end,
        reward=rules.inverted_pendulum_reward,
        note="No reward on the step that ends an episode.",
    ),
    _gymnasium(
        "InvertedDoublePendulum-v5",
        ds=9,
        da=1,
        terminal=rules.double_pendulum_end,
        reward=rules.double_pendulum_reward,
    ),
    _gymnasium(
        "Reacher-v5",
        ds=10,
        da=2,
        reward=rules.reacher_reward,
        horizon=50,
    ),
    _gymnasium(
        "Pusher-v5",
        ds=23,
        da=7,
        reward=rules.pusher_reward,
        horizon=100,
    ),
    _gymnasium(
        "Swimmer-v5",
        ds=8,
        da=2,
        note=f"No reward: {_NO_X}. The control cost 1e-4 |a|^2 can be seen.",
    ),
    _gymnasium(
        "Hopper-v5",
        ds=11,
        da=3,
        terminal=rules.hopper_end,
        note=f"{_CLIPPED} An end by a speed of 100 or more cannot be seen.",
    ),
    _gymnasium(
        "Walker2d-v5",
        ds=17,
        da=6,
        terminal=rules.walker_end,
        note=_CLIPPED,
    ),
    _gymnasium(
        "HalfCheetah-v5",
        ds=17,
        da=6,
        note=f"No reward: {_NO_X}. The control cost 0.1 |a|^2 can be seen.",
    ),
    _gymnasium(
        "Ant-v5",
        ds=105,
        da=8,
        terminal=rules.ant_end,
        note=f"No reward: {_NO_X}. All its other parts can be seen.",
    ),
    _gymnasium(
        "Humanoid-v5",
        ds=348,
        da=17,
        terminal=rules.humanoid_end,
        note=f"No reward: {_NO_X} (of the centre of mass). All else can be seen.",
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in (*_GYMNASIUM, *_OWN)}


def task(name: str) -> Task:
    """The task of this name; raises ValueError with the nearest name otherwise."""
    return TASKS[check.choice("task", name, TASKS)]
