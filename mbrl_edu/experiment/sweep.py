"""Many seeds and configs at once: the only place that uses joblib.

    s = sweep("dyna_q", "DynaMaze-v0", seeds=30, configs=[{"n": 0}, {"n": 50}])
    s.frame()    # a table: label, seed, step, metrics

The result does not depend on the number of workers: every run has its own streams,
made from its seed alone, and every process one thread.
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mbrl_edu.core import check
from mbrl_edu.experiment import store
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.provenance import as_word
from mbrl_edu.experiment.record import Run, Sweep, load
from mbrl_edu.experiment.run import Plan, execute, prepare

__all__ = ["Stopped", "Sweep", "sweep"]

BACKENDS = ("loky",)

Configs = Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]]


class Stopped(KeyboardInterrupt):
    """A sweep was interrupted; the message says how to go on."""


def sweep(
    method: str,
    task: str,
    seeds: int | Iterable[int],
    configs: Configs | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    backend: str = "loky",
    progress: bool = True,
) -> Sweep:
    """Run every config with every seed, several processes at a time.

    Parameters
    ----------
    method, task : as for `run`.
    seeds : a number of seeds (0, 1, ...) or the seeds themselves.
    configs : label -> options, or a list of options (labelled "n=5"); None: defaults.
    folder : where finished runs are kept; those already there are not run again, so
        that a sweep that was stopped goes on where it was.
    workers : number of processes; None: one per core.
    backend : "loky", processes on this machine.

    Raises
    ------
    ValueError
        before anything is run, for anything unknown or out of range.
    Stopped
        on Ctrl-C; a KeyboardInterrupt whose message says how to go on.
    StoreError
        when `folder` cannot be written; runs finished before are kept.
    """
    if backend not in BACKENDS:
        raise ValueError(
            f"backend is {backend!r}, but must be {' or '.join(map(repr, BACKENDS))} "
            "(clusters come with a later chapter)."
        )
    seeds = _seeds(seeds)
    named = _labelled(configs)
    if workers is not None:
        workers = check.integer("workers", workers, low=1)
    plans = {
        (label, seed): prepare(method, task, seed, **options)
        for label, options in named.items()
        for seed in seeds
    }
    done = _execute_all(plans, folder, workers, progress)
    return Sweep({k: [done[k, s] for s in seeds] for k in named}, seeds)


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    if not isinstance(seeds, Iterable):
        return list(range(check.integer("seeds", seeds, low=1)))
    found = [check.integer("seeds", s, low=0) for s in seeds]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds is {found}, but must be one or more, all different.")
    return found


def _labelled(configs: Configs | None) -> dict[str, dict[str, Any]]:
    """Label -> options; labels of a list name the options: 'n=5, alpha=0.1'."""
    if configs is None:
        return {"default": {}}
    if isinstance(configs, Mapping):
        named = {str(k): dict(v) for k, v in configs.items()}
    else:
        pairs = [(_label(c), dict(c)) for c in configs]
        named = dict(pairs)
        if len(named) < len(pairs):
            raise ValueError(f"configs has two equal entries: {[k for k, _ in pairs]}.")
    if not named:
        raise ValueError("configs is empty, but must hold at least one config.")
    return named


def _label(options: Mapping[str, Any]) -> str:
    words = [f"{k}={as_word(v)}" for k, v in options.items()]
    return ", ".join(words) or "default"


Key = tuple[str, int]


def _execute_all(
    plans: dict[Key, Plan], folder: str | Path | None, workers: int | None, show: bool
) -> dict[Key, Run]:
    done = _already_finished(plans, folder)
    todo = {key: plan for key, plan in plans.items() if key not in done}
    first = next(iter(plans.values()))
    label = f"{first.method.name} on {first.task.short}"
    with Progress(label, len(plans), "runs", show) as bar:
        bar.update(len(done))
        try:
            _in_parallel(todo, folder, workers, done, bar)
        except KeyboardInterrupt:
            kept = done | _already_finished(plans, folder)  # workers were ahead of us
            raise Stopped(_how_to_go_on(len(kept), len(plans), folder)) from None
        bar.close(f"{label}: {len(done)} runs done ({len(done) - len(todo)} kept)")
    return done


def _already_finished(
    plans: dict[Key, Plan], folder: str | Path | None
) -> dict[Key, Run]:
    if folder is None:
        return {}
    paths = {key: Path(folder) / plan.name for key, plan in plans.items()}
    return {k: load(p) for k, p in paths.items() if (p / store.MANIFEST).is_file()}


def _in_parallel(
    todo: dict[Key, Plan],
    folder: str | Path | None,
    workers: int | None,
    done: dict[Key, Run],
    bar: Progress,
) -> None:
    """Execute `todo`, adding each run to `done` as it comes in."""
    import joblib

    if not todo:
        return
    jobs = min(workers or joblib.cpu_count(), len(todo))
    token = uuid.uuid4().hex[:8]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        work = (joblib.delayed(_one)(k, p, folder, token) for k, p in todo.items())
        try:
            with deaf_to_ctrl_c():  # workers start in here
                arriving = pool(work)
            for key, run in arriving:
                done[key] = run
                bar.update(len(done))
        except BaseException:
            if folder is not None:  # killed workers could not tidy up themselves
                store.clean(folder, token)
            raise


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C, which a terminal sends to all of
    them: ending workers is the parent's business. The block itself takes milliseconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals, or may ask for this
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _one(key: Key, plan: Plan, folder: Any, token: str) -> tuple[Key, Run]:
    """What a worker does."""
    return key, execute(plan, folder, progress=False, token=token)


def _how_to_go_on(done: int, total: int, folder: str | Path | None) -> str:
    if folder is None:
        return (
            f"stopped after {done} of {total} runs; nothing was kept, because no "
            "folder was given."
        )
    return (
        f"stopped after {done} of {total} runs; they are kept in {folder}: start the "
        "same again with this folder and it goes on from there."
    )
