"""mbrl_edu: model-based reinforcement learning, small, fast and exact.

``mbrl_edu.run("dyna_q", "DynaMaze-v0", seed=0, n=50)`` runs a method on a task; the
rooms (``mbrl_edu.algos``, ``mbrl_edu.theory``, ...) hold what it is made of.
"""

from importlib import import_module
from typing import Any

from mbrl_edu import envs  # noqa: F401  registers the tasks with Gymnasium

__version__ = "0.1.0"

_LAZY = {name: "mbrl_edu.experiment.run" for name in ("run", "resume", "load")}
_LAZY["check"] = "mbrl_edu.grading"
_ROOMS = ("algos", "core", "experiment", "grading", "models", "theory", "viz")
__all__ = ["__version__", "envs", *_LAZY, *_ROOMS]


def __getattr__(name: str) -> Any:
    """Rooms and the front door are imported when they are first used."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _ROOMS:
        return import_module(f"mbrl_edu.{name}")
    raise AttributeError(f"module 'mbrl_edu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
