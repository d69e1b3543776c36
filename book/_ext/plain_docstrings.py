"""Docstrings are written as plain text; this sets them as they are meant.

A paragraph stays a paragraph: a name in single backticks becomes code, and the signs
that reStructuredText would read as markup (``|x|``, ``a * b``, ``x_``) stay themselves.
Lines ``name : meaning`` become a list. Any other block with indented lines, such as an
aligned table of shapes or a piece of code, is set as it stands. A docstring with
underlined sections is left to napoleon.
"""

import re

CODE = re.compile(r"(:[\w:]+:`[^`]+`|``.+?``|`[^`]+`)")
TERM = re.compile(r"^(\*{0,2}\w[\w, *().]*?) : (.*)$")
LISTED = re.compile(r"^([-*] |\d+\. |>>> )")
SECTION = re.compile(r"^-{3,}\s*$", re.MULTILINE)


def as_rst(text: str) -> str:
    """A docstring, dedented, as reStructuredText that says the same."""
    if SECTION.search(text):
        return text
    blocks = re.split(r"\n\s*\n", text.strip("\n"))
    return "\n\n".join(_block(block.rstrip()) for block in blocks)


def _block(block: str) -> str:
    block = re.sub(r"\s*::$", ":", block)  # what follows is indented, and set so anyway
    lines = block.split("\n")
    if LISTED.match(lines[0]):
        return _inline(block)
    if TERM.match(lines[0]):
        return _terms(lines)
    if any(line.startswith(" ") for line in lines):
        return "::\n\n" + "\n".join(f"    {line}" for line in lines)
    return _inline(block)


def _terms(lines: list[str]) -> str:
    """``name : meaning`` with indented continuations, as a list."""
    items: list[str] = []
    for line in lines:
        term = TERM.match(line)
        if term:
            items.append(f"- ``{term.group(1)}``: {_inline(term.group(2))}")
        else:
            items[-1] += "\n  " + _inline(line.strip())
    return "\n".join(items)


def _inline(text: str) -> str:
    parts = CODE.split(text)
    plain = [re.sub(r"([\\*|])|(_)(?!\w)", r"\\\1\2", part) for part in parts[::2]]
    codes = [_code(part) for part in parts[1::2]]
    both = [x for pair in zip(plain, codes, strict=False) for x in pair]
    return "".join([*both, plain[-1]])


def _code(part: str) -> str:
    """Roles and double backticks stay; single backticks mean code here."""
    return part if part.startswith((":", "``")) else f"`{part}`"


def plain(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Event ``autodoc-process-docstring``: change the lines in place."""
    lines[:] = [*as_rst("\n".join(lines)).split("\n"), ""]
