"""Mazes: Gymnasium's checker, the book's numbers, walls that move on time."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from mbrl_edu.envs import ACTIONS, MAZES, Maze, read_layout, scaled
from mbrl_edu.envs.maze import DYNA_MAZE, GAP_BOTH, GAP_LEFT, GAP_RIGHT
from mbrl_edu.theory import FiniteMDP, expected_steps, value_iteration

UP, DOWN, LEFT, RIGHT = range(4)


@pytest.mark.parametrize("name", MAZES)
@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_gymnasium_checker_finds_nothing(name, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(f"mbrl_edu/{name}", render_mode=mode)
        check_env(env.unwrapped)


def shortest(layout):
    grid = read_layout(layout)
    n, goal = grid.size, np.flatnonzero(grid == "G")
    P, r, rho0 = Maze(layout).tables()
    Q, _ = value_iteration(FiniteMDP(P, r, rho0, 0.5))
    V = Q.max(-1)
    s = int(np.flatnonzero(grid == "S")[0])
    assert n == len(P) and len(goal)
    return 1 + np.log(V[s]) / np.log(0.5)


@pytest.mark.parametrize(
    ("layout", "states", "steps", "walk"),
    [
        (DYNA_MAZE, 47, 14, 868.7),
        (GAP_RIGHT, 46, 10, 441.9),
        (GAP_LEFT, 46, 16, 683.9),
        (GAP_BOTH, 47, 10, 344.3),
    ],
)
def test_numbers_of_the_mazes(layout, states, steps, walk):
    grid = read_layout(layout)
    assert (grid != "#").sum() == states
    assert shortest(layout) == pytest.approx(steps)
    P, r, rho0 = Maze(layout).tables()
    free = (grid != "#").ravel()
    P, r, rho0 = P[np.ix_(free, range(4), free)], r[free], rho0[free]
    goal = (grid == "G").ravel()[free]
    steps = expected_steps(FiniteMDP(P, r, rho0, 0.9), np.full(r.shape, 0.25), goal)
    assert rho0 @ steps == pytest.approx(walk, abs=0.06)


def test_moves_walls_and_reward():
    env = Maze()
    s, _ = env.reset(seed=0)
    assert s == 2 * 9 and env.step(UP)[0] == 9
    assert env.step(RIGHT)[0] == 10
    assert env.step(RIGHT)[:2] == (10, 0.0)  # the wall at (1, 2)
    assert env.step(LEFT)[0] == 9 and env.step(LEFT)[0] == 9  # the edge
    env.s = 17  # (1, 8), below the goal
    assert env.step(UP)[:4] == (8, 1.0, True, False)
    for bad in (4, -1, 1.5, None):
        with pytest.raises(ValueError, match="but must be 0, 1, 2 or 3"):
            env.step(bad)


@pytest.mark.parametrize(
    ("name", "t"), [("BlockingMaze-v0", 1000), ("ShortcutMaze-v0", 3000)]
)
def test_walls_move_exactly_at_the_step(name, t):
    env = gym.make(f"mbrl_edu/{name}").unwrapped
    env.reset(seed=0)
    before = MAZES[name]["layout"]
    after = MAZES[name]["changes"][0][1]
    for i in range(1, t + 3):
        expected = before if i <= t else after
        assert ["".join(row) for row in env.grid] == list(expected), i
        _, _, done, _, info = env.step(DOWN if i % 7 else UP)
        assert info["clock"] == i and not done
        if i == t // 2:
            env.reset()  # a new episode does not turn the clock back
    env.reset(seed=0)
    assert env.clock == 0 and ["".join(row) for row in env.grid] == list(before)


def test_the_wall_is_there_in_the_very_next_step():
    env = Maze(GAP_RIGHT, changes=[(3, GAP_LEFT)])
    for steps_before, expected in ((2, 35), (3, 44)):  # (3, 8) is the gap on the right
        env.reset(seed=0)
        for _ in range(steps_before):
            env.step(DOWN)
        env.s = 44  # (4, 8)
        assert env.step(UP)[0] == expected


@given(st.integers(0, 2**31 - 1), st.floats(0, 1))
def test_the_tables_are_what_the_maze_does(seed, slip):
    env = Maze(slip=slip)
    P, r, rho0 = env.tables()
    assert np.allclose(P.sum(-1), 1) and (P >= 0).all()
    s, _ = env.reset(seed=seed)
    assert rho0[s] == 1
    g = np.random.default_rng(seed)
    for _ in range(30):
        a = int(g.integers(4))
        s_next, reward, done, _, _ = env.step(a)
        assert P[s, a, s_next] > 0 and reward == done == (s_next in env.goals)
        s = env.reset()[0] if done else s_next


def test_slipping_has_the_frequency_of_the_tables():
    env = Maze(slip=0.4)
    P, _, _ = env.tables()
    env.reset(seed=1)
    counts = np.zeros(54)
    for _ in range(20_000):
        env.s = 20 + 9 * 2  # (4, 2): free on all sides
        counts[env.step(RIGHT)[0]] += 1
    assert np.abs(counts / 20_000 - P[38, RIGHT]).max() < 4 * 0.5 / 20_000**0.5


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ("S.G", "must be a list of strings"),
        ([], "must be a list of strings"),
        (["S.G", ".."], "row 1 has 2 columns, but must have as many as row 0"),
        (["S.", "xG"], "row 1, column 0 is 'x'"),
        (["..", ".G"], "S at nowhere"),
        (["S.", "SG"], "S at row 0, column 0 and row 1, column 0"),
        (["S#G"], "no free path from S at row 0, column 0"),
        (["S.."], "no free path from S"),
    ],
)
def test_bad_mazes_are_refused(layout, sentence):
    with pytest.raises(ValueError) as error:
        Maze(layout)
    assert sentence in str(error.value)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="slip is 2"):
        Maze(slip=2)
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        Maze(render_mode="human")
    with pytest.raises(ValueError, match=r"changes\[0\] layout"):
        Maze(["S.G"], changes=[(5, ["SG."])])
    with pytest.raises(ValueError, match=r"changes\[1\] step is 5"):
        Maze(["S.G"], changes=[(5, ["S.G"]), (5, ["S.G"])])


@pytest.mark.parametrize("f", [1, 2, 3])
def test_a_scaled_maze_has_the_same_shape(f):
    rows = scaled(DYNA_MAZE, f)
    grid, small = read_layout(rows), read_layout(DYNA_MAZE)
    assert grid.shape == (6 * f, 9 * f) and (grid == "G").sum() == f * f
    assert ((grid == "#") == (small == "#").repeat(f, 0).repeat(f, 1)).all()
    assert grid[2 * f, 0] == "S"


def test_pictures():
    env = Maze(render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert first.shape == (6 * 24, 9 * 24, 3) and first.dtype == np.uint8
    env.step(UP)
    changed = np.argwhere((env.render() != first).any(-1)) // 24
    assert {tuple(c) for c in changed} == {(1, 0), (2, 0)}
    text = Maze(render_mode="ansi")
    text.reset(seed=0)
    assert text.render().splitlines()[2][0] == "A" and len(ACTIONS) == 4
