"""Tasks, registered with Gymnasium on import: the mazes of the tabular part, and
``TASKS``, the table of tasks with continuous actions (loaded when first used; its
look-up by name is ``mbrl_edu.envs.tasks.task``)."""

from importlib import import_module
from typing import Any

import gymnasium as gym

from mbrl_edu.envs import maze
from mbrl_edu.envs.maze import ACTIONS, Maze, read_layout, scaled

_LAZY = {"TASKS": "tasks", "Task": "task", "continuous": "task"}
__all__ = ["ACTIONS", "MAZES", "Maze", "read_layout", "scaled", *_LAZY]

# name -> arguments of Maze; the steps at which the walls move: S&B Examples 8.2, 8.3
MAZES: dict[str, dict] = {
    "DynaMaze-v0": {"layout": maze.DYNA_MAZE},
    "BlockingMaze-v0": {
        "layout": maze.GAP_RIGHT,
        "changes": ((1000, maze.GAP_LEFT),),
    },
    "ShortcutMaze-v0": {
        "layout": maze.GAP_LEFT,
        "changes": ((3000, maze.GAP_BOTH),),
    },
}

# name -> (where the class is, steps until the time limit)
CONTINUOUS: dict[str, tuple[str, int]] = {
    "ContinuousCartPole-v0": ("mbrl_edu.envs.cartpole:ContinuousCartPole", 200),
    "CartPoleSwingUp-v0": ("mbrl_edu.envs.swingup:CartPoleSwingUp", 200),
    "PilcoCartPole-v0": ("mbrl_edu.envs.pilco_cartpole:PilcoCartPole", 40),
    "Line-v0": ("mbrl_edu.envs.line:Line", 30),
    "LQR-v0": ("mbrl_edu.envs.lqr:LQR", 100),
    "ProbeConstant-v0": ("mbrl_edu.envs.probes:ProbeConstant", 2),
    "ProbeObservation-v0": ("mbrl_edu.envs.probes:ProbeObservation", 2),
    "ProbeDiscount-v0": ("mbrl_edu.envs.probes:ProbeDiscount", 3),
    "ProbeAction-v0": ("mbrl_edu.envs.probes:ProbeAction", 2),
    "ProbeBoth-v0": ("mbrl_edu.envs.probes:ProbeBoth", 2),
    "ProbeTimeLimit-v0": ("mbrl_edu.envs.probes:ProbeTimeLimit", 5),
    "HalfCheetahSpeed-v5": ("mbrl_edu.envs.variants:HalfCheetahSpeed", 1000),
    "HopperNT-v5": ("mbrl_edu.envs.variants:HopperNT", 1000),
    "Walker2dNT-v5": ("mbrl_edu.envs.variants:Walker2dNT", 1000),
    "AntTruncated-v5": ("mbrl_edu.envs.variants:ant_truncated", 1000),
    "HumanoidTruncated-v5": ("mbrl_edu.envs.variants:humanoid_truncated", 1000),
}

for _name, _arguments in MAZES.items():
    if f"mbrl_edu/{_name}" not in gym.registry:
        gym.register(
            id=f"mbrl_edu/{_name}",
            entry_point="mbrl_edu.envs.maze:Maze",
            kwargs=_arguments,
        )

for _name, (_where, _limit) in CONTINUOUS.items():
    if f"mbrl_edu/{_name}" not in gym.registry:
        gym.register(
            id=f"mbrl_edu/{_name}", entry_point=_where, max_episode_steps=_limit
        )


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"mbrl_edu.envs.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'mbrl_edu.envs' has no attribute {name!r}")
