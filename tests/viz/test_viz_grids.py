"""grid_player and the maze helpers: values, walls, arrows, the agent."""

import base64
import re

import numpy as np
import pytest
from test_viz_curves import data_of

from mbrl_edu.envs.maze import DYNA_MAZE, GAP_LEFT, GAP_RIGHT, Maze
from mbrl_edu.viz import grid_player, maze_player, maze_values
from mbrl_edu.viz.grid_svg import NONE, TOP, WALL

VALUES = np.arange(24, dtype=float).reshape(2, 3, 4)


def levels_of(figure):
    data = data_of(figure)
    flat = np.frombuffer(base64.b64decode(data["q"]), "<u2")
    return flat.reshape(-1, data["h"], data["w"])


def masks_of(figure):
    data = data_of(figure)
    flat = np.frombuffer(base64.b64decode(data["policy"]), "u1")
    return flat.reshape(-1, data["h"], data["w"])


def test_values_come_back_to_one_part_in_65533():
    values = np.random.default_rng(0).normal(size=(5, 4, 6)) * 30
    figure = grid_player(values, alt="noise")
    low, high = data_of(figure)["range"]
    back = low + (high - low) * levels_of(figure).astype(float) / TOP
    assert (low, high) == (values.min(), values.max())
    np.testing.assert_allclose(back, values, atol=0.51 * (high - low) / TOP)


def test_walls_and_missing_values_have_levels_of_their_own():
    values = VALUES.copy()
    values[1, 0, 0] = np.nan
    walls = np.zeros((3, 4), bool)
    walls[2, 3] = True  # holds the largest value, which must not count
    figure = grid_player(values, walls, alt="with a wall")
    levels = levels_of(figure)
    assert levels[1, 0, 0] == NONE
    assert (levels[:, 2, 3] == WALL).all()
    assert data_of(figure)["range"] == [0, 22]


def test_limits_clip():
    levels = levels_of(grid_player(VALUES, alt="clipped", limits=(5, 10)))
    assert levels[0, 0, 0] == 0
    assert levels[1, 2, 3] == TOP


def test_whole_numbers_show_no_decimals():
    assert data_of(grid_player(VALUES, alt="counts"))["digits"] == 0
    assert data_of(grid_player(VALUES / 100, alt="shares"))["digits"] == 4


def test_actions_become_bits_and_ties_are_all_drawn():
    policy = np.full((2, 3, 4), -1)
    policy[0, 0, 1] = 3
    masks = masks_of(grid_player(VALUES, alt="one arrow", policy=policy))
    assert masks[0, 0, 1] == 8
    assert masks.sum() == 8
    pi = np.zeros((2, 3, 4, 4))
    pi[..., 0] = pi[..., 2] = 0.5
    pi[1, 1, 1] = 0  # no action at all
    masks = masks_of(grid_player(VALUES, alt="ties", policy=pi))
    assert masks[1, 1, 1] == 0
    assert (np.delete(masks.ravel(), 12 + 5) == 0b101).all()


def test_no_arrow_under_a_mark_or_on_a_wall():
    walls = np.zeros((3, 4), bool)
    walls[0, 0] = True
    policy = np.zeros((2, 3, 4), int)
    figure = grid_player(VALUES, walls, {5: "G"}, alt="marks", policy=policy)
    masks = masks_of(figure)
    assert not masks[:, 0, 0].any() and not masks[:, 1, 1].any()
    assert masks.sum() == 2 * (12 - 2)


