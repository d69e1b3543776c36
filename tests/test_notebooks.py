"""Notebooks are stored clean, short, and with the setup cell of the book."""

import json
import re
import statistics
from pathlib import Path

import pytest
from driver import address, inputs

ROOT = Path(__file__).resolve().parents[1]
SETUP = """\
try:
    import mbrl_edu
except ImportError:
    %pip install -q "mbrl-edu @ git+{address}"
    import mbrl_edu
"""


def notebooks() -> list[Path]:
    return [p for p in inputs.files("book") if p.suffix == ".ipynb"]


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [c for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_setup_cell_installs_from_the_address(path: Path) -> None:
    first = code_cells(path)[0]
    expected = SETUP.format(address=address.read(ROOT)).rstrip("\n")
    assert first["id"] == "setup"
    assert "".join(first["source"]).startswith(expected)


def test_there_are_notebooks() -> None:
    assert notebooks()


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_notebook_is_clean(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)
    unreadable = [i for i in ids if not re.fullmatch(r"[a-z][a-z0-9_-]{1,63}", i)]
    hashes = [i for i in ids if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", i)]
    assert not unreadable + hashes, "cell ids are short names of what the cell does"
    for cell in code_cells(path):
        assert not cell["outputs"], f"cell {cell['id']} is stored with outputs"
        assert cell["execution_count"] is None, f"cell {cell['id']} has a count"


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_cells_are_short(path: Path) -> None:
    """No cell over 35 lines; those that are not folded have a median of at most 10."""
    long, shown = {}, []
    for cell in code_cells(path):
        lines = "".join(cell["source"]).splitlines()
        if len(lines) > 35:
            long[cell["id"]] = len(lines)
        if "hide-input" not in cell["metadata"].get("tags", []):
            shown.append(sum(bool(line.strip()) for line in lines))
    assert not long
    assert statistics.median(shown) <= 10


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_directives_are_colon_fences(path: Path) -> None:
    """Other viewers then still show what is inside."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            fence = re.search(r"^\s*(```+|~~~+)\s*\{", source, re.MULTILINE)
            assert not fence, cell["id"]
