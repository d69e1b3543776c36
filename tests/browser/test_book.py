"""Every page as a reader sees it: desktop and phone, light and dark, by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from built import built_pages

WIDTHS = {
    "desktop": (1280, 900, "light"),
    "tablet": (1100, 800, "light"),
    "phone": (390, 844, "dark"),
}
PROBE = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
# All that a player draws: its drawing (SVG, text), its canvases and its videos.
DRAWING = """fig => {
  const out = fig.querySelector(".mbrl-out");
  const pixels = [...out.querySelectorAll("canvas")].map(c => c.toDataURL());
  const times = [...out.querySelectorAll("video")].map(v => v.currentTime);
  return out.innerHTML + pixels + times;
}"""
FOCUS = """el => {
  const s = getComputedStyle(el);
  return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2)
    || s.boxShadow !== "none";
}"""


class View:
    """An open page, and all that went wrong while it was open."""

    def __init__(self, chromium, path: Path, width: int, height: int, scheme: str):
        self.faults: list[str] = []
        self.context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda e: self.faults.append(f"error: {e}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.on("requestfailed", lambda r: self.faults.append(f"failed: {r.url}"))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "() => !document.querySelector('article .math') || "
            "(window.MathJax && MathJax.startup && MathJax.startup.promise)"
        )
        self.page.evaluate(
            "async () => { await (window.MathJax?.startup?.promise); "
            "await document.fonts.ready; }"
        )

    def _console(self, message) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def _request(self, request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.faults.append(f"request: {request.url}")


@pytest.fixture(params=WIDTHS)
def view(chromium, path: Path, request: pytest.FixtureRequest) -> Iterator[View]:
    opened = View(chromium, path, *WIDTHS[request.param])
    yield opened
    opened.context.close()


def test_page(view: View) -> None:
    """It opens without an error, fits the width, can be read, and everything moves."""
    found = view.page.evaluate(PROBE)
    for kind, faults in found.items():
        assert not faults, f"{kind}: {faults}"
    for figure in view.page.query_selector_all(".mbrl-fig"):
        check_player(figure)
    for question in view.page.query_selector_all(".mbrl-quiz fieldset"):
        check_question(question)
    assert not view.faults


def check_player(figure) -> None:
    """Each slider changes the drawing by keyboard, and shows where the focus is."""
    sliders = figure.query_selector_all("input[type=range]")
    assert sliders, "a player without a slider"
    for slider in sliders:
        slider.focus()
        assert slider.evaluate(FOCUS), "no visible focus"
        assert moves(figure, slider), "the drawing stays as it is"


def moves(figure, slider) -> bool:
    """Walk the slider from its first to its last value; whether the drawing changed."""
    slider.press("Home")
    first, steps = figure.evaluate(DRAWING), int(slider.get_attribute("max") or 0)
    assert slider.input_value() == "0"
    for k in range(1, steps + 1):
        slider.press("ArrowRight")
        assert slider.input_value() == str(k), "the arrow key does not move the slider"
        if figure.evaluate(DRAWING) != first:
            return True
    return False


def check_question(question) -> None:
    """Choosing an option shows its explanation, and no other."""
    reasons = question.query_selector_all(".mbrl-why")
    options = question.query_selector_all("input[type=radio]")
    assert len(options) == len(reasons) >= 2
    assert not any(reason.is_visible() for reason in reasons)
    for option, reason in zip(options, reasons, strict=True):
        option.check()
        shown = [r for r in reasons if r.is_visible()]
        assert shown == [reason], "not the explanation of the chosen option"
        assert reason.inner_text().strip()


def test_players_and_quizzes_are_there() -> None:
    """The page that promises them has them; else nothing was tested above."""
    page = next(p for p in built_pages() if p.stem == "02-dyna")
    text = page.read_text(encoding="utf-8")
    assert 'class="mbrl-fig' in text
    assert 'class="mbrl-quiz' in text
