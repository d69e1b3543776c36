"""Tasks: the mazes of the tabular part, registered with Gymnasium on import."""

import gymnasium as gym

from mbrl_edu.envs import maze
from mbrl_edu.envs.maze import ACTIONS, Maze, read_layout, scaled

__all__ = ["ACTIONS", "MAZES", "Maze", "read_layout", "scaled"]

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

for _name, _arguments in MAZES.items():
    if f"mbrl_edu/{_name}" not in gym.registry:
        gym.register(
            id=f"mbrl_edu/{_name}",
            entry_point="mbrl_edu.envs.maze:Maze",
            kwargs=_arguments,
        )
