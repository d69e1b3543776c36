"""Mazes: values, greedy actions and the agent's way, as pictures and players."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbrl_edu.viz.figure import StaticFigure
from mbrl_edu.viz.grids import MOVES, check_values, grid_player, masks

WALL = "#4a525e"


def maze_player(
    maze: Any, values: Any, policy: Any = None, **shown: Any
) -> StaticFigure:
    """Play values of a maze over time: ``grid_player`` with walls, S and G drawn.

    maze : a layout (list of strings: '.' free, '#' wall, 'S' start, 'G' goal), a maze
        environment, or a list of T layouts for a maze that changes.
    values : (T, S) or (T, H, W); state = row * W + column.
    policy : actions (T, S), -1 for none, or probabilities (T, S, A); without T the same
        at every step; (H, W) may stand for S. Whole numbers are actions, others
        probabilities. Actions are up, down, left, right, as in the environments.
    shown : everything else that ``grid_player`` takes; ``alt`` is required.

    Raises ValueError where sizes do not fit, and whatever ``grid_player`` raises.
    """
    grids = read_mazes(maze)
    h, w = grids.shape[1:]
    v = _grid("values", values, h, w)
    if len(grids) not in (1, len(v)):
        raise ValueError(
            f"maze has {len(grids)} layouts, but must have 1 or one per step: {len(v)}."
        )
    walls = np.broadcast_to(grids == "#", v.shape)
    if policy is not None:
        actions = len(shown.get("moves", MOVES))
        policy = _policy(policy, v.shape, actions)
    return grid_player(v, walls, _marks(grids[0]), policy=policy, **shown)


def maze_values(
    maze: Any,
    values: Any,
    policy: Any = None,
    *,
    label: str = "value",
    limits: tuple[float, float] | None = None,
    cmap: str = "viridis",
    title: str = "",
    numbers: bool = False,
):
    """One picture of a maze's values (S,) or (H, W) as a Matplotlib figure.

    policy : actions (S,) or probabilities (S, A), as in ``maze_player``.
    numbers : write each value into its cell.
    The other arguments are those of ``grid_player``. Raises ValueError likewise.
    """
    from matplotlib import pyplot as plt

    grid = read_mazes(maze)[0]
    h, w = grid.shape
    v = _grid("values", values, h, w, steps=False)
    check_values(np.stack([v, v]))  # refuses infinite values
    low, high = limits or (None, None)
    figure = plt.figure(figsize=(min(6.0, 0.5 * w + 1.2), min(5.0, 0.5 * h + 0.6)))
    plt.close(figure)  # it is shown because it is returned, and only once
    axes = figure.add_subplot()
    shown = np.ma.masked_where((grid == "#") | np.isnan(v), v)
    image = axes.imshow(shown, cmap=cmap, vmin=low, vmax=high)
    figure.colorbar(image, ax=axes, label=label, shrink=0.8)
    for row, column in np.argwhere(grid == "#"):
        axes.fill_between(
            [column - 0.5, column + 0.5], row - 0.5, row + 0.5, color=WALL, lw=0
        )
    axes.set(xticks=[], yticks=[], title=title)
    if policy is not None:
        _draw_arrows(axes, grid, _policy(policy, (1, h, w), len(MOVES)))
    _draw_texts(axes, grid, v if numbers else None)
    return figure


def read_mazes(maze: Any) -> np.ndarray:
    """The characters of n layouts, (n, H, W); raises ValueError for anything else."""
    from mbrl_edu.envs.maze import read_layout

    maze = getattr(maze, "unwrapped", maze)
    if isinstance(getattr(maze, "grid", None), np.ndarray):
        return maze.grid[None]
    several = not isinstance(maze, str) and len(maze) and not isinstance(maze[0], str)
    grids = [read_layout(m, "maze") for m in (maze if several else [maze])]
    for k, grid in enumerate(grids):
        if grid.shape != grids[0].shape:
            raise ValueError(
                f"maze layout {k} has size {grid.shape}, but must have the size of the "
                f"first, {grids[0].shape}."
            )
    return np.stack(grids)


def _grid(name: str, values: Any, h: int, w: int, steps: bool = True) -> np.ndarray:
    """`values` with the cells as rows and columns: (T, H, W), or (H, W)."""
    v = np.asarray(values, float)
    lead = v.shape[:1] if steps else ()
    if v.shape not in ((*lead, h * w), (*lead, h, w)):
        expected = (
            f"(T, {h * w}) or (T, {h}, {w})" if steps else f"({h * w},) or {h, w}"
        )
        raise ValueError(f"{name} has shape {v.shape}, but must have {expected}.")
    return v.reshape(*lead, h, w)


def _policy(policy: Any, shape: Sequence[int], n: int) -> np.ndarray:
    """Actions (T, H, W) or probabilities (T, H, W, A)."""
    p = np.asarray(policy)
    t, h, w = shape
    last = () if np.issubdtype(p.dtype, np.integer) else (n,)
    cells = [(h * w, *last), (h, w, *last)]
    if p.shape in cells:
        return np.broadcast_to(p.reshape(h, w, *last), (t, h, w, *last))
    if p.shape not in [(t, *c) for c in cells]:
        kind = "whole numbers" if not last else "probabilities"
        raise ValueError(
            f"policy, of {kind}, has shape {p.shape}, but must have {cells[0]} or "
            f"{(t, *cells[0])}."
        )
    return p.reshape(t, h, w, *last)


def _marks(grid: np.ndarray) -> dict[int, str]:
    return {
        int(s): str(grid.flat[s]) for s in np.flatnonzero(np.isin(grid, ["S", "G"]))
    }


def _halo(width: float = 2.5):
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="#10141a")]


def _draw_arrows(axes, grid: np.ndarray, policy: np.ndarray) -> None:
    shown = masks(policy, len(MOVES), policy.shape[:3])[0]
    for row, column in np.argwhere(grid == "."):
        for a, (dr, dc) in enumerate(MOVES):
            if shown[row, column] >> a & 1:
                arrow = axes.arrow(
                    *(column, row, 0.2 * dc, 0.2 * dr),
                    head_width=0.22,
                    head_length=0.14,
                    lw=1,
                    color="white",
                )
                arrow.set_path_effects(_halo())


def _draw_texts(axes, grid: np.ndarray, v: np.ndarray | None) -> None:
    texts = (
        {}
        if v is None
        else {
            s: f"{v.flat[s]:.2f}"
            for s in range(v.size)
            if grid.flat[s] == "." and np.isfinite(v.flat[s])
        }
    )
    for s, text in (texts | _marks(grid)).items():
        row, column = divmod(s, grid.shape[1])
        letter = text in ("S", "G")
        axes.text(
            *(column, row, text),
            ha="center",
            va="center",
            color="white",
            fontsize=14 if letter else 8,
            fontweight="bold" if letter else "normal",
            path_effects=_halo(),
        )
