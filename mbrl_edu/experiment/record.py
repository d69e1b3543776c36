"""Finished runs in memory: one, many, and how they come back from a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from mbrl_edu.experiment import learned, store
from mbrl_edu.experiment import options as opt
from mbrl_edu.experiment.learned import Learned
from mbrl_edu.experiment.metrics import read_metrics
from mbrl_edu.experiment.registry import METHODS, PREFIX

if TYPE_CHECKING:
    import pandas

    from mbrl_edu.envs.task import Task


@dataclass
class Run:
    """A finished run.

    `rows` are the log lines, `result` the method's `Result`, `config` its `Config`,
    `manifest` says where the numbers came from, `folder` is where the run lies (None
    when it was not stored), `own` the `Task` of a run on one that is in no table.
    """

    method: str
    task: str
    seed: int
    config: Any
    result: Any
    manifest: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None
    own: Task | None = None

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

    @cached_property
    def learned(self) -> Learned:
        """What a continuous method learned, models and all, also of a stored run: the
        `Parts` of MBPO and its relatives, the agent of the others.

        Raises ValueError where there is no such thing, or it was not kept.
        """
        found = learned.of_result(self.result)
        return found if found is not None else learned.read(self)

    def policy(self, s: Any) -> Any:
        """The greedy action in s (ds,), or in each of s (n, ds): (da,) or (n, da),
        numbers in [-1, 1]; of a tabular run, in the state s, or each of s (n,).

        PETS plans from nothing in every state; its plans are drawn, so that two calls
        differ, and in a trial a plan begins from what is left of the last.

        Raises ValueError for s of another shape, and as `learned` does.
        """
        from mbrl_edu.experiment import play

        return play.action(self, s)

    def video(self, seed: int = 0, steps: int | None = None, fps: float = 25) -> Any:
        """A film of one episode under `policy`, the task's start drawn from `seed`, of
        at most so many `steps` (None: 1,000); a figure for notebooks.

        Raises ValueError for a task that has no pictures, RuntimeError where the task
        cannot draw, because a package or a library is missing.
        """
        from mbrl_edu.experiment import play

        return play.film(self, seed, steps, fps)

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


def load(path: str | Path, task: Task | None = None) -> Run:
    """The finished run in the directory `path`; StoreError when it is not one.

    `config` and `result` are the method's own classes again when they still have the
    same fields, else plain namespaces. Fields that were left out are None; what was
    learned is in `Run.learned`. `task` is that of a run on a `Task` of your own, which
    cannot be found by its name; a run on a task of the table keeps its own. ValueError
    if it is no `Task`.
    """
    if task is not None:
        from mbrl_edu.envs.task import Task

        if not isinstance(task, Task):
            raise ValueError(f"task is {task!r}, but must be a Task or None.")
    path = Path(path)
    if not (path / store.MANIFEST).is_file():
        raise store.StoreError(f"folder {path} holds no finished run.")
    manifest = store.read_json(path / store.MANIFEST)
    values = store.read_result(path) | dict.fromkeys(manifest.get("left_out", []))
    method = METHODS.get(manifest["method"])
    config = _revive(method.config if method else None, manifest["config"], True)
    result = _revive(method.result if method else None, values, False)
    short = manifest["task"].removeprefix(PREFIX)
    names = manifest["method"], short, manifest["seed"]
    rows = read_metrics(path)
    own = None if manifest["command"] else task
    return Run(*names, config, result, manifest, rows, path, own)


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
