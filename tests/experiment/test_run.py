import json
import os
import re
import subprocess
from dataclasses import dataclass

import fake_method
import numpy as np
import pytest

import mbrl_edu
from mbrl_edu.__main__ import main
from mbrl_edu.experiment import backends, provenance, registry, store
from mbrl_edu.experiment import execute as executing
from mbrl_edu.experiment.run import execute, load, load_all, prepare, run


def test_the_front_door_runs_a_method_of_the_book():
    done = mbrl_edu.run("dyna_q", "DynaMaze-v0", seed=1, n=5, episodes=3)
    assert list(done.curve["episode"]) == [1, 2, 3]
    assert done.curve["step"].iloc[-1] == done.result.lengths.sum()
    assert done.config.n == 5 and done.folder is None
    assert "dyna_q on DynaMaze-v0, seed 1" in repr(done)


def test_same_seed_same_run_and_other_seed_another(fake):
    first, again, other = (run("fake", "DynaMaze-v0", s) for s in (3, 3, 4))
    assert (first.result.Q == again.result.Q).all()
    assert (first.result.Q != other.result.Q).any()


def test_storing_and_showing_progress_change_nothing(fake, tmp_path, monkeypatch):
    plain = run("fake", "DynaMaze-v0", progress=False)
    monkeypatch.delenv("MBRL_EDU_PROGRESS")
    stored = run("fake", "DynaMaze-v0", folder=tmp_path)
    assert (plain.result.Q == stored.result.Q).all()


def test_a_stored_run_comes_back_the_same(fake, tmp_path):
    done = run("fake", "DynaMaze-v0", 2, tmp_path, steps=4, scale=0.1)
    found = load(done.folder)
    assert isinstance(found.result, fake_method.Result)
    assert (found.result.Q == done.result.Q).all()
    assert found.result.steps == done.result.steps and found.result.model is None
    assert found.config == done.config and found.manifest == done.manifest
    assert found.curve.equals(done.curve) and found.curve["loss"].isna().all()
    assert [r.seed for r in load_all(tmp_path)] == [2]


def test_tabular_results_come_back_the_same(tmp_path):
    done = run("dyna_q", "DynaMaze-v0", 0, tmp_path, episodes=2)
    found = load(done.folder)
    assert (found.result.Q == done.result.Q).all()
    assert (found.result.lengths == done.result.lengths).all()
    assert found.curve.equals(done.curve)


def test_a_finished_run_is_loaded_and_not_run_again(fake, tmp_path, monkeypatch):
    done = run("fake", "DynaMaze-v0", folder=tmp_path)
    monkeypatch.setattr(fake_method, "fake", None)
    again = run("fake", "DynaMaze-v0", folder=tmp_path)
    assert (again.result.Q == done.result.Q).all() and again.folder == done.folder


def test_seed_config_task_and_code_each_make_another_run(fake, monkeypatch):
    plan = prepare("fake", "DynaMaze-v0", 0)
    others = [
        prepare("fake", "DynaMaze-v0", 1),
        prepare("fake", "DynaMaze-v0", 0, scale=2),
        prepare("fake", "BlockingMaze-v0", 0),
    ]
    names = {plan.name, *(o.name for o in others)}
    assert plan.name == prepare("fake", "mbrl_edu/DynaMaze-v0", 0, steps="5").name
    monkeypatch.setattr(provenance, "code_fingerprint", lambda module: "f" * 64)
    names.add(prepare("fake", "DynaMaze-v0", 0).name)
    assert len(names) == 5


def test_the_manifest_says_where_the_numbers_came_from(fake, tmp_path):
    done = run("fake", "DynaMaze-v0", 7, tmp_path, scale=0.5)
    text = (done.folder / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["task"] == "mbrl_edu/DynaMaze-v0" and manifest["seed"] == 7
    assert manifest["config"]["scale"] == 0.5 and manifest["left_out"] == ["model"]
    assert manifest["command"] == (
        "python -m mbrl_edu run fake DynaMaze-v0 --seed 7 --scale 0.5"
    )
    assert re.fullmatch(r"[0-9a-f]{64}", manifest["config_hash"])
    assert manifest["versions"]["numpy"] == np.__version__
    assert manifest["started"].endswith("+00:00") and manifest["wall_seconds"] >= 0
    assert manifest["machine"]["cores"] == os.cpu_count()
    assert {"commit", "dirty", "device"} <= set(manifest)
    assert str(tmp_path) not in text and os.path.expanduser("~") + "/" not in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"method": "nope"}, "unknown method"),
        ({"task": "nope"}, "unknown task"),
        ({"task": "CartPole-v1"}, "Discrete"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"stps": 3}, "unknown option 'stps': did you mean steps"),
        ({"scale": "big"}, "option scale is 'big'"),
        ({"scale": -1}, "scale is -1.0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_made(
    fake, tmp_path, arguments, sentence
):
    folder = tmp_path / "runs"
    given = {"method": "fake", "task": "DynaMaze-v0", "folder": folder} | arguments
    with pytest.raises(ValueError, match=sentence):
        run(**given)
    assert not folder.exists()


