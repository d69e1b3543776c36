"""The command line: `python -m mbrl_edu` lists methods and tasks and runs one."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

USAGE = """usage: python -m mbrl_edu [methods | tasks]
       python -m mbrl_edu run METHOD TASK [--seed 0] [--folder runs] [--OPTION VALUE]
       python -m mbrl_edu run METHOD --help
       python -m mbrl_edu resume FOLDER [--workers N]
       python -m mbrl_edu study [NAME | list] [--workers N] [--seeds 1,2] [--out DIR]"""

# of methods that consist of many runs
WORKPLACE = (
    ("workers", "1", "processes that the method's own runs are played by"),
    ("backend", "loky", "where these are: loky (here), dask or ray (a cluster)"),
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (try --help).")


def parser(name: str, text: str, add_help: bool = True) -> Parser:
    """A parser for one command; unique prefixes of options are not guessed."""
    full = f"python -m mbrl_edu {name}"
    return Parser(full, description=text, allow_abbrev=False, add_help=add_help)


def list_methods() -> None:
    """Print the methods with their chapters."""
    from mbrl_edu.experiment.registry import METHODS

    print("methods")
    for m in METHODS.values():
        print(f"  {m.name:22} {m.title:22} chapter {m.page}")


def list_tasks() -> None:
    """Print the tasks."""
    from mbrl_edu.experiment.registry import TASKS

    print("tasks")
    for t in TASKS.values():
        print(f"  {t.short:22} {t.description}")
    print("  any Gymnasium id with Discrete observations and actions: FrozenLake-v1")
    print("  any with boxes for both, for methods that are not tabular: Swimmer-v5")


def run(words: list[str]) -> None:
    """`run METHOD TASK ...`: one run, kept in a folder."""
    from mbrl_edu.experiment import registry
    from mbrl_edu.experiment.run import execute, prepare

    wants_help = {"-h", "--help"} & set(words)
    names = [w for w in words[:1] if not w.startswith("-")]
    if not names:
        if wants_help:
            print(USAGE)
            list_methods()
            return
        raise ValueError("run needs a method and a task: run METHOD TASK.")
    method = registry.find_method(names[0])
    given, rest = _run_parser(method).parse_known_args(words[1:])
    if rest:
        _refuse(rest[0], method)
    values = vars(given)
    task, folder = (values.pop(k) for k in ("TASK", "folder"))
    how: dict[str, Any] = {}
    how["save_every"] = _convert("save_every", float, values.pop("save_every"))
    if "workers" in values:
        how |= _workplace(values.pop("workers"), values.pop("backend"))
    values["seed"] = _convert("seed", int, values["seed"])
    _say(execute(prepare(method, task, **values), folder, **how))


def resume(words: list[str]) -> None:
    """`resume FOLDER`: go on with what was stopped or killed there."""
    from mbrl_edu.experiment.run import resume

    options = parser("resume", "Go on with the unfinished runs in a folder, or one.")
    options.add_argument("FOLDER", help="where runs are kept, or the place of one run")
    for name, default, text in WORKPLACE:
        options.add_argument(f"--{name}", default=default, help=text)
    given = options.parse_args(words)
    for done in resume(given.FOLDER, **_workplace(given.workers, given.backend)):
        _say(done)


def _workplace(workers: str, backend: str) -> dict[str, Any]:
    return {"workers": _convert("workers", int, workers), "backend": backend}


def _say(done: Any) -> None:
    """One line about a run; StoreError when it could not be kept."""
    from mbrl_edu.experiment.record import short
    from mbrl_edu.experiment.store import StoreError

    last = done.rows[-1] if done.rows else {}
    numbers = ", ".join(f"{k} {short(v)}" for k, v in last.items())
    label = f"{done.method} on {done.task}, seed {done.seed}"
    text = f"{label}: {numbers}; {done.manifest['wall_seconds']:.2f} s"
    if done.folder is None:
        raise StoreError(f"{text}; the folder could not take it.")
    print(f"{text}; kept in {done.folder}")


def _run_parser(method: Any) -> Parser:
    from mbrl_edu.experiment.options import allowed, describe

    options = parser(f"run {method.name}", f"{method.title}, chapter {method.page}.")
    options.add_argument("TASK", help="a task, see: python -m mbrl_edu tasks")
    for name, default, text in (
        ("seed", "0", "whole number >= 0"),
        ("folder", "runs", "where runs are kept"),
        ("preset", None, "a set of options for this method and task, by name"),
        ("device", "auto", "cpu, cuda, or auto: cuda if it is there"),
        ("save-every", "10", "least number of seconds between two checkpoints"),
        *(WORKPLACE if method.takes("parallel") else ()),
    ):
        known = f" (default: {default})" if default else ""
        options.add_argument(f"--{name}", default=default, help=text + known)
    fields = options.add_argument_group("options of the method")
    for o in describe(method.config):
        default = "" if o.required else f" (default: {_word(o.default)})"
        names = {f"--{o.name}", f"--{o.name.replace('_', '-')}"}
        fields.add_argument(
            *sorted(names, reverse=True),
            dest=o.name,
            metavar="VALUE",
            default=argparse.SUPPRESS,
            help=f"{o.help or allowed(o.type)}{default}".replace("%", "%%"),
        )
    return options


def _word(value: Any) -> str:
    from mbrl_edu.experiment.provenance import as_word

    return as_word(value)


def _convert(name: str, kind: type, word: str) -> Any:
    from mbrl_edu.experiment.options import Option, convert

    return convert(Option(name, kind, 0, ""), word)


def _refuse(word: str, method: Any) -> NoReturn:
    from mbrl_edu.experiment.nearest import nearest
    from mbrl_edu.experiment.options import describe

    if not word.startswith("--"):
        raise ValueError(f"{word!r} is one argument too many: run METHOD TASK.")
    name = word.lstrip("-").split("=")[0]
    ours = ["seed", "folder", "preset", "device", "save-every"]
    ours += [name for name, *_ in WORKPLACE if method.takes("parallel")]
    known = [*ours, *(o.name for o in describe(method.config))]
    raise ValueError(f"unknown option --{name}: {nearest(name, known)}")


def study(words: list[str]) -> None:
    """`study NAME` makes a study's tables, `study list` lists the studies."""
    from mbrl_edu.experiment.studies import all_studies, run_study, stored_studies

    options = parser("study", "Make the tables of a study, or list the studies.")
    options.add_argument("NAME", nargs="?", default="list")
    options.add_argument("--workers", help="processes (default: one per core)")
    options.add_argument("--seeds", help="some of the seeds of a long study: 10,11")
    options.add_argument("--out", help="where the tables go (default: the package)")
    options.add_argument("--folder", help="where runs are kept (default: runs/NAME)")
    options.add_argument(
        "--quick", action="store_true", help="a small version that shows it runs"
    )
    given = options.parse_args(words)
    if given.NAME == "list":
        kept = stored_studies()
        print("studies")
        for s in all_studies().values():
            star = " *" * (s.name in kept)
            some = f" [seeds {', '.join(map(str, s.seeds))}]" if s.seeds else ""
            print(f"  {s.name:26} {s.title} ({s.page}){some}{star}")
        print("  * has stored tables")
        return
    workers = given.workers
    if workers is not None:
        workers = _convert("workers", int, workers)
    seeds = given.seeds and [
        _convert("seeds", int, word) for word in given.seeds.split(",")
    ]
    path = run_study(given.NAME, workers, given.out, given.folder, given.quick, seeds)
    print(f"study {given.NAME}: tables in {path}")


