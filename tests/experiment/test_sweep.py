import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_method
import numpy as np
import pytest

from mbrl_edu.experiment import store
from mbrl_edu.experiment.sweep import Stopped, sweep

MAZE = "DynaMaze-v0"


def same(a, b):
    assert a.runs.keys() == b.runs.keys()
    for label in a.runs:
        for x, y in zip(a.runs[label], b.runs[label], strict=True):
            assert x.rows == y.rows or x.curve.equals(y.curve)
            assert (x.result.Q == y.result.Q).all()
            assert x.config == y.config and x.seed == y.seed


def test_one_and_two_workers_give_the_same_bits(tmp_path):
    given = ("dyna_q", MAZE, 3, [{"n": 0, "episodes": 3}, {"n": 5, "episodes": 3}])
    one, two = sweep(*given, workers=1), sweep(*given, workers=2)
    stored = sweep(*given, workers=2, folder=tmp_path)
    loaded = sweep(*given, workers=1, folder=tmp_path)
    same(one, two)
    same(one, stored)
    same(one, loaded)
    assert len(store.finished(tmp_path)) == 6
    n0, n5 = one.curves("length").values()
    assert (n0[:, 0] == n5[:, 0]).all() and (n0[:, 1] != n5[:, 1]).any()


def test_runs_are_in_the_order_of_configs_and_seeds(fake):
    s = sweep("fake", MAZE, [5, 2], {"a": {"scale": 1}, "b": {"scale": 2}}, workers=2)
    assert list(s.runs) == ["a", "b"] and s.seeds == [5, 2]
    assert [r.seed for r in s.runs["b"]] == [5, 2]
    a, b = (s.results("Q")[k] for k in "ab")
    assert (2 * a[1] == b[1]).all()
    frame = s.frame()
    assert list(frame.columns[:3]) == ["label", "seed", "step"] and len(frame) == 20
    assert s.curves("return")["a"].shape == (2, 5)
    assert (s.curves("return")["a"][0] == a[0]).all()
    with pytest.raises(ValueError, match="metric is 'retrun'.*step, return, loss"):
        s.curves("retrun")


def test_labels_name_the_options(fake):
    s = sweep("fake", MAZE, 1, [{"steps": 1}, {"steps": 2, "mode": "good"}], workers=1)
    assert list(s.runs) == ["steps=1", "steps=2, mode=good"]
    assert list(sweep("fake", MAZE, 1, workers=1).runs) == ["default"]


def test_finished_seeds_are_not_run_again(fake, tmp_path, monkeypatch):
    first = sweep("fake", MAZE, 2, folder=tmp_path, workers=1)
    ran, train = [], fake_method.fake

    def watched(env, cfg, rng, log):
        ran.append(rng.seed)
        return train(env, cfg, rng, log)

    monkeypatch.setattr(fake_method, "fake", watched)
    more = sweep("fake", MAZE, 4, folder=tmp_path, workers=1)
    assert ran == [2, 3]
    assert (more.results("Q")["default"][0] == first.results("Q")["default"][0]).all()


def test_a_run_that_fails_keeps_the_ones_before(fake, tmp_path):
    configs = {"good": {}, "bad": {"mode": "fail"}}
    with pytest.raises(RuntimeError, match="the method broke"):
        sweep("fake", MAZE, 2, configs, tmp_path, workers=1)
    assert len(store.finished(tmp_path)) == 2
    assert len(os.listdir(tmp_path)) == 2


def test_a_failure_in_a_worker_process_keeps_its_words(fake):
    with pytest.raises(RuntimeError, match="the method broke"):
        sweep("fake", MAZE, 3, [{"mode": "fail"}], workers=2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"backend": "slurm"}, "backend is 'slurm', but must be one of 'loky', 'dask'"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": []}, r"seeds is \[\]"),
        ({"seeds": [1, 1]}, r"seeds is \[1, 1\].*different"),
        ({"seeds": [-1]}, "seeds is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"configs": []}, "configs is empty"),
        ({"configs": [{"steps": 1}, {"steps": 1}]}, "two equal entries"),
        ({"configs": [{}, {"stps": 1}]}, "unknown option 'stps'"),
        ({"task": "Nope"}, "unknown task"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_made(
    fake, tmp_path, given, sentence
):
    folder = tmp_path / "runs"
    base = {"method": "fake", "task": MAZE, "seeds": 2, "folder": folder}
    with pytest.raises(ValueError, match=sentence):
        sweep(**(base | given))
    assert not folder.exists()


def test_without_a_folder_stopping_says_that_nothing_was_kept(fake, monkeypatch):
    train = fake_method.fake

    def stopped(env, cfg, rng, log):
        if rng.seed == 1:
            raise KeyboardInterrupt
        return train(env, cfg, rng, log)

    monkeypatch.setattr(fake_method, "fake", stopped)
    with pytest.raises(Stopped, match="after 1 of 3 runs; nothing was kept"):
        sweep("fake", MAZE, 3, workers=1)


SCRIPT = """
import sys
from mbrl_edu.experiment import registry
from mbrl_edu.experiment.sweep import sweep
registry.METHODS["fake"] = registry.Method("fake", "fake_method", "02-dyna", "Fake")
try:
    s = sweep("fake", "DynaMaze-v0", 8, [{"steps": 4, "sleep": 0.1}],
              folder=sys.argv[1], workers=2)
except KeyboardInterrupt as stop:
    print(stop, file=sys.stderr)
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_stops_cleanly_and_the_sweep_goes_on_where_it_was(tmp_path, fake):
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    )
    patience = time.monotonic() + 60
    while len(finished(tmp_path)) < 2 and time.monotonic() < patience:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said, said
    assert f"kept in {tmp_path}: start the same again" in said
    before = {p: (p / "manifest.json").stat().st_mtime_ns for p in finished(tmp_path)}
    assert 2 <= len(before) < 8 and f"stopped after {len(before)} of 8" in said
    assert sorted(os.listdir(tmp_path)) == sorted(p.name for p in before)
    s = sweep("fake", MAZE, 8, [{"steps": 4, "sleep": 0.1}], tmp_path, workers=2)
    assert len(s.runs["steps=4, sleep=0.1"]) == 8
    for path, mtime in before.items():
        assert (path / "manifest.json").stat().st_mtime_ns == mtime
    fresh = sweep("fake", MAZE, 8, [{"steps": 4}], workers=1)
    assert np.array_equal(*(list(x.curves("return").values())[0] for x in (s, fresh)))


def finished(folder: Path) -> list[Path]:
    return store.finished(folder) if folder.is_dir() else []