def test_a_run_that_fails_leaves_nothing_and_keeps_its_error(fake, tmp_path):
    with pytest.raises(RuntimeError, match="the method broke"):
        run("fake", "DynaMaze-v0", folder=tmp_path, mode="fail")
    assert os.listdir(tmp_path) == []


def test_a_bad_folder_is_refused_before_the_work(fake, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(fake_method, "fake", None)
    with pytest.raises(store.StoreError, match="cannot be used"):
        run("fake", "DynaMaze-v0", folder=tmp_path / "file")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(store.StoreError, match="holds no finished run"):
        load(tmp_path)


def test_a_run_of_an_older_config_still_loads(fake, tmp_path, monkeypatch):
    done = run("fake", "DynaMaze-v0", folder=tmp_path)

    @dataclass(frozen=True)
    class Config:
        other: int = 1

    monkeypatch.setattr(fake_method, "Config", Config)
    assert load(done.folder).config.scale == 1.0
    monkeypatch.delitem(registry.METHODS, "fake")
    assert (load(done.folder).result.Q == done.result.Q).all()


def test_torch_gets_one_thread_during_a_run_and_its_own_number_back(fake, monkeypatch):
    import torch

    seen = []
    train = fake_method.fake

    def watched(*args):
        seen.append(torch.get_num_threads())
        return train(*args)

    monkeypatch.setattr(fake_method, "fake", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run("fake", "DynaMaze-v0")
        assert seen == [1] and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_matrix_products_of_numpy_get_one_thread_too(fake, monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        found = [p for p in threadpool_info() if p["user_api"] == "blas"]
        return {p["num_threads"] for p in found}

    seen = []
    train = fake_method.fake

    def watched(*args):
        seen.append(threads())
        return train(*args)

    monkeypatch.setattr(fake_method, "fake", watched)
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        run("fake", "DynaMaze-v0")
        assert seen == [{1}] and threads() == before != {1}


def test_the_device_is_chosen_once_and_is_part_of_what_the_run_is(deep, monkeypatch):
    plan = prepare("fake_deep", "Line-v0")
    assert plan.device == "cpu" or "-cuda-s0" in plan.name
    assert prepare("fake_deep", "Line-v0", device="cpu").name.endswith("-s0")
    monkeypatch.setattr("mbrl_edu.core.device.resolve", lambda name: "cuda")
    other = prepare("fake_deep", "Line-v0")
    assert other.device == "cuda" and other.name.endswith("-cuda-s0")
    assert other.command.endswith("--seed 0 --device cuda")
    assert prepare("dyna_q", "DynaMaze-v0").device == "cpu"
    assert "--device" not in prepare("dyna_q", "DynaMaze-v0").command


def test_a_preset_is_found_and_options_come_before_it(deep, monkeypatch):
    from mbrl_edu.algos import presets

    monkeypatch.setitem(
        presets.PRESETS, ("fake_deep", "Line-v0", "short"), {"episodes": 1}
    )
    assert len(run("fake-deep", "mbrl_edu/Line-v0", preset="short").rows) == 1
    assert len(run("fake_deep", "Line-v0", preset="short", episodes=2).rows) == 2
    with pytest.raises(ValueError, match="name is 'shrt'.*'short'"):
        run("fake_deep", "Line-v0", preset="shrt")


def test_tensorboard_gets_every_number(deep, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("MBRL_EDU_TENSORBOARD")
    done = run("fake_deep", "Line-v0", folder=tmp_path)
    (file,) = done.folder.glob("events*")
    assert re.fullmatch(
        r"events\.out\.tfevents\.\d+\.0", file.name
    )  # no machine's name
    events = EventAccumulator(str(done.folder)).Reload()
    assert set(events.Tags()["scalars"]) == set(done.rows[0]) - {"step"}
    shown = [(e.step, e.value) for e in events.Scalars("return")]
    assert shown == [(r["step"], np.float32(r["return"])) for r in done.rows]


def test_the_fingerprint_sees_code_and_not_comments(tmp_path):
    def program(text):
        file = tmp_path / "x.py"
        file.write_text(text)
        return provenance._program(file)

    base = program('def f(x):\n    """Doc."""\n    return x + 1\n')
    assert base == program("# note\ndef f(x):\n    return x + 1  # why\n")
    assert base != program("def f(x):\n    return x + 2\n")
    assert base != program("def f(x):\n    return x - 1\n")


def test_a_package_outside_its_own_repository_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "mbrl_edu")
    assert provenance.commit() == (None, None)


def test_a_readers_repository_says_nothing_about_an_installed_package(
    tmp_path, monkeypatch
):
    package = tmp_path / "venv" / "mbrl_edu"
    package.mkdir(parents=True)
    (package / "a.py").touch()
    words = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "mine"]):
        subprocess.run(["git", "-C", tmp_path, *words, *command], check=True)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    assert provenance.commit() == (None, None)


def test_commit_and_dirty_follow_the_repository(tmp_path, monkeypatch):
    def git(*words):
        name = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
        subprocess.run(["git", "-C", tmp_path, *name, *words], check=True)

    package = tmp_path / "mbrl_edu"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    head, dirty = provenance.commit()
    assert re.fullmatch(r"[0-9a-f]{40}", head) and dirty is False
    (package / "stored").mkdir()
    (package / "stored" / "t.csv").touch()
    (tmp_path / "runs.txt").touch()
    assert provenance.commit() == (head, False)
    (package / "a.py").write_text("x = 2\n")
    assert provenance.commit() == (head, True)


def test_execute_takes_the_plan_as_it_is(fake):
    plan = prepare("fake", "DynaMaze-v0", 0, steps=2)
    assert len(execute(plan, progress=False).rows) == 2


def test_every_result_of_the_book_is_a_dataclass_that_can_be_stored(tmp_path):
    tabular = [m.name for m in registry.METHODS.values() if m.kind == "tabular"]
    assert len(tabular) >= 5
    for name in tabular:
        done = run(name, "DynaMaze-v0", 0, tmp_path)
        found = load(done.folder)
        assert type(found.result) is type(done.result), name
        assert (found.result.Q == done.result.Q).all()
        assert found.manifest["left_out"] in ([], ["model"])


# A method that consists of many runs

MANY = {
    "T": 110, "T_random": 60, "epoch": 50, "fit_every": 25, "M": 5, "G": 1, "batch": 32,
    "fit_batch": 32, "hidden": (8,), "model_hidden": (8,), "B": 2, "elites": 1,
    "epochs": 1, "episodes": 1, "stages": 2, "runs": 3, "references": 2, "explore": 1,
    "updates": 2,
}  # fmt: skip


def test_its_runs_are_played_by_any_number_of_processes(tmp_path, monkeypatch):
    """Rows, result and weights are the same; two processes are really used."""
    asked, spread = [], backends.in_parallel

    def noted(jobs, workers, backend):
        asked.append((len(jobs), workers, backend))
        return spread(jobs, workers, backend)

    monkeypatch.setattr(backends, "in_parallel", noted)
    one = run("autombpo", "Line-v0", folder=tmp_path / "a", device="cpu", **MANY)
    assert asked == []
    words = [f"--{k}={provenance.as_word(v)}" for k, v in MANY.items()]
    words += ["--device", "cpu", "--folder", str(tmp_path / "b"), "--workers", "2"]
    assert main(["run", "autombpo", "Line-v0", *words]) == 0
    (two,) = load_all(tmp_path / "b")
    assert asked == [(2, 2, "loky"), (3, 2, "loky"), (3, 2, "loky")]
    assert one.rows == two.rows and [r["step"] for r in two.rows][-1] == 8 * 110
    for name in ("returns", "rewards", "schedules", "reference", "weights"):
        assert (getattr(one.result, name) == getattr(two.result, name)).all()
    assert one.folder.name == two.folder.name  # it is the same run


def test_its_bar_counts_the_steps_of_all_its_runs():
    plan = prepare("autombpo", "Line-v0", device="cpu", **MANY)
    assert executing._limit(plan.config) == ((2 + 2 * 3) * 110, "steps")


def test_who_has_no_runs_of_its_own_needs_no_workers():
    with pytest.raises(ValueError, match="workers is 2, but dyna_q is a single run"):
        run("dyna_q", "DynaMaze-v0", workers=2, episodes=1)
    with pytest.raises(ValueError, match="workers is 0"):
        run("autombpo", "Line-v0", workers=0)
    with pytest.raises(ValueError, match="backend is 'lokey'"):
        run("autombpo", "Line-v0", backend="lokey")
