"""One method on one task with one seed: the front door of the package.

run = mbrl_edu.run("dyna_q", "DynaMaze-v0", seed=0, n=50)
run.curve    # a table: step, episode, return, ...
run.plot()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbrl_edu.core import check
from mbrl_edu.experiment import partial, store
from mbrl_edu.experiment.checkpoint import EVERY
from mbrl_edu.experiment.execute import execute
from mbrl_edu.experiment.interrupt import Stopped
from mbrl_edu.experiment.plan import Plan, prepare
from mbrl_edu.experiment.record import Run, load, load_all

if TYPE_CHECKING:
    from mbrl_edu.envs.task import Task

__all__ = [
    "Plan",
    "Run",
    "Stopped",
    "execute",
    "load",
    "load_all",
    "prepare",
    "resume",
    "run",
]


def run(
    method: str,
    task: str | Task,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
    preset: str | None = None,
    device: str = "auto",
    save_every: float = EVERY,
    workers: int = 1,
    backend: str = "loky",
    **options: Any,
) -> Run:
    """Run `method` on `task`, for example `run("dyna_q", "DynaMaze-v0", n=50)`.

    Parameters
    ----------
    method, task : names, as `python -m mbrl_edu` lists them. A task may also be a
        `Task`, or any registered Gymnasium id: with Discrete observations and actions
        for a tabular method, with boxes for both for the others.
    seed : whole number >= 0; the same seed gives the same run, bit for bit.
    folder : where runs are kept, one directory each; a run that is already finished
        there is loaded instead of run again, and one that was stopped or killed goes on
        where it was, if its method can. None: the run is not stored.
    progress : whether to show a bar.
    preset : name of a set of options for this method and task.
    device : "cpu", "cuda", or "auto": CUDA if it is there. Tabular methods use the CPU.
    save_every : least number of seconds between two checkpoints.
    workers, backend : where a method that consists of many runs (AutoMBPO) has them
        played, as for `sweep`; the result is the same for any number of processes.
    options : fields of the method's `Config`; they come before those of the preset.

    Raises
    ------
    ValueError
        before anything is run or created, for anything unknown or out of range.
    StoreError
        when `folder` cannot be written, or another process is writing this very run. A
        disk that fills up later is a warning: the run goes on in memory.
    Stopped
        on Ctrl-C, where there is something to go on from; a KeyboardInterrupt whose
        message says how.
    """
    plan = prepare(method, task, seed, preset, device, **options)
    return execute(plan, folder, progress, save_every, workers, backend)


def resume(
    path: str | Path,
    progress: bool = True,
    save_every: float = EVERY,
    workers: int = 1,
    backend: str = "loky",
) -> list[Run]:
    """Go on with the unfinished run that lies, or will lie, at `path`, or with every
    one in the folder `path`; returns them as `run` does. `workers` are used where a
    method can.

    Raises
    ------
    ValueError
        when there is none, or when one was begun by other code or with a task that has
        no name; nothing is run then.
    StoreError
        when another process is writing one of them.
    """
    check.integer("workers", workers, low=1)
    path = Path(path)
    if (path / store.MANIFEST).is_file():
        return [load(path)]
    found = [p for p in (path, partial.hidden(path)) if (p / partial.PLAN).is_file()]
    found = found or (partial.unfinished(path) if path.is_dir() else [])
    if not found:
        raise ValueError(f"folder {path} holds no unfinished run.")
    done = []
    for plan, folder in [(_plan_of(p), p.parent) for p in found]:
        n = workers if plan.method.takes("parallel") else 1
        done.append(execute(plan, folder, progress, save_every, n, backend))
    return done


def _plan_of(directory: Path) -> Plan:
    """The plan of an unfinished run, if this code would do the same run."""
    kept = store.read_json(directory / partial.PLAN)
    if not kept["command"]:
        raise ValueError(
            f"the run in {directory} had a Task of its own, which has no name: call "
            "mbrl_edu.run with it again, and it goes on."
        )
    method, task, seed, device = (kept[k] for k in ("method", "task", "seed", "device"))
    plan = prepare(method, task, seed, None, device, **kept["config"])
    if partial.hidden(directory.with_name(plan.name)) != directory:
        raise ValueError(
            f"the run in {directory} was begun by other code than this and cannot go "
            f"on; it begins anew with: {kept['command']}"
        )
    return plan
