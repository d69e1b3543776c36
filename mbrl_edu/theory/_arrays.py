"""Checks and small functions that every file of this room uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SUM_TOL = 1e-9  # how far the sum of a probability vector may be from one


def real(name: str, value: ArrayLike, ndim: int = 0) -> Array:
    """`value` as a finite float64 array with at least `ndim` dimensions."""
    try:
        x = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of real numbers.") from error
    if x.ndim < ndim:
        raise ValueError(
            f"{name} has shape {x.shape}; it needs at least {ndim} dimensions."
        )
    if not np.isfinite(x).all():
        raise ValueError(f"{name} holds NaN or infinity; every entry must be finite.")
    return x


def law(name: str, value: ArrayLike, ndim: int = 1) -> Array:
    """`value` as probabilities: no negative entry, last axis sums to one."""
    p = real(name, value, ndim)
    if p.size == 0:
        raise ValueError(f"{name} has shape {p.shape}; it must not be empty.")
    if p.min() < 0:
        raise ValueError(
            f"{name} has the entry {p.min():.6g}; a probability is never negative."
        )
    total = p.sum(axis=-1)
    worst = np.unravel_index(np.abs(total - 1).argmax(), total.shape)
    if abs(total[worst] - 1) > SUM_TOL:
        where = f" at index {tuple(int(i) for i in worst)}" if worst else ""
        raise ValueError(
            f"{name}{where} sums to {total[worst]:.9g} over its last axis;"
            " probabilities must sum to 1."
        )
    return p


def in_range(name: str, value: ArrayLike, low: float, high: float = np.inf) -> Array:
    """`value` as an array with every entry in [low, high]."""
    x = real(name, value)
    if x.size and (x.min() < low or x.max() > high):
        bad = x.min() if x.min() < low else x.max()
        allowed = f"at least {low:g}" if high == np.inf else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} = {bad:.6g} is not allowed; it must be {allowed}.")
    return x


def discount(name: str, value: ArrayLike) -> Array:
    """`value` as an array of discount factors in [0, 1)."""
    g = real(name, value)
    if g.size and (g.min() < 0 or g.max() >= 1):
        bad = g.min() if g.min() < 0 else g.max()
        raise ValueError(f"{name} = {bad:.6g} is not allowed; it must be in [0, 1).")
    return g


def steps(name: str, value: ArrayLike, low: int = 0) -> NDArray[np.int64]:
    """`value` as an array of whole numbers, none below `low`."""
    x = np.asarray(value)
    if x.dtype.kind not in "iu":
        raise ValueError(f"{name} = {value!r} is not allowed; it must be an integer.")
    if x.size and x.min() < low:
        raise ValueError(
            f"{name} = {x.min()} is not allowed; it must be at least {low}."
        )
    return x.astype(np.int64)


def length(name: str, value: ArrayLike) -> Array:
    """`value` as numbers of steps: whole, not negative, infinity allowed; float64."""
    x = np.asarray(value, dtype=np.float64)
    if np.isnan(x).any() or (x < 0).any() or (np.floor(x) != x).any():
        raise ValueError(
            f"{name} = {value!r} is not allowed; it must be a whole number of steps,"
            " at least 0 (infinity is allowed)."
        )
    return x


def lift(x: ArrayLike, n: int) -> Array:
    """`x` with `n` axes of length one appended, so it scales an (..., n axes) array."""
    y = np.asarray(x, dtype=np.float64)
    return y.reshape(y.shape + (1,) * n)


def scalar(x: Any) -> Any:
    """A NumPy float instead of a 0-d array, so that results print as a number."""
    return x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x