def dispatch(words: list[str]) -> None:
    """Do what the words say; ValueError when they say nothing known."""
    command, rest = (words[0], words[1:]) if words else ("", [])
    if command in ("", "-h", "--help"):
        print(USAGE)
        list_methods()
        list_tasks()
    elif command == "--version":
        import mbrl_edu

        print(f"mbrl_edu {mbrl_edu.__version__}")
    elif command == "methods":
        list_methods()
    elif command == "tasks":
        list_tasks()
    elif command == "run":
        run(rest)
    elif command == "resume":
        resume(rest)
    elif command == "study":
        study(rest)
    else:
        from mbrl_edu.experiment.nearest import nearest

        known = ["methods", "tasks", "run", "resume", "study"]
        raise ValueError(f"unknown command {command!r}: {nearest(command, known)}")


def _one_line(message: Any, *where: Any) -> None:
    print(f"mbrl_edu: {' '.join(str(message).split())}", file=sys.stderr)


def main(words: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 refused (one line on stderr), 130 stopped by Ctrl-C.

    With MBRL_EDU_TRACEBACK=1 a refusal shows where it was raised.
    """
    from mbrl_edu.experiment.store import StoreError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line  # type: ignore[assignment]
            dispatch(list(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
        return 0
    except (ValueError, StoreError) as error:
        if os.environ.get("MBRL_EDU_TRACEBACK") == "1":
            raise
        print(f"mbrl_edu: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"mbrl_edu: {str(stop) or 'stopped; start it again'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
