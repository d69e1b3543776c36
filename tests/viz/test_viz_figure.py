"""What holds for every figure: safe, small, the same bytes, no late imports."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from test_viz_curves import data_of

from mbrl_edu.viz import curve_explorer, frame_player, grid_player, quiz
from mbrl_edu.viz.figure import asset, markup
from mbrl_edu.viz.formula import formula

EVIL = "</script><script>window.hacked=1</script><img src=x onerror=hacked=1>'\"&"
KINDS = ["curve", "grid", "frames", "quiz"]


def make(kind, text="a text"):
    values = np.arange(8.0).reshape(2, 2, 2)
    shown = {"alt": text, "title": text, "caption": text}
    if kind == "curve":
        return curve_explorer(
            lambda x, a: {text: a * x, "other": x},
            [0, 1, 2],
            {"a": [1, 2]},
            **shown,
            names={"a": text},
            xlabel=text,
            ylabel=text,
            mark="max",
        )
    if kind == "grid":
        notes = [text, text]
        return grid_player(values, **shown, notes=notes, units=text, label=text)
    if kind == "frames":
        frames = np.zeros((2, 8, 8, 3), "u1")
        return frame_player(frames, {text: [text, "u"]}, **shown, notes=[text, text])
    return quiz(
        [{"question": text, "options": [(text, True, text), ("b", False, text)]}],
        title=text,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_input_gives_the_same_bytes(kind):
    assert make(kind).html == make(kind).html
    assert make(kind).html != make(kind, "another text").html


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_can_become_markup(kind):
    page = make(kind, EVIL).html
    assert "<img src=x" not in page
    assert "window.hacked=1</script>" not in page
    assert page.count("<script") == page.count("</script>") == (1 + (kind != "quiz"))
    if kind != "quiz":
        assert EVIL in json.dumps(
            data_of(make(kind, EVIL)), ensure_ascii=False
        ).replace('\\"', '"')


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_self_contained(kind):
    page = make(kind).html
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page)
    assert f'class="mbrl-{kind}' in page or f"mbrl-fig mbrl-{kind}" in page
    assert " id=" not in page  # two of the same figure must not share an id


@pytest.mark.parametrize("kind", KINDS)
def test_scripts_are_small_and_set_no_markup(kind):
    names = [f"{kind}.js"] if kind == "quiz" else [f"{kind}.js", "players.js"]
    source = asset(*names)
    assert len(source) < 10_000
    assert "innerHTML" not in source and "</" not in source
    assert not re.search(r"\beval\b|fetch\(|XMLHttp|import\(", source)


def test_a_saved_figure_is_a_page(tmp_path):
    figure = make("curve")
    figure.save(tmp_path / "figure.html")
    page = (tmp_path / "figure.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and figure.html in page
    assert figure._repr_html_() == figure.html
    assert repr(figure) == f"<curve, {len(figure.html.encode()) / 1000:.0f} kB: a text>"


def test_the_room_opens_without_plotting_libraries():
    code = (
        "import sys, mbrl_edu; assert 'mbrl_edu.viz' not in sys.modules;"
        "import mbrl_edu.viz; heavy = {'matplotlib', 'PIL', 'torch', 'pandas',"
        "'imageio_ffmpeg', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formulas_by_hand():
    def inner(tex):
        return re.fullmatch(r'<span class="mbrl-math">(.*)</span>', formula(tex))[1]

    assert inner("k") == "<i>k</i>"
    assert inner(r"\gamma^{k+1}") == "<i>\u03b3</i><sup><i>k</i>+1</sup>"
    assert inner(r"\epsilon_\pi \le 0.5") == (
        "<i>\u03b5</i><sub><i>\u03c0</i></sub> \u2264 0.5"
    )
    assert inner(r"\hat{P}(s'|s,a)").startswith("<i>P\u0302</i>(<i>s</i>\u2032|")
    assert inner(r"r_{\max} < 1") == "<i>r</i><sub>max</sub> &lt; 1"
    assert inner(r"\Omega-\omega") == "<i>\u03a9</i>\u2212<i>\u03c9</i>"


@pytest.mark.parametrize("tex", [r"\frac{1}{2}", "{a", "a}", "a_", r"\hat{ab}", "a&b"])
def test_what_needs_a_typesetter_is_left_to_it(tex):
    left = tex.replace("&", "&amp;")
    assert formula(tex) == (
        f'<span class="math notranslate nohighlight">\\({left}\\)</span>'
    )


def test_markup_knows_code_and_formulas_only():
    assert markup("`a<b` and <b>") == "<code>a&lt;b</code> and &lt;b&gt;"
    assert markup("it costs 5$") == "it costs 5$"
    assert markup("`$x$`") == "<code>$x$</code>"
