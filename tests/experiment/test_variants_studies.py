"""The stored numbers on the bounds of BMPO, AMPO, AutoMBPO, MAAC and their verdicts."""

import dataclasses

import pytest
from stored_rows import assert_alike, beside_stored

from mbrl_edu.experiment import verdicts_variants as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import load_study
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
    for _, both, columns in beside_stored(name, tmp_path):
        assert_alike(both, columns)


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
