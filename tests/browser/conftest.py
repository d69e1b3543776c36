"""The built book, opened in Chromium. ``make browser`` runs this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from built import built_pages

PROGRAM = os.environ.get("BROWSER_PROGRAM")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A plain ``pytest`` has no book and no browser; ``make browser`` has both."""
    if not PROGRAM:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="run by `make browser`"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" in metafunc.fixturenames:
        pages = built_pages()
        metafunc.parametrize("path", pages, ids=[p.stem for p in pages])


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()
