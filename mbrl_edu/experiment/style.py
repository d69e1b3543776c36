"""The house style: one colour, line style and marker per method of the book.

Colours are those of Okabe & Ito (2008), safe for colour-blind readers; the line style
and the marker say the same again. Figures are white cards 6.4 inches wide, so that they
read the same in dark mode and, scaled down, on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mbrl_edu.experiment.registry import METHODS

BLACK, GREY = "#000000", "#6E6E6E"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#B89B00"
BLUE, RED, PINK = "#0072B2", "#D55E00", "#CC79A7"
# Okabe and Ito's yellow (#F0E442) vanishes on white: darkened, its hue kept.


@dataclass(frozen=True)
class Style:
    """How a method is drawn everywhere."""

    color: str
    line: Any  # a matplotlib line style
    marker: str

    def kwargs(self, points: int) -> dict[str, Any]:
        """Arguments of `Axes.plot`; about eight markers, however many points."""
        every = max(1, points // 8)
        look = {"color": self.color, "linestyle": self.line, "marker": self.marker}
        return look | {"markevery": every}


DASH, DOT, DASHDOT, LONG = "--", ":", "-.", (0, (7, 2))

# The exact optimum and plain model-free learning are dark; what a chapter compares
# directly never shares a colour.
METHOD_STYLE: dict[str, Style] = {
    "Q-learning": Style(BLACK, "-", "o"),
    "Q-planning": Style(SKY, "-", "s"),
    "Dyna-Q n=0": Style(BLACK, DASH, "o"),
    "Dyna-Q n=5": Style(ORANGE, DASH, "^"),
    "Dyna-Q n=10": Style(GREEN, DASH, "v"),
    "Dyna-Q n=50": Style(BLUE, "-", "D"),
    "Dyna-Q": Style(BLUE, DASH, "D"),
    "Dyna-Q+": Style(RED, "-", "P"),
    "Prioritized sweeping": Style(GREEN, DASHDOT, "X"),
    "RS": Style(GREY, DASH, "o"),
    "CEM": Style(YELLOW, LONG, "s"),
    "iCEM": Style(ORANGE, "-", "D"),
    "MPPI": Style(BLUE, DASHDOT, "^"),
    "PETS": Style(GREEN, "-", "^"),
    "SAC": Style(BLACK, DASHDOT, "v"),
    "PPO": Style(GREY, DOT, "<"),
    "MBPO": Style(BLUE, LONG, "s"),
    "BMPO": Style(RED, DASH, "D"),
    "AMPO": Style(PINK, "-", "P"),
    "AutoMBPO": Style(ORANGE, "-", "X"),
    "DPG": Style(GREY, DASHDOT, ">"),
    "SVG": Style(SKY, DASHDOT, "^"),
    "MAAC": Style(YELLOW, DASHDOT, "D"),
    "PILCO": Style(PINK, DASHDOT, "o"),
}
# What PETS is built from, compared with each other and not with other methods.
PART_STYLE: dict[str, Style] = {
    "PE": Style(GREEN, "-", "^"),
    "P": Style(ORANGE, DASH, "s"),
    "DE": Style(BLUE, DASHDOT, "D"),
    "D": Style(RED, DOT, "v"),
    "GP": Style(PINK, LONG, "o"),
    "TS1": Style(GREEN, "-", "^"),
    "TSinf": Style(BLUE, DASH, "D"),
    "DS": Style(ORANGE, DASHDOT, "s"),
    "MM": Style(PINK, LONG, "o"),
    "E": Style(RED, DOT, "v"),
    # MBPO's baselines (chapter 7)
    "SAC, same G": Style(ORANGE, DASH, "v"),
    "SAC, long": Style(GREEN, DOT, "v"),
    "MBPO, long": Style(SKY, LONG, "s"),
}
PLANNERS = {"random_shooting": "RS", "cem": "CEM", "icem": "iCEM", "mppi": "MPPI"}
SPARE = [
    Style(BLUE, "-", "h"),
    Style(RED, DASH, "*"),
    Style(GREEN, DASHDOT, "p"),
    Style(PINK, DOT, "d"),
    Style(ORANGE, LONG, "H"),
    Style(SKY, "-", "8"),
    Style(YELLOW, DASH, "1"),
]

RC: Any = {
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "text.color": "#1A1A1A",
    "axes.labelcolor": "#1A1A1A",
    "xtick.color": "#1A1A1A",
    "ytick.color": "#1A1A1A",
}


def ink(color: str) -> str:
    """A line's colour dark enough for small text on white."""
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(0.62 * p):02X}" for p in parts)


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib draws in the house style inside the block."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        yield


def title_of(label: str) -> str:
    """A method's or a planner's name in the book, by its name in code; other labels
    stay as they are."""
    return METHODS[label].title if label in METHODS else PLANNERS.get(label, label)


def style_of(label: str, position: int = 0) -> Style:
    """The style of a method by its name in the book, in the registry, or a label that
    starts with it ("MBPO, k = 1"); other labels get a spare one by their position."""
    label = title_of(label)
    known = METHOD_STYLE | PART_STYLE
    if label in known:
        return known[label]
    if label.startswith("n=") and f"Dyna-Q {label}" in METHOD_STYLE:
        return METHOD_STYLE[f"Dyna-Q {label}"]
    return SPARE[position % len(SPARE)]
