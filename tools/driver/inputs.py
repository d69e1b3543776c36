"""What a result was made from, as a hash, so that nothing stale is ever shown."""

import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SKIP = {"__pycache__", ".ipynb_checkpoints"}


def files(*places: str, root: Path = ROOT) -> list[Path]:
    """All files in the given files and folders (relative to the root), in order."""
    found: list[Path] = []
    for place in places:
        path = root / place
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [p for p in inside if p.is_file() and not _SKIP & set(p.parts)]
    return sorted(found)


def digest(paths: Iterable[Path], *words: str, root: Path = ROOT) -> str:
    """A hash of names and contents of files and of further words."""
    total = hashlib.sha256()
    for word in words:
        total.update(word.encode() + b"\0")
    for path in paths:
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def budget() -> str:
    return os.environ.get("MBRL_EDU_BUDGET") or "full"


def cache_folder(root: Path = ROOT) -> Path:
    """Where executed notebooks are kept.

    A notebook's output depends on its own text (which jupyter-cache looks at), on the
    package, on the versions of what the package uses, and on the budget.
    """
    made_from = files("mbrl_edu", "constraints.txt", root=root)
    python = ".".join(map(str, sys.version_info[:2]))
    key = digest(made_from, budget(), python, root=root)
    return root / "_build" / "executed" / key


def book_key(root: Path = ROOT) -> str:
    """A hash of all that the built book is made from."""
    parts = ["book", "mbrl_edu", "tools", "_config.yml", "_toc.yml"]
    parts += ["constraints.txt", "pyproject.toml"]
    return digest(files(*parts, root=root), budget(), root=root)


def toc_pages(root: Path = ROOT) -> list[Path]:
    """The source files of the pages in the table of contents, in its order."""
    toc = (root / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^\s*(?:- )?(?:root|file):\s*(\S+)", toc, flags=re.MULTILINE)
    pages = []
    for name in names:
        here = [root / f"{name}{end}" for end in (".ipynb", ".md")]
        there = [path for path in here if path.exists()]
        if len(there) != 1:
            raise ValueError(f"_toc.yml names {name}: {len(there)} such pages exist")
        pages.append(there[0])
    return pages
