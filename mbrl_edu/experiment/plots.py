"""Curves with bands in one house style, and captions that say what the band is.

The style (`style.py`) is the same for a method on every page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.experiment import stats
from mbrl_edu.experiment.registry import nearest
from mbrl_edu.experiment.style import SPARE, Style, house_style, ink, style_of, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mbrl_edu.experiment.run import Run

STATISTICS = {"iqm": stats.iqm, "mean": stats.mean}
GAP = 0.07  # between two names at the lines' ends, as a share of the axes' height
NAMES = {"iqm": "interquartile mean", "mean": "mean"}


def plot_curves(
    curves: Mapping[str, Any],
    x: Any = None,
    *,
    statistic: str = "iqm",
    level: float = 0.95,
    xlabel: str = "",
    ylabel: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
    labels: str = "auto",
    unit: str = "seed",
    ax: Axes | None = None,
    rng: int = 0,
) -> tuple[Figure, str]:
    """Draw one line with its bootstrap band per label.

    Parameters
    ----------
    curves : label -> array (runs, steps); a label that names a method gets its style.
    x : (steps,) or label -> (steps,); None counts from 1.
    statistic : "iqm" or "mean" over runs.
    level : of the band, which is drawn where there are at least two runs.
    labels : "direct" at the lines' right ends, "legend", or "auto": direct where the
        ends are far enough apart.
    unit : what one row is: "seed", "MDP", ...
    ax : axes to draw into; None makes a figure.

    Returns
    -------
    (figure, caption); the caption names the statistic, the number of runs, the band.
    """
    check.choice("statistic", statistic, STATISTICS)
    check.choice("labels", labels, ("auto", "direct", "legend"))
    data = {k: np.atleast_2d(np.asarray(v, float)) for k, v in curves.items()}
    if not data:
        raise ValueError("curves is empty, but must hold at least one curve.")
    with house_style():
        ax = _axes() if ax is None else ax
        styles = _styles(list(data))
        for label, runs in data.items():
            at = _x_of(x, label, runs.shape[1])
            _line(ax, label, at, runs, STATISTICS[statistic], level, styles[label], rng)
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
        ax.set_xscale(xscale)
        ax.set_yscale(yscale)
        ax.margins(x=0.02)
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter("{x:,.10g}")  # 100, not a power of ten
        _name_lines(ax, labels)
    runs_of = {k: len(v) for k, v in data.items()}
    return ax.get_figure(root=True), caption(runs_of, statistic, level, unit)  # type: ignore


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def _styles(labels: list[str]) -> dict[str, Style]:
    """Every label's style; labels without one of their own share none."""
    own = {k: style_of(k) for k in labels if style_of(k) not in SPARE}
    spare = [k for k in labels if k not in own]
    return own | {k: style_of(k, i) for i, k in enumerate(spare)}


def _x_of(x: Any, label: str, points: int) -> np.ndarray:
    at = x.get(label) if isinstance(x, Mapping) else x
    at = np.arange(1, points + 1) if at is None else np.asarray(at, float)
    if at.shape != (points,):
        raise ValueError(
            f"x has shape {at.shape}, but must have ({points},) like the curve of "
            f"{label}."
        )
    return at


def _line(
    ax: Axes,
    label: str,
    at: np.ndarray,
    runs: np.ndarray,
    statistic: stats.Statistic,
    level: float,
    style: Style,
    rng: int,
) -> None:
    if len(runs) == 1:  # one run has no band
        ax.plot(at, runs[0], label=title_of(label), **style.kwargs(len(at)))
        return
    band = stats.bootstrap_curve(runs, statistic, level, rng=rng)
    ax.plot(at, band.center, label=title_of(label), **style.kwargs(len(at)))
    ax.fill_between(at, band.low, band.high, color=style.color, alpha=0.2, lw=0)


def _name_lines(ax: Axes, labels: str) -> None:
    """Names at the right end of the lines, moved apart, or a legend."""
    # matplotlib names lines without a label, such as that of axhline, "_child0"
    lines = [x for x in ax.get_lines() if not str(x.get_label()).startswith("_")]
    ax.get_ylim()  # settles the limits that the heights refer to
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = [np.asarray(line.get_xydata())[-1] for line in lines]
    heights = [float(to_axes.transform(end)[1]) for end in ends]
    order = sorted(range(len(lines)), key=heights.__getitem__)
    gaps = np.diff(sorted(heights))
    crowded = len(lines) > 6 or (gaps < GAP).any()
    if labels == "legend" or (labels == "auto" and crowded):
        ax.legend()
        return
    placed = _apart(sorted(heights), GAP)
    for i, height in zip(order, placed, strict=True):
        ax.annotate(
            str(lines[i].get_label()),
            (1.01, height),
            xycoords="axes fraction",
            va="center",
            color=ink(str(lines[i].get_color())),
            fontsize=11,
        )


def _apart(heights: list[float], gap: float) -> list[float]:
    """Ascending heights, moved up until `gap` apart, then down to stay below 1."""
    placed = list(heights)
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    ceiling = 1.0
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed


def caption(runs: Mapping[str, int], statistic: str, level: float, unit: str) -> str:
    """What the lines and bands are: 'Interquartile mean over 30 seeds; ...'."""
    counts = sorted(set(runs.values()))
    if counts == [1]:
        return f"One {unit}; no band."
    if len(counts) == 1:
        over = f"over {counts[0]} {unit}s"
    else:
        each = ", ".join(f"{label}: {n}" for label, n in runs.items())
        over = f"over {unit}s ({each})"
    name = NAMES[statistic].capitalize()
    return f"{name} {over}; bands: {level:.0%} percentile bootstrap over {unit}s."


def plot_run(run: Run, metric: str | None = None, x: str | None = None) -> Axes:
    """One run's `metric` against `x`; see `Run.plot`."""
    columns = list(run.curve.columns)
    if len(run.rows) == 0:
        raise ValueError(f"this run of {run.method} logged nothing to plot.")
    x = x or ("episode" if "episode" in columns else "step")
    if metric is None:
        likely = ["length", "return", "eval return", *columns]
        metric = next(c for c in likely if c in columns and c not in ("step", x))
    for name in (x, metric):
        if name not in columns:
            raise ValueError(
                f"no column {name!r} in this run: {nearest(name, columns)}"
            )
    curve = {title_of(run.method): run.curve[metric].to_numpy()}
    figure, _ = plot_curves(
        curve, run.curve[x].to_numpy(), xlabel=x, ylabel=metric, labels="legend"
    )
    ax = figure.axes[0]
    ax.set_title(f"{run.task}, seed {run.seed}", loc="left")
    return ax
