"""Every deep method runs on a real task, and the table says what it reached."""

import numpy as np
import pandas as pd
import pytest

from mbrl_edu.experiment import studies_methods as recipes
from mbrl_edu.experiment.methods_table import HEAD, LEARNED, reached
from mbrl_edu.experiment.studies import STUDIES, all_studies, run_study


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("methods-pole", recipes.ON_THE_POLE),
        ("methods-pendulum", recipes.ON_THE_PENDULUM),
    ],
)
def test_every_method_has_its_rows(name, labels, tmp_path):
    recipe = all_studies()[name]
    table = recipe.make(1, tmp_path, quick=True)
    assert list(table) == ["label", "seed", "step", "return", "run_seconds"]
    assert list(dict.fromkeys(table["label"])) == list(labels)
    assert set(table["seed"]) == {10}
    assert np.isfinite(table["return"]).all() and (table["run_seconds"] > 0).all()


def test_autombpo_has_a_row_for_every_run(tmp_path):
    table = all_studies()["autombpo-pole"].make(1, tmp_path, quick=True)
    assert table["stage"].tolist() == [-1, 0] and table["seed"].tolist() == [20, 20]
    assert np.isfinite(table.drop(columns=["fit", "real_ratio", "G", "k"])).all(
        axis=None
    )
    assert table["k"].iloc[1] >= 1


def test_seeds_are_fresh_and_at_least_three():
    for name in ("methods-pole", "methods-pendulum", "autombpo-pole"):
        seeds = all_studies()[name].seeds
        assert len(seeds) >= 3 and min(seeds) >= 3  # presets were chosen on 0 and 1


@pytest.fixture
def made(monkeypatch):
    """Studies whose tables are written by hand."""
    all_studies()

    def make(folder, name, table):
        seeds = tuple(dict.fromkeys(table["seed"]))
        old = STUDIES[name]

        def recipe(workers, folder, quick=False, seeds=seeds):
            return table

        kept = type(old)(name, old.title, old.page, recipe, seeds)
        monkeypatch.setitem(STUDIES, name, kept)
        run_study(name, 1, folder, folder / "runs")

    return make


def test_the_table_shows_every_seed_also_one_that_fails(made, tmp_path):
    assert "<tbody></tbody>" in reached(tmp_path)
    rows = [
        ("MBPO", seed, step, value, 90.0)
        for seed, end in ((3, 1000.0), (4, 31.0))
        for step, value in ((500, 5.0), (1000, 20.0), (1500, end))
    ]
    columns = ["label", "seed", "step", "return", "run_seconds"]
    made(tmp_path, "methods-pole", pd.DataFrame(rows, columns=columns))
    html = reached(tmp_path)
    assert all(f">{head}<" in html for head in HEAD)
    assert ">1,500<" in html and ">1000, 31<" in html and ">1.5<" in html
    assert ">268<" in html  # the mean of 510 and 25.5, the random start not counted
    assert LEARNED["methods-pole"] in html


def test_the_table_sets_autombpo_beside_plain_runs(made, tmp_path):
    rows = [
        (3, -1, 0, 0.0, 400.0, 900.0, *[float("nan")] * 4, 120.0),
        (3, 0, 0, 1.0, 300.0, 700.0, 1.0, 0.05, 5.0, 1.0, 120.0),
        (3, 0, 1, 1.0, 500.0, 1000.0, 0.5, 0.06, 6.0, 2.0, 120.0),
        (3, 1, 0, 1.0, 600.0, 800.0, 0.5, 0.07, 7.0, 2.0, 120.0),
        (3, 1, 1, 1.0, 700.0, 1000.0, 0.5, 0.07, 7.0, 2.0, 120.0),
    ]
    columns = ["seed", "stage", "run", "reward", "mean_return", "last_return"]
    columns += ["fit", "real_ratio", "G", "k", "run_seconds"]
    made(tmp_path, "autombpo-pole", pd.DataFrame(rows, columns=columns))
    html = reached(tmp_path)
    assert "stage 1 400, stage 2 650; plain MBPO 400" in html
    assert "mean of its runs: 900<" in html and "AutoMBPO, 4 runs" in html
