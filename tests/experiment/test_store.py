import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbrl_edu.experiment import store
from mbrl_edu.experiment.metrics import Metrics, read_metrics


@dataclass
class Result:
    Q: Any = None
    count: int = 0
    lengths: Any = None
    best: float = 0.0
    nothing: Any = None
    model: Any = None


def finish(path, **options):
    with store.finished_by_rename(path, **options) as hidden:
        (hidden / store.MANIFEST).write_text("{}")


def test_a_directory_counts_only_when_its_block_has_ended(tmp_path):
    path = tmp_path / "a"
    with store.finished_by_rename(path) as hidden:
        (hidden / store.MANIFEST).write_text("{}")
        assert hidden.parent == tmp_path and not path.exists()
        assert store.finished(tmp_path) == []
    assert store.finished(tmp_path) == [path]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing(tmp_path, error):
    with pytest.raises(error), store.finished_by_rename(tmp_path / "a") as hidden:
        (hidden / store.MANIFEST).write_text("{}")
        raise error
    assert os.listdir(tmp_path) == []


def test_the_first_to_finish_stays_unless_replaced(tmp_path):
    path = tmp_path / "a"
    with store.finished_by_rename(path) as hidden:
        (hidden / "late").touch()
        with store.finished_by_rename(path) as other:
            (other / "first").touch()
    assert os.listdir(path) == ["first"]
    with store.finished_by_rename(path, replace=True) as hidden:
        (hidden / "new").touch()
    assert os.listdir(path) == ["new"] and os.listdir(tmp_path) == ["a"]


KILLED = """
import os, signal, sys
from pathlib import Path
from mbrl_edu.experiment import store
with store.finished_by_rename(Path(sys.argv[1]) / "b") as hidden:
    (hidden / store.MANIFEST).write_text("{}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_leaves_a_partial_that_is_ignored_and_cleaned(tmp_path):
    finish(tmp_path / "a")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)])
    assert done.returncode == -9 and len(os.listdir(tmp_path)) == 2
    assert store.finished(tmp_path) == [tmp_path / "a"]
    finish(tmp_path / "b")  # the same run again is not in the way of the leftover
    assert len(store.finished(tmp_path)) == 2
    assert store.clean(tmp_path) == 1 and store.clean(tmp_path) == 0
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_folder_that_is_no_folder_gives_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(store.StoreError, match="folder .*file cannot be used: .*kept"):
        finish(tmp_path / "file" / "a")
    with pytest.raises(store.StoreError, match="cannot be used"):
        store.finished(tmp_path / "nowhere")


def test_errors_of_the_work_itself_keep_their_own_words(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="mine"),
        store.finished_by_rename(tmp_path / "a"),
    ):
        raise FileNotFoundError("mine")


FULL = """
import resource, sys
from pathlib import Path
from mbrl_edu.experiment import store
from mbrl_edu.experiment.metrics import Metrics
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with store.finished_by_rename(Path(sys.argv[1]) / "b") as hidden:
        metrics = Metrics(hidden / "metrics.jsonl")
        for i in range(1000):
            metrics.log(i, {"x": 1.0})
except store.StoreError as error:
    sys.exit(f"{error}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_disk_that_takes_no_more_loses_no_finished_run(tmp_path):
    """A limit on file sizes makes the very write fail that a full disk would."""
    finish(tmp_path / "a")
    words = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot be used: file too large" in done.stderr
    assert os.listdir(tmp_path) == ["a"]


def test_metrics_are_strict_json_lines_and_nan_comes_back(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    metrics = Metrics(folder / "metrics.jsonl")
    metrics.log(np.int64(1), {"x": np.float32(0.1), "y": float("nan"), "b": True})
    metrics.log(2, {"x": float("inf"), "word": "fit"})
    assert math.isinf(metrics.rows[1]["x"])

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    lines = (folder / "metrics.jsonl").read_text().splitlines()
    first, second = (json.loads(x, parse_constant=refuse) for x in lines)
    assert first == {"step": 1, "x": float(np.float32(0.1)), "y": None, "b": True}
    assert second == {"step": 2, "x": None, "word": "fit"}
    rows = read_metrics(folder)
    assert rows[0]["x"] == float(np.float32(0.1)) and math.isnan(rows[0]["y"])


def test_a_metric_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="metric loss is .*must be a number"):
        Metrics().log(1, {"loss": [1, 2]})


def test_strict_json_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        store.dumps({"x": float("nan")})


def test_results_come_back_as_they_were(tmp_path):
    import torch

    result = Result(
        Q=np.arange(6, dtype=np.float32).reshape(2, 3),
        count=np.int64(2**60),
        lengths=[1, 2.5, [float("-inf")], "x", None],
        best=float("nan"),
        model=object(),
        nothing=torch.ones(2, requires_grad=True),
    )
    assert store.write_result(tmp_path, result) == ["model"]
    found = store.read_result(tmp_path)
    assert found["Q"].dtype == np.float32 and (found["Q"] == result.Q).all()
    assert found["count"] == 2**60
    assert found["lengths"] == [1, 2.5, [float("-inf")], "x", None]
    assert math.isnan(found["best"])
    assert (found["nothing"] == 1).all() and "model" not in found


def test_nothing_pickled_is_written_or_read(tmp_path):
    objects = Result(Q=np.array([{}, []], dtype=object))
    assert store.write_result(tmp_path, objects) == ["Q"]
    np.savez(tmp_path / "arrays.npz", Q=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        store.read_result(tmp_path)


def test_broken_json_is_one_sentence(tmp_path):
    Path(tmp_path / "x.json").write_text("{")
    with pytest.raises(store.StoreError, match="x.json is not readable as JSON"):
        store.read_json(tmp_path / "x.json")
