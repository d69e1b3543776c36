"""The commands behind the Makefile, one function each."""

import os
import shutil
import sys
from collections.abc import Callable

from driver import address, book, checks, environment
from driver.say import BUILD, ROOT, Failed, tell

HELP = """\
make book      build the book and say which page to open
make test      lint, types, unit tests and every notebook
make browser   open every page of the built book in a browser without a screen
make colab     run the notebooks as Colab would: alone, in a foreign environment
make lint      only formatting, lint and types
make env       only make the environment (.venv)
make address URL=https://...   set the repository's public address everywhere
make clean     remove what was built (not .venv)"""


def show_help() -> str:
    return HELP


def make_env() -> str:
    return f"The environment is ready: {environment.ensure()}"


def clean() -> str:
    shutil.rmtree(BUILD, ignore_errors=True)
    return f"Removed {BUILD}."


def set_address() -> str:
    return address.move(ROOT, os.environ.get("URL", ""))


COMMANDS: dict[str, Callable[[], str]] = {
    "help": show_help,
    "book": book.build,
    "test": checks.test,
    "browser": checks.browser,
    "colab": checks.colab,
    "lint": checks.lint,
    "env": make_env,
    "address": set_address,
    "clean": clean,
}


def main(words: list[str]) -> int:
    """Run one command; its last line says what to open or what failed."""
    name = words[0] if len(words) == 1 else "help"
    if name not in COMMANDS:
        tell(f"There is no command '{name}': choose one of {', '.join(COMMANDS)}.")
        return 2
    try:
        tell(COMMANDS[name]())
        return 0
    except Failed as problem:
        tell(str(problem))
        return 1
    except KeyboardInterrupt:
        tell(f"\nStopped. Run 'make {name}' again: what is done is kept.")
        return 130
    except OSError as problem:
        if problem.errno == 28:  # no space left on device
            free = shutil.disk_usage(ROOT).free / 1e9
            tell(f"The disk is full: {free:.1f} GB are free in {ROOT}.")
            return 1
        raise
    finally:
        sys.stdout.flush()
