"""The stored numbers of chapter 6: made by this code, judged by their values."""

import dataclasses

import numpy as np
import pytest
from stored_rows import assert_alike, beside_stored

from mbrl_edu.experiment import verdicts_bounds as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import load_study
from mbrl_edu.experiment.studies_bounds import FOUND, SHARES, SIZES, WORLDS
from mbrl_edu.theory import errors, greedy_policy, tables, value_iteration
from mbrl_edu.theory.statements import MBPO, MBPO_FALSE

STUDIES = ["bounds-sample", "bounds-best-k", "bounds-climb"]


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_version_gives_the_first_rows_of_the_stored_one(name, tmp_path):
    """A climb may go another way up where rounding differs, to the same verdict."""
    for _, both, columns in beside_stored(name, tmp_path):
        if name == "bounds-climb":
            same = (both["score"] > FOUND) == (both["score_stored"] > FOUND)
            assert same.mean() > 0.95
        else:
            assert_alike(both, columns)


def test_every_statement_of_the_theory_is_stored():
    for name in ("bounds-sample", "bounds-climb"):
        table = load_study(name).table
        for kind, statements in (("holds", MBPO), ("fails", MBPO_FALSE)):
            assert set(table[table["kind"] == kind]["statement"]) == set(statements)


@pytest.mark.parametrize("world", WORLDS)
def test_a_stored_slope_is_the_one_of_its_definition(world):
    """Independently of `tables.error_against_shift`: least squares through e_m."""
    seed, n = 3, SIZES[2]
    mdp, pi_D = WORLDS[world](seed)
    P_hat = tables.counted_model(mdp, pi_D, n, np.random.default_rng([seed, n]))
    Q = value_iteration(mdp.with_model(P_hat), tol=1e-10)[0]
    pi_new = greedy_policy(Q, tol=1e-8)
    path = [(1 - u) * pi_D + u * pi_new for u in SHARES]
    x = np.array([errors.policy_shift(pi, pi_D) for pi in path])[:, 0]
    y = np.array([errors.eps_m_prime(mdp, P_hat, pi) for pi in path])[:, 0]
    slope = np.linalg.lstsq(x[:, None], y - y[0], rcond=None)[0][0]
    table = load_study("bounds-best-k").tables["learned"]
    row = table.query(
        "world == @world and toward == 'model' and seed == @seed and n_data == @n"
        " and share == 1"
    ).iloc[0]
    assert row["slope"] == pytest.approx(slope, rel=1e-6)
    assert row["e_m"] == pytest.approx(y[0]) and row["e_m_prime"] == pytest.approx(
        y[-1]
    )


def test_verdicts_of_the_chapter():
    parts = judge("L11")
    assert parts["sliding and head-first branches"].verdict == "holds"
    assert parts["under a search for violations"].verdict == "holds"
    assert parts["other readings of the same words"].verdict == "does not hold here"
    parts = judge("L12")
    assert parts["closed form"].verdict == "holds with conditions"
    assert parts["measured on counted models"].verdict == "holds with conditions"


def changed(name, key, column, value, where):
    """The stored study with one column replaced in some rows."""
    study = load_study(name)
    table = study.tables[key].copy()
    table.loc[table.eval(where), column] = value
    return dataclasses.replace(study, tables=study.tables | {key: table})


@pytest.mark.parametrize(
    ("judged", "change", "verdict"),
    [
        (
            verdicts.slide_on_samples,
            ("bounds-sample", "table", "violations", 1, "statement == 'slide'"),
            "holds with conditions",
        ),
        (
            verdicts.slide_on_samples,
            ("bounds-sample", "table", "violations", 99, "statement == 'slide'"),
            "does not hold here",
        ),
        (
            verdicts.other_readings_on_samples,
            ("bounds-sample", "table", "violations", 0, "kind == 'fails'"),
            "holds",
        ),
        (
            verdicts.other_readings_on_samples,
            (
                "bounds-sample",
                "table",
                "violations",
                0,
                "statement == 'branch-point reading'",
            ),
            "holds with conditions",
        ),
        (
            verdicts.slide_under_a_climb,
            ("bounds-climb", "table", "score", 1.1, "statement == 'slide'"),
            "does not hold here",
        ),
        (
            verdicts.slide_under_a_climb,
            ("bounds-climb", "table", "score", 0.9, "statement == 'Lemma B.2, KL'"),
            "holds with conditions",
        ),
        (
            verdicts.best_k_in_closed_form,
            ("bounds-best-k", "formula", "formula_is_brute_force", 499, "seed == 3"),
            "does not hold here",
        ),
        (
            verdicts.best_k_measured,
            ("bounds-best-k", "learned", "best_k", 0, "n_data == 100000"),
            "does not hold here",
        ),
        (
            verdicts.best_k_measured,
            ("bounds-best-k", "learned", "best_k", 1, "n_data == 100"),
            "holds",
        ),
    ],
)
def test_verdicts_follow_the_data(judged, change, verdict):
    assert judged(changed(*change)).verdict == verdict


def test_a_sharper_bound_with_the_same_optimum_would_make_it_hold():
    study = load_study("bounds-best-k")
    table = study.tables["formula"]
    table = table.assign(tight_optimum_inside=table["slide_optimum_inside"])
    same = dataclasses.replace(study, tables=study.tables | {"formula": table})
    assert verdicts.best_k_in_closed_form(same).verdict == "holds"
