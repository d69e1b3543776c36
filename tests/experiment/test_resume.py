"""Runs that are killed, stopped or out of room go on and end as if nothing had been."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings

import fake_deep
import pytest
import torch

import mbrl_edu
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment import checkpoint as checkpoints
from mbrl_edu.experiment import execute, partial, provenance, store
from mbrl_edu.experiment.metrics import Metrics, RunWarning
from mbrl_edu.experiment.run import Stopped, prepare, resume, run

TASK = "Line-v0"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def go(folder=None, **known):
    return run("fake_deep", TASK, 3, folder, save_every=0, **known)


def same(x, y):
    assert torch.equal(torch.as_tensor(x.result.weights), y.result.weights)
    assert (x.result.returns == y.result.returns).all()
    assert [str(row) for row in x.rows] == [str(row) for row in y.rows]


@pytest.fixture
def whole(deep):
    """The run that nothing stops."""
    return go()


@pytest.fixture
def stop_after(monkeypatch):
    """A function: raise this error when so many trials have ended."""

    def prepare_to(error, trials):
        close = fake_deep.Diary.close

        def closing(self, k, *rest):
            if k == trials + 1:
                raise error
            close(self, k, *rest)

        monkeypatch.setattr(fake_deep.Diary, "close", closing)
        return lambda: monkeypatch.setattr(fake_deep.Diary, "close", close)

    return prepare_to


def lines(partial_run):
    file = partial_run / "metrics.jsonl"
    return file.read_text().splitlines() if file.exists() else []


# Stopped from inside


@pytest.mark.parametrize("trials", [1, 3])
def test_ctrl_c_says_how_to_go_on_and_the_end_is_the_same(
    whole, tmp_path, stop_after, trials
):
    undo = stop_after(KeyboardInterrupt, trials)
    with pytest.raises(Stopped, match="everything until step .* is kept") as stop:
        go(tmp_path)
    (left,) = partial.unfinished(tmp_path)
    assert len(lines(left)) == trials and store.finished(tmp_path) == []
    named = left.name.removeprefix(".").split(".partial")[0]
    assert f"python -m mbrl_edu resume {tmp_path / named}" in str(stop.value)
    undo()
    done = go(tmp_path)
    same(done, whole)
    assert done.manifest["resumed"]["step"] == whole.rows[trials - 1]["step"]
    assert done.folder.name == named and os.listdir(tmp_path) == [named]
    assert sorted(os.listdir(done.folder)) == [
        "arrays.npz",
        "manifest.json",
        "metrics.jsonl",
        "result.json",
        "weights.pt",
    ]
    same(mbrl_edu.experiment.run.load(done.folder), whole)


def test_before_the_first_checkpoint_nothing_is_left(deep, tmp_path, stop_after):
    undo = stop_after(KeyboardInterrupt, 0)
    with pytest.raises(KeyboardInterrupt) as stop:
        go(tmp_path)
    assert not isinstance(stop.value, Stopped) and os.listdir(tmp_path) == []
    undo()


def test_an_error_in_the_method_keeps_what_there_was(whole, tmp_path, stop_after):
    undo = stop_after(RuntimeError("mine"), 2)
    with pytest.raises(RuntimeError, match="mine"):
        go(tmp_path)
    undo()
    same(go(tmp_path), whole)


def test_resume_by_place_finds_one_run_or_all(whole, tmp_path, stop_after):
    undo = stop_after(KeyboardInterrupt, 1)
    for seed in (3, 4):
        with pytest.raises(Stopped):
            run("fake_deep", TASK, seed, tmp_path, save_every=0)
    undo()
    path = tmp_path / prepare("fake_deep", TASK, 3).name
    (first,) = resume(path)
    same(first, whole)
    (second,) = mbrl_edu.resume(tmp_path)
    assert second.seed == 4 and second.manifest["resumed"]
    (loaded,) = resume(path)  # it is finished by now
    same(loaded, whole)
    for nothing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="holds no unfinished run"):
            resume(nothing)


def test_other_code_or_options_never_go_on_from_it(
    deep, tmp_path, stop_after, monkeypatch
):
    undo = stop_after(KeyboardInterrupt, 1)
    with pytest.raises(Stopped):
        go(tmp_path)
    undo()
    other = go(tmp_path, episodes=2)
    assert "resumed" not in other.manifest
    monkeypatch.setattr(provenance, "code_fingerprint", lambda module: "f" * 64)
    with pytest.raises(ValueError, match="begun by other code.*begins anew with: pyth"):
        resume(tmp_path)
    assert "resumed" not in go(tmp_path).manifest
    assert len(partial.unfinished(tmp_path)) == 1  # the old one is not touched


def test_a_task_of_ones_own_goes_on_with_the_same_call(deep, tmp_path, stop_after):
    def far(s, a, s_next):
        return (s_next[..., 0].abs() > 5).to(s_next)

    def mine(**known):
        return dataclasses.replace(task(TASK), name="Mine", horizon=12, **known)

    def start(own, folder=None):
        return run("fake_deep", own, folder=folder, save_every=0)

    plain = start(mine(terminal=far))
    assert plain.task == "Mine" and plain.rows[0]["length"] == 12
    undo = stop_after(KeyboardInterrupt, 2)
    with pytest.raises(Stopped, match="the same again goes on"):
        start(mine(terminal=far), tmp_path)
    undo()
    with pytest.raises(ValueError, match="had a Task of its own.*mbrl_edu.run with it"):
        resume(tmp_path)
    assert "resumed" not in start(mine(), tmp_path).manifest  # another end condition
    done = start(mine(terminal=far), tmp_path)
    same(done, plain)
    assert done.manifest["resumed"]
    with pytest.raises(ValueError, match="a task with .* in it cannot be kept"):
        start(mine(features=Unknown()), tmp_path)


class Unknown:
    """A function whose contents nobody can compare."""

    def __call__(self, s):
        return s


def test_a_tabular_run_begins_anew(fake, tmp_path):
    plan = prepare("fake", "DynaMaze-v0")
    left = partial.hidden(tmp_path / plan.name)
    left.mkdir()
    (left / "metrics.jsonl").write_text('{"step": 1, "return": 7.0}\n{"st')
    done = run("fake", "DynaMaze-v0", folder=tmp_path)
    assert [row["step"] for row in done.rows] == [1, 2, 3, 4, 5]
    assert len(lines(done.folder)) == 5 and os.listdir(tmp_path) == [plan.name]


# Killed from outside


def wait_for(condition, process, seconds=100):
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def start(shell, folder, pause):
    words = shell("run", "fake_deep", TASK, "--seed", 3, "--save-every", 0)
    environment = os.environ | {"FAKE_PAUSE": str(pause)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*words, "--folder", folder], env=environment, **pipes)


def saved(folder):
    left = partial.unfinished(folder)
    return [p.name for d in left for p in d.glob(checkpoints.PATTERN)]


@POSIX
def test_killed_in_the_middle_of_a_fit_twice(whole, tmp_path, shell):
    """`kill -9` while a fit is halfway; the second life is killed one fit later."""
    folder = tmp_path / "runs"
    for kept in (1, 2):
        process = start(shell, folder, pause=60)
        wait_for(lambda: being_written_by(folder) == str(process.pid), process)  # noqa: B023
        (left,) = partial.unfinished(folder)
        wait_for(lambda: len(lines(left)) == kept and saved(folder), process)  # noqa: B023
        with pytest.raises(store.StoreError, match=f"process {process.pid} is writing"):
            go(folder)
        time.sleep(0.1)  # into the fit, where it pauses
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -9
        if kept == 1:  # one more trial, so that the next life is killed elsewhere
            assert go_one_trial(folder) == 2
    assert len(lines(left)) == 2
    done = go(folder)
    same(done, whole)
    assert done.manifest["resumed"]["step"] == whole.rows[1]["step"]
    assert (done.folder / "metrics.jsonl").read_text().count("\n") == 4


def being_written_by(folder):
    """The process that holds the lock of the one unfinished run."""
    return "".join((d / partial.LOCK).read_text() for d in partial.unfinished(folder))


def go_one_trial(folder):
    """Resume here, stop after the next checkpoint; how many trials are kept."""
    save = checkpoints.Checkpoint.save

    def once(self, t, state):
        save(self, t, state)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "save", once)
        with pytest.raises(Stopped):
            go(folder)
    return len(saved(folder))


@POSIX
def test_ctrl_c_in_a_shell_and_resume_there(whole, tmp_path, shell):
    folder = tmp_path / "runs"
    process = start(shell, folder, pause=60)
    wait_for(lambda: saved(folder), process)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate()
    assert process.returncode == 130 and out == "" and len(said.splitlines()) == 1
    step = whole.rows[0]["step"]
    assert said.startswith(f"mbrl_edu: stopped; everything until step {step} is kept")
    words = said.split("`")[1].split()[3:]  # without python -m mbrl_edu
    again = subprocess.run(shell(*words), capture_output=True, text=True)
    assert again.returncode == 0 and "kept in" in again.stdout, again.stderr
    same(go(folder), whole)
    with pytest.raises(ValueError, match="no unfinished"):
        resume(folder)


# Two at once


@POSIX
def test_the_lock_of_a_dead_process_is_no_lock(deep, tmp_path):
    path = tmp_path / prepare("fake_deep", TASK, 3).name
    left = partial.hidden(path)
    left.mkdir()
    (left / partial.LOCK).write_text("999999")
    assert go(tmp_path).folder == path


@POSIX
def test_who_comes_second_is_told_who_is_first_and_harms_nothing(deep, tmp_path):
    path = tmp_path / prepare("fake_deep", TASK, 3).name
    with partial.writing(path, {"command": ""}) as left:
        (left / "mine").touch()
        with pytest.raises(store.StoreError, match=f"process {os.getpid()} is writing"):
            go(tmp_path)
        partial.tidy([path], patience=0)
        assert (left / "mine").exists()
    assert os.listdir(tmp_path) == []


def test_a_run_that_another_process_has_just_finished_is_loaded(
    whole, tmp_path, monkeypatch
):
    done = go(tmp_path)
    is_file, asked = type(done.folder).is_file, []

    def first_no(self):
        asked.append(self.name)
        first = asked.count(store.MANIFEST) == 1 and self.name == store.MANIFEST
        return False if first else is_file(self)

    monkeypatch.setattr(type(done.folder), "is_file", first_no)
    monkeypatch.setattr(fake_deep, "fake_deep", None)
    same(go(tmp_path), whole)
    assert os.listdir(tmp_path) == [done.folder.name]


# Disks that take no more


def no_room(*args, **known):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_loses_no_episode_and_not_the_last_checkpoint(
    whole, tmp_path, monkeypatch
):
    write, writes = checkpoints.Checkpoint._write, []

    def filling(self, t, state):
        writes.append(t)
        if len(writes) > 1:
            no_room()
        write(self, t, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "_write", filling)
        patch.setattr(store, "write_result", no_room)
        with pytest.warns(RunWarning) as said:
            done = go(tmp_path)
    assert len(writes) == 4 and len(said) == 2
    assert "no checkpoint could be saved" in str(said[0].message)
    assert "the run is done, but could not be kept" in str(said[1].message)
    same(done, whole)
    assert done.folder is None
    (left,) = partial.unfinished(tmp_path)
    assert len(lines(left)) == 4 and len(saved(tmp_path)) == 1
    again = go(tmp_path)
    same(again, whole)
    assert again.manifest["resumed"]["step"] == whole.rows[0]["step"]


def test_a_log_without_room_is_whole_at_the_end_if_there_is_room_again(
    whole, tmp_path, monkeypatch
):
    write, writes = Metrics._write, []

    def sometimes(self, file, sync):
        writes.append(file)
        if 3 <= len(writes) <= 5:
            no_room()
        write(self, file, sync)

    monkeypatch.setattr(Metrics, "_write", sometimes)
    with pytest.warns(RunWarning, match="its log waits for room"):
        done = go(tmp_path)
    same(done, whole)
    assert len(lines(done.folder)) == 4


@pytest.mark.parametrize("kind", ["file", "read-only"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    deep, tmp_path, monkeypatch, kind
):
    folder = tmp_path / "runs"
    if kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
    monkeypatch.setattr(fake_deep, "fake_deep", lambda checkpoint: None)
    with pytest.raises(store.StoreError, match="cannot be used"):
        go(folder)


def test_a_shell_says_that_a_finished_run_could_not_be_kept(
    deep, tmp_path, monkeypatch, capsys
):
    from mbrl_edu.__main__ import main

    monkeypatch.setattr(store, "write_result", no_room)
    words = ["run", "fake_deep", TASK, "--folder", str(tmp_path)]
    assert main(words) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("mbrl_edu: the run is done, but could not be kept")
    assert "return" in said[1] and said[1].endswith("the folder could not take it.")


def test_when_the_last_step_fails_the_checkpoints_are_still_there(
    whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(store, "rename", no_room)
        with pytest.warns(RunWarning, match="is done, but could not be kept"):
            assert go(tmp_path).folder is None
    assert len(saved(tmp_path)) == 2
    monkeypatch.setattr(torch.optim.Adam, "step", None)  # nothing is left to learn
    same(go(tmp_path), whole)


def test_a_run_without_checkpoints_keeps_its_log_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "write_result", no_room)
    with pytest.warns(RunWarning, match="is done, but could not be kept"):
        done = mbrl_edu.run("dyna_q", "DynaMaze-v0", folder=tmp_path, episodes=3)
    assert done.folder is None
    (left,) = partial.unfinished(tmp_path)
    assert len(lines(left)) == 3


def test_events_that_cannot_be_begun_are_a_warning(whole, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    monkeypatch.delenv("MBRL_EDU_TENSORBOARD")
    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", no_room)
    with pytest.warns(RunWarning, match="TensorBoard's events cannot be written: .*No"):
        same(go(tmp_path), whole)


def test_a_relative_folder_is_that_of_the_driver(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = go("here")
    assert done.folder.is_absolute() and done.folder.parent == tmp_path / "here"


def test_events_of_a_resumed_run_show_every_step_once(
    whole, tmp_path, stop_after, monkeypatch
):
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("MBRL_EDU_TENSORBOARD")
    every = iter([0, 0, 1e9, 1e9])  # the third and the fourth checkpoint are left out
    save = checkpoints.Checkpoint.save

    def sometimes(self, t, state):
        self.every = next(every, 0)
        save(self, t, state)

    monkeypatch.setattr(checkpoints.Checkpoint, "save", sometimes)
    undo = stop_after(KeyboardInterrupt, 3)
    with pytest.raises(Stopped):
        go(tmp_path)
    undo()
    done = go(tmp_path)
    assert done.manifest["resumed"]["step"] == whole.rows[1]["step"]
    shown = EventAccumulator(str(done.folder)).Reload().Scalars("return")
    assert [e.step for e in shown] == [row["step"] for row in whole.rows]


# What a run is, is written down


def test_the_plan_lies_beside_the_checkpoint(deep, tmp_path, stop_after):
    stop_after(KeyboardInterrupt, 1)
    with pytest.raises(Stopped):
        go(tmp_path)
    (left,) = partial.unfinished(tmp_path)
    plan = json.loads((left / partial.PLAN).read_text())
    assert plan["seed"] == 3 and plan["config"] == {"episodes": 4}
    assert plan["command"].endswith("fake_deep Line-v0 --seed 3 --device cpu")
    assert store.clean(tmp_path) == 1


def test_saving_and_watching_change_nothing(whole, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(go(tmp_path / "a"), whole)
        same(run("fake_deep", TASK, 3, tmp_path / "b", save_every=9), whole)
    assert execute.execute(prepare("fake_deep", TASK, 3), progress=False).folder is None
