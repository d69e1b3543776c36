"""The files of the built book: complete, linked, and free of other hosts."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from built import HTML

LOADING = {"script": "src", "img": "src", "video": "src", "source": "src"}
LOADING |= {"iframe": "src", "link": "href", "audio": "src", "embed": "src"}


class Page(HTMLParser):
    """Collects what a page loads, what it links to and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.anchors.add(given["id"] or "")
        if tag == "a" and given.get("name"):
            self.anchors.add(given["name"] or "")
        target = given.get(LOADING.get(tag, ""))
        if target and given.get("rel") not in {"next", "prev", "canonical"}:
            self.loads.append(target)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")


@cache
def parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_page_was_built(path: Path) -> None:
    assert path.is_file()
    assert "<h1" in path.read_text(encoding="utf-8")


def test_page_loads_local_files_that_exist(path: Path) -> None:
    for target in parsed(path).loads:
        parts = urlsplit(target)
        if parts.scheme == "data":
            continue
        assert not parts.scheme and not parts.netloc, f"fetched elsewhere: {target}"
        assert (path.parent / unquote(parts.path)).exists(), f"missing: {target}"


def test_links_lead_somewhere(path: Path) -> None:
    for target in parsed(path).links:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            assert parts.scheme in {"https", "mailto"}, f"an odd link: {target}"
            continue
        there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert there.exists(), f"leads nowhere: {target}"
        if parts.fragment and there.suffix == ".html":
            anchors = parsed(there).anchors | {"", "top"}
            assert unquote(parts.fragment) in anchors, f"no such place: {target}"


def test_style_sheets_name_no_other_host() -> None:
    sheets = list(HTML.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        far = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", text)
        assert not far, f"{sheet.relative_to(HTML)} fetches {far}"
