"""Where a sweep's processes come from: this machine, or a cluster by name.

| backend | processes                                                            |
|---------|----------------------------------------------------------------------|
| loky    | on this machine, started and ended by joblib                         |
| dask    | those of the `distributed.Client` that is active, else a local one   |
| ray     | those of the cluster that ray is connected to, or that RAY_ADDRESS   |
|         | names, else a local one                                              |

A local cluster lasts as long as the sweep; one that was there before stays.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from mbrl_edu.core import check
from mbrl_edu.experiment.interrupt import deaf_to_ctrl_c

NEEDS = {"loky": "joblib", "dask": "distributed", "ray": "ray"}  # to import

Job = Callable[[], Any]


def known(backend: str) -> str:
    """`backend` if it can be used here; ValueError with what to do otherwise."""
    check.choice("backend", backend, NEEDS)
    if importlib.util.find_spec(NEEDS[backend]) is None:
        raise ValueError(
            f"backend is {backend!r}, but {backend} is not installed here: "
            f"pip install {NEEDS[backend]}."
        )
    return backend


def in_parallel(
    jobs: Sequence[Job], workers: int | None, backend: str
) -> Iterator[Any]:
    """What every job returns, as it comes in, in any order; at most `workers` run at a
    time. A job's error is raised here."""
    if backend == "ray":
        with _ray(len(jobs), workers) as n:
            yield from _ray_places(jobs, n)
        return
    if backend == "dask":
        with _dask(len(jobs), workers) as (client, n):
            yield from _dask_futures(jobs, n, client)
        return
    import joblib

    n = min(workers or joblib.cpu_count(), len(jobs))
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        pool = joblib.Parallel(n_jobs=n, return_as="generator_unordered")
        with deaf_to_ctrl_c():  # workers start in here
            arriving = pool(joblib.delayed(_call)(job) for job in jobs)
        yield from arriving


def _call(job: Job) -> Any:
    return job()


def _dask_futures(jobs: Sequence[Job], n: int, client: Any) -> Iterator[Any]:
    """A new job for each one that is done. Not joblib's backend, which keeps a single
    job at a time in this process."""
    from distributed import as_completed

    waiting = list(jobs)[::-1]

    def submit() -> Any:
        return client.submit(_call, waiting.pop(), pure=False)

    futures = {submit() for _ in jobs[:n]}
    arriving = as_completed(futures)
    try:
        for done in arriving:
            futures.discard(done)
            found = done.result()
            if waiting:
                futures.add(new := submit())
                arriving.add(new)
            yield found
    finally:
        client.cancel(list(futures), force=True)


def _ray_places(jobs: Sequence[Job], n: int) -> Iterator[Any]:
    """Actors that take one job after the other, each once it has a core.

    Not Ray's joblib backend, which would hand over everything at the end, and not its
    tasks: to cancel one that ends at the same instant aborts this process ("Tried to
    complete task that was not pending", Ray 2.60). To kill an actor is safe.
    """
    import ray

    waiting = list(jobs)[::-1]
    places: list[Any] = [ray.remote(num_cpus=1)(_Place).remote() for _ in jobs[:n]]
    idle = {place.do.remote(_nothing): place for place in places}
    busy: dict[Any, Any] = {}
    try:
        while waiting or busy:
            (done,), _ = ray.wait([*busy, *(idle if waiting else ())])
            was_busy = done in busy
            place = (busy if was_busy else idle).pop(done)
            found = ray.get(done)
            if waiting:
                busy[place.do.remote(waiting.pop())] = place
            if was_busy:
                yield found
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        for place in places:
            ray.kill(place)


class _Place:
    def do(self, job: Job) -> Any:
        return job()


def _nothing() -> None:
    pass


@contextmanager
def _dask(jobs: int, workers: int | None) -> Iterator[tuple[Any, int]]:
    """A client, and how many jobs at a time: `workers`, or what the active cluster has
    room for."""
    import distributed

    try:
        client = distributed.get_client()
    except ValueError:  # there is none
        n = min(workers or _cores(), jobs)
        cluster = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": None}
        with ExitStack() as stack:
            with deaf_to_ctrl_c():
                here = stack.enter_context(distributed.LocalCluster(**cluster))
                client = stack.enter_context(distributed.Client(here))
            yield client, n
        return
    client.wait_for_workers(1)  # a cluster may still be starting
    yield client, workers or sum(client.ncores().values())


@contextmanager
def _ray(jobs: int, workers: int | None) -> Iterator[int]:
    """How many jobs at a time, as `_dask`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody was asked
    # its workers give way to everybody, and beside other work they hardly move
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    ours = not ray.is_initialized()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    n = workers
    if ours and not os.environ.get("RAY_ADDRESS"):
        n = min(workers or _cores(), jobs)
        quiet |= {"num_cpus": n, "include_dashboard": False}
    if ours:
        with deaf_to_ctrl_c():
            ray.init(**quiet)
    try:
        yield n or int(ray.cluster_resources()["CPU"])
    finally:
        if ours:
            ray.shutdown()


def _cores() -> int:
    import joblib

    return joblib.cpu_count()
