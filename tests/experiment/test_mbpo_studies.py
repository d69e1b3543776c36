"""Chapter 7: the studies run, the verdicts follow the numbers of their tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mbrl_edu.experiment import measured_bound
from mbrl_edu.experiment import verdicts_mbpo as verdicts
from mbrl_edu.experiment import verdicts_measured_bound as bound
from mbrl_edu.experiment.claims import all_verdicts, judge
from mbrl_edu.experiment.studies import (
    STUDIES,
    Study,
    load_study,
    run_study,
    stored_studies,
)
from mbrl_edu.experiment.studies_mbpo import SAME

CONDITIONS, FAILS = "holds with conditions", "does not hold here"
STUDIES_HERE = [
    "mbpo-bound",
    "mbpo-hopper",
    "mbpo-inverted-pendulum",
    "mbpo-lengths",
    "mbpo-members",
    "mbpo-pendulum",
    "mbpo-real-ratio",
    "mbpo-swingup",
]


def table(levels, seeds=5, low=0.0, noise=1.0, every=100):
    """Rows as a study has them: label -> (height, evaluations until it is there, how
    many evaluations); the first one, of the untrained policy, brings ``low``."""
    g = np.random.default_rng(0)
    rows = []
    for label, (high, there, count) in levels.items():
        for seed in range(10, 10 + seeds):
            for i in range(count + 1):
                mean = low + (high - low) * min(1, i / there)
                got = mean + noise * g.standard_normal()
                rows.append((label, seed, every * i, got))
    return pd.DataFrame(rows, columns=["label", "seed", "step", "return"])


def study(name, levels, **known):
    manifest = {"command": f"python -m mbrl_edu study {name}"}
    return Study(name, {"table": table(levels, **known)}, manifest)


def poles(mbpo=(1000, 4, 10), same=(300, 4, 10), sac=(1000, 50, 80), ppo=(990, 70, 80)):
    levels = {"MBPO": mbpo, SAME: same, "SAC": sac, "PPO": ppo}
    return study("mbpo-inverted-pendulum", levels)


def test_when_it_is_learned_and_how_high_it_ends():
    rows = table({"a": (1000, 4, 8), "b": (500, 2, 8)}, noise=0.0)
    steps, reached = verdicts.learned(rows, "a", 900.0)
    assert steps.tolist() == [400] * 5 and reached.all()
    steps, reached = verdicts.learned(rows, "b", 900.0)
    assert steps.tolist() == [800] * 5 and not reached.any()  # its whole budget
    assert verdicts.end(rows, "b").tolist() == [500] * 5
    a = (250 + 500 + 750 + 5 * 1000) / 8  # the untrained policy does not count
    assert np.allclose(verdicts.overall(rows, "a"), a)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (poles(), "holds"),
        (poles(sac=(1000, 10, 80)), CONDITIONS),  # 2.25 times as many
        (poles(sac=(1000, 4, 80)), FAILS),
        (poles(mbpo=(800, 4, 10)), FAILS),  # never there itself
    ],
)
def test_fewer_steps(found, verdict):
    assert verdicts.fewer_steps(found).verdict == verdict
    text = verdicts.fewer_steps(found).effect
    assert "MBPO" in text and "of 5 runs" in text and "SAC" in text and "PPO" in text


def test_fewer_steps_on_the_swingup():
    levels = {"MBPO": (180, 4, 10), SAME: (20, 4, 10), "SAC": (180, 60, 100)}
    for ppo, verdict in (((180, 90, 100), "holds"), ((180, 10, 100), CONDITIONS)):
        found = study("mbpo-swingup", levels | {"PPO": ppo})
        assert verdicts.fewer_steps(found).verdict == verdict


def test_fewer_steps_on_the_hopper():
    levels = {"MBPO": (1500, 4, 10), SAME: (1500, 8, 10), "PPO": (400, 4, 100)}
    levels |= {"SAC": (1500, 60, 100)}
    found = verdicts.fewer_steps(study("mbpo-hopper", levels))
    assert found.verdict == "holds" and "return of 1000" in found.effect
    assert found.effect.endswith("as many updates as MBPO: 600 (5 of 5 runs).")


@pytest.mark.parametrize(
    ("height", "low_runs", "verdict"),
    [
        (720, 0, "holds"),
        (720, 1, "holds"),
        (3000, 2, CONDITIONS),  # two of five runs fall
        (600, 0, CONDITIONS),
        (500, 0, FAILS),
    ],
)
def test_the_hopper_as_published(height, low_runs, verdict):
    made = study("mbpo-hopper", {"MBPO": (height + 5, 4, 40)})
    low = made.table["seed"].isin(range(10, 10 + low_runs))
    made.table.loc[low, "return"] = 690.0
    found = verdicts.as_published(made)
    assert found.verdict == verdict and found.seeds == 5, found.effect


def test_a_run_that_never_learns_counts_with_its_budget():
    found = verdicts.fewer_steps(poles(sac=(100, 1, 80)))
    assert "SAC 8,000 (0 of 5 runs; 20.0 times)" in found.effect


@pytest.mark.parametrize(
    ("same", "verdict"), [(300, "holds"), (1000, CONDITIONS), (1400, FAILS)]
)
def test_the_model_and_not_the_updates(same, verdict):
    for task in ("mbpo-inverted-pendulum", "mbpo-pendulum", "mbpo-hopper"):
        found = study(task, {"MBPO": (1000, 4, 10), SAME: (same, 4, 10)})
        found = verdicts.the_model_not_the_updates(found)
        assert found.verdict == verdict, found.effect
        assert found.task == verdicts.TASKS[task]


def pendulum(mbpo=-150, sac=-900, sac_long=-145, mbpo_long=-150, seeds=10, noise=1.0):
    levels = {"MBPO": (mbpo, 4, 20), "SAC": (sac, 4, 20)}
    levels |= {"MBPO, long": (mbpo_long, 4, 80), "SAC, long": (sac_long, 30, 160)}
    return study("mbpo-pendulum", levels, low=-1400.0, seeds=seeds, noise=noise)


@pytest.mark.parametrize(("mbpo", "verdict"), [(-150, "holds"), (-500, FAILS)])
def test_within_a_tenth_of_long_trained_sac(mbpo, verdict):
    found = verdicts.within_a_tenth(pendulum(mbpo))
    assert found.verdict == verdict and found.seeds == 10
    assert "(SAC after as many steps: 0 of 10)" in found.effect


def test_seven_good_runs_of_ten_are_not_enough():
    made = pendulum()
    rows = made.table
    bad = (rows["label"] == "MBPO") & rows["seed"].isin([10, 11, 12])
    rows.loc[bad & (rows["step"] > 0), "return"] = -1000.0
    found = verdicts.within_a_tenth(made)
    assert found.verdict == CONDITIONS and "in 7 of 10 runs" in found.effect


def test_a_step_that_not_every_seed_has_is_left_out():
    """One run has an evaluation more, at its very end, as newer ones do."""
    rows = table({"a": (1000, 4, 8)}, noise=0.0)
    more = pd.DataFrame([("a", 12, 850, 1.0)], columns=rows.columns)
    x, y = verdicts.curves_of(pd.concat([rows, more]), "a")
    assert x.tolist() == list(range(0, 900, 100)) and y.shape == (5, 9)
    assert verdicts.end(pd.concat([rows, more]), "a").tolist() == [1000] * 5


def test_a_run_stands_beside_that_of_its_own_seed():
    """Seeds 14 and 15 are easier for both: no other run is near the mean, but all are
    near their own; a seed that one of them lacks stands beside none."""
    made = pendulum(noise=0.0, sac_long=-150, mbpo=-154, seeds=6)
    rows, easy = made.table, [14, 15]
    rows.loc[rows["seed"].isin(easy), "return"] += 100.0
    lacks = (rows["label"] == "SAC, long") & (rows["seed"] == 15)
    found = verdicts.within_a_tenth(replace(made, tables={"table": rows[~lacks]}))
    assert "itself: 2 of 6; of that of SAC with the same seed: 5 of 5." in found.effect
    found = verdicts.the_long_run(replace(made, tables={"table": rows[~lacks]}))
    assert found.seeds == 5 and "difference +0 [+0, +0]" in found.effect


@pytest.mark.parametrize(
    ("sac", "verdict"), [(-120, "holds"), (-150, CONDITIONS), (-300, FAILS)]
)
def test_the_long_run(sac, verdict):
    found = verdicts.the_long_run(pendulum(sac_long=sac, seeds=5))
    assert found.verdict == verdict, found.effect


@pytest.mark.parametrize(
    ("long", "start", "verdict"),
    [
        (50, 10, "holds"),
        (150, 10, CONDITIONS),  # long is as good
        (180, 10, FAILS),  # long is better
        (150, 150, FAILS),  # nothing differs
    ],
)
def test_short_branches(long, start, verdict):
    levels = {"k = 1": (120, 4, 20), "k grows": (150, 4, 20)}
    levels |= {"k = 25": (long, 4, 20), "k = 25, from the start": (start, 4, 20)}
    found = verdicts.short_and_branched(study("mbpo-lengths", levels))
    assert found.verdict == verdict, found.effect
    assert "k grows less k = 25" in found.effect


def test_pets_near_model_free():
    levels = {"MBPO": (180, 4, 10), SAME: (20, 4, 10), "SAC": (185, 150, 200)}
    found = verdicts.pets_near_model_free(study("mbpo-swingup", levels))
    assert "pets-preset; " in found.command and found.seeds == 5


@pytest.mark.parametrize(
    ("there", "verdict"), [(200, "holds"), (50, CONDITIONS), (10, FAILS)]
)
def test_pets_needs_fewer_steps(there, verdict):
    """The stored PETS has solved it after 1,000 real steps, in the median."""
    levels = {SAME: (20, 4, 10), "SAC": (175, there, 300), "PPO": (175, 250, 300)}
    found = verdicts.pets_fewer_steps(study("mbpo-swingup", levels))
    assert found.verdict == verdict and "PETS 1,000 (10 of 10 runs)" in found.effect
    assert "pets-preset; " in found.command and found.seeds == 5


def measured(gaps, bounds, best_k=3.0, seeds=5):
    n = len(gaps)
    rows = [
        pd.DataFrame({"seed": seed, "step": range(n), "eta": 0.0, "eta_branch": gaps})
        .assign(slide=bounds, tight=bounds, half_span=1.0, best_k=best_k, slope=0.1)
        .assign(e_m=0.1, e_m_prime=0.1, e_pi=0.3)
        for seed in range(seeds)
    ]
    return Study("mbpo-bound", {"table": pd.concat(rows)}, {"command": "x"})


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ([1.0, 2.0, 3.0, 4.0], "holds"),
        ([4.0, 3.0, 2.0, 1.0], CONDITIONS),
        ([11.0, 2.0, 3.0, 4.0], FAILS),  # the first exceeds its bound
    ],
)
def test_gap_and_terms(gaps, verdict):
    found = bound.gap_follows_the_errors(measured(gaps, [10.0, 20.0, 30.0, 50.0]))
    assert found.verdict == verdict and "at 25% of the evaluations" in found.effect


@pytest.mark.parametrize(
    ("best_k", "verdict"),
    [([3.0] * 4, "holds"), ([0.0, 0.0, 1.0, 2.0], CONDITIONS), ([0.0] * 4, FAILS)],
)
def test_best_k_while_learning(best_k, verdict):
    found = bound.best_k_while_learning(measured([1.0] * 4, [10.0] * 4, best_k))
    assert found.verdict == verdict and "slope" in found.effect


def test_every_part_names_a_study_that_exists():
    mine = {
        key: name
        for key, (name, _) in all_verdicts().items()
        if name.startswith("mbpo-")
    }
    assert {claim for claim, _ in mine} == {"L1", "L2", "L10", "L12", "L13", "L14"}
    assert set(mine.values()) <= set(STUDIES) and set(STUDIES_HERE) <= set(STUDIES)
    stored = [p for (c, p), name in mine.items() if c == "L13"]
    stored = [p for p in stored if mine["L13", p] in stored_studies()]
    seeds = {p: set(load_study(mine["L13", p]).table["seed"]) for p in stored}
    whole = [p for p in stored if seeds[p] >= set(STUDIES[mine["L13", p]].seeds)]
    assert list(judge("L13")) == whole


@pytest.mark.parametrize("name", [n for n in STUDIES_HERE if n != "mbpo-bound"])
def test_the_studies_run(name, tmp_path):
    """Quick versions: one seed, three evaluations, and the columns that are judged."""
    run_study(name, 1, tmp_path, tmp_path / "runs", quick=True)
    found = load_study(name, tmp_path)
    assert (found.table.groupby("label")["step"].count() >= 2).all()
    assert found.table["return"].notna().all() and (found.table["seed"] == 10).all()
    copies = pd.concat([found.table.assign(seed=s) for s in range(5)])
    whole = Study(name, {"table": copies}, found.manifest)
    for study_name, judged in all_verdicts().values():
        if study_name == name:
            assert judged(whole).seeds == 5


def test_the_bound_is_measured(tmp_path):
    run_study("mbpo-bound", 1, tmp_path, tmp_path / "runs", quick=True)
    found = load_study("mbpo-bound", tmp_path)
    assert list(found.table.columns) == ["seed", "step", *measured_bound.NAMES]
    assert ((found.table[["e_m", "e_m_prime", "e_pi"]] > 0).all()).all()
    assert (found.table[["e_m", "e_m_prime", "e_pi"]] <= 1.0).all().all()
    copies = pd.concat([found.table.assign(seed=s) for s in range(5)])
    whole = Study("mbpo-bound", {"table": copies}, found.manifest)
    assert bound.best_k_while_learning(whole).seeds == 5