def test_the_first_state_is_drawn_without_a_script():
    figure = grid_player(
        VALUES,
        marks={0: "S"},
        alt="first",
        agent=[-1, 6],
        start=1,
        notes=["zero", "<one>"],
    )
    drawing = figure.html.split("<script")[0]
    assert drawing.count('class="c"') == 12
    assert ">S</text>" in drawing
    assert 'cx="100" cy="60"' in drawing  # state 6: row 1, column 2, cells of 40
    assert '<div class="mbrl-note">&lt;one&gt;</div>' in drawing


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alt": ""}, "alt"),
        ({"values": VALUES[0]}, "(T, H, W)"),
        ({"values": VALUES[:1]}, "at least 2 steps"),
        ({"values": np.where(VALUES == 7, np.inf, VALUES)}, "step 0, row 1, column 3"),
        ({"values": VALUES * np.nan}, "no number"),
        ({"walls": np.zeros((4, 3), bool)}, "walls has shape (4, 3)"),
        ({"walls": np.zeros((3, 4))}, "booleans"),
        ({"marks": {12: "G"}}, "marks key"),
        ({"marks": {1: "Goal"}}, "'Goal'"),
        ({"policy": np.full((2, 3, 4), 4)}, "[-1, 3]"),
        ({"policy": np.zeros((3, 4), int)}, "policy has shape"),
        ({"policy": np.full((2, 3, 4, 4), -0.5)}, "negative"),
        ({"agent": [1]}, "agent has 1"),
        ({"agent": [1, 12]}, "agent[1]"),
        ({"steps": [1, 2, 3]}, "steps has 3"),
        ({"notes": ["one"]}, "notes has 1"),
        ({"limits": (1, 0)}, "limits"),
        ({"moves": []}, "moves"),
        ({"cmap": "virids"}, "'viridis'"),
        ({"start": 2}, "start"),
        ({"interval": 1}, "interval"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change, words):
    with pytest.raises(ValueError) as caught:
        grid_player(**({"values": VALUES, "alt": "a grid"} | change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_maze_brings_its_walls_and_marks():
    values = np.zeros((2, 54))
    values[1] = np.arange(54)
    for maze in (DYNA_MAZE, Maze()):
        figure = maze_player(maze, values, alt="the Dyna maze")
        grid = np.array([list(row) for row in DYNA_MAZE])
        np.testing.assert_array_equal(levels_of(figure)[0] == WALL, grid == "#")
        assert figure.html.count("</text>") == 2
        assert figure.alt == "the Dyna maze"


def test_a_maze_that_changes_and_a_policy_for_all_steps():
    pi = np.zeros((54, 4))
    pi[:, 3] = 1
    figure = maze_player(
        [GAP_RIGHT, GAP_LEFT], np.zeros((2, 6, 9)), pi, alt="the gap moves"
    )
    levels = levels_of(figure)
    assert levels[0, 3, 0] == WALL and levels[0, 3, 8] != WALL
    assert levels[1, 3, 0] != WALL and levels[1, 3, 8] == WALL
    masks = masks_of(figure)
    assert masks[1, 3, 0] == 8 and masks[0, 3, 0] == 0
    actions = np.full((2, 54), 3)
    same = maze_player(
        [GAP_RIGHT, GAP_LEFT], np.zeros((2, 6, 9)), actions, alt="the gap moves"
    )
    assert same.html == figure.html


def test_a_maze_refuses_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"values has shape \(2, 53\)"):
        maze_player(DYNA_MAZE, np.zeros((2, 53)), alt="x")
    with pytest.raises(ValueError, match="2 layouts"):
        maze_player([GAP_LEFT, GAP_RIGHT], np.zeros((3, 54)), alt="x")
    with pytest.raises(ValueError, match="policy, of probabilities"):
        maze_player(DYNA_MAZE, np.zeros((2, 54)), np.zeros((54, 3)), alt="x")
    with pytest.raises(ValueError, match="layout 1 has size"):
        maze_player([GAP_LEFT, ["SG"]], np.zeros((2, 54)), alt="x")
    with pytest.raises(ValueError, match="alt"):
        maze_player(DYNA_MAZE, np.zeros((2, 54)), alt="")
    with pytest.raises(ValueError, match="values has shape"):
        maze_values(DYNA_MAZE, np.zeros((2, 54)))


def test_the_static_picture_shows_values_walls_and_marks():
    from matplotlib import pyplot as plt

    values, before = np.arange(54.0), plt.get_fignums()
    figure = maze_values(Maze(), values, np.full(54, 3), limits=(0, 60), numbers=True)
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    grid = np.array([list(row) for row in DYNA_MAZE])
    np.testing.assert_array_equal(shown.mask, grid == "#")
    np.testing.assert_array_equal(shown.compressed(), values[grid.ravel() != "#"])
    assert axes.images[0].get_clim() == (0, 60)
    texts = [t.get_text() for t in axes.texts]
    assert sorted(re.findall("[SG]", " ".join(texts))) == ["G", "S"]
    assert len(texts) == (grid != "#").sum()
    from matplotlib.patches import FancyArrow

    arrows = [p for p in axes.patches if isinstance(p, FancyArrow)]
    assert len(arrows) == (grid == ".").sum()
    figure.canvas.draw()
    assert plt.get_fignums() == before  # else a notebook would show it twice
