"""A long study made some seeds at a time is the study made at once."""

import pandas as pd
import pytest

from mbrl_edu.__main__ import main
from mbrl_edu.experiment import claims, studies
from mbrl_edu.experiment.sweep import sweep

SEEDS = (3, 4, 5)
FAST = {"scale": 2.0}


@pytest.fixture
def demo(monkeypatch, fake):
    studies.all_studies()
    monkeypatch.setattr(studies, "STUDIES", dict(studies.STUDIES))

    def curves(workers, folder, quick=False, seeds=SEEDS):
        configs = {"slow": {"scale": 1.0}, "fast": FAST}
        s = sweep("fake", "DynaMaze-v0", seeds, configs, folder, workers)
        return {"curves": s.frame(), "ends": pd.DataFrame({"seed": seeds})}

    register = studies.study("demo", title="In parts", page="02-dyna", seeds=SEEDS)
    return register(curves)


def make(tmp_path, name, *parts):
    for seeds in parts:
        folder = tmp_path / name
        studies.run_study("demo", 1, folder, folder / "runs", seeds=seeds)
    return studies.load_study("demo", tmp_path / name)


@pytest.mark.parametrize("order", [((3,), (4, 5)), ((5,), (3,), (4,)), ((4, 5), None)])
def test_parts_in_any_order_make_the_same_tables(demo, tmp_path, order):
    whole, parts = make(tmp_path, "whole", None), make(tmp_path, "parts", *order)
    for name, table in whole.tables.items():
        assert parts.tables[name].equals(table)
    assert parts.command == whole.command == "python -m mbrl_edu study demo"


def test_the_manifest_says_where_each_part_came_from(demo, tmp_path, monkeypatch):
    make(tmp_path, "out", [3, 4], [5])
    monkeypatch.setitem(FAST, "scale", 3.0)  # the study is another one by now
    study = make(tmp_path, "out", [4])
    said = {tuple(part["seeds"]): part["command"] for part in study.manifest["parts"]}
    assert said == {
        (3,): "python -m mbrl_edu study demo --seeds 3,4",
        (4,): "python -m mbrl_edu study demo --seeds 4",
        (5,): "python -m mbrl_edu study demo --seeds 5",
    }
    for part in study.manifest["parts"]:
        assert {"commit", "versions", "machine", "wall_seconds"} <= set(part)
    seconds = [part["wall_seconds"] for part in study.manifest["parts"]]
    assert study.manifest["wall_seconds"] == pytest.approx(sum(seconds))
    one = make(tmp_path, "one", [3])
    assert set(one.tables["curves"]["seed"]) == {3}


def test_runs_that_are_only_read_again_keep_their_origin(demo, tmp_path):
    first = make(tmp_path, "out", [3, 4], [5])
    again = make(tmp_path, "out", [4], [3, 4, 5])
    assert again.manifest == first.manifest
    for name, table in first.tables.items():
        assert again.tables[name].equals(table)


def test_time_and_commits_of_all_parts_are_in_the_provenance(demo, tmp_path):
    study = make(tmp_path, "out", [3], [4])
    parts = study.manifest["parts"]
    for part, commit, seconds in zip(parts, ("a" * 40, "b" * 40), (60, 120)):
        part |= {"commit": commit, "dirty": False, "wall_seconds": seconds}
    assert "aaaaaaaaa, bbbbbbbbb" in study.provenance
    assert study.provenance.endswith("3.0 minutes")


@pytest.mark.parametrize("seeds", [[], [6], [3, 6], [-1], [1.5]])
def test_other_seeds_are_refused_before_any_work(demo, tmp_path, seeds):
    with pytest.raises(ValueError, match="seeds is"):
        studies.run_study("demo", 1, tmp_path / "out", seeds=seeds)
    assert not (tmp_path / "out").exists()


def test_a_study_made_at_once_has_no_seeds_to_choose(tmp_path):
    with pytest.raises(ValueError, match="made all at once"):
        studies.run_study("q-planning", 1, tmp_path / "out", seeds=[0])


def test_parts_of_another_form_are_not_mixed(demo, tmp_path):
    make(tmp_path, "out", [3])

    def other(workers, folder, quick=False, seeds=SEEDS):
        return {"curves": pd.DataFrame({"seed": seeds, "x": 0.0})}

    studies.STUDIES["demo"] = studies.Recipe("demo", "", "", other, SEEDS)
    with pytest.raises(ValueError, match="tables of another form"):
        make(tmp_path, "out", [4])
    assert set(studies.load_study("demo", tmp_path / "out").tables) == {
        "curves",
        "ends",
    }


def test_from_the_shell(demo, tmp_path, capsys):
    words = ["study", "demo", "--workers", "1", "--out", str(tmp_path / "out")]
    words += ["--folder", str(tmp_path / "runs"), "--seeds"]
    assert main([*words, "3,5"]) == 0
    table = studies.load_study("demo", tmp_path / "out").tables["curves"]
    assert set(table["seed"]) == {3, 5}
    assert main([*words, "3,x"]) == 2
    assert "seeds is 'x'" in capsys.readouterr().err


def test_a_claim_is_judged_once_all_seeds_are_there(demo, tmp_path, monkeypatch):
    def judged(study):
        n = study.tables["ends"]["seed"].nunique()
        return claims.Verdict("holds", f"{n} seeds", 5, "none", "a maze", study.command)

    monkeypatch.setattr(claims, "VERDICTS", {("L1", ""): ("demo", judged)})
    make(tmp_path, "out", [3, 4])
    assert claims.judge("L1", tmp_path / "out") == {}
    make(tmp_path, "out", [5])
    assert claims.judge("L1", tmp_path / "out")[""].effect == "3 seeds"
