"""Checks of arguments: one clear sentence that names the argument, its value and
what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar

T = TypeVar("T")


def _range(low, high, open_low, open_high) -> str:
    if low is None and high is None:
        return "finite"
    if high is None:
        return f"{'greater than' if open_low else 'at least'} {low}"
    if low is None:
        return f"{'less than' if open_high else 'at most'} {high}"
    return f"in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"


def integer(name: str, value: Any, low: int | None = None, high: int | None = None):
    """`value` as an int within [low, high]; raises ValueError otherwise."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if (
        not whole
        or (low is not None and value < low)
        or (high is not None and value > high)
    ):
        allowed = "" if low is None and high is None else f" {_range(low, high, 0, 0)}"
        raise ValueError(f"{name} is {value!r}, but must be a whole number{allowed}.")
    return int(value)


def number(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """`value` as a finite float between low and high; raises ValueError otherwise."""
    ok = isinstance(value, Real) and not isinstance(value, bool)
    ok = ok and float("-inf") < value < float("inf")
    if ok and low is not None:
        ok = value > low if open_low else value >= low
    if ok and high is not None:
        ok = value < high if open_high else value <= high
    if not ok:
        allowed = _range(low, high, open_low, open_high)
        raise ValueError(f"{name} is {value!r}, but must be a number {allowed}.")
    return float(value)


def choice(name: str, value: T, allowed: Iterable[T]) -> T:
    """`value` if it is one of `allowed`; raises ValueError with the nearest name."""
    allowed = list(allowed)
    if value in allowed:
        return value
    near = get_close_matches(str(value), [str(x) for x in allowed], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(x) for x in allowed)
    raise ValueError(f"{name} is {value!r}, but must be one of {listed}.{hint}")
