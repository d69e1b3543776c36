"""Chapter 5: the studies run, the verdicts follow the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest

from mbrl_edu.experiment import verdicts_pets as verdicts
from mbrl_edu.experiment.claims import VERDICTS, all_verdicts, judge
from mbrl_edu.experiment.studies import (
    STUDIES,
    Study,
    load_study,
    run_study,
    stored_studies,
)

# label -> the level that its trials climb to, and the trial that first gets there
GOOD, SLOW, BAD = (180, 3), (180, 7), (100, 3)


def table(levels, seeds=5, trials=8, noise=3.0):
    """Rows as a study of runs has them: trial 0 is random and brings -4."""
    g = np.random.default_rng(0)
    rows = []
    for label, (level, there) in levels.items():
        for seed in range(10, 10 + seeds):
            for trial in range(trials + 1):
                mean = -4 if trial == 0 else level * min(1, trial / there)
                got = mean + noise * g.standard_normal()
                rows.append((label, seed, 200 * (trial + 1), trial, got))
    names = ["label", "seed", "step", "trial", "return"]
    return pd.DataFrame(rows, columns=names)


def study(name, levels, **known):
    manifest = {"command": f"python -m mbrl_edu study {name}"}
    return Study(name, {"table": table(levels, **known)}, manifest)


FAMILIES = ("PE", "P", "DE", "D", "GP")
KINDS = ("TS1", "TSinf", "DS", "MM", "E")
PLANNERS = ("icem", "cem", "mppi", "random_shooting")


def one_differs(names, first, other, **special):
    return {n: special.get(n, first if n == names[0] else other) for n in names}


def test_what_is_solved_and_when():
    returns = np.array([[200, 0, 139.9, 140, 9], [0, 150, 0, 0, 0], [0, 1, 2, 3, 4]])
    first = verdicts.first_solved(returns)
    assert first[:2].tolist() == [3, 1] and np.isnan(first[2])
    steps, returns = verdicts.curves_of(table({"a": GOOD, "b": BAD}), "b")
    assert steps.tolist() == list(range(200, 2000, 200)) and returns.shape == (5, 9)
    assert verdicts.overall(table({"b": (90, 1)}, noise=0.0), "b").tolist() == [90] * 5


@pytest.mark.parametrize(
    ("judged", "name", "levels", "verdict"),
    [
        (verdicts.a_handful_of_trials, "pets-preset", {"PETS": GOOD}, "holds"),
        (
            verdicts.a_handful_of_trials,
            "pets-preset",
            {"PETS": SLOW},
            "holds with conditions",
        ),
        (
            verdicts.a_handful_of_trials,
            "pets-preset",
            {"PETS": BAD},
            "does not hold here",
        ),
        (verdicts.at_the_papers_settings, "pets-paper", {"PETS": GOOD}, "holds"),
        (
            verdicts.probabilistic_ensembles,
            "pets-families",
            one_differs(FAMILIES, GOOD, BAD),
            "holds",
        ),
        (  # one of four is as good
            verdicts.probabilistic_ensembles,
            "pets-families",
            one_differs(FAMILIES, GOOD, BAD, DE=GOOD),
            "holds with conditions",
        ),
        (  # one of four is better
            verdicts.probabilistic_ensembles,
            "pets-families",
            one_differs(FAMILIES, SLOW, BAD, DE=GOOD),
            "does not hold here",
        ),
        (  # all are better
            verdicts.probabilistic_ensembles,
            "pets-families",
            one_differs(FAMILIES, BAD, GOOD),
            "does not hold here",
        ),
        (  # TSinf may be as good
            verdicts.trajectory_sampling,
            "pets-propagation",
            one_differs(KINDS, GOOD, BAD, TSinf=GOOD),
            "holds",
        ),
        (  # ... but not better
            verdicts.trajectory_sampling,
            "pets-propagation",
            one_differs(KINDS, SLOW, BAD, TSinf=GOOD),
            "does not hold here",
        ),
        (
            verdicts.trajectory_sampling,
            "pets-propagation",
            one_differs(KINDS, GOOD, GOOD, E=BAD),
            "holds with conditions",
        ),
        (
            verdicts.cem_against_shooting,
            "pets-planners",
            one_differs(PLANNERS, GOOD, GOOD, random_shooting=BAD),
            "holds",
        ),
        (
            verdicts.cem_against_shooting,
            "pets-planners",
            one_differs(PLANNERS, GOOD, BAD, cem=(97, 3)),
            "holds with conditions",
        ),
        (
            verdicts.cem_against_shooting,
            "pets-planners",
            one_differs(PLANNERS, BAD, BAD, random_shooting=GOOD),
            "does not hold here",
        ),
    ],
)
def test_verdicts_follow_the_data(judged, name, levels, verdict):
    found = judged(study(name, levels))
    assert found.verdict == verdict, found.effect
    assert found.seeds == 5 and found.command.endswith(name)


def test_too_few_seeds_that_solve_are_not_enough():
    """Three of ten fail: the median is early, the share is not four in five."""
    good = table({"PETS": GOOD}, seeds=10)
    good.loc[good["seed"].isin([10, 11, 12]), "return"] = 0.0
    found = verdicts.a_handful_of_trials(
        Study("pets-preset", {"table": good}, {"command": "x"})
    )
    assert found.verdict == "holds with conditions" and "7 of 10 runs" in found.effect


def test_the_sentence_holds_the_numbers():
    levels = one_differs(FAMILIES, (180, 1), (100, 1))
    found = verdicts.probabilistic_ensembles(study("pets-families", levels, noise=0.0))
    assert "PE 180; " in found.effect and "GP +80.0 [+80.0, +80.0]" in found.effect
    assert "Of 5 runs solved: PE 5, P 0" in found.effect
    found = verdicts.a_handful_of_trials(study("x", {"PETS": GOOD}, noise=0.0))
    # 180 / 3 a trial: 140 is passed in the third, 800 real steps with the random one
    assert "first in trial 3 (median, 800 real steps)" in found.effect
    assert "trial 8 returns 180 [180, 180]" in found.effect


def test_near_model_free():
    pets = study("pets-preset", {"PETS": GOOD}, noise=0.0)

    def against(level, there):
        free = study("free", {"SAC": (level, there)}, trials=100, noise=0.0)
        return verdicts.near_model_free(pets, free, "SAC").verdict

    assert against(185, 90) == "holds"  # 90 % after 16,400 steps of 1,800
    assert against(185, 5) == "holds with conditions"  # but soon
    assert against(300, 90) == "holds with conditions"  # but higher
    assert against(300, 5) == "does not hold here"


def test_every_part_of_the_claim_names_a_study_that_exists():
    mine = {part: name for (c, part), (name, _) in all_verdicts().items() if c == "L9"}
    assert len(mine) == 5 and set(mine.values()) <= set(STUDIES)
    stored = [part for part, name in mine.items() if name in stored_studies()]
    seeds = {part: set(load_study(mine[part]).table["seed"]) for part in stored}
    whole = [p for p in stored if seeds[p] >= set(STUDIES[mine[p]].seeds or ())]
    assert list(judge("L9")) == whole
    assert "L10" in {c for c, _ in VERDICTS}  # with the studies of chapter 7


def test_verdicts_read_what_the_study_writes(tmp_path):
    """The quick version, as five seeds: its columns are those that are judged."""
    run_study("pets-preset", 1, tmp_path, tmp_path / "runs", quick=True)
    quick = load_study("pets-preset", tmp_path)
    copies = [quick.table.assign(seed=seed) for seed in range(5)]
    whole = Study("pets-preset", {"table": pd.concat(copies)}, quick.manifest)
    steps, returns = verdicts.curves_of(whole.table, "PETS")
    assert steps.tolist() == [200, 400] and returns.shape == (5, 2)
    assert verdicts.a_handful_of_trials(whole).seeds == 5


def test_families_are_compared_over_trials_that_both_made():
    rows = table({"PE": SLOW, "GP": SLOW}, noise=0.0)
    rows = rows[(rows["label"] != "GP") | (rows["trial"] <= 2)]
    lead = verdicts.leads(rows, "PE", ["GP"])["GP"]
    assert lead.center == 0 and lead.low == 0 and lead.high == 0
