"""curve_explorer: what travels in the figure is what the function returns."""

import base64
import itertools
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbrl_edu.viz import curve_explorer
from mbrl_edu.viz.axes import Scale
from mbrl_edu.viz.figure import MAX_BYTES, plain

X = np.linspace(0, 2, 21)
SLIDERS = {"a": [1, 2, 3], "b": [0.5, -0.5]}


def two(x, a, b):
    return {"up": a * x + b, "down": b - a * x**2}


def data_of(figure):
    text = re.search(r'<script type="application/json">(.*?)</script>', figure.html)
    return json.loads(text[1])


def curves_of(figure):
    data = data_of(figure)
    flat = np.frombuffer(base64.b64decode(data["y"]), "<f4")
    return flat.reshape(-1, len(data["labels"]), len(data["x"]))


def test_every_combination_travels_in_the_order_of_the_sliders():
    figure = curve_explorer(two, X, SLIDERS, alt="two curves")
    Y = curves_of(figure)
    combinations = list(itertools.product(*SLIDERS.values()))
    assert Y.shape == (len(combinations), 2, len(X))
    for y, (a, b) in zip(Y, combinations, strict=True):
        np.testing.assert_allclose(y[0], a * X + b, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(y[1], b - a * X**2, rtol=1e-6, atol=1e-6)
    assert data_of(figure)["labels"] == ["up", "down"]


def test_an_array_of_curves_takes_its_labels_from_the_argument():
    figure = curve_explorer(
        lambda x, a: np.stack([a * x, -a * x]), X, {"a": [1, 2]}, labels="pq", alt="x"
    )
    np.testing.assert_allclose(curves_of(figure)[1, 1], -2 * X, rtol=1e-6)
    assert data_of(figure)["labels"] == ["p", "q"]


def test_the_optimum_of_the_first_state_is_written_and_marked():
    figure = curve_explorer(
        lambda x, m: (x - m) ** 2 + 3,
        X,
        {"m": [0.5, 1.2]},
        alt="a parabola",
        mark="min",
        xlabel="k",
        start={"m": 1},
    )
    assert '<div class="mbrl-note">min 3 at k = 1.2</div>' in figure.html
    assert re.search(r'<circle class="mbrl-dot mbrl-s0" r="6" cx="60%"', figure.html)


def test_the_dot_sits_on_the_curve():
    figure = curve_explorer(
        lambda x, a: a * x, X, {"a": [1, 2]}, alt="x", mark="max", ylim=(0, 4)
    )
    dot = re.search(r'mbrl-dot.*?cx="([\d.]+)%" cy="([\d.]+)%"', figure.html)
    assert [float(v) for v in dot.groups()] == [100, 50]  # x = 2, y = 2 of 4


def test_nan_leaves_a_gap():
    def gap(x, a):
        return np.where((x > 0.95) & (x < 1.25), np.nan, a * x)

    figure = curve_explorer(gap, X, {"a": [1, 2]}, alt="a gap", ylim=(0, 4))
    path = re.search(r'mbrl-line mbrl-s0" d="([^"]+)"', figure.html)[1]
    assert path.count("M") == 2
    assert path.count("L") == len(X) - 3 - 2


def test_only_the_named_curves_are_marked():
    figure = curve_explorer(
        two, X, SLIDERS, alt="two", mark="max", marked=["down"], looks={"up": 4}
    )
    assert data_of(figure)["marked"] == [1]
    assert "up: max" not in figure.html
    assert figure.html.count('mbrl-line mbrl-s4"') == 2  # the curve and its key


def test_it_stays_small():
    sliders = {"a": np.linspace(0, 1, 21), "b": np.linspace(0, 1, 21)}
    figure = curve_explorer(
        lambda x, a, b: a * x + b, np.linspace(0, 1, 41), sliders, alt="a line"
    )
    assert figure.kb < 150


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alt": "  "}, "alt"),
        ({"sliders": {}}, "sliders"),
        ({"sliders": {"a": [1], "b": [1, 2]}}, "'a' has 1 value"),
        ({"sliders": {"a": [1, math.inf], "b": [1, 2]}}, "'a' has the value inf"),
        ({"sliders": {"a": [1, None], "b": [1, 2]}}, "'a' has the value None"),
        ({"x": [0, 1, 1]}, "from 1 to 1"),
        ({"x": [0, np.nan]}, "finite"),
        ({"x": [[0, 1]]}, "shape"),
        ({"mark": "middle"}, "mark"),
        ({"mark": "min", "marked": ["upp"]}, "'up'"),
        ({"ylim": (1, 1)}, "ylim"),
        ({"log": True}, "positive"),
        ({"log": "x"}, "positive"),
        ({"log": "z"}, "log"),
        ({"start": {"a": 3}}, "start"),
        ({"start": {"c": 0}}, "start key"),
        ({"names": {"A": "alpha"}}, "names key"),
        ({"looks": {"up": 6}}, "looks"),
        ({"fun": lambda x, a, b: x[:-1]}, "one value per x"),
        ({"fun": lambda x, a, b: np.full_like(x, np.inf)}, "infinite"),
        ({"fun": lambda x, a, b: np.full_like(x, 1e39)}, "too large"),
        ({"fun": lambda x, a, b: np.full_like(x, np.nan)}, "NaN everywhere"),
        ({"fun": lambda x, a, b: np.stack([x, x])}, "label"),
        ({"fun": lambda x, a, b: {}}, "0 curves"),
        ({"fun": lambda x, a, b: {str(a): x}}, "must return ['1']"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change, words):
    arguments = {"fun": two, "x": X, "sliders": SLIDERS, "alt": "two curves"} | change
    with pytest.raises(ValueError) as caught:
        curve_explorer(**arguments)
    message = str(caught.value)
    assert words in message
    assert message.endswith((".", "?")) and "\n" not in message


def test_too_much_data_is_refused_after_one_call():
    calls = []

    def fun(x, a, b):
        calls.append(a)
        return a * x

    n = MAX_BYTES // 4 // 100 + 1
    with pytest.raises(ValueError, match="MB"):
        curve_explorer(
            fun, np.arange(100), {"a": range(n), "b": [0, 1]}, alt="too much"
        )
    assert len(calls) == 1


def test_ticks_by_hand():
    assert Scale(0, 40).ticks() == [0, 10, 20, 30, 40]
    assert Scale(0, 120).ticks() == [0, 20, 40, 60, 80, 100, 120]
    assert Scale(-0.3, 0.31).ticks() == [-0.2, 0, 0.2]
    assert Scale(1, 1000, log=True).ticks() == [1, 10, 100, 1000]
    assert Scale(0.9, 12, log=True).ticks() == [1, 3, 10]


@given(
    st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(min_value=3, max_value=10)
)
def test_ticks_are_few_round_and_inside(low, width, n):
    scale = Scale(low, low + width)
    ticks = scale.ticks(n)
    assert 1 <= len(ticks) <= n + 1
    assert all(-1e-6 <= scale(t) <= 1 + 1e-6 for t in ticks)
    steps = np.diff(ticks)
    if len(steps):
        first = f"{steps[0]:.1e}"
        assert first[:3] in ("1.0", "2.0", "5.0")
        np.testing.assert_allclose(steps, steps[0], rtol=1e-5)


@given(st.floats(1e-9, 1e9), st.floats(1.5, 1e9))
def test_log_ticks_are_inside(low, ratio):
    scale = Scale(low, low * ratio, log=True)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 8
    assert all(-1e-6 <= scale(t) <= 1 + 1e-6 for t in ticks)


def test_numbers_in_print():
    assert [plain(v) for v in (0, 0.1 + 0.2, -2.5, 123456, 99995)] == [
        "0",
        "0.3",
        "\u22122.5",
        "123500",
        "100000",
    ]
    assert plain(1e-6) == "10\u207b\u2076"
    assert plain(-1.25e7) == "\u22121.25\u00b710\u2077"
    assert plain("as it is") == "as it is"
