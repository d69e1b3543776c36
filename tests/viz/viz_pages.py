"""Pages of figures in Chromium, shared by the browser tests of this folder."""

import shutil

import numpy as np
import pytest

from mbrl_edu.envs.maze import DYNA_MAZE
from mbrl_edu.viz import curve_explorer, frame_player, maze_player

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
if PROGRAM is None:
    pytest.skip("no chromium or google-chrome on PATH", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api")


DESKTOP = {"width": 1100, "height": 900}
X = np.linspace(0, 4, 9)


def wave(x, a, b):
    return {"wave": b + np.sin(a * x), "tiny": np.where(x == 2, np.nan, 1e-6 * a * x)}


def make_curve(**more):
    sliders = {"a": [0.5, 1, 1.5], "b": [-1, 0, 1, 2]}
    shown = {"alt": "a sine", "mark": "max", "xlabel": "x", "start": {"a": 1, "b": 2}}
    return curve_explorer(wave, X, sliders, **(shown | more))


def make_maze(**more):
    values = np.random.default_rng(1).random((6, 54))
    values[2, 8] = np.nan
    policy = np.random.default_rng(2).integers(-1, 4, (6, 54))
    shown = {"alt": "a maze", "agent": [18, 27, 36, -1, 18, 9], "interval": 60}
    return maze_player(DYNA_MAZE, values, policy, **(shown | more)), values


def make_frames(**more):
    frames = np.zeros((8, 120, 400, 3), "u1")
    for k in range(8):
        frames[k, :, 50 * k : 50 * k + 40] = 200
    return frame_player(frames, alt="a bar", interval=60, **more)


def page_of(*figures, theme=None):
    body = "\n".join(f if isinstance(f, str) else f.html for f in figures)
    attribute = f' data-theme="{theme}"' if theme else ""
    return (
        f'<!doctype html><html lang="en"{attribute}><head><meta charset="utf-8"><meta '
        'name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>figures</title></head><body>{body}</body></html>"
    )


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=PROGRAM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser, tmp_path):
    """show(*figures) opens a page of them; at the end, nothing may have gone wrong."""
    contexts, faults = [], []

    def opener(*figures, viewport=DESKTOP, theme=None, **context):
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(page_of(*figures, theme=theme), encoding="utf-8")
        contexts.append(browser.new_context(viewport=viewport, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(5000)
        page.on("pageerror", lambda e: faults.append(f"error: {e}"))
        page.on(
            "console",
            lambda m: faults.append(m.text) if m.type in ("error", "warning") else 0,
        )
        page.on(
            "request",
            lambda r: (
                faults.append(f"request: {r.url[:80]}")
                if r.url != path.as_uri() and not r.url.startswith("data:")
                else 0
            ),
        )
        page.goto(path.as_uri())
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not faults


def drawing(figure):
    return figure.locator(".mbrl-out").inner_html()


def all_figures():
    return make_curve(), make_maze()[0], make_frames()
