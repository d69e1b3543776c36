"""Curves that change with sliders: bounds, objectives, predictions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.viz.axes import Scale, widen
from mbrl_edu.viz.figure import (
    StaticFigure,
    assemble,
    check_alt,
    check_size,
    make_sliders,
    start_index,
)
from mbrl_edu.viz.plot import LOOKS, Plot


def curve_explorer(
    fun: Callable[..., Any],
    x: Sequence[float] | np.ndarray,
    sliders: Mapping[str, Sequence[Any]],
    *,
    alt: str,
    xlabel: str = "x",
    ylabel: str = "",
    title: str = "",
    caption: str = "",
    labels: Sequence[str] | None = None,
    mark: str | None = None,
    marked: Sequence[str] | None = None,
    ylim: tuple[float, float] | None = None,
    log: bool | str = False,
    names: Mapping[str, str] | None = None,
    start: Mapping[str, int] | None = None,
    looks: Mapping[str, int] | None = None,
) -> StaticFigure:
    """Plot ``fun(x, **slider values)`` with a slider for every parameter.

    `fun` is evaluated here for every combination of slider values, and the figure
    carries the results as float32: 21 x 21 combinations of 41 points take 100 kB.

    fun : returns a curve (n,), several (m, n) or a dict {label: (n,)}, the same ones
        for every combination. NaN means "no value" and leaves a gap.
    x : (n,) increasing numbers.
    sliders : {parameter of fun: at least 2 numbers or texts}.
    alt : what the figure shows, for readers who cannot see it.
    labels : names of the curves, where `fun` returns no dict.
    mark, marked : "min" or "max" puts a dot on each curve's optimum and writes it
        below; `marked` are the labels of the curves it is for, all unless given.
    ylim : (low, high), the same for all slider values.
    log : True or "y", "x", "xy" for logarithmic axes, whose values must be positive.
    names, start : {parameter: text shown}, {parameter: index of its first value}.
    looks : {label: 0 to 5}, colour and line style of a curve.

    Raises ValueError for anything else, infinite values included.
    """
    alt = check_alt(alt)
    check.choice("mark", mark, [None, "min", "max"])
    controls = make_sliders(sliders, names, start)
    log_x, log_y = _logs(log)
    xs = _check_x(x, log_x)
    Y, shown = _evaluate(fun, xs, sliders, labels)
    dots = [] if mark is None else _places(marked, shown)
    scales = Scale(float(xs[0]), float(xs[-1]), log_x), _y_scale(Y, ylim, log_y)
    plot = Plot(xs, shown, *scales, _looks(looks, shown), xlabel, ylabel, mark, dots)
    y = Y[start_index(controls)]
    drawing, note = plot.html(y, alt), plot.note(y)
    return assemble("curve", plot.data(Y), controls, drawing, alt, title, caption, note)


def _logs(log: bool | str) -> tuple[bool, bool]:
    axes = "y" if log is True else log or ""
    check.choice("log", axes, ["", "x", "y", "xy"])
    return "x" in axes, "y" in axes


def _check_x(x, log: bool) -> np.ndarray:
    xs = np.asarray(x, float)
    if xs.ndim != 1 or len(xs) < 2 or not np.isfinite(xs).all():
        raise ValueError(
            f"x has shape {xs.shape}, but must be a row of at least 2 finite numbers."
        )
    if (np.diff(xs) <= 0).any():
        k = int(np.argmax(np.diff(xs) <= 0))
        raise ValueError(
            f"x goes from {xs[k]:g} to {xs[k + 1]:g}, but must increase at each step."
        )
    if log and xs[0] <= 0:
        raise ValueError(
            f"x begins at {xs[0]:g}, but must be positive on a logarithmic axis."
        )
    return xs


def _evaluate(fun, xs, sliders, labels) -> tuple[np.ndarray, list[str]]:
    """All curves (combinations, m, n) as float32, and their labels."""
    count = math.prod(len(list(v)) for v in sliders.values())
    rows: list[np.ndarray] = []
    shown: list[str] = []
    for values in itertools.product(*sliders.values()):
        setting = dict(zip(sliders, values, strict=True))
        curves, found = _curves(fun(xs, **setting), labels, len(xs), setting)
        if not rows:  # known after one call; refuse before a long wait
            shown = found
            check_size(4 * count * curves.size, "the curves")
        if found != shown:
            raise ValueError(
                f"fun returns the curves {found} at {setting}, but must return "
                f"{shown}, as for the first slider values."
            )
        rows.append(curves)
    return np.stack(rows), shown


def _curves(y, labels, n: int, setting) -> tuple[np.ndarray, list[str]]:
    """One return value of `fun` as an array (m, n), checked."""
    if isinstance(y, Mapping):
        found, parts = [str(k) for k in y], [np.asarray(v, float) for v in y.values()]
    else:
        array = np.asarray(y, float)
        parts = [array] if array.ndim == 1 else list(array)
        found = [str(k) for k in labels] if labels is not None else [""] * len(parts)
        if len(found) != len(parts) or (labels is None and len(parts) > 1):
            raise ValueError(
                f"fun returns {len(parts)} curves at {setting}, but labels is "
                f"{labels!r}: every curve must have a label."
            )
    for label, part in zip(found, parts, strict=True):
        which = f"curve {label!r}" if label else "the curve"
        if part.shape != (n,):
            raise ValueError(
                f"fun returns {which} of shape {part.shape} at {setting}, but must "
                f"return one value per x: ({n},)."
            )
        with np.errstate(over="ignore"):
            if np.isinf(part.astype("<f4")).any():
                raise ValueError(
                    f"fun returns an infinite or too large value in {which} at "
                    f"{setting}; use NaN where there is no value."
                )
    if not 1 <= len(parts) <= LOOKS:
        raise ValueError(
            f"fun returns {len(parts)} curves, but must return 1 to {LOOKS}."
        )
    return np.stack(parts).astype("<f4"), found


def _y_scale(Y: np.ndarray, ylim, log: bool) -> Scale:
    if np.isnan(Y).all():
        raise ValueError("fun returns NaN everywhere, but must return some values.")
    if log and np.nanmin(Y) <= 0:
        raise ValueError(
            f"fun returns {np.nanmin(Y):g}, but must return positive values (or NaN) "
            "on a logarithmic axis."
        )
    if ylim is None:
        low, high = widen(float(np.nanmin(Y)), float(np.nanmax(Y)), log)
        return Scale(low, high, log)
    low, high = (check.number(f"ylim[{i}]", v) for i, v in enumerate(ylim))
    if low >= high or (log and low <= 0):
        positive = "positive and " if log else ""
        raise ValueError(
            f"ylim is {(low, high)}, but must be {positive}(low, high) with low < high."
        )
    return Scale(low, high, log)


def _places(marked, shown: list[str]) -> list[int]:
    for label in marked or []:
        check.choice("marked", label, shown)
    return [j for j, label in enumerate(shown) if marked is None or label in marked]


def _looks(looks, shown: list[str]) -> list[int]:
    for label, look in (looks or {}).items():
        check.choice("looks key", label, shown)
        check.integer(f"looks[{label!r}]", look, low=0, high=LOOKS - 1)
    return [(looks or {}).get(label, j) for j, label in enumerate(shown)]
