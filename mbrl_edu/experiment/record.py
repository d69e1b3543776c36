"""Finished runs in memory: one, many, and how they come back from a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from mbrl_edu.experiment import options as opt
from mbrl_edu.experiment import store
from mbrl_edu.experiment.metrics import read_metrics
from mbrl_edu.experiment.registry import METHODS, PREFIX

if TYPE_CHECKING:
    import pandas


@dataclass
class Run:
    """A finished run.

    `rows` are the log lines, `result` the method's `Result`, `config` its `Config`,
    `manifest` says where the numbers came from, `folder` is where the run lies (None
    when it was not stored).
    """

    method: str
    task: str
    seed: int
    config: Any
    result: Any
    manifest: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None

    @cached_property
    def curve(self) -> pandas.DataFrame:
        """The log as a table: `step` and one column a metric."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=None if self.rows else ["step"])

    def plot(self, metric: str | None = None, x: str | None = None) -> Any:
        """Draw `metric` (default: the return, or what comes nearest) against `x`.

        Returns the figure's axes. Raises ValueError for a column that is not there.
        """
        from mbrl_edu.experiment.plots import plot_run

        return plot_run(self, metric, x)

    def __repr__(self) -> str:
        last = self.rows[-1] if self.rows else {}
        values = ", ".join(f"{k} {short(v)}" for k, v in last.items())
        where = f", in {self.folder}" if self.folder else ""
        seconds = self.manifest.get("wall_seconds", float("nan"))
        name = f"{self.method} on {self.task}, seed {self.seed}"
        return f"<Run: {name}; {values or 'no log'}; {seconds:.1f} s{where}>"


@dataclass
class Sweep:
    """Finished runs by label of their config, each list in the order of the seeds."""

    runs: dict[str, list[Run]]
    seeds: list[int]

    def frame(self) -> pandas.DataFrame:
        """All logs in one long table: label, seed, step, metrics."""
        import pandas as pd

        parts = [
            run.curve.assign(label=label, seed=run.seed)
            for label, runs in self.runs.items()
            for run in runs
        ]
        table = pd.concat(parts, ignore_index=True)
        first = ["label", "seed"]
        return table[first + [c for c in table.columns if c not in first]]

    def curves(self, metric: str) -> dict[str, np.ndarray]:
        """Label -> array (seeds, log lines) of `metric`, cut to the shortest run.

        Raises ValueError when some run has no such metric.
        """
        return {
            label: _stack([_column(run, metric) for run in runs])
            for label, runs in self.runs.items()
        }

    def results(self, name: str) -> dict[str, list[Any]]:
        """Label -> the field `name` of every run's result, in the order of seeds."""
        return {
            label: [getattr(run.result, name) for run in runs]
            for label, runs in self.runs.items()
        }

    def __repr__(self) -> str:
        labels = ", ".join(self.runs)
        return f"<Sweep: {len(self.seeds)} seeds of {labels}>"


def _column(run: Run, metric: str) -> list[float]:
    try:
        return [row[metric] for row in run.rows]
    except KeyError:
        known = ", ".join(run.curve.columns)
        raise ValueError(f"metric is {metric!r}, but must be one of {known}.") from None


def _stack(columns: list[list[float]]) -> np.ndarray:
    length = min(len(c) for c in columns)
    return np.array([c[:length] for c in columns])


def short(value: Any) -> str:
    """A metric as a few characters."""
    if isinstance(value, bool) or isinstance(value, str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def load(path: str | Path) -> Run:
    """The finished run in the directory `path`; StoreError when it is not one.

    `config` and `result` are the method's own classes again when they still have the
    same fields, else plain namespaces. Fields that were left out are None.
    """
    path = Path(path)
    if not (path / store.MANIFEST).is_file():
        raise store.StoreError(f"folder {path} holds no finished run.")
    manifest = store.read_json(path / store.MANIFEST)
    values = store.read_result(path) | dict.fromkeys(manifest.get("left_out", []))
    method = METHODS.get(manifest["method"])
    config = _revive(method.config if method else None, manifest["config"], True)
    result = _revive(method.result if method else None, values, False)
    task = manifest["task"].removeprefix(PREFIX)
    rows = read_metrics(path)
    names = manifest["method"], task, manifest["seed"]
    return Run(*names, config, result, manifest, rows, path)


def _revive(kind: type | None, values: dict[str, Any], is_config: bool) -> Any:
    if kind is None:
        return SimpleNamespace(**values)
    try:
        return opt.make_config(kind, values) if is_config else kind(**values)
    except (TypeError, ValueError):  # its fields have changed since
        return SimpleNamespace(**values)


def load_all(folder: str | Path) -> list[Run]:
    """Every finished run directly inside `folder`, by name; unfinished are ignored."""
    return [load(path) for path in store.finished(folder)]
