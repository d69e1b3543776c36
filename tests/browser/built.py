"""Where the built book lies, and which pages it must have."""

from pathlib import Path

from driver import inputs

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


def built_pages() -> list[Path]:
    """The HTML of every page of the table of contents."""
    sources = [p.relative_to(ROOT).with_suffix(".html") for p in inputs.toc_pages()]
    return [HTML / p for p in sources]
