"""The tables of methods and tasks, looked up by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mbrl_edu.experiment.nearest import nearest
from mbrl_edu.experiment.task_list import KINDS, PREFIX, TASKS, TaskInfo

if TYPE_CHECKING:
    from mbrl_edu.envs.task import Task

__all__ = ["KINDS", "METHODS", "PAGES", "PREFIX", "TASKS", "Method", "TaskInfo"]

# chapter -> its page in the book
PAGES = {
    "introduction": "01-introduction",
    "dyna": "02-dyna",
    "models": "03-models",
    "shooting": "04-shooting",
    "pets": "05-pets",
    "bounds": "06-bounds",
    "mbpo": "07-mbpo",
    "bmpo": "08-bmpo",
    "ampo": "09-ampo",
    "autombpo": "10-autombpo",
    "svg": "11-svg",
    "maac": "12-maac",
    "pilco": "13-pilco",
    "summary": "14-summary",
}


@dataclass(frozen=True)
class Method:
    """One method of the book; its module is imported only when it is used.

    The module holds `Config`, a frozen dataclass, and a function that is called `train`
    or as the method, `train(env, cfg, rng, log=None) -> Result`. A continuous method
    takes a `Task` instead of an environment; one that can be resumed takes a
    `checkpoint` as well, one that consists of many runs takes `parallel`, and one that
    moves the bar between log lines takes `tick`, a function of the real step. One that
    learns a policy also has `learner(task, cfg, rng)`, which makes what learns, with a
    `policy`, a `state_dict` and a `load_state_dict`.
    """

    name: str  # as typed by the user
    module: str  # where Config and the train function live
    page: str  # the chapter that derives it
    title: str  # as the book writes it
    kind: str = "tabular"  # which tasks it can learn

    @property
    def config(self) -> type:
        """The method's `Config` class."""
        return importlib.import_module(self.module).Config

    @property
    def train(self) -> Callable[..., Any]:
        """The method's train function."""
        module = importlib.import_module(self.module)
        return getattr(module, "train", None) or getattr(module, self.name)

    def takes(self, name: str) -> bool:
        """Whether the train function takes an argument of this name."""
        return name in inspect.signature(self.train).parameters

    @property
    def learner(self) -> Callable[..., Any] | None:
        """`(task, cfg, rng)` -> what the method learns with, as it is at first; None
        where that is no policy for a task."""
        return getattr(importlib.import_module(self.module), "learner", None)

    @property
    def result(self) -> type | None:
        """The method's `Result` class, if its module names one."""
        return getattr(importlib.import_module(self.module), "Result", None)


def _method(name: str, page: str, title: str, kind: str = "tabular") -> Method:
    return Method(name, f"mbrl_edu.algos.{name}", page, title, kind)


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        _method("q_learning", "02-dyna", "Q-learning"),
        _method("q_planning", "02-dyna", "Q-planning"),
        _method("dyna_q", "02-dyna", "Dyna-Q"),
        _method("dyna_q_plus", "02-dyna", "Dyna-Q+"),
        _method("prioritized_sweeping", "02-dyna", "Prioritized sweeping"),
        _method("pets", "05-pets", "PETS", "continuous"),
        _method("mbpo", "07-mbpo", "MBPO", "continuous"),
        _method("sac", "07-mbpo", "SAC", "continuous"),
        _method("ppo", "07-mbpo", "PPO", "continuous"),
        _method("bmpo", "08-bmpo", "BMPO", "continuous"),
        _method("dpg", "11-svg", "DPG", "continuous"),
        _method("svg", "11-svg", "SVG", "continuous"),
        _method("ampo", "09-ampo", "AMPO", "continuous"),
        _method("autombpo", "10-autombpo", "AutoMBPO", "continuous"),
        _method("maac", "12-maac", "MAAC", "continuous"),
        _method("pilco", "13-pilco", "PILCO", "continuous"),
    )
}


def find_method(name: str | Method) -> Method:
    """The method called `name`; hyphens and capitals are forgiven.

    Raises
    ------
    ValueError
        when there is none; the sentence gives the nearest names.
    """
    if isinstance(name, Method):
        return name
    if not isinstance(name, str):
        raise ValueError(f"method is {name!r}, but must be a name.")
    method = METHODS.get(name) or METHODS.get(name.lower().replace("-", "_"))
    if method is None:
        raise ValueError(f"unknown method {name!r}: {nearest(name, METHODS)}")
    return method


def find_task(name: str | TaskInfo | Task) -> TaskInfo:
    """The task called `name`, with or without `mbrl_edu/`, a Gymnasium id, or a `Task`.

    Any registered environment with `Discrete` observations and actions is a tabular
    task, one with boxes for both a continuous one. Raises ValueError with the nearest
    names for anything else.
    """
    if isinstance(name, TaskInfo):
        return name
    if not isinstance(name, str):
        return _own_task(name)
    for full in (name, PREFIX + name):
        if full in TASKS:
            return TASKS[full]
    import gymnasium

    if name not in gymnasium.registry:
        ours = {t.short for t in TASKS.values()}
        foreign = {n for n in gymnasium.registry if not n.startswith(PREFIX)}
        # our own tasks first: a misspelt maze should not suggest an arcade game
        hint = nearest(name.removeprefix(PREFIX), ours)
        if not hint.startswith("did you mean"):
            other = nearest(name, foreign)
            hint = other if other.startswith("did you mean") else hint
        raise ValueError(f"unknown task {name!r}: {hint}")
    return TaskInfo(name, "a Gymnasium environment", KINDS)


def _own_task(task: Any) -> TaskInfo:
    from mbrl_edu.envs.task import Task
    from mbrl_edu.envs.tasks import TASKS as KNOWN

    if not isinstance(task, Task):
        raise ValueError(f"task is {task!r}, but must be a name or a Task.")
    if KNOWN.get(task.name) == task:
        return find_task(task.gym_id)
    return TaskInfo(task.name, "made by the caller", ("continuous",), task)


def make_env(method: Method, task: TaskInfo) -> Any:
    """The task's environment, once it is sure that `method` can learn it.

    Raises
    ------
    ValueError
        when the kinds differ or the spaces are not those that the kind needs.
    """
    if method.kind not in task.kinds:
        raise ValueError(
            f"method {method.name} is {method.kind} and cannot learn task "
            f"{task.short}, which is for {' or '.join(task.kinds)} methods."
        )
    try:
        env = task.make(method.kind)
    except ValueError:
        raise
    except Exception as error:  # a missing extra, an abstract id, ...
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"task {task.short} cannot be made here: {why}") from error
    if method.kind == "tabular":
        _check_discrete(task, env)
    return env


def _check_discrete(task: TaskInfo, env: Any) -> None:
    from gymnasium.spaces import Discrete

    for what in ("observation", "action"):
        space = getattr(env, f"{what}_space")
        if not isinstance(space, Discrete) or space.start != 0:
            env.close()
            raise ValueError(
                f"task {task.short} has {what}s {space}; a tabular method needs "
                "Discrete observations and actions, counted from 0."
            )
