"""A checked plan becomes a run: trained, watched, logged, kept, and gone on with."""

from __future__ import annotations

import os
import shlex
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial as bind
from pathlib import Path
from typing import Any

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams
from mbrl_edu.experiment import backends, learned, partial, provenance, store
from mbrl_edu.experiment import metrics as log_lines
from mbrl_edu.experiment.checkpoint import EVERY, Checkpoint
from mbrl_edu.experiment.interrupt import Stopped, finished_first
from mbrl_edu.experiment.metrics import Metrics, RunWarning
from mbrl_edu.experiment.plan import Plan
from mbrl_edu.experiment.progress import Progress, Speed
from mbrl_edu.experiment.record import Run, load, short
from mbrl_edu.experiment.registry import make_env
from mbrl_edu.experiment.tensorboard import Events


def execute(
    plan: Plan,
    folder: str | Path | None = None,
    progress: bool = True,
    save_every: float = EVERY,
    workers: int = 1,
    backend: str = "loky",
) -> Run:
    """Run a checked plan, go on with it, or load it when `folder` holds it already."""
    check.number("save_every", save_every, low=0)
    given = _workplace(plan, workers, backend)
    if folder is not None and not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"folder is {folder!r}, but must be a path or None.")
    if folder is None:
        return _train(plan, Metrics(), progress, given)
    path = Path(folder).absolute() / plan.name
    if (path / store.MANIFEST).is_file():
        return load(path, plan.task.own)
    with partial.writing(path, plan.identity) as hidden:
        if (path / store.MANIFEST).is_file():  # finished by another process just now
            return load(path, plan.task.own)
        metrics = Metrics(hidden / log_lines.FILE, patient=True)
        checkpoint = None
        if plan.method.takes("checkpoint"):
            checkpoint = Checkpoint(hidden, _names(plan), metrics, save_every)
            checkpoint.begin()
        else:
            metrics.keep(0)
        try:
            done = _train(plan, metrics, progress, given, checkpoint, hidden)
        except KeyboardInterrupt:
            if checkpoint and checkpoint.t is not None:
                raise Stopped(_how_to_go_on(plan, path, checkpoint.t)) from None
            raise
        with finished_first():  # a run that is done is not lost to Ctrl-C
            done.folder = _kept(done, hidden, path)
    return done


def _workplace(plan: Plan, workers: int, backend: str) -> dict[str, Any]:
    """What the train function is to be given so that its own runs go to so many
    processes; nothing for one, and ValueError where there are no such runs."""
    backends.known(backend)
    if check.integer("workers", workers, low=1) == 1:
        return {}
    if not plan.method.takes("parallel"):
        raise ValueError(
            f"workers is {workers}, but {plan.method.name} is a single run and needs "
            "one process; a sweep uses more."
        )

    def parallel(jobs: Sequence[backends.Job]) -> Iterator[Any]:
        alone = [bind(_alone, job) for job in jobs]
        return backends.in_parallel(alone, workers, backend)

    return {"parallel": parallel}


def _alone(job: backends.Job) -> Any:
    """What a worker does."""
    with one_thread():
        return job()


def _kept(done: Run, hidden: Path, path: Path) -> Path | None:
    """Where the run lies now; None, and a warning, where the disk takes no more."""
    try:
        with store.explained(path.parent):
            done.manifest["left_out"] = store.write_result(hidden, done.result)
            learned.write(hidden, done.result)
            store.write_json(hidden / store.MANIFEST, done.manifest)
        partial.finish(hidden, path)
    except store.StoreError as error:
        text = f"the run is done, but could not be kept: {error}"
        warnings.warn(RunWarning(text), stacklevel=3)
        partial.stay(hidden)
        return None
    return path


def _names(plan: Plan) -> dict[str, str]:
    names = {k: str(plan.identity[k]) for k in ("method", "task", "seed", "device")}
    return names | {"config": plan.config_hash[:12], "code": plan.code[:12]}


def _how_to_go_on(plan: Plan, path: Path, t: int) -> str:
    other = f" or `python -m mbrl_edu resume {shlex.quote(str(path))}`"
    return (
        f"stopped; everything until step {t:,} is kept: the same again"
        f"{'' if plan.task.own else other} goes on from there."
    )


def _train(
    plan: Plan,
    metrics: Metrics,
    show: bool,
    given: dict[str, Any],
    checkpoint: Checkpoint | None = None,
    folder: Path | None = None,
) -> Run:
    rng = Streams(plan.seed, plan.device)
    continuous = plan.method.kind == "continuous"
    world: Any = plan.task.task if continuous else make_env(plan.method, plan.task)
    if checkpoint:
        given = given | {"checkpoint": checkpoint}
    before = metrics.rows[-1] if metrics.rows else {}
    first = before["step"] + 1 if before else None  # step that is logged next
    events = Events(folder if continuous else None, first)
    started, began = provenance.now(), time.perf_counter()
    try:
        t0 = checkpoint.t0 if checkpoint else None
        with one_thread(), _bar(plan, show, before, t0) as (move, bar):
            if plan.method.takes("tick"):
                given = given | {"tick": bar.update}

            def log(step: int, values: dict[str, Any]) -> None:
                metrics.log(step, values)
                events.log(metrics.rows[-1])
                move(metrics.rows[-1])

            result = plan.method.train(world, plan.config, rng, log, **given)
            seconds = time.perf_counter() - began
            bar.close(f"{plan.label}: done in {seconds:.1f} s")
    finally:
        events.close()
        if not continuous:
            world.close()
    manifest = plan.identity
    if before and checkpoint:
        manifest["resumed"] = {"step": checkpoint.t0, "seconds": checkpoint.seconds}
        seconds += checkpoint.seconds
    manifest |= provenance.origin(started, seconds, plan.device)
    names = plan.method.name, plan.task.short, plan.seed
    rows, own = metrics.rows, plan.task.own
    return Run(*names, plan.config, result, manifest, rows, own=own)


Move = Callable[[dict[str, Any]], None]


@contextmanager
def _bar(
    plan: Plan, show: bool, before: dict[str, Any], t0: int | None
) -> Iterator[tuple[Move, Progress]]:
    """A bar that counts what the config limits, and a function (row) that moves it;
    `before` is the last row of what was done before, up to step `t0`."""
    total, unit = _limit(plan.config)
    column = "episode" if unit == "episodes" else "step"
    began = t0 or before.get("step", 0)
    speed = Speed(began)
    start = int(began if column == "step" else before.get(column, 0))
    with Progress(plan.label, total, unit, show, start) as bar:

        def move(row: dict[str, Any]) -> None:
            done = int(row.get(column, bar.done + 1))
            bar.update(done, _note(row, speed(row["step"])))

        yield move, bar


def _note(row: dict[str, Any], speed: float) -> str:
    """What stands behind the bar: return, loss of the model, steps per second."""
    shown = {"return": "return", "model_loss": "model loss", "loss": "loss"}
    words = [
        f"{word} {short(row[name])}"
        for name, word in shown.items()
        if name in row and row[name] == row[name]
    ]
    return ", ".join([*words, f"{speed:,.3g} steps/s"])


def _limit(config: Any) -> tuple[int | None, str]:
    """What ends a run, and in which unit; None: the config does not say. A config whose
    run consists of many has `steps_in_all`."""
    if hasattr(config, "steps_in_all"):
        return config.steps_in_all, "steps"
    for name in ("T", "steps", "episodes", "updates"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value, "steps" if name == "T" else name
    return None, "steps"


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and for NumPy's matrix products inside the block: results
    and speed depend on it."""
    import sys

    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)
