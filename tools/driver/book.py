"""``make book``: run the notebooks, then turn the pages into HTML."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from driver import environment, inputs
from driver.say import BUILD, ROOT, Failed, clock, elapsed, end, environ, step

HTML = BUILD / "html"
INDEX = HTML / "index.html"
STAMP = BUILD / "book.stamp"
PROBLEM = re.compile(r"WARNING|ERROR|CRITICAL|[Ee]xception occurred|[Ee]xtension error")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def is_current() -> bool:
    """Whether the built book was made from the files as they are now."""
    built = INDEX.exists() and STAMP.exists()
    return built and STAMP.read_text() == inputs.book_key()


def build() -> str:
    """Build what is not built yet; the sentence that says what to open."""
    python = environment.ensure()
    if is_current():
        return f"Nothing has changed. Open {INDEX}"
    STAMP.unlink(missing_ok=True)
    key = inputs.book_key()  # of now: a file may be edited while we build
    execute(python)
    write_pages(python)
    STAMP.write_text(key)
    return f"The book is ready ({elapsed()}). Open {INDEX}"


def execute(python: str) -> None:
    """Run the notebooks that have not run in this state, all cores at once."""
    folder = inputs.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _forget_old(folder)
    try:
        pages = [p for p in inputs.toc_pages() if p.suffix == ".ipynb"]
    except ValueError as problem:
        raise Failed(f"Not built: {problem}.") from None
    cores = os.cpu_count() or 1
    step(f"Running {len(pages)} notebooks, {min(cores, len(pages))} at a time")
    failed = _run_all(python, folder, pages, cores)
    if failed:
        names = ", ".join(str(p.relative_to(ROOT)) for p in failed)
        raise Failed(f"Not built: {names} failed, for the reason shown above.")


def _forget_old(folder: Path, keep: int = 4) -> None:
    """Drop the outputs of older states of the package."""
    old = sorted(folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)
    for path in old[:-keep]:
        if path != folder:
            shutil.rmtree(path, ignore_errors=True)


def _run_all(python: str, folder: Path, pages: list[Path], cores: int) -> list[Path]:
    """Each notebook in a process of its own; the notebooks that failed."""
    script = str(ROOT / "tools" / "run_notebook.py")
    waiting, running, failed = list(pages), {}, []
    said = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                page = waiting.pop(0)
                command = [python, script, str(folder), str(page)]
                with _log(page).open("w") as log:  # one reader, one story at a time
                    child = subprocess.Popen(
                        command, cwd=ROOT, env=environ(), stdout=log, stderr=log
                    )
                running[page] = (child, time.monotonic())
            for page, (child, began) in list(running.items()):
                if child.poll() is not None:
                    del running[page]
                    failed += _report(page, child.returncode, began)
            if time.monotonic() - said > 20 and running:
                said = time.monotonic()
                names = [
                    f"{p.stem} ({clock(said - b)})" for p, (_, b) in running.items()
                ]
                step(f"  still running: {', '.join(names)}; {len(waiting)} to come")
            time.sleep(0.05)
    finally:
        for child, _ in running.values():
            end(child)
    return failed


def _log(page: Path) -> Path:
    folder = BUILD / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{page.stem}.log"


def _report(page: Path, status: int, began: float) -> list[Path]:
    took = clock(time.monotonic() - began)
    result = {0: "ran", 3: "had run before"}.get(status, "FAILED")
    step(f"  {page.stem} {result}" + (f" in {took}" if status != 3 else ""))
    if status in (0, 3):
        return []
    print(_log(page).read_text(encoding="utf-8", errors="replace"), flush=True)
    return [page]


def write_pages(python: str) -> None:
    """Turn all pages into HTML, every warning an error.

    All pages are read afresh: a page with a warning that was read in an earlier,
    failed build would otherwise not be looked at again.
    """
    step("Writing the pages")
    shutil.rmtree(HTML, ignore_errors=True)
    start = "from jupyter_book.cli.main import main; main()"
    command = [python, "-c", start, "build", "--all"]
    command += ["-W", "-n", "--keep-going", str(ROOT)]
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ(PYTHONIOENCODING="utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    problems: list[str] = []
    try:
        for line in child.stdout or []:
            plain = COLOUR.sub("", line.rstrip())
            print("        " + plain, flush=True)
            if PROBLEM.search(plain) and plain not in problems:
                problems.append(plain)
        status = child.wait()
    except KeyboardInterrupt:
        end(child)
        raise
    if status != 0 or not INDEX.exists():
        _fail(problems)


def _fail(problems: list[str]) -> None:
    if not problems:
        raise Failed("Not built: the reason stands above.")
    step(f"What stopped the build ({len(problems)}):")
    for problem in problems:
        print("  " + problem.replace(f"{ROOT}{os.sep}", ""))
    number = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    raise Failed(f"Not built: {number}, listed above.")
