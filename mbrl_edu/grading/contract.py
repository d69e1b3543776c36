"""What an exercise asks for, as code: a contract examines an answer and says in one
sentence what is right, or for which input it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from mbrl_edu.core import check as checks

# one file of contracts each
CHAPTERS = ("introduction", "dyna", "models", "shooting", "pets", "bounds", "mbpo")


class Wrong(Exception):
    """Raised by a contract: the answer is wrong, and this is why."""


@dataclass(frozen=True)
class Feedback:
    """The outcome of a check; true if the answer is right."""

    exercise: str
    ok: bool
    message: str

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{'Right' if self.ok else 'Not yet'}: {self.message}"

    def _repr_html_(self) -> str:
        mark, kind = ("✓", "tip") if self.ok else ("✗", "warning")
        return (
            f'<div class="admonition {kind}" role="status"><p class="admonition-title">'
            f"{mark} {escape(self.exercise)}</p><p>{escape(repr(self))}</p></div>"
        )


_CONTRACTS: dict[str, Callable[[Any], str]] = {}


def contract(exercise: str):
    """Register a function: answer -> praise; it raises Wrong if the answer is wrong."""

    def register(examine: Callable[[Any], str]) -> Callable[[Any], str]:
        _CONTRACTS[exercise] = examine
        return examine

    return register


def exercises() -> list[str]:
    """The names that ``check`` knows."""
    for chapter in CHAPTERS:
        import_module(f"mbrl_edu.grading.{chapter}")
    return sorted(_CONTRACTS)


def check(exercise: str, answer: Any) -> Feedback:
    """Examine ``answer``: a number, an array or a function, as the exercise asks.

    A wrong answer, also one that raises an error, gives a Feedback that is false and
    says for which input; it never raises. An unknown exercise raises ValueError.
    """
    checks.choice("exercise", exercise, exercises())
    try:
        return Feedback(exercise, True, _CONTRACTS[exercise](answer))
    except Wrong as wrong:
        return Feedback(exercise, False, str(wrong))


def call(answer: Any, *args: Any) -> Any:
    """``answer(*args)``, where every failure becomes Wrong and names the input."""
    shown = ", ".join(_short(x) for x in args)
    if not callable(answer):
        raise Wrong(f"the answer is {answer!r}, but must be a function.")
    try:
        return answer(*args)
    except NotImplementedError:
        raise Wrong("the function is still empty.") from None
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise Wrong(f"called with ({shown}) the function raised {what}.") from None


def compare(got: Any, expected: Any, of: str, atol: float = 1e-9) -> None:
    """Raise Wrong unless ``got`` is ``expected`` in shape and within ``atol``."""
    if got is None:
        raise Wrong(f"for {of} there is no result; does the function return it?")
    try:
        array = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"for {of} the result {_short(got)} is not numeric.") from None
    if array.shape != np.shape(expected):
        raise Wrong(
            f"for {of} the result has shape {array.shape}, but must have shape "
            f"{np.shape(expected)}."
        )
    if not np.allclose(array, expected, rtol=0, atol=atol):
        raise Wrong(f"for {of} the result is {_short(got)}.")


def _short(x: Any, width: int = 60) -> str:
    text = " ".join(repr(x).split())
    return text if len(text) <= width else text[: width - 3] + "..."
