"""Hints for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST = 17  # names that a sentence may list


def nearest(name: str, names: Iterable[str], most: int = MOST) -> str:
    """'did you mean a or b' from the closest names, else a list of all of them, if
    they are at most so many."""
    names = sorted(names)
    by_lower = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(by_lower[c] for c in close) + "?"
    if len(names) > most:
        return f"none of the {len(names)} known names is near it."
    return "it must be one of " + ", ".join(names) + "."
