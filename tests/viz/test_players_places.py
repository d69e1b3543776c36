"""The figures in Chromium: on every kind of page, screen and notebook."""

import html
import re

import numpy as np
import viz_pages
from test_viz_quiz import QUESTIONS
from viz_pages import (
    X,
    all_figures,
    drawing,
    make_curve,
    make_frames,
    make_maze,
    page_of,
)

from mbrl_edu.viz import curve_explorer, frame_player, maze_player, quiz

EVIL = "</script><script>hacked=1</script><img src=x onerror=hacked=1>"
PHONE = {"width": 390, "height": 800}

browser, show = viz_pages.browser, viz_pages.show  # fixtures


def colours(page):
    """Colours of text, ground and lines, with what they are on."""
    return page.evaluate(
        """() => [".mbrl-fig", ".mbrl-line", ".mbrl-plot text", ".mbrl-why", ".w",
          ".mbrl-row button"].map(s => {
            const look = getComputedStyle(document.querySelector(s));
            return [look.color, look.backgroundColor, look.stroke, look.fill].join();
          })"""
    )


def test_dark_follows_the_page_first_then_the_system(show):
    parts = (*all_figures(), quiz(QUESTIONS))
    light = colours(show(*parts, color_scheme="light"))
    dark = colours(show(*parts, color_scheme="dark"))
    assert all(a != b for a, b in zip(light, dark, strict=True))
    assert colours(show(*parts, theme="dark", color_scheme="light")) == dark
    assert colours(show(*parts, theme="light", color_scheme="dark")) == light


