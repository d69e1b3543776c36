"""The stored runs of chapter 2: made by this code, judged by their numbers."""

import dataclasses

import numpy as np
import pytest
from stored_rows import beside_stored

from mbrl_edu.algos import dyna_q, dyna_q_plus
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import MAZES, Maze
from mbrl_edu.experiment import verdicts_tabular as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import load_study
from mbrl_edu.experiment.studies_tabular import curves_of

STUDIES = [
    "q-planning",
    "dyna-planning",
    "blocking-maze",
    "shortcut-maze",
    "prioritized-sweeping",
]


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_version_gives_the_first_rows_of_the_stored_one(name, tmp_path):
    for key, both, columns in beside_stored(name, tmp_path):
        for column in columns:
            x, y = (both[c].to_numpy(float) for c in (column, f"{column}_stored"))
            assert np.array_equal(x, y, equal_nan=True), (key, column)


def test_stored_runs_are_those_of_this_code():
    lengths = load_study("dyna-planning").tables["lengths"]
    for n in (0, 50):
        run = dyna_q.dyna_q(Maze(), dyna_q.Config(n=n), Streams(99))
        assert curves_of(lengths, "n", n)[1][99].tolist() == run.lengths.tolist()
    cfg = dyna_q_plus.Config(episodes=None, steps=3000, alpha=1.0, n=10, kappa=1e-4)
    env = Maze(**MAZES["BlockingMaze-v0"])
    total = dyna_q_plus.dyna_q_plus(env, cfg, Streams(99)).rewards.cumsum()
    reward = curves_of(
        load_study("blocking-maze").tables["reward"], "method", "Dyna-Q+"
    )
    assert reward[1][99].tolist() == total[49::50].tolist()


def test_every_verdict_of_the_chapter_is_there():
    assert judge("L5")[""].verdict == "holds"
    parts = judge("L6")
    assert len(parts) == 4 and parts["more planning, fewer episodes"].verdict == "holds"


def changed(name, key, column, value, where=None):
    """The stored study with one column replaced."""
    study = load_study(name)
    table = study.tables[key].copy()
    rows = slice(None) if where is None else table.eval(where)
    table.loc[rows, column] = value
    return dataclasses.replace(study, tables=study.tables | {key: table})


@pytest.mark.parametrize(
    ("judged", "change", "verdict"),
    [
        (
            verdicts.q_planning_is_exact,
            ("q-planning", "reached", "updates", None, "seed == 3"),
            "does not hold here",
        ),
        (
            verdicts.q_planning_is_exact,
            ("q-planning", "reached", "updates", None, "seed == 3 and alpha == 0.1"),
            "holds with conditions",
        ),
        (
            verdicts.planning_saves_episodes,
            ("dyna-planning", "lengths", "3", 9999, "n == 50"),
            "does not hold here",
        ),
        (
            verdicts.planning_saves_episodes,
            ("dyna-planning", "lengths", "3", 99999, "n == 5"),
            "holds with conditions",
        ),
        (
            verdicts.planning_with_an_outdated_model,
            ("blocking-maze", "after", "steps_to_goal_after_change", 9, None),
            "holds",
        ),
        (
            verdicts.planning_with_an_outdated_model,
            ("blocking-maze", "after", "steps_to_goal_after_change", None, "seed > 9"),
            "does not hold here",
        ),
        (
            verdicts.planning_that_never_looks_again,
            ("shortcut-maze", "after", "reward_last_1000", 60, None),
            "does not hold here",
        ),
        (
            verdicts.planning_that_never_looks_again,
            ("shortcut-maze", "after", "reward_last_1000", 90, None),
            "holds",
        ),
        (
            verdicts.sweeping_saves_updates,
            ("prioritized-sweeping", "table", "updates", 500, None),
            "does not hold here",
        ),
    ],
)
def test_verdicts_follow_the_data(judged, change, verdict):
    assert judged(changed(*change)).verdict == verdict
