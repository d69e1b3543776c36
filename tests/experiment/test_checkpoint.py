"""Checkpoints: whole or not there, equal when they come back, refused when wrong."""

import errno
import os
import signal
import subprocess
import sys
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.experiment import checkpoint as module
from mbrl_edu.experiment import provenance
from mbrl_edu.experiment.checkpoint import Checkpoint, pack, unpack
from mbrl_edu.experiment.interrupt import deaf_to_ctrl_c, finished_first
from mbrl_edu.experiment.metrics import Metrics, RunWarning


def at_once(folder, **known):
    return Checkpoint(folder, every=0, **known)


def test_nothing_is_loaded_where_nothing_was_saved(tmp_path):
    assert at_once(tmp_path).load() is None


def test_a_state_comes_back_equal(tmp_path):
    g = np.random.default_rng(3)
    g.standard_normal(7)
    state = {
        "pcg": g.bit_generator.state,  # two numbers of 128 bits
        "mt": np.random.RandomState(1).get_state(legacy=False),
        "numbers": [1, -(2**100), 0.1, float("inf"), True, None, "word"],
        "array": np.arange(6, dtype=np.float32)[::-2].reshape(3, 1),
        "words64": np.array([2**64 - 1], dtype=np.uint64),
        "number": np.float32(0.1),
        "tensor": torch.arange(4, dtype=torch.bfloat16),
        "nested": ({"a": ()}, [torch.ones(2, requires_grad=True)]),
        (1, "key"): {},
    }
    at_once(tmp_path).save(5, state)
    found = at_once(tmp_path).load()
    assert found["pcg"] == state["pcg"] and found["numbers"] == state["numbers"]
    assert (found["mt"]["state"]["key"] == state["mt"]["state"]["key"]).all()
    for name in ("array", "words64", "number"):
        assert found[name].dtype == state[name].dtype
        assert np.array_equal(found[name], state[name])
    assert type(found["number"]) is np.float32
    assert torch.equal(found["tensor"], state["tensor"])
    assert found["nested"][0] == {"a": ()} and found[(1, "key")] == {}
    g2 = np.random.default_rng(0)
    g2.bit_generator.state = found["pcg"]
    assert g2.standard_normal() == g.standard_normal()


def test_networks_optimisers_and_streams_go_on_from_it(tmp_path):
    def parts(seed):
        net, rng = torch.nn.Linear(2, 1), Streams(seed)
        return net, torch.optim.Adam(net.parameters(), 0.1), rng

    def learn(net, opt, rng):
        opt.zero_grad()
        x = torch.randn(8, 2, generator=rng["x"])
        y = torch.as_tensor(rng.numpy("y").normal(size=(8, 1)), dtype=torch.float32)
        (net(x) - y).square().mean().mul(rng.random("z").random()).backward()
        opt.step()

    first = parts(4)
    learn(*first)
    at_once(tmp_path).save(1, {str(i): p.state_dict() for i, p in enumerate(first)})
    other = parts(4)
    state = at_once(tmp_path).load()
    for i, part in enumerate(other):
        part.load_state_dict(state[str(i)])
    for _ in range(3):
        learn(*first)
        learn(*other)
    assert torch.equal(first[0].weight, other[0].weight)


def test_a_view_is_saved_without_what_it_is_a_view_of(tmp_path):
    at_once(tmp_path).save(1, {"x": torch.zeros(1_000_000)[:3]})
    (file,) = tmp_path.glob("*.pt")
    assert file.stat().st_size < 10_000


def test_named_tuples_and_mappings_become_plain():
    assert type(pack(Batch(1, 2, 3, 4, 5))) is tuple
    assert type(pack(OrderedDict(a=1))) is dict
    assert unpack(pack({"x": (1, [2])})) == {"x": (1, [2])}


@pytest.mark.parametrize(
    "bad", [object(), {1}, lambda: 0, np.array([{}]), np.array(["a"]), 1j]
)
def test_what_would_need_code_to_load_is_refused_with_its_place(tmp_path, bad):
    with pytest.raises(TypeError, match=r"state\['a'\]\[1\] is \w+, but a checkpoint"):
        at_once(tmp_path).save(1, {"a": [0, bad]})
    assert os.listdir(tmp_path) == []