SMALLEST = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const sizes = [], without = "script, style, noscript";
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || el.closest(without)) continue;
    if (!el.getClientRects().length) continue;
    const scale = el.getScreenCTM ? el.getScreenCTM().a : 1;
    sizes.push([scale * parseFloat(getComputedStyle(el).fontSize), el.outerHTML]);
  }
  return sizes.sort((a, b) => a[0] - b[0])[0];
}"""


def test_it_fits_a_telephone(show):
    wide = curve_explorer(
        lambda x, a: a * x,
        X,
        {"a": [1e5, 123456]},
        alt="a line",
        names={"a": "a slider with a long name, longer than a telephone is wide"},
        ylabel="an axis with a long name, longer than a telephone is wide too",
    )
    big = maze_player(["S" + "." * 24, "." * 24 + "G"], np.eye(50), alt="a corridor")
    page = show(*all_figures(), wide, big, quiz(QUESTIONS), viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(el => {
          const box = el.getBoundingClientRect();
          return box.width && !el.closest(".mbrl-plot svg svg, .mbrl-plot path") &&
            (box.right > 391 || box.left < -1);
        }).map(el => el.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    size, element = page.evaluate(SMALLEST)
    assert size >= 12, element


def test_two_of_the_same_figure_live_side_by_side(show):
    page = show(make_curve(), make_curve(), make_frames(), make_frames())
    figures = page.locator(".mbrl-fig")
    for i in (0, 2):
        one, two = figures.nth(i), figures.nth(i + 1)
        counts = [f.locator("input").count() for f in (one, two)]
        assert counts == ([2, 2] if i == 0 else [1, 1])
        assert drawing(one) == drawing(two)
        two.locator("input").first.fill("0")
        one.locator("input").first.fill("2")
        assert drawing(one) != drawing(two)


def test_without_javascript_the_first_state_is_there(show):
    figures = (*all_figures(), quiz(QUESTIONS))
    still = show(*figures, java_script_enabled=False)
    assert still.locator(".mbrl-fig noscript p").count() == 3
    text = still.locator("noscript p").first.inner_text()
    assert text.startswith("Shown for a = 1, b = 1.")
    assert still.locator("input[type=range]").count() == 0
    # The script draws the same first state as Python did.
    lively = show(*figures)
    for name, attribute in [
        (".mbrl-line", "d"),
        (".mbrl-dot", "cx"),
        (".c", "fill"),
        (".c", "class"),
        (".mbrl-arrows", "d"),
        ("img", "src"),
    ]:
        pair = []
        for page in (still, lively):
            found = page.locator(f".mbrl-out {name}")
            pair.append([e.get_attribute(attribute) for e in found.all()])
        assert len(pair[0]) > 0
        assert pair[0] == pair[1], name
    notes = [p.locator(".mbrl-note").first.inner_text() for p in (still, lively)]
    assert notes[0] == notes[1] != ""
    still.locator(".mbrl-quiz input").first.check()
    assert still.locator(".mbrl-why").first.is_visible()


def test_text_stays_text(show):
    figure = frame_player(
        np.zeros((2, 9, 9, 3), "u1"), {EVIL: [EVIL, "b"]}, alt=EVIL, notes=[EVIL] * 2
    )
    curve = make_curve(xlabel=EVIL, names={"a": EVIL}, title=EVIL, caption=EVIL)
    question = {"question": EVIL, "options": [(EVIL, True, EVIL), ("b", False, EVIL)]}
    page = show(figure, curve, quiz([question]))
    page.locator("input[type=range]").first.fill("1")
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img").count() == 1
    assert EVIL in page.locator(".mbrl-note").first.inner_text()


def test_it_runs_in_the_sandbox_of_an_output_cell(show):
    """Colab puts every output into a frame of its own that may run scripts only."""
    text = html.escape(page_of(make_curve()))
    page = show(
        f'<iframe sandbox="allow-scripts" width="700" height="700" srcdoc="{text}">'
    )
    frame = page.frame_locator("iframe")
    slider = frame.locator("input[type=range]").first
    before = frame.locator(".mbrl-out").inner_html()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert frame.locator(".mbrl-out").inner_html() != before


def test_it_runs_where_a_notebook_inserts_it_late_and_twice(show):
    """JupyterLab sets the HTML of an output and puts fresh copies of its scripts in."""
    page = show("<div id='cell'></div>")
    insert = """html => {
      const cell = document.createElement("div");
      cell.innerHTML = html;
      for (const old of cell.querySelectorAll("script")) {
        const fresh = document.createElement("script");
        fresh.textContent = old.textContent;
        if (old.type) fresh.type = old.type;
        old.replaceWith(fresh);
      }
      document.getElementById("cell").replaceChildren(cell);
    }"""
    for _ in range(2):
        page.evaluate(insert, make_maze()[0].html)
        assert page.locator("input[type=range]").count() == 1
        before = drawing(page.locator(".mbrl-fig"))
        page.locator("input[type=range]").fill("1")
        assert drawing(page.locator(".mbrl-fig")) != before
    # Another cell runs: what the reader did in the first one stays.
    page.evaluate(
        """html => {
          const other = document.createElement("div");
          document.body.append(other);
          other.append(document.createRange().createContextualFragment(html));
        }""",
        make_maze()[0].html,
    )
    assert page.locator(".mbrl-row").count() == 2
    assert page.locator("input[type=range]").first.input_value() == "1"
    page.locator("button").first.click()
    page.wait_for_function("document.querySelector('input').value >= 2")
    page.evaluate(
        """() => {
          window.range = document.querySelector("input");
          document.querySelector(".mbrl-fig").remove();
        }"""
    )
    left = page.evaluate("range.value")
    page.wait_for_timeout(200)  # more than three steps of 60 ms
    assert page.evaluate("range.value") == left


def test_a_page_saved_by_the_browser_still_works(show):
    first = show(make_curve(), quiz(QUESTIONS))
    saved = re.search(r"<body>(.*)</body>", first.content(), re.S)[1]
    page = show(saved)
    assert page.locator("input[type=range]").count() == 2
    assert page.locator(".mbrl-read").count() == 1
    before = drawing(page.locator(".mbrl-fig"))
    page.locator("input[type=range]").first.fill("0")
    assert drawing(page.locator(".mbrl-fig")) != before
