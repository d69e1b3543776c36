"""One method on one task with one seed: the front door of the package.

run = mbrl_edu.run("dyna_q", "DynaMaze-v0", seed=0, n=50)
run.curve    # a table: step, episode, return, ...
run.plot()
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.experiment import options as opt
from mbrl_edu.experiment import provenance, store
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.record import Run, load, load_all, short
from mbrl_edu.experiment.registry import (
    Method,
    TaskInfo,
    find_method,
    find_task,
    make_env,
)

__all__ = ["Plan", "Run", "execute", "load", "load_all", "prepare", "run"]


@dataclass(frozen=True)
class Plan:
    """What is to be run, checked: every name and option is known to be good."""

    method: Method
    task: TaskInfo
    seed: int
    config: Any  # the method's Config

    @property
    def label(self) -> str:
        """The plan in a few words."""
        return f"{self.method.name} on {self.task.short}, seed {self.seed}"

    @property
    def command(self) -> str:
        """The shell command that does the same."""
        return provenance.command(
            self.method.name, self.task.short, self.seed, self.config
        )

    @cached_property
    def config_hash(self) -> str:
        """Hash of method, task and config."""
        return provenance.config_hash(self.method.name, self.task.name, self.config)

    @cached_property
    def name(self) -> str:
        """The run's directory: the same exactly if the run would be the same.

        It holds a hash of the config and of the package's program text, so that runs
        made by older code are neither mistaken for new ones nor overwritten.
        """
        code = provenance.code_fingerprint(self.method.module)
        task = self.task.short.replace("/", "_")
        key = f"{self.config_hash[:6]}{code[:6]}"
        return f"{self.method.name}-{task}-{key}-s{self.seed}"


def prepare(
    method: str | Method, task: str | TaskInfo, seed: int = 0, **options: Any
) -> Plan:
    """Check everything that can be checked before any work is done.

    Raises ValueError with one sentence for an unknown method, task or option, a bad
    value, or a task that the method cannot learn.
    """
    found, info = find_method(method), find_task(task)
    seed = check.integer("seed", seed, low=0)
    config = opt.make_config(found.config, options)
    make_env(found, info).close()
    return Plan(found, info, seed, config)


def run(
    method: str,
    task: str,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Run:
    """Run `method` on `task`, for example `run("dyna_q", "DynaMaze-v0", n=50)`.

    Parameters
    ----------
    method, task : names, as `python -m mbrl_edu` lists them; a task may also be any
        registered Gymnasium id with Discrete observations and actions.
    seed : whole number >= 0; the same seed gives the same run, bit for bit.
    folder : where runs are kept, one directory each; a run that is already finished
        there is loaded instead of run again. None: the run is not stored.
    progress : whether to show a bar.
    options : fields of the method's `Config`.

    Raises
    ------
    ValueError
        before anything is run or created, for anything unknown or out of range.
    StoreError
        when `folder` cannot be written.
    """
    return execute(prepare(method, task, seed, **options), folder, progress)


def execute(
    plan: Plan, folder: str | Path | None = None, progress: bool = True, token: str = ""
) -> Run:
    """Run a checked plan, or load it when `folder` holds it already."""
    if folder is None:
        return _train(plan, store.Metrics(), progress)
    path = Path(folder) / plan.name
    if (path / store.MANIFEST).is_file():
        return load(path)
    with store.finished_by_rename(path, token=token) as hidden:
        log_file = hidden / "metrics.jsonl"
        with store.explained(path.parent):
            log_file.touch()
        done = _train(plan, store.Metrics(log_file), progress)
        with store.explained(path.parent):
            done.manifest["left_out"] = store.write_result(hidden, done.result)
            store.write_json(hidden / store.MANIFEST, done.manifest)
    done.folder = path
    return done


def _train(plan: Plan, metrics: store.Metrics, progress: bool) -> Run:
    rng = Streams(plan.seed)
    env = make_env(plan.method, plan.task)
    started, began = provenance.now(), time.perf_counter()
    try:
        with one_thread(), _bar(plan, progress) as (log, bar):

            def both(step: int, values: dict[str, Any]) -> None:
                metrics.log(step, values)
                log(metrics.rows[-1])

            result = plan.method.train(env, plan.config, rng, both)
            seconds = time.perf_counter() - began
            bar.close(f"{plan.label}: done in {seconds:.1f} s")
    finally:
        env.close()
    manifest = {
        "method": plan.method.name,
        "task": plan.task.name,
        "seed": plan.seed,
        "config": asdict(plan.config),
        "config_hash": plan.config_hash,
        "code": provenance.code_fingerprint(plan.method.module),
        "command": plan.command,
    } | provenance.origin(started, seconds, str(rng.device))
    names = plan.method.name, plan.task.short, plan.seed
    return Run(*names, plan.config, result, manifest, metrics.rows)


@contextmanager
def _bar(plan: Plan, show: bool) -> Iterator[tuple[Any, Progress]]:
    """A bar that counts what the config limits, and a function (row) that moves it."""
    found = [u for u in ("steps", "episodes", "updates") if _limit(plan.config, u)]
    unit = found[0] if found else "steps"
    column = "episode" if unit == "episodes" else "step"
    with Progress(plan.label, _limit(plan.config, unit), unit, show) as bar:

        def move(row: dict[str, Any]) -> None:
            note = f"return {short(row['return'])}" if "return" in row else ""
            bar.update(int(row.get(column, bar.done + 1)), note)

        yield move, bar


def _limit(config: Any, unit: str) -> int | None:
    value = getattr(config, unit, None)
    return value if isinstance(value, int) else None


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch inside the block: results and speed depend on it."""
    import sys

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)