def test_the_last_two_stay_and_a_spoilt_one_is_passed_over(tmp_path):
    for t in (1, 20, 300):
        at_once(tmp_path).save(t, {"t": t})
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == [f"checkpoint-{t:012d}.pt" for t in (20, 300)]
    files[1].write_bytes(files[1].read_bytes()[:-100])
    assert at_once(tmp_path).load() == {"t": 20}
    files[0].write_bytes(b"")
    assert at_once(tmp_path).load() is None


@pytest.mark.parametrize("bytes_", [b"", b"spoilt", b"PK\x03\x04", bytes(400)])
def test_spoilt_newer_files_are_removed_so_that_later_ones_stay(tmp_path, bytes_):
    """Else they would count as the newest two, and what is saved next be deleted."""
    at_once(tmp_path).save(20, {"t": 20})
    for t in (300, 301):
        (tmp_path / f"checkpoint-{t:012d}.pt").write_bytes(bytes_)
    again = at_once(tmp_path)
    assert again.load() == {"t": 20}
    again.save(40, {"t": 40})
    names = [f"checkpoint-{t:012d}.pt" for t in (20, 40)]
    assert sorted(os.listdir(tmp_path)) == names and again.t == 40


def test_pickled_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    torch.save({"state": Evil()}, tmp_path / "checkpoint-000000000001.pt")
    assert at_once(tmp_path).load() is None and not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    at_once(tmp_path, run={"method": "a", "code": "1234"}).save(1, {})
    assert at_once(tmp_path, run={"method": "a", "code": "1234"}).load() == {}
    with pytest.raises(
        ValueError, match="is of a run with code 1234, .* has 99: start"
    ):
        at_once(tmp_path, run={"method": "a", "code": "99"}).load()


def test_another_version_of_a_library_is_said(tmp_path, monkeypatch):
    at_once(tmp_path).save(1, {})
    monkeypatch.setattr(provenance, "versions", lambda: {"torch": "9"})
    with pytest.warns(RunWarning, match="another version of torch"):
        assert at_once(tmp_path).load() == {}


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path):
    file = tmp_path / "run" / "metrics.jsonl"
    file.parent.mkdir()
    metrics = Metrics(file)
    first = at_once(file.parent, metrics=metrics)
    metrics.log(1, {"x": 0.1, "y": float("nan")})
    metrics.log(2, {"x": 0.2})
    first.save(2, {})
    kept = file.read_bytes()
    metrics.log(3, {"x": 0.3})
    with file.open("ab") as handle:
        handle.write(b'{"step": 4, "x"')  # killed in the middle of a line
    again = Metrics(file)
    checkpoint = at_once(file.parent, metrics=again)
    assert checkpoint.load() == {} and checkpoint.t == 2
    assert file.read_bytes() == kept
    assert [row["step"] for row in again.rows] == [1, 2]
    assert again.rows[0]["x"] == 0.1 and np.isnan(again.rows[0]["y"])
    again.log(3, {"x": 0.3})
    assert len(file.read_bytes().splitlines()) == 3


def test_a_log_that_lost_lines_leads_to_the_checkpoint_before(tmp_path):
    file = tmp_path / "metrics.jsonl"
    metrics = Metrics(file)
    checkpoint = at_once(tmp_path, metrics=metrics)
    for t in (1, 2):
        metrics.log(t, {})
        checkpoint.save(t, {"t": t})
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    assert at_once(tmp_path, metrics=Metrics(file)).load() == {"t": 1}
    file.unlink()
    metrics = Metrics(file)
    assert at_once(tmp_path, metrics=metrics).load() is None and metrics.rows == []


