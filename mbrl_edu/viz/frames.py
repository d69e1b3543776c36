"""Ready-made pictures behind sliders, and films."""

from __future__ import annotations

import base64
import html
import io
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.viz.figure import (
    StaticFigure,
    assemble,
    check_alt,
    check_size,
    make_sliders,
    start_index,
)


def frame_player(
    frames: Sequence[Any] | np.ndarray,
    sliders: Mapping[str, Sequence[Any]] | None = None,
    *,
    alt: str,
    play: str | None = None,
    interval: int = 250,
    quality: int = 80,
    names: Mapping[str, str] | None = None,
    start: Mapping[str, int] | None = None,
    notes: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
) -> StaticFigure:
    """Flip through pictures, one for every combination of slider values.

    frames : Matplotlib figures (they are closed) or arrays (height, width, 3 or 4) of
        bytes, all of one size, as ``itertools.product(*sliders.values())`` runs.
    sliders : {name: values}; unless given, one slider "frame" with a play button.
    play, interval : the slider with a play button; milliseconds per step.
    quality : of the WebP pictures, 1 to 100. 30 plots of 576 x 384 take about 300 kB.
    notes : a line of text for each frame.
    names, start : {slider: text shown}, {slider: index of its first value}.
    alt : what the pictures show, for readers who cannot see them.

    Raises ValueError for anything else.
    """
    alt = check_alt(alt)
    check.integer("quality", quality, low=1, high=100)
    if sliders is None:
        sliders, play = {"frame": list(range(1, len(frames) + 1))}, "frame"
    controls = make_sliders(sliders, names, start, play, interval)
    count = math.prod(len(s["values"]) for s in controls)
    for what, given in (("frames", frames), ("notes", notes)):
        if given is not None and len(given) != count:
            raise ValueError(
                f"{what} has {len(given)} entries, but must have one for each "
                f"combination of slider values: {count}."
            )
    pictures = _pictures(frames)
    texts = [webp(p, quality) for p in pictures]
    check_size(sum(len(x) for x in texts), "the frames")
    first = start_index(controls)
    height, width = pictures[0].shape[:2]
    drawing = (
        f'<img class="mbrl-img dark-light" alt="{html.escape(alt)}" width="{width}" '
        f'height="{height}" src="data:image/webp;base64,{texts[first]}">'
    )
    lines = None if notes is None else [str(n) for n in notes]
    data = {"frames": texts, "notes": lines}
    note = lines[first] if lines else ""
    return assemble("frames", data, controls, drawing, alt, title, caption, note)


def figure_frames(
    fig_fn: Callable[..., Any],
    values: Mapping[str, Sequence[Any]] | Sequence[Any],
    dpi: int = 128,
) -> np.ndarray:
    """The Matplotlib figures that `fig_fn` returns, as bytes (n, height, width, 3).

    ``fig_fn(value)`` is called for each value of a list, ``fig_fn(**values)`` for each
    combination of a dict, in the order that ``frame_player`` expects. Each figure is
    closed once it is drawn. A figure of 4.5 x 3 inches with text of 11 points stays
    readable on a telephone. Raises ValueError where the figures differ in size.
    """
    check.integer("dpi", dpi, low=30, high=400)
    if isinstance(values, Mapping):
        figures = (
            fig_fn(**dict(zip(values, v, strict=True)))
            for v in itertools.product(*values.values())
        )
    else:
        figures = (fig_fn(v) for v in values)
    return np.stack(_pictures(figures, dpi))


def _pictures(frames, dpi: int = 128) -> list[np.ndarray]:
    pictures: list[np.ndarray] = []
    for i, frame in enumerate(frames):
        drawn = draw(frame, dpi) if hasattr(frame, "savefig") else np.asarray(frame)
        check_picture(f"frames[{i}]", drawn)
        if pictures and drawn.shape[:2] != pictures[0].shape[:2]:
            raise ValueError(
                f"frames[{i}] is {drawn.shape[1]} x {drawn.shape[0]} pixels, but must "
                f"have the size of the first, {pictures[0].shape[1]} x "
                f"{pictures[0].shape[0]}."
            )
        pictures.append(drawn[..., :3])
    if not pictures:
        raise ValueError("frames is empty, but must have at least one picture.")
    return pictures


def check_picture(name: str, picture: np.ndarray) -> None:
    """Raises ValueError unless `picture` is bytes (height, width, 3 or 4)."""
    good = picture.ndim == 3 and picture.shape[2] in (3, 4) and 0 not in picture.shape
    if not good or picture.dtype != np.uint8:
        raise ValueError(
            f"{name} has shape {picture.shape} and type {picture.dtype}, but must be a "
            "Matplotlib figure or bytes (uint8) of shape (height, width, 3 or 4)."
        )


def draw(figure, dpi: int) -> np.ndarray:
    """A Matplotlib figure as bytes, by a canvas that needs no screen; closes it."""
    from matplotlib import pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba()).copy()
    plt.close(figure)
    return picture


def webp(picture: np.ndarray, quality: int) -> str:
    """The picture as base64 text: without loss where that costs little, as in plots."""
    from PIL import Image

    image, lossy, exact = Image.fromarray(picture), io.BytesIO(), io.BytesIO()
    image.save(lossy, "webp", quality=quality, method=4)
    image.save(exact, "webp", lossless=True, quality=50, method=4)
    cheap = exact.tell() <= 1.3 * lossy.tell()
    return base64.b64encode((exact if cheap else lossy).getvalue()).decode()
