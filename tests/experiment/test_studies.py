import hashlib
import json
import os

import numpy as np
import pandas as pd
import pytest

from mbrl_edu.experiment import stored, studies
from mbrl_edu.experiment.store import StoreError
from mbrl_edu.experiment.sweep import sweep


@pytest.fixture
def register(monkeypatch):
    """Recipes registered in the test are gone after it, and no others."""
    studies.all_studies()
    monkeypatch.setattr(studies, "STUDIES", dict(studies.STUDIES))
    return studies.study


@pytest.fixture
def recipe(register, fake):
    @register("demo", title="A demonstration", page="02-dyna")
    def demo(workers, folder, quick=False):
        seeds = 2 if quick else 5
        s = sweep("fake", "DynaMaze-v0", seeds, folder=folder, workers=workers)
        last = [q[-1] for q in s.results("Q")["default"]]
        summary = pd.DataFrame({"seed": range(seeds), "return": last})
        return {"curves": s.frame(), "summary": summary}

    return demo


def test_a_study_comes_back_bit_for_bit(recipe, tmp_path):
    path = studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    assert sorted(os.listdir(path)) == ["curves.csv", "manifest.json", "summary.csv"]
    study = studies.load_study("demo", tmp_path / "out")
    made = recipe(1, tmp_path / "runs")
    assert study.tables["summary"].equals(made["summary"])
    assert np.array_equal(study.tables["curves"]["return"], made["curves"]["return"])
    assert studies.stored_studies(tmp_path / "out") == ["demo"]


def test_the_manifest_gives_command_and_origin_but_no_path(recipe, tmp_path):
    studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    study = studies.load_study("demo", tmp_path / "out")
    assert study.command == "python -m mbrl_edu study demo"
    assert study.manifest["quick"] is False and study.manifest["page"] == "02-dyna"
    assert study.provenance.startswith("python -m mbrl_edu study demo · ")
    assert study.provenance.endswith("minutes")
    for name in ("manifest.json", "curves.csv"):
        assert str(tmp_path) not in (tmp_path / "out" / "demo" / name).read_text()


def test_tables_do_not_depend_on_the_number_of_workers(recipe, tmp_path):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        studies.run_study("demo", workers, out, out / "runs")
    one, two = ((tmp_path / str(w) / "demo") for w in (1, 2))
    for name in ("curves.csv", "summary.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_study_is_replaced_only_when_the_new_one_is_whole(recipe, register, tmp_path):
    studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    before = (tmp_path / "out" / "demo" / "summary.csv").read_bytes()

    @register("demo", title="It breaks", page="02-dyna")
    def broken(workers, folder, quick=False):
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        studies.run_study("demo", 1, tmp_path / "out")
    assert (tmp_path / "out" / "demo" / "summary.csv").read_bytes() == before

    @register("demo", title="Another", page="02-dyna")
    def other(workers, folder, quick=False):
        return pd.DataFrame({"x": [1]})

    studies.run_study("demo", 1, tmp_path / "out")
    assert studies.load_study("demo", tmp_path / "out").table["x"].tolist() == [1]
    assert os.listdir(tmp_path / "out") == ["demo"]


def test_a_table_edited_by_hand_is_refused(recipe, tmp_path):
    path = studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    with (path / "summary.csv").open("a") as file:
        file.write("9,1.0\n")
    with pytest.raises(StoreError, match="summary.csv of study demo was changed"):
        studies.load_study("demo", tmp_path / "out")


def test_other_line_ends_are_the_same_table(recipe, tmp_path):
    path = studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    table = path / "summary.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    studies.load_study("demo", tmp_path / "out")


def test_quick_is_small_and_never_takes_the_place_of_the_result(recipe, tmp_path):
    with pytest.raises(ValueError, match="quick study needs a folder of its own"):
        studies.run_study("demo", 1, quick=True)
    studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs", quick=True)
    study = studies.load_study("demo", tmp_path / "out")
    assert len(study.tables["summary"]) == 2 and study.manifest["quick"] is True
    assert study.command.endswith("demo --quick")


@pytest.mark.parametrize(
    "made", [None, {}, [1], {"a": 1}, pd.DataFrame({"x": ["y" * 3_000_000]})]
)
def test_a_recipe_that_gives_no_small_table_is_refused(register, tmp_path, made):
    @register("odd", title="", page="02-dyna")
    def odd(workers, folder, quick=False):
        return made

    with pytest.raises(ValueError, match="study odd (returned|made) .*but must"):
        studies.run_study("odd", 1, tmp_path)
    assert os.listdir(tmp_path) == []


def test_bad_arguments_are_refused_in_a_sentence(recipe, tmp_path):
    with pytest.raises(ValueError, match="unknown study 'dmo': did you mean demo"):
        studies.run_study("dmo", 1, tmp_path)
    with pytest.raises(ValueError, match="workers is 0"):
        studies.run_study("demo", 0, tmp_path)
    with pytest.raises(ValueError, match="no stored study 'demo': nothing is stored"):
        studies.load_study("demo", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        studies.run_study("demo", 1, tmp_path / "file")


def test_floats_come_back_bit_for_bit():
    g = np.random.default_rng(0)
    x = g.normal(size=20_000) * 10.0 ** g.integers(-20, 20, size=20_000)
    table = pd.DataFrame({"x": x, "n": range(20_000)})
    assert stored._read_csv(table.to_csv(index=False)).equals(table)


def test_one_table_needs_no_name_and_several_do(recipe, tmp_path):
    studies.run_study("demo", 1, tmp_path / "out", tmp_path / "runs")
    with pytest.raises(ValueError, match="several tables.*curves, summary"):
        _ = studies.load_study("demo", tmp_path / "out").table


def test_two_recipes_of_two_modules_cannot_share_a_name(register, monkeypatch):
    register("twice", title="", page="")(lambda workers, folder, quick=False: None)
    other = eval("lambda workers, folder, quick=False: None", {"__name__": "elsewhere"})
    with pytest.raises(ValueError, match="study twice is registered twice"):
        register("twice", title="", page="")(other)


def test_every_shipped_study_is_whole_small_and_has_a_recipe():
    known = studies.all_studies()
    root = stored._root(None)
    for name in studies.stored_studies():
        manifest = json.loads((root / name / "manifest.json").read_text())
        assert name in known and manifest["quick"] is False, name
        size = 0
        for file, digest in manifest["tables"].items():
            text = (root / name / file).read_bytes().replace(b"\r\n", b"\n")
            assert hashlib.sha256(text).hexdigest() == digest, file
            size += len(text)
        assert size < studies.LIMIT
