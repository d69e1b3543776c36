"""The repository's public address: kept in ``_config.yml``, repeated where needed.

The other places are the setup cells of the notebooks, the README and the citation
file. ``make address URL=...`` moves all of them; a test checks that they agree.
"""

import re
from pathlib import Path

from driver.say import Failed

ELSEWHERE = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml")
SHAPE = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[\w.~-]+)+")
LINE = re.compile(r"^(repository:\s*\n(?:\s+.*\n)*?\s+url:\s*)(\S+)", re.MULTILINE)


def read(root: Path) -> str:
    """The address in ``_config.yml``."""
    found = LINE.search((root / "_config.yml").read_text(encoding="utf-8"))
    if found is None:
        raise Failed("_config.yml has no line 'url: ...' below 'repository:'.")
    return found.group(2)


def places(root: Path) -> list[Path]:
    """All files that may hold the address, ``_config.yml`` first."""
    pages = [p for p in sorted((root / "book").rglob("*")) if p.is_file()]
    pages = [p for p in pages if p.suffix in {".ipynb", ".md"}]
    return [root / "_config.yml", *(root / name for name in ELSEWHERE), *pages]


def move(root: Path, url: str) -> str:
    """Replace the present address by ``url`` in every place that holds it."""
    new = url.strip().removesuffix("/").removesuffix(".git")
    if not SHAPE.fullmatch(new):
        raise Failed(
            f"URL={url!r} is no address of a repository: write, for example, "
            "make address URL=https://github.com/NAME/REPOSITORY"
        )
    old, changed = read(root), []
    for path in places(root):
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        moved = re.sub(re.escape(old) + r"(?![\w~-])", new, text)
        if moved != text:
            path.write_bytes(moved.encode("utf-8"))
            changed.append(path.relative_to(root).as_posix())
    return f"The address is {new} (changed: {', '.join(changed) or 'nothing'})."
