"""Values on a grid over time: sweeps of value iteration, visits, a walking agent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.viz.figure import (
    StaticFigure,
    assemble,
    check_alt,
    make_sliders,
)
from mbrl_edu.viz.grid_svg import NONE, TOP, WALL, Bar, Board

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right, as in the mazes


def grid_player(
    values: Any,
    walls: Any = None,
    marks: Mapping[int, str] | None = None,
    *,
    alt: str,
    policy: Any = None,
    agent: Sequence[int] | None = None,
    trail: int = 20,
    name: str = "step",
    steps: Sequence[Any] | None = None,
    notes: Sequence[str] | None = None,
    label: str = "value",
    units: str = "",
    limits: tuple[float, float] | None = None,
    cmap: str = "viridis",
    moves: Sequence[tuple[int, int]] = MOVES,
    interval: int = 250,
    start: int = 0,
    title: str = "",
    caption: str = "",
) -> StaticFigure:
    """Play values (T, H, W) on a grid of H rows and W columns; T at least 2.

    values : NaN means "no value". Colours are exact to 1/65533 of the range.
    walls : (H, W) or (T, H, W) booleans.
    marks : {state: text}, at most 2 characters; state = row * W + column.
    policy : (T, H, W) actions, -1 for none, or (T, H, W, A) probabilities, of which
        the largest get an arrow, all of them where several are equal.
    moves : (rows, columns) that each action moves, at most 8 actions.
    agent, trail : (T,) states, -1 for none; how many earlier places stay visible.
    name, steps, notes : of the slider, its T values, and a line of text for each.
    label, units, limits, cmap : of the colour bar; a name known to Matplotlib.
    interval, start : milliseconds per step of the play button; the first step shown.
    alt : what the figure shows, for readers who cannot see it.

    Raises ValueError for anything else, infinite values included.
    """
    alt = check_alt(alt)
    v = check_values(values)
    w = _check_walls(walls, v.shape)
    _check_lengths(len(v), steps=steps, notes=notes, agent=agent)
    check.integer("start", start, low=0, high=len(v) - 1)
    times = {name: list(range(len(v)) if steps is None else steps)}
    controls = make_sliders(times, None, {name: start}, name, interval)
    bar, arrows = _bar(v, w, limits, cmap, label, units), _arrows(moves)
    board = Board(
        levels=_levels(v, w, *bar.range),
        policy=None if policy is None else masks(policy, len(arrows), v.shape),
        arrows=arrows,
        agent=None if agent is None else _places(agent, v.shape),
        trail=check.integer("trail", trail, low=0),
        marks=_marks(marks, v.shape),
        bar=bar,
    )
    lines = [str(n) for n in notes] if notes is not None else None
    data, drawing = board.data() | {"notes": lines}, board.html(start, alt)
    note = lines[start] if lines else ""
    return assemble("grid", data, controls, drawing, alt, title, caption, note)


def check_values(values: Any, name: str = "values") -> np.ndarray:
    """`values` as floats (T, H, W) with T at least 2; raises ValueError otherwise."""
    v = np.asarray(values, float)
    if v.ndim != 3 or v.shape[0] < 2 or 0 in v.shape:
        raise ValueError(
            f"{name} has shape {v.shape}, but must be (T, H, W): at least 2 steps of a "
            "grid with H rows and W columns."
        )
    if np.isinf(v).any():
        t, i, j = np.argwhere(np.isinf(v))[0]
        raise ValueError(
            f"{name} is infinite at step {t}, row {i}, column {j}; use NaN where there "
            "is no value."
        )
    return v


def _check_walls(walls: Any, shape) -> np.ndarray:
    if walls is None:
        return np.zeros(shape, bool)
    w = np.asarray(walls)
    if w.dtype != bool or w.shape not in (shape, shape[1:]):
        raise ValueError(
            f"walls has shape {w.shape} and type {w.dtype}, but must be booleans of "
            f"shape {shape[1:]} or {shape}."
        )
    return np.broadcast_to(w, shape)


def _check_lengths(n: int, **given: Sequence[Any] | None) -> None:
    for name, entries in given.items():
        if entries is not None and len(entries) != n:
            raise ValueError(
                f"{name} has {len(entries)} entries, but must have one per step: {n}."
            )


def _limits(v, w, limits) -> tuple[float, float]:
    if limits is None:
        seen = v[~w & ~np.isnan(v)]
        if not seen.size:
            raise ValueError("values has no number outside of walls to be shown.")
        low, high = float(seen.min()), float(seen.max())
        return (low, high) if low < high else (low, low + 1.0)
    low, high = (check.number(f"limits[{i}]", x) for i, x in enumerate(limits))
    if low >= high:
        raise ValueError(
            f"limits is {(low, high)}, but must be (low, high), low < high."
        )
    return low, high


def _bar(v, w, limits, cmap: str, label: str, units: str) -> Bar:
    low, high = _limits(v, w, limits)
    return Bar((low, high), _digits(v, low, high), colors(cmap), label, units)


def _levels(v, w, low: float, high: float) -> np.ndarray:
    """Values as whole numbers 0 .. TOP from low to high; beyond them, the nearest."""
    share = np.clip((np.nan_to_num(v) - low) / (high - low), 0, 1)
    levels = np.where(np.isnan(v), NONE, np.rint(TOP * share))
    return np.where(w, WALL, levels).astype("<u2")


def _digits(v, low: float, high: float) -> int:
    """Decimals that a level can be trusted for; none for whole numbers."""
    seen = v[~np.isnan(v)]
    if (seen == np.rint(seen)).all() and high - low < TOP / 2:
        return 0
    return max(0, 3 - math.floor(math.log10(high - low)))


def _arrows(moves) -> list[tuple[str, str]]:
    """Two SVG paths for each action, both from the middle of a cell: the arrow of an
    action that has the cell to itself, and a shorter one that leaves it."""
    if not 1 <= len(moves) <= 8:
        raise ValueError(f"moves has {len(moves)} actions, but must have 1 to 8.")
    shapes = []
    for a, (dr, dc) in enumerate(moves):
        norm = math.hypot(check.integer(f"moves[{a}]", dr), dc)
        if not norm:  # stay: a dot
            shapes.append(("h0", "h0"))
            continue
        x, y = dc / norm, dr / norm  # along the arrow
        u, v = 4.5 * x, 4.5 * y  # its head: two strokes, back and to the sides
        head = [(-u - v, u - v), (u + v, v - u), (v - u, -u - v)]
        back, side, other = (f"{p:.3g} {q:.3g}" for p, q in head)
        end = f"l{back}m{side}l{other}"
        lone = f"m{-9 * x:.3g} {-9 * y:.3g}l{18 * x:.3g} {18 * y:.3g}{end}"
        shapes.append((lone, f"l{13 * x:.3g} {13 * y:.3g}{end}"))
    return shapes


def masks(policy: Any, n: int, shape: tuple[int, ...]) -> np.ndarray:
    """Bit a is set where action a gets an arrow: (T, H, W) bytes."""
    p = np.asarray(policy)
    if p.shape == (*shape, n):
        best = p.max(-1, keepdims=True)
        if not np.isfinite(p).all() or (p < 0).any():
            raise ValueError(
                "policy has probabilities that are negative or not finite."
            )
        shown = (p >= best - 1e-9) & (best > 0)
        return (shown << np.arange(n)).sum(-1).astype("u1")
    if p.shape != shape or not np.issubdtype(p.dtype, np.integer):
        raise ValueError(
            f"policy has shape {p.shape} and type {p.dtype}, but must be whole numbers "
            f"of shape {shape} or probabilities of shape {(*shape, n)}."
        )
    if p.min() < -1 or p.max() >= n:
        raise ValueError(
            f"policy has actions from {p.min()} to {p.max()}, but they must be in "
            f"[-1, {n - 1}]."
        )
    return np.where(p < 0, 0, 1 << np.maximum(p, 0)).astype("u1")


def _places(agent, shape) -> list[int]:
    high = shape[1] * shape[2] - 1
    return [check.integer(f"agent[{t}]", s, -1, high) for t, s in enumerate(agent)]


def _marks(marks, shape) -> dict[int, str]:
    found = {}
    for s, text in (marks or {}).items():
        check.integer("marks key", s, low=0, high=shape[1] * shape[2] - 1)
        if not isinstance(text, str) or not 1 <= len(text) <= 2:
            raise ValueError(
                f"marks[{s}] is {text!r}, but must have 1 or 2 characters."
            )
        found[int(s)] = text
    return found


def colors(cmap: str, n: int = 64) -> str:
    """n colours of a Matplotlib map as hexadecimal digits, six for each."""
    import matplotlib

    check.choice("cmap", cmap, list(matplotlib.colormaps))
    table = matplotlib.colormaps[cmap](np.linspace(0, 1, n))[:, :3]
    return np.rint(255 * table).astype("u1").tobytes().hex()
