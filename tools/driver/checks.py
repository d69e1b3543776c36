"""``make test``, ``make browser``, ``make colab`` and ``make lint``."""

import os
import shutil

from driver import book, environment, inputs
from driver.say import BUILD, ROOT, Failed, elapsed, environ, run, step

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WORKERS = "2"


def _lint(python: str) -> list[str]:
    """The names of the checks that failed."""
    failed = []
    step("Formatting and lint (ruff)")
    formatted = run([python, "-m", "ruff", "format", "--check", "."])
    if run([python, "-m", "ruff", "check", "."]) or formatted:
        failed.append("ruff")
    step("Types (mypy)")
    if run([python, "-m", "mypy"]):
        failed.append("mypy")
    return failed


def lint() -> str:
    failed = _lint(environment.ensure())
    if failed:
        raise Failed(f"Failed: {', '.join(failed)}.")
    return "Formatting, lint and types are in order."


def test() -> str:
    """Everything that needs neither a browser nor the built book."""
    python = environment.ensure()
    failed = _lint(python)
    step("Unit and property tests (pytest)")
    units = [python, "-m", "pytest", "tests", "--ignore=tests/browser", "-n", WORKERS]
    if run(units, environ(MPLBACKEND="Agg", MBRL_EDU_BUDGET="quick")):
        failed.append("unit tests")
    if run_notebooks(python):
        failed.append("notebooks")
    if failed:
        raise Failed(f"Failed: {', '.join(failed)} ({elapsed()}). See above.")
    return f"All tests passed ({elapsed()})."


def run_notebooks(python: str) -> int:
    """Every notebook, cell by cell, with the small budgets."""
    pages = [str(p) for p in inputs.files("book") if p.suffix == ".ipynb"]
    step(f"Every cell of {len(pages)} notebooks, with small budgets (nbval)")
    command = [python, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-cell-timeout", "300", "-p", "no:cacheprovider"]
    command += ["-n", WORKERS, "--dist", "loadscope", *pages]
    return run(command, environ(MBRL_EDU_BUDGET="quick"))


def browser() -> str:
    """The built book in Chromium."""
    python = environment.ensure()
    if not book.is_current():
        raise Failed("The book is not built from what is here: run 'make book' first.")
    program = os.environ.get("BROWSER_PROGRAM") or _find_browser()
    step(f"Every page of the book in {program}")
    command = [python, "-m", "pytest", "tests/browser", "-n", WORKERS]
    if run(command, environ(BROWSER_PROGRAM=program)):
        raise Failed(f"Failed: the browser test ({elapsed()}). See above.")
    return f"Every page works in the browser ({elapsed()})."


def _find_browser() -> str:
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    raise Failed(
        "This test needs Chromium or Chrome, and neither is on the PATH "
        "(Debian and Ubuntu: apt install chromium)."
    )


def colab() -> str:
    """Each notebook alone in an empty folder, in an environment not made for it."""
    python = environment.ensure()
    script = str(ROOT / "tools" / "colab.py")
    pages = os.environ.get("PAGES", "").split()
    step("Notebooks as Colab runs them: alone, with an older ipywidgets")
    command = [python, script, str(BUILD / "colab"), *pages]
    if run(command, environ(MBRL_EDU_BUDGET="quick")):
        raise Failed(f"Failed: the Colab imitation ({elapsed()}). See above.")
    return f"The notebooks run in an environment like Colab's ({elapsed()})."
