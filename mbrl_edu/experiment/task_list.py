"""The table of tasks, and what it says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbrl_edu.envs.task import Task

PREFIX = "mbrl_edu/"
KINDS = ("tabular", "continuous")


@dataclass(frozen=True)
class TaskInfo:
    """One task: a registered Gymnasium environment and who can learn it."""

    name: str  # the Gymnasium id
    description: str  # one line for the list of tasks
    kinds: tuple[str, ...]  # kinds of methods that can learn it
    own: Task | None = None  # a task that the caller made; it is in no table

    @property
    def short(self) -> str:
        """The id without this package's prefix."""
        return self.name.removeprefix(PREFIX)

    @property
    def task(self) -> Task:
        """What is known about a continuous task."""
        if self.own is not None:
            return self.own
        from mbrl_edu.envs.task import Task
        from mbrl_edu.envs.tasks import TASKS as KNOWN

        return KNOWN.get(self.short) or Task.from_env(self.name)

    def make(self, kind: str = "tabular") -> Any:
        """A fresh environment, as methods of this kind see it."""
        if kind == "continuous":
            return self.task.make()
        import gymnasium

        return gymnasium.make(self.name, disable_env_checker=True)


# what is known about the continuous ones is in mbrl_edu.envs.tasks
TASKS: dict[str, TaskInfo] = {
    name: TaskInfo(name, text, (kind,))
    for kind, name, text in (
        ("tabular", PREFIX + "DynaMaze-v0", "6 x 9 maze; reward 1 at the goal"),
        ("tabular", PREFIX + "BlockingMaze-v0", "the short way closes meanwhile"),
        ("tabular", PREFIX + "ShortcutMaze-v0", "a short cut opens meanwhile"),
        ("continuous", PREFIX + "Line-v0", "a point mass; its optimum is known"),
        ("continuous", PREFIX + "LQR-v0", "linear dynamics, quadratic reward, solved"),
        ("continuous", PREFIX + "ContinuousCartPole-v0", "keep a pole up on a cart"),
        (
            "continuous",
            PREFIX + "CartPoleSwingUp-v0",
            "swing a pole up, hold it (PETS)",
        ),
        (
            "continuous",
            PREFIX + "PilcoCartPole-v0",
            "swing a pole up, hold it (PILCO)",
        ),
        ("continuous", "Pendulum-v1", "swing a pendulum up with too weak a motor"),
        ("continuous", "InvertedPendulum-v5", "keep a pole up on a cart (MuJoCo)"),
        ("continuous", "InvertedDoublePendulum-v5", "keep two poles up (MuJoCo)"),
        ("continuous", "Reacher-v5", "reach a point with a planar arm (MuJoCo)"),
        ("continuous", "Pusher-v5", "push a cylinder to a place (MuJoCo)"),
        (
            "continuous",
            PREFIX + "HalfCheetahSpeed-v5",
            "run; speed in the state (MuJoCo)",
        ),
        ("continuous", "Swimmer-v5", "swim with two joints (MuJoCo)"),
        ("continuous", "Hopper-v5", "hop on one leg (MuJoCo)"),
        ("continuous", "Walker2d-v5", "walk on two legs (MuJoCo)"),
        ("continuous", PREFIX + "HopperNT-v5", "hop; falls cost, nothing ends (BMPO)"),
        (
            "continuous",
            PREFIX + "Walker2dNT-v5",
            "walk; falls cost, nothing ends (BMPO)",
        ),
        ("continuous", "HalfCheetah-v5", "run on two legs (MuJoCo)"),
        ("continuous", "Ant-v5", "run on four legs (MuJoCo)"),
        ("continuous", PREFIX + "AntTruncated-v5", "the same, contact forces unseen"),
        ("continuous", "Humanoid-v5", "run like a human (MuJoCo)"),
        (
            "continuous",
            PREFIX + "HumanoidTruncated-v5",
            "the same, contact forces and more unseen",
        ),
    )
}
