"""dask and ray, each with a real local cluster: the same results as one process."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mbrl_edu.experiment import backends, store
from mbrl_edu.experiment.run import run
from mbrl_edu.experiment.sweep import Stopped, sweep

# Where an extra is not installed its tests are skipped; `make test` installs both.
INSTALLED = {
    name: pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{name} is an extra"
    )
    for name, module in backends.NEEDS.items()
}
ALL = [pytest.param(name, marks=INSTALLED[name]) for name in backends.NEEDS]
CLUSTERS = ALL[1:]
MAZE = "DynaMaze-v0"


@pytest.fixture(autouse=True)
def methods_of_this_folder(monkeypatch):
    """Processes of a cluster can import what lies here, and this very package."""
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parents[1]}")
    monkeypatch.setenv("RAY_DEDUP_LOGS", "0")


@pytest.fixture
def active(request):
    """A cluster of the caller's own, with one process; whether it is still there."""
    if request.param == "dask":
        import distributed

        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield "dask", lambda: len(client.run(os.getpid)) == 1
        return
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        yield "ray", lambda: ray.get(ray.remote(lambda: 3).remote()) == 3
    finally:
        ray.shutdown()


@pytest.mark.parametrize("backend", ALL)
def test_every_backend_gives_the_bits_of_one_process(deep, fake, tmp_path, backend):
    """Networks, a table, and what lies in the folder."""
    given = {"backend": backend, "workers": 2}
    s = sweep("fake_deep", "Line-v0", 2, [{"episodes": 2}], tmp_path, **given)
    for seed, found in enumerate(s.runs["episodes=2"]):
        one = run("fake_deep", "Line-v0", seed, episodes=2)
        assert torch.equal(torch.as_tensor(found.result.weights), one.result.weights)
        assert [str(row) for row in found.rows] == [str(row) for row in one.rows]
        assert found.seed == seed and found.folder.parent == tmp_path
    assert len(store.finished(tmp_path)) == len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("active", CLUSTERS, indirect=True)
def test_an_active_cluster_is_used_and_stays(fake, active, tmp_path):
    backend, alive = active
    configs = {"a": {"scale": 1}, "b": {"scale": 2}}
    s = sweep("fake", MAZE, [5, 2], configs, tmp_path, backend=backend)
    plain = sweep("fake", MAZE, [5, 2], configs, workers=1)
    for label in configs:
        pairs = zip(s.runs[label], plain.runs[label], strict=True)
        assert all((x.result.Q == y.result.Q).all() for x, y in pairs)
    assert alive() and len(store.finished(tmp_path)) == 4
    with pytest.raises(RuntimeError, match="the method broke"):
        sweep("fake", MAZE, 2, [{"mode": "fail"}], tmp_path, backend=backend)
    assert alive() and len(os.listdir(tmp_path)) == 4
    slow = [{"steps": 2, "sleep": 0.1}]
    with (
        pytest.raises(Stopped, match=r"of 60 runs; they are kept in .*start the same"),
        ctrl_c_after(tmp_path, 6),
    ):
        sweep("fake", MAZE, 60, slow, tmp_path, backend=backend)
    assert alive() and 6 <= len(store.finished(tmp_path)) < 64


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("backend", CLUSTERS)
def test_a_cluster_does_the_work_in_its_own_processes(backend, workers):
    """Also where it has one."""

    def slow():  # by value: the other processes do not have this file
        time.sleep(0.3)
        return os.getpid()

    found = set(backends.in_parallel([slow] * 6, workers, backend))
    assert os.getpid() not in found and len(found) == workers


@INSTALLED["dask"]
def test_a_cluster_that_is_still_starting_is_waited_for():
    import distributed

    alone = {"n_workers": 0, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**alone) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert client.ncores() == {}
        starting = threading.Timer(0.5, cluster.scale, [1])
        starting.start()
        found = list(backends.in_parallel([os.getpid] * 2, None, "dask"))
        assert len(found) == 2 and os.getpid() not in found


@contextmanager
def ctrl_c_after(folder, runs):
    """Presses Ctrl-C once so many runs are kept, but never after the block."""
    over = threading.Event()

    def press():
        while len(store.finished(folder)) < runs:
            if over.wait(0.02):
                return
        signal.raise_signal(signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    try:
        yield
    finally:
        over.set()
        presser.join()


def test_a_backend_that_is_not_there_says_how_to_get_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        backends.importlib.util,
        "find_spec",
        lambda name: None if name in ("ray", "distributed") else find(name),
    )
    for name, wanted in (("dask", "distributed"), ("ray", "ray")):
        with pytest.raises(ValueError, match=f"'{name}', .*: pip install {wanted}."):
            sweep("dyna_q", MAZE, 2, backend=name)
    with pytest.raises(ValueError, match="backend is 'slurm'.*'loky', 'dask', 'ray'"):
        backends.known("slurm")


def test_a_sweep_on_one_machine_imports_no_cluster():
    code = (
        "import sys\n"
        "from mbrl_edu.experiment.sweep import sweep\n"
        "sweep('dyna_q', 'DynaMaze-v0', 1, [{'episodes': 1}], progress=False)\n"
        "print(sorted({'dask', 'distributed', 'ray', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
