"""The stored runs of chapter 4: made by this code, judged by their numbers."""

import dataclasses

import numpy as np
import pytest
import torch

from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.lqr import point_masses
from mbrl_edu.envs.plans import Plans
from mbrl_edu.envs.tasks import lqr_task
from mbrl_edu.experiment import studies_shooting as shooting
from mbrl_edu.experiment import verdicts_shooting as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import load_study, run_study
from mbrl_edu.imagine.plan import Config, Imagination
from mbrl_edu.models.oracle import Oracle

KEYS = {
    "plans": ["n", "H", "method", "seed", "repeat"],
    "best-of-n": ["D", "seed"],
    "closed-loop": ["task", "method", "budget", "seed"],
}


def test_a_quick_version_gives_the_first_rows_of_the_stored_one(tmp_path):
    """Where rounding differs a search may go another way; few may."""
    path = run_study("shooting", workers=1, out=tmp_path, folder=tmp_path, quick=True)
    quick, stored = load_study("shooting", path.parent), load_study("shooting")
    assert quick.tables.keys() == stored.tables.keys() == KEYS.keys()
    for key, by in KEYS.items():
        table = quick.tables[key]
        assert list(table.columns) == list(stored.tables[key].columns)
        both = table.merge(stored.tables[key], on=by, suffixes=("", "_stored"))
        assert len(both) == len(table)
        for column in table.columns.difference(by):
            x, y = both[column].to_numpy(), both[f"{column}_stored"].to_numpy()
            assert np.isclose(x, y, rtol=1e-3).mean() > 0.95, (key, column)


@pytest.mark.parametrize("method", shooting.METHODS)
@pytest.mark.parametrize(("calls", "rounds"), [(60, 3), (2000, 5)])
def test_planners_judge_as_many_plans_as_they_may(method, calls, rounds):
    plans = Plans(point_masses(1), 4)
    look, g = shooting.planner(method, calls, rounds), Streams(0)["planner"]
    s = shooting.start(1, 0)
    for _ in range(3):  # also when it goes on where it was
        before = plans.calls
        assert look(plans.evaluate(s), 4, 1, g).shape == (4, 1)
        assert 0.98 * calls <= plans.calls - before <= calls


def test_the_quadratic_of_the_study_is_the_true_dynamics():
    world, H = lqr_task(3), 12
    system = point_masses(3)
    imagine = Imagination(
        Oracle(world.ds, world.da, world.dynamics, world.reward),
        Config("E", gamma=system.gamma),
    )
    s = shooting.start(3, 0)
    g = torch.Generator().manual_seed(0)
    plans = 2 * torch.rand(50, H, 3, generator=g) - 1
    rolled = imagine(torch.tensor(s, dtype=torch.float32), plans, g)
    assert torch.allclose(rolled, Plans(system, H).evaluate(s)(plans), rtol=1e-4)


def test_start_states_are_those_of_the_environment():
    high = np.array([0.8, 0.8, 0.2, 0.2])
    drawn = np.array([shooting.start(2, seed) for seed in range(200)])
    assert (np.abs(drawn) <= high).all() and (np.abs(drawn).max(0) > 0.95 * high).all()


def test_the_mean_gap_is_the_mean_of_gaps():
    plans = Plans(point_masses(2), 10)
    gaps = [plans.gap(shooting.start(2, seed)) for seed in range(3000)]
    error = np.std(gaps) / len(gaps) ** 0.5
    assert abs(np.mean(gaps) - shooting.mean_gap(plans)) < 4 * error


def test_exact_replanning_loses_only_what_the_horizon_hides():
    _, regret = shooting.replan_lqr("exact", 1, 60, seed=0)
    system, s = point_masses(1), shooting.start(1, 0)
    K, x, z = system.finite(shooting.H_MPC)[0][0], s, []
    for _ in range(shooting.T_LQR):
        z.append(K @ x)
        x = system.A @ x + system.B @ z[-1]
    whole = Plans(system, shooting.T_LQR)
    expected = whole.regret(s, np.array(z)) / shooting.mean_gap(whole)
    assert regret == pytest.approx(expected, rel=1e-4) and 0 < regret < 0.01


def test_the_swing_up_starts_and_pays_as_the_environment_does():
    """The first actions of the study, played by the simulator from the same state."""
    seen = []
    _, rewards = shooting.swing_up("RS", 60, 0, 5, lambda *x: seen.append(x))
    env = shooting.task("CartPoleSwingUp-v0").make()
    env.reset(seed=0)
    s = seen[0][1].numpy().astype(float)
    env.unwrapped.set_state(s[:2], s[2:])
    played = [env.step(a.numpy())[1] for _, _, a in seen]
    assert played == pytest.approx(rewards, abs=1e-4)


def test_every_verdict_of_the_chapter_is_there():
    assert len(judge("L7")) == 4


def changed(key, values):
    """The stored study with one column computed anew: method -> number or function."""
    study = load_study("shooting")
    table = study.tables[key].copy()
    column = "regret" if key == "plans" else "result"
    for where, value in values.items():
        rows = table.eval(where)
        new = value(table[rows]) if callable(value) else value
        table.loc[rows, column] = new
    return dataclasses.replace(study, tables=study.tables | {key: table})


RS, CEM = 'method == "RS"', 'method == "CEM"'
MEAN, SPREAD = verdicts.cem_finds_better_plans, verdicts.shooting_varies_more
GROWS, LOOP = verdicts.lead_grows, verdicts.cem_controls_better
ALL, SOME, NONE = "holds", "holds with conditions", "does not hold here"


def noise(size):
    """A regret that differs from search to search."""
    return lambda rows: 1 + size * (rows["repeat"] + rows["seed"] % 3 * 0.1)


def product_of(*columns):
    return lambda rows: 10 + rows[list(columns)].prod(axis=1) + 0.01 * rows["seed"]


@pytest.mark.parametrize(
    ("judged", "key", "values", "word"),
    [
        (MEAN, "plans", {RS: noise(2), CEM: noise(1)}, ALL),
        (MEAN, "plans", {RS: noise(2), CEM: noise(1), f"{CEM} and H == 5": 99}, SOME),
        (MEAN, "plans", {RS: noise(1), CEM: noise(2)}, NONE),
        (SPREAD, "plans", {RS: noise(2), CEM: noise(1)}, ALL),
        (SPREAD, "plans", {RS: noise(2), CEM: noise(1), f"{RS} and n > 2": 1}, SOME),
        (SPREAD, "plans", {RS: noise(1), CEM: noise(2)}, NONE),
        (GROWS, "plans", {RS: product_of("n", "H"), CEM: 1}, ALL),
        (GROWS, "plans", {RS: product_of("n"), CEM: 1}, SOME),
        (GROWS, "plans", {RS: 2, CEM: 1}, NONE),
        (LOOP, "closed-loop", {RS: 1, CEM: lambda x: 0.5 + 0.01 * x["seed"]}, SOME),
        (LOOP, "closed-loop", {RS: 1, CEM: 2}, NONE),
        (
            LOOP,
            "closed-loop",
            {RS: 1, CEM: 0.5, f'{CEM} and task == "CartPoleSwingUp-v0"': 2},
            ALL,
        ),
    ],
)
def test_verdicts_follow_the_data(judged, key, values, word):
    assert judged(changed(key, values)).verdict == word
