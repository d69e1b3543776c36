"""A Matplotlib figure with its alternative text and caption, the same everywhere."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.viz.figure import StaticFigure, asset, check_alt, markup
from mbrl_edu.viz.frames import check_picture, draw, webp


def picture(
    figure: Any, *, alt: str, caption: str = "", title: str = "", dpi: int = 160
) -> StaticFigure:
    """A figure as a picture that carries ``alt`` and ``caption`` into the built page,
    Jupyter and Colab alike. The figure is closed, so that it shows once.

    figure : a Matplotlib figure or bytes (uint8) of shape (height, width, 3 or 4).
    alt : what it shows, for readers who cannot see it; an empty one is refused.
    """
    alt = check_alt(alt)
    check.integer("dpi", dpi, low=30, high=400)
    drawn = hasattr(figure, "savefig")
    pixels = draw(figure, dpi) if drawn else np.asarray(figure)
    check_picture("figure", pixels)
    scale = 96 / dpi if drawn else 1.0
    width = round(pixels.shape[1] * scale)
    height = round(pixels.shape[0] * scale)
    parts = [
        f"<style>{asset('base.css', 'players.css')}</style>",
        '<div class="mbrl-still">',
        f'<div class="mbrl-title">{markup(title)}</div>' if title else "",
        f'<div class="mbrl-out"><img class="mbrl-img" alt="{html.escape(alt)}" '
        f'width="{width}" height="{height}" '
        f'src="data:image/webp;base64,{webp(pixels, 90)}"></div>',
        f'<div class="mbrl-caption">{markup(caption)}</div>' if caption else "",
        "</div>",
    ]
    return StaticFigure("still", "\n".join(p for p in parts if p), alt)
