"""The page Notation: its names exist in the package, and pages use no others."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK, PACKAGE = ROOT / "book", ROOT / "mbrl_edu"
SYMBOLS = "symbols on this page"  # what a chapter writes above its own table


def tables(text):
    """Every Markdown table of a text as a list of rows {column: cell}."""
    found, block = [], []
    for line in [*text.splitlines(), ""]:
        if line.lstrip().startswith("|"):
            block.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif block:
            header = [cell.lower() for cell in block[0]]
            assert all(len(row) == len(header) for row in block), block
            found.append([dict(zip(header, row, strict=True)) for row in block[2:]])
            block = []
    return found


def code_names(row):
    return re.findall(r"`([^`]+)`", row["code name"])


def notation(text):
    """[(code name, room, to come)] of a notation page."""
    rows = [row for table in tables(text) for row in table]
    found = []
    for row in rows:
        room, _, status = row["room"].partition(", ")
        assert status in ("", "to come"), row
        assert code_names(row), f"a row without a code name: {row}"
        found += [(name, room, status == "to come") for name in code_names(row)]
    return found


def names_in(source):
    """Names a module gives meaning to: variables and fields, parameters, attributes,
    functions and classes; those of a class also as Class.name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for name in _own(node)}
        found |= _named(node)
    return found


def _own(node):
    return set().union(*map(_named, ast.walk(node)))


def _named(node):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return {node.id}
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return {node.attr}
    if isinstance(node, ast.arg):
        return {node.arg}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return set()


def names_of_room(room, package=PACKAGE):
    files = sorted((package / room).glob("*.py"))
    return set().union(*(names_in(f.read_text(encoding="utf-8")) for f in files))


def problems(text, package=PACKAGE):
    """What the notation page says wrongly about the package."""
    found = []
    for name, room, to_come in notation(text):
        exists = name in names_of_room(room, package)
        if not exists and not to_come:
            found.append(f"`{name}` does not exist in mbrl_edu.{room}")
        if exists and to_come:
            found.append(f"`{name}` exists in mbrl_edu.{room} and is not to come")
    return found


def page_text(path):
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    return "\n\n".join(parts)


def symbols_of(text):
    """Code names in the table that follows the words 'Symbols on this page'."""
    at = text.lower().find(SYMBOLS)
    if at < 0:
        return None
    return [name for row in tables(text[at:])[0] for name in code_names(row)]


def unknown_names(text, known):
    """Code names of a page's own table that the notation page does not have."""
    return [name for name in symbols_of(text) or [] if name not in known]


NOTATION = page_text(BOOK / "notation.md")
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]-*.ipynb"))


def test_every_name_stands_where_the_table_says():
    assert len(notation(NOTATION)) > 40
    assert problems(NOTATION) == []


def test_no_name_has_two_rows():
    names = [name for name, _, _ in notation(NOTATION)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_chapters_use_the_names_of_the_notation_page(page):
    known = {name for name, _, _ in notation(NOTATION)}
    text = page_text(page)
    assert symbols_of(text), f"{page.name} has no table 'Symbols on this page'"
    assert unknown_names(text, known) == []


# ---- the checks above notice what they are for ---------------------------------------


def row(name, room):
    head = "| symbol | code name | shape | meaning | room |\n|---|---|---|---|---|"
    return f"{head}\n| x | `{name}` | n | what | {room} |"


def test_wrong_names_are_noticed():
    def say(name, room):
        return problems(row(name, room))

    assert say("gamma", "theory") == say("FiniteMDP.gamma", "theory") == []
    assert say("gama", "theory") == ["`gama` does not exist in mbrl_edu.theory"]
    assert say("kappa", "theory") == ["`kappa` does not exist in mbrl_edu.theory"]
    assert say("Batch.env", "core") == ["`Batch.env` does not exist in mbrl_edu.core"]
    assert say("not_yet", "algos, to come") == []
    assert say("kappa", "algos, to come") == [
        "`kappa` exists in mbrl_edu.algos and is not to come"
    ]


def test_a_name_that_no_one_knows_is_noticed_on_a_page():
    page = "**Symbols on this page**\n\n| symbol | code name |\n|---|---|\n| x | {} |\n"
    assert unknown_names(page.format("`gamma`, `tau`"), {"gamma", "tau"}) == []
    assert unknown_names(page.format("`gamma`, `tua`"), {"gamma"}) == ["tua"]
    assert symbols_of("no table here") is None


def test_where_a_name_may_stand():
    source = """
class Config:
    alpha: float = 0.1
    def __init__(self, eps):
        self.Q = [local for local in ()]
"""
    names = names_in(source)
    assert names >= {"Config", "alpha", "eps", "Q", "local", "Config.Q", "Config.eps"}
    assert "range" not in names_in("for i in range(3): pass")
