"""Studies: named recipes whose small tables ship with the package.

A recipe makes every number that a page or a verdict shows:

    @study("dyna-planning", title="Dyna-Q with n = 0, 5, 50", page="02-dyna")
    def dyna_planning(workers, folder, quick=False):
        s = sweep("dyna_q", "DynaMaze-v0", 30, ..., folder=folder, workers=workers)
        return s.frame()

`python -m mbrl_edu study dyna-planning` runs it and writes its tables as CSV beside a
manifest; `load_study("dyna-planning")` reads them, wherever the package is installed.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mbrl_edu
from mbrl_edu.core import check
from mbrl_edu.experiment import parts, provenance, store
from mbrl_edu.experiment.registry import nearest
from mbrl_edu.experiment.stored import (
    STORED,
    Study,
    hashed,
    load_study,
    stored_studies,
)

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Recipe", "Study", "load_study", "run_study", "stored_studies", "study"]

LIMIT = 2_000_000  # bytes of tables a study may ship


@dataclass(frozen=True)
class Recipe:
    """A registered study: `make(workers, folder, quick)` returns its tables."""

    name: str
    title: str
    page: str
    make: Callable[..., Any]
    seeds: tuple[int, ...] | None = None  # if it can be made seed by seed: all of them


STUDIES: dict[str, Recipe] = {}


def study(
    name: str, title: str, page: str, seeds: Iterable[int] | None = None
) -> Callable[..., Any]:
    """Decorator: register `recipe(workers, folder, quick=False)` as study `name`.

    The recipe returns a DataFrame or a dict of them. It keeps its runs in `folder`, so
    that an interrupted study goes on where it was; `quick` asks for a small version
    that only shows that it runs. A long study names its `seeds`: its recipe takes some
    of them as a fourth argument `seeds`, and every table has a column "seed".
    """
    known = None if seeds is None else tuple(seeds)

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        if name in STUDIES and STUDIES[name].make.__module__ != make.__module__:
            raise ValueError(f"study {name} is registered twice.")
        STUDIES[name] = Recipe(name, title, page, make, known)
        return make

    return register


def all_studies() -> dict[str, Recipe]:
    """Every study, after importing the modules `studies_*` that hold the recipes."""
    import_modules("studies_")
    return dict(sorted(STUDIES.items()))


def import_modules(prefix: str) -> None:
    """Import the modules of this room whose names start with `prefix`."""
    import mbrl_edu.experiment as room

    for module in pkgutil.iter_modules(room.__path__):
        if module.name.startswith(prefix):
            importlib.import_module(f"{room.__name__}.{module.name}")


def find_study(name: str) -> Recipe:
    """The study called `name`; ValueError with the nearest names when there is none."""
    known = all_studies()
    if name not in known:
        hint = nearest(name, known) if known else "none is registered."
        raise ValueError(f"unknown study {name!r}: {hint}")
    return known[name]


def run_study(
    name: str,
    workers: int | None = None,
    out: str | Path | None = None,
    folder: str | Path | None = None,
    quick: bool = False,
    seeds: Iterable[int] | None = None,
) -> Path:
    """Make the tables of study `name` and write them; returns their directory.

    Parameters
    ----------
    workers : processes; None: one per core.
    out : where `<name>/` is written; None: the package's own folder of stored tables
        when the package is a working copy, else `stored`. A quick version is not the
        result and needs a folder of its own.
    folder : where the runs are kept meanwhile; None: `runs/<name>`.
    seeds : only these, where the study can be made seed by seed: their rows join those
        that are stored already, and the manifest says where each part came from.

    Raises
    ------
    ValueError
        for an unknown study, bad arguments, or a recipe that returns no table.
    StoreError
        when `out` cannot be written.
    """
    recipe = find_study(name)
    if workers is not None:
        workers = check.integer("workers", workers, low=1)
    if quick and out is None:
        raise ValueError("a quick study needs a folder of its own: give out (--out).")
    some = parts.chosen(name, recipe.seeds, seeds)
    out = _default_out() if out is None else Path(out)
    folder = Path("runs") / name if folder is None else Path(folder)
    with store.explained(out):  # before any work is done
        out.mkdir(parents=True, exist_ok=True)
    started, began = provenance.now(), time.perf_counter()
    only = {} if some is None else {"seeds": some}
    tables = _tables(name, recipe.make(workers, folder, quick=quick, **only))
    origin = provenance.origin(started, time.perf_counter() - began)
    known: dict[str, Any] = {
        "study": name,
        "title": recipe.title,
        "page": recipe.page,
        "command": f"python -m mbrl_edu study {name}" + (" --quick" if quick else ""),
        "quick": quick,
        "workers": workers,
    }
    if some is not None:
        old = load_study(name, out) if name in stored_studies(out) else None
        tables, origin = parts.joined(old, tables, some, known["command"], origin)
    texts = {f"{k}.csv": t.to_csv(index=False) for k, t in tables.items()}
    hashes = {k: hashed(text) for k, text in texts.items()}
    manifest = known | {"tables": hashes} | origin
    with store.finished_by_rename(out / name, replace=True) as hidden:
        with store.explained(out):
            for file, text in texts.items():
                (hidden / file).write_bytes(text.encode())
            store.write_json(hidden / store.MANIFEST, manifest)
    return out / name


def _default_out() -> Path:
    package = Path(mbrl_edu.__file__).parent
    is_working_copy = (package.parent / "pyproject.toml").is_file()
    return package / STORED if is_working_copy else Path(STORED)


def _tables(name: str, made: Any) -> dict[str, DataFrame]:
    import pandas as pd

    tables = dict(made) if isinstance(made, Mapping) else {"table": made}
    good = all(isinstance(t, pd.DataFrame) for t in tables.values())
    if not tables or not good:
        raise ValueError(
            f"study {name} returned {type(made).__name__}, but must return a "
            "DataFrame or a dict of them."
        )
    size = sum(len(t.to_csv(index=False)) for t in tables.values())
    if size > LIMIT:
        raise ValueError(
            f"study {name} made {size:,} bytes of tables, but must stay under "
            f"{LIMIT:,}: summarise them (the runs are kept)."
        )
    return tables
