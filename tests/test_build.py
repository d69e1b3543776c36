"""The build of a tiny book with the real configuration: buttons, warnings, cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import plain_docstrings
import pytest
from driver import address, book, inputs, say

ROOT = Path(__file__).resolve().parents[1]
START = "from jupyter_book.cli.main import main; main()"
TOC = "format: jb-book\nroot: book/index\nchapters:\n  - file: book/page\n"
FORMULA = r"$\eta = \sum_t \gamma^t r_t$"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A book of two pages beside the project's own configuration."""
    for name in ("_config.yml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("book/_ext", "book/_static", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    cells = [
        {"cell_type": "markdown", "id": "t", "metadata": {}, "source": "# Page"},
        {
            "cell_type": "code",
            "id": "setup",
            "metadata": {},
            "source": "print(6 * 7)",
            "outputs": [],
            "execution_count": None,
        },
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    page = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "book" / "page.ipynb").write_text(json.dumps(page))
    (tmp_path / "book" / "index.md").write_text(f"# Index\n\nText, {FORMULA}.\n")
    (tmp_path / "book" / "references.bib").write_text("")
    (tmp_path / "_toc.yml").write_text(TOC)
    return tmp_path


def build(root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", START, "build", "--all", "-W", "-n", str(root)]
    env = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=240
    )


def html(root: Path, name: str) -> str:
    return (root / "_build" / "html" / "book" / name).read_text(encoding="utf-8")


def test_book_without_a_public_address(tiny: Path) -> None:
    """No button leads to an address that is not there; nothing is fetched."""
    address.move(tiny, "https://mbrl-edu.invalid/mbrl-edu")
    done = build(tiny)
    assert done.returncode == 0, done.stdout + done.stderr
    page = html(tiny, "page.html")
    assert ">42\n" in page
    assert "colab" not in page
    assert "mbrl-edu.invalid" not in page
    assert "thebe" not in page.lower()
    assert "unpkg" not in page
    assert 'src="../_static/mathjax/tex-svg.js"' in html(tiny, "index.html")
    assert (tiny / "_build/html/_static/mathjax/tex-svg.js").is_file()
    assert inputs.cache_folder(tiny).is_dir()


def test_book_on_github(tiny: Path) -> None:
    """Notebooks open in Colab; a page of text has no such button."""
    address.move(tiny, "https://github.com/somebody/something")
    done = build(tiny)
    assert done.returncode == 0, done.stdout + done.stderr
    colab = (
        "https://colab.research.google.com/github/somebody/something"
        "/blob/main/book/page.ipynb"
    )
    assert colab in html(tiny, "page.html")
    assert "https://github.com/somebody/something" in html(tiny, "index.html")
    assert "colab" not in html(tiny, "index.html")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("See {ref}`nowhere`.", "nowhere"),
        ("See {cite}`nobody`.", "nobody"),
        (":::{prf:theorem} T\n:label: same\n:::\n" * 2, "same"),
        ("[a page](not-there.md)", "not-there"),
    ],
)
def test_a_warning_stops_the_build(tiny: Path, text: str, said: str) -> None:
    (tiny / "book" / "index.md").write_text(f"# Index\n\n{text}\n")
    done = build(tiny)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Updates where |target - Q| is large.",
            r"Updates where \|target - Q\| is large.",
        ),
        ("`gamma` times ``V``, a * b, x_.", r"``gamma`` times ``V``, a \* b, x\_."),
        ("See :func:`run`, s_next.", "See :func:`run`, s_next."),
        ("As in ::\n\n    a = b", "As in:\n\n::\n\n        a = b"),
        (
            "P  (S, A)  law,\n           rows",
            "::\n\n    P  (S, A)  law,\n               rows",
        ),
        (
            "a, b : two|\n    numbers\nc : one",
            "- ``a, b``: two\\|\n  numbers\n- ``c``: one",
        ),
        ("Parameters\n----------\na : |b|", "Parameters\n----------\na : |b|"),
    ],
)
def test_plain_docstrings(text: str, expected: str) -> None:
    assert plain_docstrings.as_rst(text) == expected


def test_outputs_change_with_the_package(tmp_path: Path, monkeypatch) -> None:
    """The folder of executed notebooks depends on package, versions and budget."""
    (tmp_path / "mbrl_edu").mkdir()
    code, data = tmp_path / "mbrl_edu" / "a.py", tmp_path / "mbrl_edu" / "a.json"
    folders = [inputs.cache_folder(tmp_path)]
    for path in (code, data, tmp_path / "constraints.txt"):
        path.write_text("1")
        folders.append(inputs.cache_folder(tmp_path))
        path.write_text("2")
        folders.append(inputs.cache_folder(tmp_path))
    assert inputs.cache_folder(tmp_path) == folders[-1]
    monkeypatch.setenv("MBRL_EDU_BUDGET", "another")
    folders.append(inputs.cache_folder(tmp_path))
    assert len(set(folders)) == len(folders)


def test_problems_are_listed_once_more_at_the_end(capsys) -> None:
    lines = [f"{say.ROOT}/book/a.md:3: WARNING: no such thing"]
    with pytest.raises(say.Failed, match="1 problem"):
        book._fail(lines)
    assert "  book/a.md:3: WARNING: no such thing" in capsys.readouterr().out
