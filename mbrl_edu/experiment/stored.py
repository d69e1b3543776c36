"""The stored tables of studies: read, and checked against their manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbrl_edu.experiment import store
from mbrl_edu.experiment.nearest import nearest

if TYPE_CHECKING:
    from pandas import DataFrame

STORED = "stored"  # folder of the package that holds the shipped tables


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
        """One line for the figure's foot: command, commits, machines, minutes."""
        parts = self.manifest.get("parts", [self.manifest])
        commits = dict.fromkeys(
            (part["commit"] or "no commit")[:9]
            + (" (with changes)" if part["dirty"] else "")
            for part in parts
        )
        cpus = dict.fromkeys(part["machine"]["cpu"] for part in parts)
        minutes = sum(part["wall_seconds"] for part in parts) / 60
        where = f"{', '.join(commits)} · {', '.join(cpus)}"
        return f"{self.command} · {where} · {minutes:.1f} minutes"


def hashed(text: str) -> str:
    """Hash of a table as text."""
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
        if hashed(text) != digest:
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
