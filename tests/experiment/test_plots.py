import matplotlib.pyplot as plt
import numpy as np
import pytest

import mbrl_edu
from mbrl_edu.experiment import plots, registry, style

G = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def curves(*labels, runs=5, steps=40):
    return {
        k: i + np.linspace(0, 1, steps) + 0.1 * G.normal(size=(runs, steps))
        for i, k in enumerate(labels)
    }


def test_no_two_methods_look_alike_and_every_method_has_a_style():
    looks = [(s.color, str(s.line), s.marker) for s in style.METHOD_STYLE.values()]
    assert len(set(looks)) == len(looks)
    for method in registry.METHODS.values():
        assert style.style_of(method.name) == style.METHOD_STYLE[method.title]


@pytest.mark.parametrize(
    "together",
    [
        ("Dyna-Q n=0", "Dyna-Q n=5", "Dyna-Q n=50", "Q-planning"),
        ("Dyna-Q", "Dyna-Q+", "Prioritized sweeping", "Q-learning"),
        ("RS", "CEM", "PETS", "SAC"),
        ("SAC", "PPO", "PETS", "MBPO"),
        ("MBPO", "BMPO", "AMPO", "AutoMBPO", "SAC", "PPO"),
        ("MBPO", "SVG", "MAAC", "SAC"),
        ("PILCO", "PETS", "SAC"),
    ],
)
def test_methods_that_a_chapter_compares_differ_in_colour(together):
    colours = {style.METHOD_STYLE[m].color for m in together}
    assert len(colours) == len(together)


def contrast(color):
    """WCAG contrast of `color` against white."""
    parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_names_at_the_lines_are_readable_on_white():
    for look in style.METHOD_STYLE.values():
        assert contrast(style.ink(look.color)) >= 4.5, look


def test_every_text_is_at_least_nine_points_on_a_white_card():
    figure, _ = plots.plot_curves(
        curves("SAC", "MBPO"), xlabel="real steps", ylabel="return"
    )
    texts = [t for t in figure.findobj(plt.Text) if t.get_text()]
    assert {"SAC", "MBPO", "real steps", "return"} <= {t.get_text() for t in texts}
    assert min(t.get_fontsize() for t in texts) >= 9
    assert figure.get_size_inches()[0] == 6.4
    assert figure.get_facecolor()[:3] == (1, 1, 1)


def test_the_line_is_the_statistic_and_the_band_the_bootstrap():
    data = curves("SAC")
    figure, text = plots.plot_curves(data, statistic="mean", level=0.9)
    line = figure.axes[0].get_lines()[0]
    assert np.allclose(line.get_ydata(), data["SAC"].mean(0))
    assert (line.get_xdata() == np.arange(1, 41)).all()
    (band,) = figure.axes[0].collections
    y = band.get_paths()[0].vertices[:, 1]
    assert y.min() < data["SAC"].mean(0).min() < data["SAC"].mean(0).max() < y.max()
    assert text == "Mean over 5 seeds; bands: 90% percentile bootstrap over seeds."


def test_captions_name_numbers_of_runs():
    data = {"SAC": np.zeros((5, 3)), "PPO": np.zeros((7, 3))}
    _, text = plots.plot_curves(data, unit="MDP")
    assert "over MDPs (SAC: 5, PPO: 7)" in text and text.startswith("Interquartile")
    _, text = plots.plot_curves({"SAC": np.arange(3.0)})
    assert text == "One seed; no band."


def test_one_run_has_no_band():
    figure, _ = plots.plot_curves({"SAC": np.arange(3.0)})
    assert len(figure.axes[0].collections) == 0


def test_a_method_looks_the_same_in_every_figure():
    for labels in (("MBPO", "SAC"), ("PPO", "MBPO", "MBPO, k = 1")):
        figure, _ = plots.plot_curves(curves(*labels), labels="legend")
        line = {x.get_label(): x for x in figure.axes[0].get_lines()}["MBPO"]
        assert line.get_color() == style.METHOD_STYLE["MBPO"].color


def test_labels_without_a_style_get_one_each():
    figure, _ = plots.plot_curves(curves("a", "b", "SAC"))
    lines = figure.axes[0].get_lines()
    assert len({x.get_color() for x in lines}) == 3


