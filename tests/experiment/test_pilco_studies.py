"""Chapter 13: the study runs, the verdict follows the numbers of its table."""

import numpy as np
import pandas as pd
import pytest

from mbrl_edu.experiment import studies_pilco as studies
from mbrl_edu.experiment import verdicts_pilco as verdicts
from mbrl_edu.experiment.claims import all_verdicts, judge
from mbrl_edu.experiment.studies import (
    STUDIES,
    Study,
    load_study,
    run_study,
    stored_studies,
)


def study(solved_in, trials=10):
    """A table in which each seed is first solved in the trial given, 99 for never."""
    rows = [
        (seed, 40 * (trial + 1), trial, 30.0 * (trial >= when), 0.1 + (trial < when))
        for seed, when in enumerate(solved_in, studies.FIRST)
        for trial in range(trials + 1)
    ]
    names = ["seed", "step", "trial", "return", "miss"]
    table = pd.DataFrame(rows, columns=names).assign(label="PILCO")
    return Study("pilco-swingup", {"table": table}, {"command": "a command"})


@pytest.mark.parametrize(
    ("solved_in", "outcome", "begins"),
    [
        ([3, 4, 5, 99, 4], "holds", "4 of 5 runs, first in trial 4 (median, 20 s of"),
        ([3, 4, 99, 99, 4], "holds with conditions", "3 of 5 runs, first in trial 4"),
        ([3, 4, 99, 99, 99], "does not hold here", "2 of 5 runs; trial 10 returns"),
        ([12, 12, 12, 3, 4], "holds with conditions", "5 of 5 runs, first in trial 12"),
    ],
)
def test_the_verdict_follows_the_data(solved_in, outcome, begins):
    found = verdicts.few_trials(study(solved_in, 12 if 12 in solved_in else 10))
    assert found.verdict == outcome and found.seeds == 5
    assert found.effect.startswith(f"Solved in {begins}"), found.effect
    assert "of 40." in found.effect and found.command == "a command"


def test_what_is_solved_and_when():
    misses = np.array([[0.01, 0.11, 0.1, 0.5], [0.01, 0.2, 0.2, 0.2]])
    # the random trial does not count, and once is enough
    assert verdicts.first_solved(misses).tolist() == [2, np.inf]


def test_where_the_tip_stays():
    up, off = [0.0, np.pi, 0, 0], [0.3, -np.pi, 9, 9]
    s = np.array([off] * 30 + [up] * 10 + [up] * 30 + [off] + [up] * 9)
    assert studies.misses(s, np.array([40, 40])) == pytest.approx([0, 0.3])
    down = np.zeros((40, 4))
    assert studies.misses(down, np.array([40])) == pytest.approx([1.0])


def test_the_claim_names_a_study_that_exists():
    mine = {p: name for (c, p), (name, _) in all_verdicts().items() if c == "L30"}
    assert list(mine.values()) == ["pilco-swingup"] and "pilco-swingup" in STUDIES
    stored = [part for part, name in mine.items() if name in stored_studies()]
    assert list(judge("L30")) == stored


def test_the_verdict_reads_what_the_study_writes(tmp_path):
    """The quick version, as five seeds: its columns are those that are judged."""
    run_study("pilco-swingup", 1, tmp_path, tmp_path / "runs", quick=True)
    quick = load_study("pilco-swingup", tmp_path)
    copies = [quick.table.assign(seed=seed) for seed in range(5)]
    whole = Study("pilco-swingup", {"table": pd.concat(copies)}, quick.manifest)
    assert verdicts.by_seed(whole.table, "miss").shape == (5, 2)
    assert verdicts.by_seed(whole.table, "step").tolist() == [[40, 80]] * 5
    assert verdicts.few_trials(whole).seeds == 5
    assert (quick.table["run_seconds"] > 0).all()
