"""What every interactive figure is made of: one self-contained piece of HTML."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_edu.viz.formula import formula

RAISED = (
    "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"  # -0123456789
)
MAX_BYTES = 4_000_000  # of packed data: a page with ten figures must still open fast


@dataclass(frozen=True)
class StaticFigure:
    """HTML that needs neither a kernel nor the network.

    A notebook shows it by itself; the page built from the notebook and Colab, where
    every output is a sandbox of its own, show the same. The same input gives the same
    bytes, and one page may hold the same figure twice.
    """

    kind: str  # "curve", "grid", "frames", "quiz", "video"
    html: str
    alt: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<{self.kind}, {self.kb:.0f} kB: {self.alt}>"

    @property
    def kb(self) -> float:
        """Size in kB (1000 bytes) of the HTML."""
        return len(self.html.encode()) / 1000

    def save(self, path: str | Path) -> None:
        """Write the figure as a web page of its own."""
        Path(path).write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.alt)}</title></head>"
            f"<body>{self.html}</body></html>\n",
            encoding="utf-8",
        )


@cache
def asset(*names: str) -> str:
    """The package's scripts or styles, joined, without indents and comment lines."""
    here = resources.files("mbrl_edu.viz")
    text = "\n".join((here / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def script(*names: str) -> tuple[str, str]:
    """(version, script tag): the version keeps scripts from starting figures that an
    older or newer package has left in the same notebook."""
    source = asset(*names)
    version = hashlib.sha256(source.encode()).hexdigest()[:8]
    source = source.replace("@SCRIPT@", version)
    return version, f'<script>(() => {{\n"use strict";\n{source}\n}})();</script>'


def markup(text: str) -> str:
    """Plain text as HTML; `code` and $formula$ are the only marks it knows."""
    parts = re.split(r"(`[^`]+`|\$[^$]+\$)", str(text))
    for k, part in enumerate(parts):
        if k % 2 == 0:
            parts[k] = html.escape(part)
        elif part[0] == "`":
            parts[k] = f"<code>{html.escape(part[1:-1])}</code>"
        else:
            parts[k] = formula(part[1:-1])
    return "".join(parts)


def check_alt(alt: Any) -> str:
    """`alt` if it is a text that says something; raises ValueError otherwise."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"alt is {alt!r}, but must be a text that tells readers who cannot see "
            "the figure what it shows."
        )
    return " ".join(alt.split())


def check_size(size: int, what: str) -> None:
    """Raises ValueError where `size` bytes of packed data are too much for a page."""
    if size > MAX_BYTES:
        raise ValueError(
            f"{what} take {size / 1e6:.1f} MB, but must fit in "
            f"{MAX_BYTES / 1e6:.0f} MB: use fewer slider values, frames or points."
        )


def pack(array: np.ndarray, dtype: str, what: str) -> str:
    """An array as base64 text, row by row; raises ValueError where it is too large."""
    raw = np.ascontiguousarray(array, dtype).tobytes()
    check_size(len(raw), what)
    return base64.b64encode(raw).decode()


def plain(value: Any) -> str:
    """A number in print: 4 significant digits, a true minus sign, powers of ten.

    The same as ``number`` in players.js. Texts come back as they are.
    """
    if isinstance(value, str):
        return value
    v = float(f"{float(value):.3e}")
    if v == 0 or 1e-4 <= abs(v) < 1e6:
        return np.format_float_positional(v, trim="-").replace("-", "\u2212")
    digits, power = f"{v:.3e}".split("e")
    digits = f"{float(digits):g}\u00b7".replace("-", "\u2212")
    digits = {"1\u00b7": "", "\u22121\u00b7": "\u2212"}.get(digits, digits)
    raised = str(int(power)).translate(str.maketrans("-0123456789", RAISED))
    return f"{digits}10{raised}"


def make_sliders(
    sliders: Mapping[str, Sequence[Any]],
    names: Mapping[str, str] | None = None,
    start: Mapping[str, int] | None = None,
    play: str | None = None,
    interval: int = 250,
) -> list[dict[str, Any]]:
    """Sliders as data. Raises ValueError for a slider that cannot be moved.

    `names` gives the text shown for a slider, `start` the index it begins at, `play`
    is the slider with a play button, `interval` the milliseconds per step.
    """
    from mbrl_edu.core import check

    if not isinstance(sliders, Mapping) or not sliders:
        raise ValueError(
            f"sliders is {sliders!r}, but must be a dict from the name of a slider to "
            "its values, with at least one slider."
        )
    for name, given in (("names", names), ("start", start)):
        for key in given or {}:
            check.choice(f"{name} key", key, sliders)
    if play is not None:
        check.choice("play", play, sliders)
    check.integer("interval", interval, low=20, high=10_000)
    result = []
    for name, values in sliders.items():
        labels = [_label(name, v) for v in values]
        if len(labels) < 2:
            raise ValueError(
                f"slider {name!r} has {len(labels)} value(s), but must have at least 2."
            )
        first = check.integer(
            f"start[{name!r}]", (start or {}).get(name, 0), low=0, high=len(labels) - 1
        )
        text = (names or {}).get(name, name)
        result.append({"name": text, "values": labels, "start": first})
        if name == play:
            result[-1]["play"] = interval
    return result


def _label(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        finite = np.isfinite(float(value))
    except (TypeError, ValueError):
        finite = False
    if not finite:
        raise ValueError(
            f"slider {name!r} has the value {value!r}, but its values must be finite "
            "numbers or texts."
        )
    return plain(value)


def start_index(sliders: list[dict[str, Any]]) -> int:
    """Which combination is shown first; the last slider runs fastest."""
    o = 0
    for s in sliders:
        o = o * len(s["values"]) + s["start"]
    return o


def assemble(
    kind: str,
    data: dict[str, Any],
    sliders: list[dict[str, Any]],
    drawing: str,
    alt: str,
    title: str = "",
    caption: str = "",
    note: str = "",
) -> StaticFigure:
    """Join the drawing of the first state (HTML), the data and the player's script."""
    version, code = script(f"{kind}.js", "players.js")
    # "<" never appears in the data, so no text can end the script tag they stand in.
    text = json.dumps(data | {"sliders": sliders}, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    state = ", ".join(f"{s['name']} = {s['values'][s['start']]}" for s in sliders)
    parts = [
        f"<style>{asset('base.css', 'players.css')}</style>",
        f'<div class="mbrl-fig mbrl-{kind}" data-script="{version}">',
        f'<div class="mbrl-title">{markup(title)}</div>' if title else "",
        '<div class="mbrl-ctl"></div>',
        f'<div class="mbrl-out">{drawing}</div>',
        f'<div class="mbrl-note">{html.escape(note)}</div>',
        f"<noscript><p>Shown for {html.escape(state)}. With JavaScript switched on, "
        "sliders change it.</p></noscript>",
        f'<div class="mbrl-caption">{markup(caption)}</div>' if caption else "",
        f'<script type="application/json">{text}</script>{code}</div>',
    ]
    return StaticFigure(kind, "\n".join(p for p in parts if p), alt)