def test_names_stand_at_the_lines_ends_or_in_a_legend_where_crowded():
    far, _ = plots.plot_curves(curves("SAC", "MBPO"))
    assert far.axes[0].get_legend() is None
    names = {t.get_text(): t.xy[1] for t in far.axes[0].texts}
    assert names["MBPO"] > names["SAC"] + plots.GAP
    near, _ = plots.plot_curves({"SAC": np.zeros((2, 3)), "MBPO": np.zeros((2, 3))})
    assert near.axes[0].get_legend() is not None


@pytest.mark.parametrize("yscale", ["linear", "log"])
def test_a_name_stands_at_its_lines_height(yscale):
    data = {"SAC": np.full((3, 5), 2.0), "MBPO": np.full((3, 5), 400.0)}
    data["MBPO"][:, 0] = [100, 300, 900]  # a wide band at the start
    figure, _ = plots.plot_curves(data, yscale=yscale)
    figure.canvas.draw()
    ax = figure.axes[0]
    to_axes = ax.transData + ax.transAxes.inverted()
    for name, line in zip(ax.texts, ax.get_lines(), strict=True):
        assert name.get_text() == line.get_label()
        end = to_axes.transform(line.get_xydata()[-1])
        assert name.xy[1] == pytest.approx(end[1], abs=1e-9)


def test_names_are_moved_apart_and_stay_inside():
    moved = plots._apart([0.5, 0.52, 0.99, 0.99], 0.1)
    assert np.diff(moved).min() >= 0.1 - 1e-12 and max(moved) <= 1.0
    assert moved[0] == 0.5


def test_logarithmic_axes_show_plain_numbers():
    figure, _ = plots.plot_curves(
        {"SAC": np.array([[1.0, 10, 100, 1000]])}, yscale="log"
    )
    figure.canvas.draw()
    ticks = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert "100" in ticks and "1,000" in ticks


def test_given_axes_and_positions_are_used():
    figure, axes = plt.subplots(1, 2)
    same, _ = plots.plot_curves({"SAC": np.zeros((2, 3))}, [10, 20, 30], ax=axes[1])
    assert same is figure and not axes[0].get_lines()
    assert list(axes[1].get_lines()[0].get_xdata()) == [10, 20, 30]
    each = {"SAC": [1, 2], "PPO": [5, 6]}
    figure, _ = plots.plot_curves({k: np.zeros((2, 2)) for k in each}, each)
    assert list(figure.axes[0].get_lines()[1].get_xdata()) == [5, 6]


def test_lines_drawn_before_without_a_label_are_not_named():
    _, ax = plt.subplots()
    ax.axhline(0.5)
    plots.plot_curves(curves("SAC", "MBPO"), ax=ax)
    assert [t.get_text() for t in ax.texts] == ["SAC", "MBPO"]


def test_plotting_leaves_matplotlibs_settings_alone():
    before = dict(plt.rcParams)
    plots.plot_curves(curves("SAC"))
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"statistic": "median"}, "statistic is 'median'"),
        ({"labels": "left"}, "labels is 'left'"),
        ({"curves": {}}, "curves is empty"),
        ({"x": [1, 2]}, r"x has shape \(2,\), but must have \(40,\)"),
        ({"level": 2}, "level is 2"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        plots.plot_curves(**({"curves": curves("SAC")} | given))


def test_a_run_plots_itself(fake):
    done = mbrl_edu.run("dyna_q", "DynaMaze-v0", episodes=4)
    ax = done.plot()
    assert list(ax.get_lines()[0].get_ydata()) == list(done.result.lengths)
    assert ax.get_xlabel() == "episode" and "DynaMaze-v0, seed 0" in ax.get_title(
        "left"
    )
    ax = done.plot("updates", "step")
    assert list(ax.get_lines()[0].get_xdata()) == list(done.curve["step"])
    with pytest.raises(ValueError, match="no column 'lenght'.*length"):
        done.plot("lenght")
    with pytest.raises(ValueError, match="logged nothing"):
        mbrl_edu.run("fake", "DynaMaze-v0", steps=0).plot()
