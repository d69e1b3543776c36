"""The tables of methods and tasks, looked up by name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

PREFIX = "mbrl_edu/"

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
    name, `train(env, cfg, rng, log=None) -> Result`.
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
        """The method's train function."""
        return getattr(importlib.import_module(self.module), self.name)

    @property
    def result(self) -> type | None:
        """The method's `Result` class, if its module names one."""
        return getattr(importlib.import_module(self.module), "Result", None)


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

    def make(self) -> Any:
        """A fresh environment."""
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
    method = METHODS.get(name) or METHODS.get(name.lower().replace("-", "_"))
    if method is None:
        raise ValueError(f"unknown method {name!r}: {nearest(name, METHODS)}")
    return method


def find_task(name: str | TaskInfo) -> TaskInfo:
    """The task called `name`, with or without `mbrl_edu/`, or a Gymnasium id.

    Any registered environment with `Discrete` observations and actions is a tabular
    task. Raises ValueError with the nearest names for anything else.
    """
    if isinstance(name, TaskInfo):
        return name
    if not isinstance(name, str):
        raise ValueError(f"task is {name!r}, but must be a name.")
    for full in (name, PREFIX + name):
        if full in TASKS:
            return TASKS[full]
    import gymnasium

    if name not in gymnasium.registry:
        known = {t.short for t in TASKS.values()}
        foreign = {n for n in gymnasium.registry if not n.startswith(PREFIX)}
        # our own tasks first: a misspelt maze should not suggest an arcade game
        hint = nearest(name.removeprefix(PREFIX), known)
        if not hint.startswith("did you mean"):
            other = nearest(name, foreign)
            hint = other if other.startswith("did you mean") else hint
        raise ValueError(f"unknown task {name!r}: {hint}")
    return TaskInfo(name, "a Gymnasium environment", ("tabular",))


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
        env = task.make()
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
