"""Grid mazes as Gymnasium environments: the Dyna maze and mazes that change."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from mbrl_edu.core import check

# Sutton & Barto (2018), Figures 8.2, 8.4 and 8.5.
# '.' free, '#' wall, 'S' start, 'G' goal; row 0 is on top.
DYNA_MAZE = (
    ".......#G",
    "..#....#.",
    "S.#....#.",
    "..#......",
    ".....#...",
    ".........",
)
GAP_RIGHT = (
    "........G",
    ".........",
    ".........",
    "########.",
    ".........",
    "...S.....",
)
GAP_LEFT = (*GAP_RIGHT[:3], ".########", *GAP_RIGHT[4:])
GAP_BOTH = (*GAP_RIGHT[:3], ".#######.", *GAP_RIGHT[4:])

ACTIONS = ("up", "down", "left", "right")
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))

Layout = Sequence[str]
PIXELS = 24  # side of a cell in a picture
COLOURS = {".": (255, 255, 255), "#": (74, 78, 84), "S": (205, 228, 245)}
COLOURS |= {"G": (242, 200, 80), "agent": (11, 110, 153)}


def read_layout(layout: Layout, name: str = "layout") -> np.ndarray:
    """The characters of a maze as an array (rows, columns).

    Raises ValueError, naming row and column (counted from 0), unless all rows are
    equally long, every character is one of ``.#SG``, there is exactly one S, and some G
    can be reached from it.
    """
    rows = list(layout)
    if isinstance(layout, str) or not rows or not all(isinstance(x, str) for x in rows):
        raise ValueError(f"{name} is {layout!r}, but must be a list of strings.")
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]) or not row:
            raise ValueError(
                f"{name} row {i} has {len(row)} columns, but must have as many as "
                f"row 0, which has {len(rows[0])} (at least 1)."
            )
        for j, cell in enumerate(row):
            if cell not in ".#SG":
                raise ValueError(
                    f"{name} row {i}, column {j} is {cell!r}, but must be one of "
                    "'.' (free), '#' (wall), 'S' (start), 'G' (goal)."
                )
    grid = np.array([list(row) for row in rows])
    starts = [(int(i), int(j)) for i, j in np.argwhere(grid == "S")]
    if len(starts) != 1:
        found = " and ".join(f"row {i}, column {j}" for i, j in starts) or "nowhere"
        raise ValueError(f"{name} has S at {found}, but must have exactly one S.")
    _require_path(grid, starts[0], name)
    return grid


def _require_path(grid: np.ndarray, start: tuple[int, int], name: str) -> None:
    reached, frontier = {start}, deque([start])
    while frontier:
        i, j = frontier.popleft()
        if grid[i, j] == "G":
            return
        for di, dj in MOVES:
            x, y = i + di, j + dj
            inside = 0 <= x < grid.shape[0] and 0 <= y < grid.shape[1]
            if inside and grid[x, y] != "#" and (x, y) not in reached:
                reached.add((x, y))
                frontier.append((x, y))
    raise ValueError(
        f"{name} has no free path from S at row {start[0]}, column {start[1]} to a "
        "G, but must have one."
    )


def scaled(layout: Layout, f: int) -> list[str]:
    """The same maze at ``f`` times the resolution (S&B Example 8.4): every cell
    becomes f x f cells, the goal too; the start is one of them, its top left."""
    check.integer("f", f, low=1)
    rows = ["".join(c * f for c in row) for row in layout for _ in range(f)]
    i, j = next((i, row.index("S")) for i, row in enumerate(rows) if "S" in row)
    rows = [row.replace("S", ".") for row in rows]
    rows[i] = rows[i][:j] + "S" + rows[i][j + 1 :]
    return rows


class Maze(gym.Env):
    """Find the goal: reward 1 on entering it, 0 otherwise (S&B Example 8.1).

    The state is ``row * columns + column``. Actions: 0 up, 1 down, 2 left, 3 right; a
    move into a wall or off the grid leaves the state as it is.

    Parameters
    ----------
    layout : list of str
        The maze, see ``read_layout``.
    changes : sequence of (int, list of str)
        ``(t, layout)``: the first t steps are taken in the maze before, step t + 1 is
        the first in this one. Steps are counted over the life of the environment,
        across episodes; ``reset(seed=...)`` begins a new life at step 0.
    slip : float
        Probability that an action is replaced by one drawn uniformly.
    render_mode : None, "ansi" or "rgb_array"
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 8}

    def __init__(
        self,
        layout: Layout = DYNA_MAZE,
        changes: Sequence[tuple[int, Layout]] = (),
        slip: float = 0.0,
        render_mode: str | None = None,
    ):
        check.choice("render_mode", render_mode, [None, *self.metadata["render_modes"]])
        self.render_mode = render_mode
        self.slip = check.number("slip", slip, low=0, high=1)
        self._layouts = [(0, read_layout(layout))]
        for i, (t, later) in enumerate(changes):
            check.integer(f"changes[{i}] step", t, low=self._layouts[-1][0] + 1)
            grid = read_layout(later, f"changes[{i}] layout")
            first = self._layouts[0][1]
            if grid.shape != first.shape or ((grid == "G") != (first == "G")).any():
                raise ValueError(
                    f"changes[{i}] layout must have the size and the goals of layout, "
                    f"but has size {grid.shape} against {first.shape}, or other goals."
                )
            self._layouts.append((t, grid))
        self.shape = self._layouts[0][1].shape
        n = self.shape[0] * self.shape[1]
        self.observation_space = gym.spaces.Discrete(n)
        self.action_space = gym.spaces.Discrete(len(MOVES))
        self._moves = [self._move_table(grid) for _, grid in self._layouts]
        goals = np.flatnonzero(self._layouts[0][1] == "G")
        self.goals = frozenset(int(s) for s in goals)
        self.clock = 0  # steps taken in this life
        self._phase = 0  # which layout holds
        self.s = self.start

    @property
    def grid(self) -> np.ndarray:
        """The characters of the maze that the next step is taken in."""
        return self._layouts[self._phase][1]

    @property
    def start(self) -> int:
        return int(np.flatnonzero(self.grid == "S")[0])

    def _move_table(self, grid: np.ndarray) -> list[list[int]]:
        """table[s][a] is the state after action a in s, were it not to slip."""
        rows, columns = grid.shape
        table = []
        for s in range(rows * columns):
            after = []
            for di, dj in MOVES:
                i, j = s // columns + di, s % columns + dj
                free = 0 <= i < rows and 0 <= j < columns and grid[i, j] != "#"
                after.append(i * columns + j if free else s)
            table.append(after)
        return table

    def _turn_clock(self, t: int) -> None:
        self.clock = t
        while self._phase + 1 < len(self._layouts):
            if t < self._layouts[self._phase + 1][0]:
                break
            self._phase += 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Back to the start; with a seed, the clock is turned back to 0 too."""
        super().reset(seed=seed)
        if seed is not None:
            self._phase = 0
            self._turn_clock(0)
        self.s = self.start
        return self.s, {"clock": self.clock}

    def step(self, a: int):
        if not self.action_space.contains(a):
            raise ValueError(f"a is {a!r}, but must be 0, 1, 2 or 3: {ACTIONS}.")
        if self.slip and self.np_random.random() < self.slip:
            a = int(self.np_random.integers(len(MOVES)))
        self.s = self._moves[self._phase][self.s][a]
        self._turn_clock(self.clock + 1)
        done = self.s in self.goals
        return self.s, float(done), done, False, {"clock": self.clock}

    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The exact dynamics of the maze as it now stands.

        P (S, A, S): probability of s' after a in s; goals are absorbing.
        r (S, A): expected reward. rho0 (S,): where episodes begin.
        """
        n, m = len(self._moves[0]), len(MOVES)
        landed = np.eye(n)[np.array(self._moves[self._phase])]  # (S, A, S)
        P = (1 - self.slip) * landed + self.slip * landed.mean(1, keepdims=True)
        goals = sorted(self.goals)
        P[goals] = np.eye(n)[goals][:, None]
        r = P[:, :, goals].sum(-1)
        r[goals] = 0.0
        return P, r.reshape(n, m), np.eye(n)[self.start]

    def render(self):
        if self.render_mode is None:
            return None
        picture = self.grid.copy()
        row, column = divmod(self.s, self.shape[1])
        if self.render_mode == "ansi":
            picture[row, column] = "A"
            return "\n".join("".join(line) for line in picture) + "\n"
        colour = np.array([[COLOURS[c] for c in line] for line in picture], np.uint8)
        image = colour.repeat(PIXELS, 0).repeat(PIXELS, 1)
        image[::PIXELS] = image[:, ::PIXELS] = 225  # lines between the cells
        off = np.arange(PIXELS) - PIXELS // 2
        disc = off[:, None] ** 2 + off**2 < (0.36 * PIXELS) ** 2
        cell = image[row * PIXELS :, column * PIXELS :][:PIXELS, :PIXELS]
        cell[disc] = COLOURS["agent"]
        return image
