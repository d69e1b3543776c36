"""Many seeds and configs at once: the only place that uses joblib.

    s = sweep("dyna_q", "DynaMaze-v0", seeds=30, configs=[{"n": 0}, {"n": 50}])
    s.frame()    # a table: label, seed, step, metrics

The result does not depend on the number of workers: every run has its own streams,
made from its seed alone, and every process one thread.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbrl_edu.core import check
from mbrl_edu.experiment import backends, partial, store
from mbrl_edu.experiment.checkpoint import EVERY
from mbrl_edu.experiment.interrupt import Stopped
from mbrl_edu.experiment.metrics import RunWarning
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.provenance import as_word
from mbrl_edu.experiment.record import Run, Sweep, load
from mbrl_edu.experiment.run import Plan, execute, prepare

if TYPE_CHECKING:
    from mbrl_edu.envs.task import Task

__all__ = ["Stopped", "Sweep", "sweep"]

Configs = Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]]


def sweep(
    method: str,
    task: str | Task,
    seeds: int | Iterable[int],
    configs: Configs | None = None,
    folder: str | Path | None = None,
    workers: int | None = None,
    backend: str = "loky",
    progress: bool = True,
    preset: str | None = None,
    device: str = "auto",
    save_every: float = EVERY,
) -> Sweep:
    """Run every config with every seed, several processes at a time.

    Parameters
    ----------
    method, task, preset, device, save_every : as for `run`; options of a config come
        before those of the preset.
    seeds : a number of seeds (0, 1, ...) or the seeds themselves.
    configs : label -> options, or a list of options (labelled "n=5"); None: defaults.
    folder : where runs are kept, a place that all processes share; those finished there
        are not run again, so that a sweep that was stopped goes on where it was.
    workers : number of processes; None: one per core, or all that a cluster has.
    backend : "loky", processes on this machine; "dask" or "ray", a cluster, the local
        one that they make unless another is active. The results are the same.

    Raises
    ------
    ValueError
        before anything is run, for anything unknown or out of range.
    Stopped
        on Ctrl-C; a KeyboardInterrupt whose message says how to go on.
    StoreError
        when `folder` cannot be written; runs finished before are kept.
    """
    backends.known(backend)
    seeds = _seeds(seeds)
    named = _labelled(configs)
    if workers is not None:
        workers = check.integer("workers", workers, low=1)
    plans = {
        (label, seed): prepare(method, task, seed, preset, device, **options)
        for label, options in named.items()
        for seed in seeds
    }
    workplace = workers, backend
    if folder is not None:  # workers may be elsewhere
        folder = Path(folder).absolute()
    done = _execute_all(plans, folder, progress, save_every, workplace)
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
    plans: dict[Key, Plan],
    folder: str | Path | None,
    show: bool,
    save_every: float,
    workplace: tuple[int | None, str],
) -> dict[Key, Run]:
    done = _already_finished(plans, folder)
    todo = {key: plan for key, plan in plans.items() if key not in done}
    jobs = [
        functools.partial(_one, key, plan, folder, save_every)
        for key, plan in todo.items()
    ]
    first = next(iter(plans.values()))
    label = f"{first.method.name} on {first.task.short}"
    with Progress(label, len(plans), "runs", show, len(done)) as bar:
        try:
            for key, run in backends.in_parallel(jobs, *workplace) if jobs else ():
                done[key] = run
                bar.update(len(done))
        except BaseException as error:
            if folder is not None:  # killed workers could not tidy up themselves
                partial.tidy([Path(folder) / plan.name for plan in todo.values()])
            if not isinstance(error, KeyboardInterrupt):
                raise
            kept = done | _already_finished(plans, folder)  # workers were ahead of us
            raise Stopped(_how_to_go_on(len(kept), len(plans), folder)) from None
        bar.close(f"{label}: {len(done)} runs done ({len(done) - len(todo)} kept)")
    if folder is not None:
        _say_what_is_not_kept([run for run in done.values() if run.folder is None])
    return done


def _already_finished(
    plans: dict[Key, Plan], folder: str | Path | None
) -> dict[Key, Run]:
    if folder is None:
        return {}
    paths = {key: Path(folder) / plan.name for key, plan in plans.items()}
    there = [k for k, path in paths.items() if (path / store.MANIFEST).is_file()]
    return {k: load(paths[k], plans[k].task.own) for k in there}


def _one(key: Key, plan: Plan, folder: Any, save_every: float) -> tuple[Key, Run]:
    """What a worker does."""
    return key, execute(plan, folder, progress=False, save_every=save_every)


def _say_what_is_not_kept(lost: list[Run]) -> None:
    if lost:
        text = f"{len(lost)} of the runs are done, but the folder could not take them."
        warnings.warn(RunWarning(text), stacklevel=4)


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
