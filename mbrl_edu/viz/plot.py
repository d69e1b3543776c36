"""The drawing behind ``curve_explorer``: its first state as SVG and its data."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbrl_edu.viz.axes import Scale, svg_axes
from mbrl_edu.viz.figure import pack, plain

LOOKS = 6  # colours with line styles: .mbrl-s0 to .mbrl-s5 in players.css


@dataclass(frozen=True)
class Plot:
    """Curves (m, n) over x (n,); everything but the curves' values stays the same."""

    x: np.ndarray
    labels: list[str]
    x_scale: Scale
    y_scale: Scale
    looks: list[int]  # (m,)
    xlabel: str
    ylabel: str
    mark: str | None
    dots: list[int]  # curves whose optimum is marked

    @property
    def px(self) -> list[float]:
        """Where x lies in the drawing, which is 1000 wide and 1000 high."""
        return [round(1000 * float(v), 1) for v in self.x_scale(self.x)]

    def data(self, Y: np.ndarray) -> dict[str, Any]:
        """What curve.js needs; Y (combinations, m, n)."""
        return {
            "x": [float(f"{v:.7g}") for v in self.x],
            "px": self.px,
            "y": pack(Y, "<f4", "the curves"),
            "ylim": [self.y_scale.low, self.y_scale.high],
            "log": self.y_scale.log,
            "labels": self.labels,
            "xlabel": self.xlabel,
            "mark": self.mark,
            "marked": self.dots,
        }

    def html(self, y: np.ndarray, alt: str) -> str:
        """Legend, labels and SVG of the curves y (m, n)."""
        axes, left = svg_axes(self.x_scale, self.y_scale)
        lines = "".join(
            f'<path class="mbrl-line mbrl-s{look}" d="{self._path(row)}"/>'
            for look, row in zip(self.looks, y, strict=True)
        )
        return (
            self._legend()
            + _line("mbrl-ylabel", self.ylabel)
            + f'<svg class="mbrl-plot" role="img" aria-label="{html.escape(alt)}" '
            f'style="--mbrl-left:{left}px">{axes}'
            '<svg width="100%" height="100%" viewBox="0 0 1000 1000" '
            f'preserveAspectRatio="none">{lines}</svg>'
            '<line class="mbrl-cursor" y1="0" y2="100%" style="display:none"/>'
            + "".join(self._dot(j, y[j]) for j in range(len(y)))
            + "</svg>"
            + _line("mbrl-xlabel", self.xlabel)
        )

    def note(self, y: np.ndarray) -> str:
        """The optima in words, as curve.js writes them."""
        found = []
        for j in self.dots:
            k = self._best(y[j])
            if k is not None:
                name = f"{self.labels[j]}: " if self.labels[j] else ""
                found.append(
                    f"{name}{self.mark} {plain(y[j, k])} at {self.xlabel} = "
                    f"{plain(self.x[k])}"
                )
        return "; ".join(found)

    def _best(self, row: np.ndarray) -> int | None:
        if np.isnan(row).all():
            return None
        return int(np.nanargmin(row) if self.mark == "min" else np.nanargmax(row))

    def _top(self, row: np.ndarray) -> np.ndarray:
        return 1000 * (1 - self.y_scale(row.astype(float)))

    def _path(self, row: np.ndarray) -> str:
        path, pen = "", "M"
        for px, top in zip(self.px, self._top(row), strict=True):
            if np.isnan(top):
                pen = "M"
                continue
            path += f"{pen}{px:g} {min(max(top, -1e5), 1e5):.1f}"
            pen = "L"
        return path

    def _dot(self, j: int, row: np.ndarray) -> str:
        k = self._best(row) if j in self.dots else None
        place = 'style="display:none"'
        if k is not None and 0 <= self._top(row)[k] <= 1000:
            cx, cy = self.px[k] / 10, self._top(row)[k] / 10
            place = f'cx="{cx:g}%" cy="{cy:.2f}%"'
        return f'<circle class="mbrl-dot mbrl-s{self.looks[j]}" r="6" {place}/>'

    def _legend(self) -> str:
        if self.labels == [""]:
            return ""
        keys = "".join(
            '<span class="mbrl-key"><svg width="34" height="10" aria-hidden="true">'
            f'<line class="mbrl-line mbrl-s{look}" x1="1" x2="33" y1="5" y2="5"/></svg>'
            f"{html.escape(label)}</span>"
            for label, look in zip(self.labels, self.looks, strict=True)
        )
        return f'<div class="mbrl-legend">{keys}</div>'


def _line(name: str, text: str) -> str:
    return f'<div class="{name}">{html.escape(text)}</div>' if text else ""
