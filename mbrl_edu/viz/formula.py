"""Short formulas as HTML, so that they read well where no typesetter is at work."""

from __future__ import annotations

import html
import re

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron"
)
GREEK += " pi rho sigmaf sigma tau upsilon phi chi psi omega"
SIGNS = {name: chr(0x3B1 + i) for i, name in enumerate(GREEK.split())}
SIGNS |= {k.capitalize(): v.upper() for k, v in SIGNS.items() if k != "sigmaf"}
SIGNS |= {"varepsilon": "\u03b5", "infty": "\u221e", "partial": "\u2202"}
SIGNS |= {"le": "\u2264", "leq": "\u2264", "ge": "\u2265", "geq": "\u2265"}
SIGNS |= {"ne": "\u2260", "neq": "\u2260", "approx": "\u2248", "ll": "\u226a"}
SIGNS |= {"gg": "\u226b", "to": "\u2192", "cdot": "\u00b7", "times": "\u00d7"}
SIGNS |= {"in": "\u2208", "sum": "\u2211", "pm": "\u00b1", "mid": "|", "dots": "\u2026"}
SIGNS |= {"sim": "\u223c", "max": "max", "min": "min", "log": "log", "exp": "exp"}
SIGNS |= {",": "\u2009", "{": "{", "}": "}", "|": "\u2016", "%": "%"}
SPACED = "\u2264\u2265\u2260\u2248\u226a\u226b\u2192\u2208\u223c=<>"
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307"}
TOKEN = re.compile(r"\\([A-Za-z]+|.)\s*|([A-Za-z])|(\d+(?:\.\d+)?)|(\s+)|(.)", re.S)


class _TooHard(Exception):
    """The formula needs a typesetter."""


def formula(tex: str) -> str:
    """A formula as HTML: letters, Greek, sub- and superscripts, common signs.

    Anything more, a fraction say, is left to the page's typesetter: the text then
    comes back as ``\\(...\\)``, which MathJax and JupyterLab look for.
    """
    try:
        tokens = [m.group() for m in TOKEN.finditer(tex)]
        done, rest = _run(tokens, 0, closing=False)
        if rest != len(tokens):
            raise _TooHard
        return f'<span class="mbrl-math">{done}</span>'
    except _TooHard:
        text = html.escape(tex)
        return f'<span class="math notranslate nohighlight">\\({text}\\)</span>'


def _run(tokens: list[str], k: int, closing: bool) -> tuple[str, int]:
    """Set tokens from k on, to the closing brace where `closing`."""
    parts: list[str] = []
    while k < len(tokens):
        token = tokens[k].strip()
        if token == "}":
            if closing:
                return "".join(parts), k + 1
            raise _TooHard
        if token in ("_", "^"):
            tag = "sub" if token == "_" else "sup"
            inner, k = _argument(tokens, k + 1)
            parts.append(f"<{tag}>{inner}</{tag}>")
        else:
            done, k = _one(tokens, k)
            parts.append(done)
    if closing:
        raise _TooHard
    return "".join(parts), k


def _argument(tokens: list[str], k: int) -> tuple[str, int]:
    if k >= len(tokens):
        raise _TooHard
    return _one(tokens, k)


def _one(tokens: list[str], k: int) -> tuple[str, int]:
    """Set one token or one group in braces; returns what comes next too."""
    token = tokens[k].strip()
    if token == "{":
        return _run(tokens, k + 1, closing=True)
    if token.startswith("\\"):
        name = token[1:]
        if name in ACCENTS:
            inner, k = _argument(tokens, k + 1)
            if not re.fullmatch(r"<i>.</i>", inner):
                raise _TooHard
            return f"<i>{inner[3]}{ACCENTS[name]}</i>", k
        if name not in SIGNS:
            raise _TooHard
        sign = SIGNS[name]
        if len(sign) == 1 and sign.isalpha():
            return f"<i>{sign}</i>", k + 1
        return (f" {sign} " if sign in SPACED else sign), k + 1
    if token in "&~#_^":
        if token:
            raise _TooHard
        return "", k + 1
    if token.isalpha() and token.isascii():
        return f"<i>{token}</i>", k + 1
    token = {"-": "\u2212", "'": "\u2032"}.get(token, token)
    return (f" {html.escape(token)} " if token in SPACED else html.escape(token)), k + 1
