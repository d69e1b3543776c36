"""The drawing behind ``grid_player``: its first state as SVG and its data."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbrl_edu.viz.figure import pack, plain

TOP, WALL, NONE = 65533, 65534, 65535  # highest level, wall, no value; as in grid.js
UNIT = 40  # side of a cell in the drawing, as in grid.js
CELL = 56  # pixels on the screen, at most
WIDTH = 330  # pixels that a telephone leaves for the drawing
TEXT = 12.5  # pixels, the smallest text


@dataclass(frozen=True)
class Bar:
    """What the colours mean."""

    range: tuple[float, float]  # values at level 0 and at level TOP
    digits: int  # decimals of a value that is read out
    colors: str  # hexadecimal, six digits each
    label: str
    units: str

    def html(self) -> str:
        low, high = (
            plain(v) if self.digits else f"{v:.0f}".replace("-", "\u2212")
            for v in self.range
        )
        units = f" ({self.units})" if self.units else ""
        stops = [f"#{self.colors[k : k + 6]}" for k in range(0, len(self.colors), 42)]
        return (
            f'<div class="mbrl-bar"><span>{low}</span><i style="background:'
            f'linear-gradient(90deg,{",".join(stops)})"></i><span>{high}</span>'
            f"<b>{html.escape(self.label + units)}</b></div>"
        )


@dataclass(frozen=True)
class Board:
    """A grid over T steps; states are counted row by row."""

    levels: np.ndarray  # (T, H, W) in 0..TOP, WALL or NONE
    policy: np.ndarray | None  # (T, H, W) bit masks of actions
    arrows: list[tuple[str, str]]  # SVG paths per action: alone, beside others
    agent: list[int] | None  # (T,) states, -1 for none
    trail: int
    marks: dict[int, str]
    bar: Bar

    @property
    def size(self) -> tuple[int, int]:
        return self.levels.shape[1], self.levels.shape[2]

    def shown_policy(self) -> np.ndarray:
        """The masks without those of walls and of cells that carry a mark."""
        assert self.policy is not None
        masks = np.where(self.levels == WALL, 0, self.policy).astype("u1")
        for s in self.marks:  # an arrow under a letter: nobody can read either
            masks[:, s // self.size[1], s % self.size[1]] = 0
        return masks

    def data(self) -> dict[str, Any]:
        """What grid.js needs."""
        data = {
            "h": self.size[0],
            "w": self.size[1],
            "q": pack(self.levels, "<u2", "the values"),
            "range": list(self.bar.range),
            "digits": self.bar.digits,
            "colors": self.bar.colors,
            "units": f" {self.bar.units}" if self.bar.units else "",
        }
        if self.policy is not None:
            masks = pack(self.shown_policy(), "u1", "the policy")
            data |= {"arrows": self.arrows, "policy": masks}
        if self.agent is not None:
            data |= {"agent": self.agent, "trail": self.trail}
        return data

    def html(self, t: int, alt: str) -> str:
        """SVG of step t, and the colour bar."""
        h, w = self.size
        font = max(0.55 * UNIT, TEXT * w * UNIT / WIDTH)
        return (
            f'<svg class="mbrl-board" role="img" aria-label="{html.escape(alt)}" '
            f'viewBox="-2 -2 {w * UNIT + 4} {h * UNIT + 4}" '
            f'style="max-width:{w * CELL}px;--mbrl-font:{font:.1f}px">'
            + self._cells(t)
            + self._policy(t)
            + "".join(self._mark(s, text) for s, text in self.marks.items())
            + self._agent(t)
            + '<path class="mbrl-cell" style="display:none"/></svg>'
            + self.bar.html()
        )

    def _centre(self, s: int) -> tuple[int, int]:
        row, column = divmod(s, self.size[1])
        return column * UNIT + UNIT // 2, row * UNIT + UNIT // 2

    def _cells(self, t: int) -> str:
        shades = len(self.bar.colors) // 6 - 1
        parts = []
        for (row, column), level in np.ndenumerate(self.levels[t]):
            k = 6 * int(shades * int(level) / TOP + 0.5)
            look = {WALL: "c w", NONE: "c n"}.get(int(level), "c")
            fill = "none" if level > TOP else "#" + self.bar.colors[k : k + 6]
            place = f"M{column * UNIT} {row * UNIT}h{UNIT}v{UNIT}h-{UNIT}z"
            parts.append(f'<path class="{look}" fill="{fill}" d="{place}"/>')
        return "".join(parts)

    def _policy(self, t: int) -> str:
        if self.policy is None:
            return ""
        path = ""
        for s, mask in enumerate(self.shown_policy()[t].ravel()):
            x, y = self._centre(s)
            for a, (lone, shared) in enumerate(self.arrows):
                if mask >> a & 1:
                    path += f"M{x} {y}{lone if mask == 1 << a else shared}"
        halo = f'<path class="mbrl-arrows mbrl-halo" d="{path}"/>'
        return halo + f'<path class="mbrl-arrows" d="{path}"/>'

    def _mark(self, s: int, text: str) -> str:
        x, y = self._centre(s)
        return f'<text x="{x}" y="{y}" dy=".35em">{html.escape(text)}</text>'

    def _agent(self, t: int) -> str:
        if self.agent is None:
            return ""
        x, y = self._centre(max(self.agent[t], 0))
        hidden = ' style="display:none"' if self.agent[t] < 0 else ""
        return (
            '<path class="mbrl-trail"/>'
            f'<circle class="mbrl-agent" r="11" cx="{x}" cy="{y}"{hidden}/>'
        )
