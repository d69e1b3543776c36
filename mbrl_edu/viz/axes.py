"""Axes of a plot area that is measured in per cent, so that text never scales."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mbrl_edu.viz.figure import plain

CHARACTER = 7.6  # pixels, the width of a digit at 13 pixels


@dataclass(frozen=True)
class Scale:
    """Maps values in [low, high] to 0..1, linearly or by logarithm."""

    low: float
    high: float
    log: bool = False

    def __call__(self, value):
        f = np.log10 if self.log else np.asarray
        with np.errstate(invalid="ignore"):
            return (f(value) - f(self.low)) / (f(self.high) - f(self.low))

    def ticks(self, n: int = 6) -> list[float]:
        """At most about n round numbers within the scale."""
        return _log_ticks(self.low, self.high, n) if self.log else self._round(n)

    def _round(self, n: int) -> list[float]:
        raw = (self.high - self.low) / n
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
        first, last = (
            math.ceil(self.low / step - 1e-9),
            math.floor(self.high / step + 1e-9),
        )
        # k * step has digits at its end that nobody wants (3 * 0.1); round them off.
        digits = max(0, 1 - math.floor(math.log10(step)))
        return [round(k * step, digits) + 0.0 for k in range(first, last + 1)]


def _log_ticks(low: float, high: float, n: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [float(f"{f}e{k}") for k in decades for f in factors]
        ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(ticks) >= 3:
            break
    else:
        if len(ticks) < 2:
            return Scale(low, high).ticks(n)
    every = math.ceil(len(ticks) / n)
    return ticks[::every]


def widen(low: float, high: float, log: bool, margin: float = 0.04):
    """(low, high) with some air; a flat curve gets an interval around it."""
    if log:
        low, high = math.log10(low), math.log10(high)
    gap = (high - low) * margin or 0.5 * (abs(low) or 1.0)
    low, high = low - gap, high + gap
    return (10.0**low, 10.0**high) if log else (low, high)


def svg_axes(x: Scale, y: Scale) -> tuple[str, int]:
    """(SVG of rules, ticks and numbers, width in pixels of the numbers at the left)."""
    parts, widest = [], 0
    for t in y.ticks():
        at, label = f"{100 * (1 - float(y(t))):.2f}%", plain(t)
        widest = max(widest, len(label))
        parts.append(f'<line class="mbrl-rule" x1="0" x2="100%" y1="{at}" y2="{at}"/>')
        parts.append(
            f'<text x="0" y="{at}" dx="-8" dy=".35em" text-anchor="end">{label}</text>'
        )
    for t in x.ticks():
        at = f"{100 * float(x(t)):.2f}%"
        parts.append(
            f'<svg x="{at}" y="100%" overflow="visible">'
            '<line class="mbrl-axis" y2="5"/></svg>'
            f'<text x="{at}" y="100%" dy="20" text-anchor="middle">{plain(t)}</text>'
        )
    parts.append('<line class="mbrl-axis" x1="0" x2="100%" y1="100%" y2="100%"/>')
    parts.append('<line class="mbrl-axis" x1="0" x2="0" y1="0" y2="100%"/>')
    return "".join(parts), math.ceil(12 + CHARACTER * widest)
