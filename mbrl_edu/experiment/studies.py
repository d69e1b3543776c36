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

import hashlib
import importlib
import json
import pkgutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mbrl_edu
from mbrl_edu.core import check
from mbrl_edu.experiment import provenance, store
from mbrl_edu.experiment.registry import nearest

if TYPE_CHECKING:
    from pandas import DataFrame

STORED = "stored"  # folder of the package that holds the shipped tables
LIMIT = 2_000_000  # bytes of tables a study may ship


@dataclass(frozen=True)
class Recipe:
    """A registered study: `make(workers, folder, quick)` returns its tables."""

    name: str
    title: str
    page: str
    make: Callable[..., Any]


@dataclass(frozen=True)
class Study:
    """Stored tables by name, and the manifest that says where they came from."""

    name: str
    tables: dict[str, DataFrame]
    manifest: dict[str, Any]

    @property
    def table(self) -> DataFrame:
        """The only table; ValueError when there are several."""
        if len(self.tables) != 1:
            raise ValueError(
                f"study {self.name} has several tables, take one of "
                f"{', '.join(self.tables)} from study.tables."
            )
        return next(iter(self.tables.values()))

    @property
    def command(self) -> str:
        """The shell command that makes these tables."""
        return self.manifest["command"]

    @property
    def provenance(self) -> str:
        """One line for the figure's foot: command, commit, machine, minutes."""
        commit = (self.manifest["commit"] or "no commit")[:9]
        changed = " (with changes)" if self.manifest["dirty"] else ""
        cpu = self.manifest["machine"]["cpu"]
        minutes = self.manifest["wall_seconds"] / 60
        return f"{self.command} · {commit}{changed} · {cpu} · {minutes:.1f} minutes"


STUDIES: dict[str, Recipe] = {}


def study(name: str, title: str, page: str) -> Callable[..., Any]:
    """Decorator: register `recipe(workers, folder, quick=False)` as study `name`.

    The recipe returns a DataFrame or a dict of them. It keeps its runs in `folder`, so
    that an interrupted study goes on where it was; `quick` asks for a small version
    that only shows that it runs.
    """

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        if name in STUDIES and STUDIES[name].make.__module__ != make.__module__:
            raise ValueError(f"study {name} is registered twice.")
        STUDIES[name] = Recipe(name, title, page, make)
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
) -> Path:
    """Make the tables of study `name` and write them; returns their directory.

    Parameters
    ----------
    workers : processes; None: one per core.
    out : where `<name>/` is written; None: the package's own folder of stored tables
        when the package is a working copy, else `stored`. A quick version is not the
        result and needs a folder of its own.
    folder : where the runs are kept meanwhile; None: `runs/<name>`.

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
    out = _default_out() if out is None else Path(out)
    folder = Path("runs") / name if folder is None else Path(folder)
    with store.explained(out):  # before any work is done
        out.mkdir(parents=True, exist_ok=True)
    started, began = provenance.now(), time.perf_counter()
    tables = _tables(name, recipe.make(workers, folder, quick=quick))
    seconds = time.perf_counter() - began
    texts = {f"{k}.csv": t.to_csv(index=False) for k, t in tables.items()}
    manifest = {
        "study": name,
        "title": recipe.title,
        "page": recipe.page,
        "command": f"python -m mbrl_edu study {name}" + (" --quick" if quick else ""),
        "quick": quick,
        "workers": workers,
        "tables": {k: _digest(text) for k, text in texts.items()},
    } | provenance.origin(started, seconds)
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stored_studies(folder: str | Path | None = None) -> list[str]:
    """Names of the studies that have stored tables."""
    root = _root(folder)
    if not root.is_dir():
        return []
    found = [p.name for p in root.iterdir() if (p / store.MANIFEST).is_file()]
    return sorted(n for n in found if store.PARTIAL not in n)


def _root(folder: str | Path | None) -> Any:
    """The folder of stored tables, also where the package is not a plain folder."""
    return resources.files("mbrl_edu") / STORED if folder is None else Path(folder)


def load_study(name: str, folder: str | Path | None = None) -> Study:
    """The stored tables of study `name`, from the package or from `folder`.

    Raises
    ------
    ValueError
        when there are none.
    StoreError
        when a table is not the one that the manifest describes.
    """
    known = stored_studies(folder)
    if name not in known:
        hint = nearest(name, known) if known else "nothing is stored."
        raise ValueError(f"no stored study {name!r}: {hint}")
    root = _root(folder) / name
    manifest = json.loads((root / store.MANIFEST).read_text(encoding="utf-8"))
    tables = {}
    for file, digest in manifest["tables"].items():
        text = (root / file).read_bytes().decode().replace("\r\n", "\n")
        if _digest(text) != digest:
            raise store.StoreError(
                f"table {file} of study {name} was changed after it was made; make it "
                f"again with: {manifest['command']}"
            )
        tables[file.removesuffix(".csv")] = _read_csv(text)
    return Study(name, tables, manifest)


def _read_csv(text: str) -> DataFrame:
    """The table with every float bit for bit as it was written."""
    import pandas as pd

    if tuple(int(v) for v in pd.__version__.split(".")[:2]) >= (3, 1):
        return pd.read_csv(StringIO(text))  # exact, and the option is deprecated
    return pd.read_csv(StringIO(text), float_precision="round_trip")
