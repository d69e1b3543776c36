"""The tables of methods and tasks, looked up by name."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

PREFIX = "mbrl_edu/"
KINDS = ("tabular", "continuous")

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

    The module holds `Config`, a frozen dataclass, and a function with the method's
    name, `train(env, cfg, rng, log=None) -> Result`; a continuous method takes a `Task`
    instead of an environment.
    """

    name: str  # as typed by the user, also the name of the train function
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
        """The method's train function, on an environment from `make_env`."""
        function = getattr(importlib.import_module(self.module), self.name)
        return function if self.kind == "tabular" else _of_task(function)

    @property
    def result(self) -> type | None:
        """The method's `Result` class, if its module names one."""
        return getattr(importlib.import_module(self.module), "Result", None)


def _of_task(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(task, ...)` as a function of an environment that carries its task."""

    @functools.wraps(function)
    def train(env: Any, *args: Any, **known: Any) -> Any:
        return function(env.task, *args, **known)

    return train


@dataclass(frozen=True)
class TaskInfo:
    """One task: a registered Gymnasium environment and who can learn it."""

    name: str  # the Gymnasium id
    description: str  # one line for the list of tasks
    kinds: tuple[str, ...]  # kinds of methods that can learn it

    @property
    def short(self) -> str:
        """The id without this package's prefix."""
        return self.name.removeprefix(PREFIX)

    def make(self, kind: str = "tabular") -> Any:
        """A fresh environment; for continuous methods it carries its `Task`."""
        if kind == "continuous":
            from mbrl_edu.envs.task import Task
            from mbrl_edu.envs.tasks import TASKS as KNOWN

            task = KNOWN.get(self.short) or Task.from_env(self.name)
            env = task.make()
            env.task = task  # type: ignore[attr-defined]
            return env
        import gymnasium

        return gymnasium.make(self.name, disable_env_checker=True)


def _tabular(name: str, page: str, title: str) -> Method:
    return Method(name, f"mbrl_edu.algos.{name}", page, title)


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        _tabular("q_learning", "02-dyna", "Q-learning"),
        _tabular("q_planning", "02-dyna", "Q-planning"),
        _tabular("dyna_q", "02-dyna", "Dyna-Q"),
        _tabular("dyna_q_plus", "02-dyna", "Dyna-Q+"),
        _tabular("prioritized_sweeping", "02-dyna", "Prioritized sweeping"),
    )
}

CONTINUOUS: dict[str, Method] = {
    m.name: m
    for m in (Method("pets", "mbrl_edu.algos.pets", "05-pets", "PETS", "continuous"),)
}

TASKS: dict[str, TaskInfo] = {
    t.name: t
    for t in (
        TaskInfo(
            PREFIX + "DynaMaze-v0",
            "6 x 9 maze with fixed walls; reward 1 at the goal",
            ("tabular",),
        ),
        TaskInfo(
            PREFIX + "BlockingMaze-v0",
            "the short way closes while the agent learns, a longer one opens",
            ("tabular",),
        ),
        TaskInfo(
            PREFIX + "ShortcutMaze-v0",
            "a short cut opens while the agent learns",
            ("tabular",),
        ),
    )
}


# what is known about each of these is in mbrl_edu.envs.tasks
CONTINUOUS_TASKS: dict[str, TaskInfo] = {
    name: TaskInfo(name, text, ("continuous",))
    for name, text in (
        (PREFIX + "CartPoleSwingUp-v0", "swing a pole up and hold it (PETS)"),
        (PREFIX + "ContinuousCartPole-v0", "keep a pole up; force from -10 to 10 N"),
        (PREFIX + "Line-v0", "a point mass on a line; its optimum is known"),
        (PREFIX + "LQR-v0", "linear dynamics, quadratic reward, exactly solved"),
        ("Pendulum-v1", "swing a pendulum up with too weak a motor"),
        ("InvertedPendulum-v5", "keep a pole up on a cart (MuJoCo)"),
        ("InvertedDoublePendulum-v5", "keep two poles up on a cart (MuJoCo)"),
        ("Reacher-v5", "reach a point with a planar arm (MuJoCo)"),
        ("Pusher-v5", "push a cylinder to a place with an arm (MuJoCo)"),
        (PREFIX + "HalfCheetahSpeed-v5", "run; the speed is in the state (MuJoCo)"),
    )
}


def nearest(name: str, names: Iterable[str]) -> str:
    """'did you mean a or b' from the closest names, else a list of all of them."""
    names = sorted(names)
    by_lower = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(by_lower[c] for c in close) + "?"
    if len(names) > 12:
        return f"none of the {len(names)} known names is near it."
    return "it must be one of " + ", ".join(names) + "."


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
    known = METHODS | CONTINUOUS
    method = known.get(name) or known.get(name.lower().replace("-", "_"))
    if method is None:
        raise ValueError(f"unknown method {name!r}: {nearest(name, known)}")
    return method


def find_task(name: str | TaskInfo) -> TaskInfo:
    """The task called `name`, with or without `mbrl_edu/`, or a Gymnasium id.

    Any registered environment with `Discrete` observations and actions is a tabular
    task, one with boxes for both a continuous one. Raises ValueError with the nearest
    names for anything else.
    """
    if isinstance(name, TaskInfo):
        return name
    if not isinstance(name, str):
        raise ValueError(f"task is {name!r}, but must be a name.")
    known = TASKS | CONTINUOUS_TASKS
    for full in (name, PREFIX + name):
        if full in known:
            return known[full]
    import gymnasium

    if name not in gymnasium.registry:
        ours = {t.short for t in known.values()}
        foreign = {n for n in gymnasium.registry if not n.startswith(PREFIX)}
        # our own tasks first: a misspelt maze should not suggest an arcade game
        hint = nearest(name.removeprefix(PREFIX), ours)
        if not hint.startswith("did you mean"):
            other = nearest(name, foreign)
            hint = other if other.startswith("did you mean") else hint
        raise ValueError(f"unknown task {name!r}: {hint}")
    return TaskInfo(name, "a Gymnasium environment", KINDS)


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
