"""The figures in Chromium: they answer to keyboard and pointer as they should."""

import numpy as np
import pytest
import viz_pages
from test_viz_quiz import QUESTIONS
from viz_pages import (
    X,
    all_figures,
    drawing,
    make_curve,
    make_frames,
    make_maze,
    wave,
)

from mbrl_edu.viz import quiz
from mbrl_edu.viz.figure import plain

browser, show = viz_pages.browser, viz_pages.show  # fixtures


def test_every_slider_moves_by_keyboard_and_changes_the_drawing(show):
    page = show(*all_figures())
    figures = page.locator(".mbrl-fig")
    assert figures.count() == 3
    counts = []
    for i in range(3):
        sliders = figures.nth(i).locator("input[type=range]")
        counts.append(sliders.count())
        for j in range(sliders.count()):
            sliders.nth(j).focus()
            page.keyboard.press("Home")
            shown = sliders.nth(j).get_attribute("aria-valuetext")
            before = drawing(figures.nth(i))
            page.keyboard.press("ArrowRight")
            assert sliders.nth(j).input_value() == "1"
            assert sliders.nth(j).get_attribute("aria-valuetext") != shown
            assert drawing(figures.nth(i)) != before
            outline = sliders.nth(j).evaluate("el => getComputedStyle(el).outlineWidth")
            assert outline == "3px"
    assert counts == [2, 1, 1]


def test_a_curve_reads_out_what_the_function_returns(show):
    page = show(make_curve())
    sliders, plot = page.locator("input[type=range]"), page.locator(".mbrl-plot")
    for i, a in enumerate([0.5, 1, 1.5]):
        for j, b in enumerate([-1, 0, 1, 2]):
            sliders.nth(0).fill(str(i))
            sliders.nth(1).fill(str(j))
            y = wave(X, a, b)
            k = int(np.argmax(np.float32(y["wave"])))
            note = page.locator(".mbrl-note").inner_text()
            assert note.startswith(
                f"wave: max {plain(np.float32(y['wave'][k]))} at x = {plain(X[k])}; "
            )
            plot.focus()
            page.keyboard.press("ArrowLeft")  # the cursor appears in the middle
            read = page.locator(".mbrl-read")
            middle = plain(np.float32(y["wave"][4]))
            assert read.inner_text() == f"x = 2: wave: {middle}; tiny: no value"
            page.keyboard.press("ArrowRight")
            value, tiny = (plain(np.float32(y[c][5])) for c in ("wave", "tiny"))
            assert read.inner_text() == f"x = 2.5: wave: {value}; tiny: {tiny}"


def test_a_maze_reads_out_values_walls_and_gaps(show):
    figure, values = make_maze()
    page = show(figure)
    board, read = page.locator(".mbrl-board"), page.locator(".mbrl-read")
    page.locator("input[type=range]").fill("2")
    box = board.bounding_box()
    for s in (0, 7, 8, 30, 53):
        row, column = divmod(s, 9)
        page.mouse.move(
            box["x"] + (column + 0.5) / 9 * box["width"],
            box["y"] + (row + 0.5) / 6 * box["height"],
        )
        text = read.inner_text()
        assert text.startswith(f"cell {s} (row {row}, column {column}): ")
        if s == 7:
            assert text.endswith("wall")
        elif s == 8:
            assert text.endswith("no value")
        else:
            assert abs(float(text.split(": ")[1]) - values[2, s]) < 1e-3
    page.mouse.move(box["x"], box["y"] + 2 * box["height"])
    assert read.inner_text().startswith("Point")
    board.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "row 4, column 4" in read.inner_text()


def test_the_agent_leaves_a_trail_and_vanishes(show):
    page = show(make_maze()[0])
    slider, agent = page.locator("input[type=range]"), page.locator(".mbrl-agent")
    trail = page.locator(".mbrl-trail")
    slider.fill("2")  # states 18, 27, 36: three cells down in the first column
    assert agent.get_attribute("cx") == "20" and agent.get_attribute("cy") == "180"
    assert trail.get_attribute("d") == "M20 100L20 140L20 180"
    slider.fill("3")
    assert not agent.is_visible()
    slider.fill("4")  # it starts again; no line back
    assert trail.get_attribute("d").endswith("M20 100")


@pytest.mark.parametrize("make", [lambda: make_maze()[0], make_frames])
def test_play_advances_pauses_ends_and_starts_again(show, make):
    page = show(make())
    button, slider = page.locator("button"), page.locator("input[type=range]")
    assert button.get_attribute("aria-label").startswith("Play ")
    page.wait_for_timeout(250)
    assert slider.input_value() == "0"  # never starts by itself
    before = drawing(page.locator(".mbrl-fig"))
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_function("document.querySelector('input').value >= 2")
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    paused = slider.input_value()
    assert drawing(page.locator(".mbrl-fig")) != before
    page.wait_for_timeout(250)
    assert slider.input_value() == paused
    slider.focus()
    page.keyboard.press("Space")  # toggles from anywhere in the figure
    assert button.get_attribute("aria-pressed") == "true"
    last = slider.get_attribute("max")
    page.wait_for_function(f"document.querySelector('input').value == {last}")
    page.wait_for_function("document.querySelector('button').ariaPressed == 'false'")
    button.click()
    assert int(slider.input_value()) < int(last)
    button.click()


def test_a_quiz_explains_counts_and_stays_apart_from_its_twin(show):
    page = show(quiz(QUESTIONS), quiz(QUESTIONS))
    one, two = page.locator(".mbrl-quiz").nth(0), page.locator(".mbrl-quiz").nth(1)
    score = one.locator(".mbrl-score")
    assert score.inner_text() == "Score: 0 of 2 right, 0 of 2 answered."
    assert score.get_attribute("aria-live") == "polite"
    radios = one.locator("input[type=radio]")
    radios.nth(0).focus()
    page.keyboard.press("Space")
    assert one.locator(".mbrl-why").nth(0).inner_text().startswith("\u2713 Right.")
    assert score.inner_text() == "Score: 1 of 2 right, 1 of 2 answered."
    page.keyboard.press("ArrowDown")
    assert not one.locator(".mbrl-why").nth(0).is_visible()
    assert one.locator(".mbrl-why").nth(1).inner_text().startswith("\u2717 Not right.")
    assert score.inner_text() == "Score: 0 of 2 right, 1 of 2 answered."
    one.get_by_label("The rollout length").check()
    radios.nth(0).check()
    assert score.inner_text().endswith("2 of 2 answered. All right!")
    page.keyboard.press("Enter")  # sends nothing
    assert radios.nth(0).is_checked()
    assert two.locator("input:checked").count() == 0
    assert two.locator(".mbrl-score").inner_text().startswith("Score: 0 of 2")
