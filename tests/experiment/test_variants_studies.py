"""The stored numbers on the bounds of BMPO, AMPO, AutoMBPO, MAAC and their verdicts."""

import dataclasses

import numpy as np
import pytest

from mbrl_edu.experiment import verdicts_variants as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import load_study, run_study
from mbrl_edu.experiment.studies_variants import FALSE, TRUE

STUDIES = [
    "bmpo-bounds",
    "ampo-bounds",
    "domain-adaptation",
    "autombpo-bounds",
    "maac-bounds",
]


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_version_gives_the_first_rows_of_the_stored_one(name, tmp_path):
    path = run_study(name, workers=1, out=tmp_path, folder=tmp_path / "r", quick=True)
    quick, stored = load_study(name, path.parent), load_study(name)
    for key, table in quick.tables.items():
        whole = stored.tables[key]
        by = [c for c in ("statement", "n_real", "seed") if c in table]
        both = table.merge(whole, on=by, suffixes=("", "_stored"))
        assert list(table.columns) == list(whole.columns) and len(both) == len(table)
        for column in set(table.columns) - {*by, "method", "kind"}:
            x, y = both[column].to_numpy(float), both[f"{column}_stored"]
            assert np.allclose(x, y.to_numpy(float), rtol=1e-6, atol=1e-9), column


@pytest.mark.parametrize(
    ("claim", "part", "verdict"),
    [
        ("L18", "the bound, by its anchor", "holds with conditions"),
        ("L21", "Theorem 3.1", "holds with conditions"),
        ("L21", "domain adaptation", "holds"),
        ("L23", "the best share of real samples", "holds"),
        ("L23", "the bias of planning in a mixture", "holds"),
        ("L29", "Lemmas 4.1 and 4.2, Theorem 4.1", "holds with conditions"),
    ],
)
def test_verdicts_from_the_stored_numbers(claim, part, verdict):
    assert judge(claim)[part].verdict == verdict


def changed(name, key, change):
    study = load_study(name)
    table = study.tables[key].copy()
    change(table)
    return dataclasses.replace(study, tables=study.tables | {key: table})


@pytest.mark.parametrize("name", ["bmpo-bounds", "ampo-bounds", "maac-bounds"])
def test_a_violated_true_form_fails_and_an_unviolated_false_one_holds(name):
    judged = {
        "bmpo-bounds": verdicts.bmpo_bound,
        "ampo-bounds": verdicts.ampo_bound,
        "maac-bounds": verdicts.maac_bound,
    }[name]

    def violate(table):
        table.loc[table.index[table["kind"] == TRUE][0], "violations"] = 1

    def spare(table):
        table.loc[table["kind"] == FALSE, "violations"] = 0

    assert judged(changed(name, "table", violate)).verdict == "does not hold here"
    assert judged(changed(name, "table", spare)).verdict == "holds"


def test_the_best_share_must_grow():
    def flat(table):
        table["1.0"] = 0.0

    study = changed("autombpo-bounds", "loss", flat)
    assert verdicts.best_share(study).verdict == "does not hold here"