def test_not_more_often_than_every_so_many_seconds(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    checkpoint = Checkpoint(tmp_path, every=10)

    def steps():
        return [int(f.stem[-12:]) for f in sorted(tmp_path.glob("*.pt"))]

    for t in range(1, 36):  # one second each
        now[0] += 1
        checkpoint.save(t, {})
    assert steps() == [20, 30]
    checkpoint._cost = 2.0  # then 20 s would be a tenth of the time
    for t in range(36, 80):
        now[0] += 1
        checkpoint.save(t, {})
    assert steps() == [30, 70]
    with pytest.raises(ValueError, match="every is -1"):
        Checkpoint(tmp_path, every=-1)


def test_the_time_before_counts(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    first = at_once(tmp_path)
    now[0] = 7.0
    first.save(1, {})
    second = at_once(tmp_path)
    second.load()
    assert second.seconds == 7.0 and second.t0 == 1
    now[0] = 9.0
    second.save(2, {})
    third = at_once(tmp_path)
    third.load()
    assert third.seconds == 9.0


# Disks that take no more


@pytest.fixture
def full(monkeypatch):
    """A switch: while it is on, bringing a file to the disk fails as on a full one."""
    state = {"on": False}
    sync = os.fsync

    def fsync(handle):
        if state["on"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(module.os, "fsync", fsync)
    return state


def test_a_full_disk_is_one_warning_and_the_last_good_one_stays(tmp_path, full):
    checkpoint = at_once(tmp_path)
    checkpoint.save(1, {"t": 1})
    full["on"] = True
    sentence = "no space left on device.*The run goes on; that of step 1 is kept."
    with pytest.warns(RunWarning, match=sentence):
        checkpoint.save(2, {"t": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint.save(3, {"t": 3})
        assert at_once(tmp_path).load() == {"t": 1}
        assert len(os.listdir(tmp_path)) == 1
        full["on"] = False
        checkpoint.save(4, {"t": 4})
    assert at_once(tmp_path).load() == {"t": 4}
    full["on"] = True
    with pytest.warns(RunWarning):  # full again is said again
        checkpoint.save(5, {})


def test_a_log_that_cannot_be_written_waits_for_room(tmp_path, monkeypatch):
    file = tmp_path / "run" / "metrics.jsonl"
    file.parent.mkdir()
    metrics = Metrics(file, patient=True)
    metrics.log(1, {"x": 1})
    write = Metrics._write

    def broken(self, file, sync):
        with file.open("ab") as handle:
            handle.write(b'{"half')
        self._torn = True
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Metrics, "_write", broken)
    with pytest.warns(RunWarning, match="no space left.*its log waits for room"):
        metrics.log(2, {"x": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.log(3, {"x": 3})
        at_once(file.parent, metrics=metrics).save(3, {})
        assert not list(file.parent.glob("*.pt"))  # useless without its lines
        monkeypatch.setattr(Metrics, "_write", write)
        metrics.log(4, {"x": 4})
    again = Metrics(file)
    assert again.keep(4) and again.rows == metrics.rows


FULL = """
import resource, sys, torch
from mbrl_edu.experiment.checkpoint import Checkpoint
checkpoint = Checkpoint(sys.argv[1], every=0)
checkpoint.save(1, {"x": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
checkpoint.save(2, {"x": torch.zeros(1_000_000)})
print("went on at", checkpoint.t)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_write_that_really_fails_leaves_the_one_before(tmp_path):
    """A limit on file sizes makes the very write fail that a full disk would."""
    words = [sys.executable, "-W", "always", "-c", FULL, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == "went on at 1", done.stderr
    assert "no checkpoint could be saved" in done.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["checkpoint-000000000001.pt"]


# Ctrl-C


def test_ctrl_c_waits_for_the_end_of_a_write(tmp_path, monkeypatch):
    write = Checkpoint._write

    def pressed(self, t, state):
        signal.raise_signal(signal.SIGINT)
        write(self, t, state)

    monkeypatch.setattr(Checkpoint, "_write", pressed)
    with pytest.raises(KeyboardInterrupt):
        at_once(tmp_path).save(1, {"t": 1})
    assert at_once(tmp_path).load() == {"t": 1}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_that_is_deaf_to_ctrl_c_stays_so():
    with deaf_to_ctrl_c():
        with finished_first():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
