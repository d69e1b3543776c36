"""The stored runs of chapter 3: what they measure, and verdicts that follow them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from stored_rows import beside_stored

from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment import studies_models as studies
from mbrl_edu.experiment import verdicts_models as verdicts
from mbrl_edu.experiment.claims import judge
from mbrl_edu.experiment.studies import Study, load_study, stored_studies
from mbrl_edu.models import calibration, toy

STUDIES = ["model-families", "compounding-error", "model-data"]
stored = pytest.mark.skipif(
    not set(STUDIES) <= set(stored_studies()), reason="the studies are not stored yet"
)


# ---- what is measured ----------------------------------------------------------------


@pytest.fixture(scope="module", params=studies.TASKS)
def real(request):
    world = task(request.param)
    return world, studies.paths(world, 2, Streams(0), "train")


def test_real_paths_are_whole_episodes_with_two_kinds_of_actions(real):
    world, (S, A) = real
    assert S.shape == (2, 201, world.ds) and A.shape == (2, 200, world.da)
    assert A.abs().max() <= 1
    kept = [(a[1:] * a[:-1] > 0).double().mean().item() for a in A]
    assert abs(kept[0] - 0.5) < 0.15 and kept[1] > 0.75  # at random; swinging
    again = studies.paths(world, 2, Streams(0), "train")
    other = studies.paths(world, 2, Streams(0), "test")
    assert torch.equal(S, again[0]) and not torch.equal(S, other[0])


def test_transitions_hang_together(real):
    _, (S, A) = real
    batch = studies.transitions(S, A)
    assert torch.equal(batch.s[200], S[1, 0]) and torch.equal(batch.a[7], A[0, 7])
    assert torch.equal(batch.s_next[:199], batch.s[1:200])


def test_windows_are_stretches_of_the_real_paths(real):
    _, (S, A) = real
    path, a = studies.windows(S, A, 30)
    assert path.shape[:2] == (70, 31) and a.shape[:2] == (70, 30)
    assert torch.equal(path[2], S[0, 10:41]) and torch.equal(a[36], A[1, 5:35])


def test_the_true_dynamics_follow_the_real_paths(real):
    """The measurement itself adds nothing: what is left is 32-bit rounding."""
    world, (S, A) = real
    path, a = studies.windows(S, A, 30)
    model = studies.learn("true", world, studies.transitions(S, A), Streams(0))
    scale = S.flatten(0, 1).std(0)
    error = studies.errors(studies.mean_path(model, path[:, 0], a), path, scale)
    assert error[:, 0].max() == 0 and np.median(error[:, 30]) < 1e-3


def test_errors_are_in_units_of_the_scale():
    real = torch.zeros(2, 3, 2)
    imagined = torch.tensor([[[0, 0], [3, 0], [3, 8]], [[0, 0], [0, 2], [np.nan, 0]]])
    error = studies.errors(imagined, real, torch.tensor([3.0, 2.0]))
    half = 0.5**0.5
    expected = [[0, half, (17 / 2) ** 0.5], [0, half, np.inf]]
    assert np.allclose(error, expected)


def test_the_mean_path_averages_the_members_at_every_step():
    class Two:
        layout = studies.layout_of(task("Pendulum-v1"))

        def predict(self, s, a):
            y = torch.stack([s, 3 * s])  # mean: the change is 2 s
            return y, y

    path = studies.mean_path(Two(), torch.ones(4, 3), torch.zeros(4, 3, 1))
    assert torch.equal(path[0, :, 0], torch.tensor([1.0, 3.0, 9.0, 27.0]))


@pytest.mark.parametrize("family", [*studies.FAMILIES, "GP"])
def test_every_family_learns_more_than_nothing(family, real, monkeypatch):
    monkeypatch.setattr(studies, "STEPS", 300)
    world, (S, A) = real
    data = studies.transitions(S, A)
    model = studies.learn(family, world, data, Streams(0), rows=100)
    assert model.B == (5 if "E" in family else 1)
    with torch.no_grad():
        y = model.predict(data.s, data.a)[0].mean(0)
    change = data.s_next - data.s
    assert (y - change).square().mean() < 0.5 * change.square().mean()
    if family == "GP":
        assert len(model.X) == 100


# ---- stored tables -------------------------------------------------------------------


@stored
def test_a_quick_version_gives_the_first_rows_of_the_stored_one(tmp_path):
    """A network's training magnifies the rounding of another processor; a GP's little,
    and over few steps."""
    for _, both, columns in beside_stored("compounding-error", tmp_path):
        assert set(both["family"]) == {"D", "GP", "true"}
        short = both.query("family == 'GP' and k <= 10")
        for column in columns:
            x, y = (short[c].to_numpy() for c in (column, f"{column}_stored"))
            assert len(x) and np.allclose(x, y, rtol=0.1), column


@stored
def test_a_stored_row_is_that_of_this_code():
    rng, table = Streams(5), load_study("model-families").table
    test = toy.data(rng, "gap", "toy/test")
    mu, sigma = toy.law(toy.train("GP", rng), test.s[:, 0].double().numpy())
    row = table.query("family == 'GP' and region == 'gap' and seed == 5").iloc[0]
    found = calibration.scores(mu, sigma, test.s_next[:, 0].double().numpy())
    for column, value in found.items():
        assert row[column] == pytest.approx(value, rel=0.01, abs=0.005)


@stored
def test_every_verdict_of_the_chapter_is_there():
    assert len(judge("L3")) == 2 and len(judge("L8")) == 3


# ---- verdicts on made-up numbers -----------------------------------------------------


def study_of(table):
    return Study("made up", {"table": table}, {"command": "none"})


def compounding_table(power=1.5, flat=()):
    """Errors 0.01 k^power; families in ``flat`` do not grow."""
    rows = []
    cases = product(studies.TASKS, (*verdicts.LEARNED, "true"), range(6), (1, 10, 30))
    for name, family, seed, k in cases:
        error = 0.01 * (1 + 0.01 * seed) * (1 if family in flat else k**power)
        error = 1e-6 if family == "true" else error
        row = {"task": name, "family": family, "path": "mean", "seed": seed, "k": k}
        rows.append(row | {"median": error})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "pile", "faster"),
    [
        (compounding_table(1.5), "holds", "holds"),
        (compounding_table(0.8), "holds", "does not hold here"),
        (compounding_table(1.5, ("GP",)), *2 * ["holds with conditions"]),
        (compounding_table(1.5, verdicts.LEARNED), *2 * ["does not hold here"]),
    ],
)
def test_verdicts_on_compounding_follow_the_data(table, pile, faster):
    assert verdicts.errors_pile_up(study_of(table)).verdict == pile
    found = verdicts.errors_grow_faster_than_linearly(study_of(table))
    assert found.verdict == faster


def families_table(**changes):
    """The lecture's table as numbers; changes like ``PE_gap_cover90=0.5``."""
    rows = []
    for family, region, seed in product(verdicts.TABLE, toy.REGIONS, range(6)):
        aleatoric, epistemic = verdicts.TABLE[family]
        off = region != "in range"
        row = {
            "cover90": 0.2 if aleatoric == "no" and not off else 0.9,
            "noise_corr": 0.9 if aleatoric == "yes" else 0.0,
            "epistemic_sd": (0.3 if off else 0.02) if epistemic == "yes" else 0.0,
            "crps": 0.1 if family == "PE" else 0.2,
        }
        for key, value in changes.items():
            whose, where, column = key.split("_", 2)
            if whose == family and where in (region.split()[0], "all"):
                row[column] = value
        rows.append({"family": family, "region": region, "seed": seed} | row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("judged", "changes", "verdict"),
    [
        (verdicts.cells_of_the_table, {}, "holds"),
        (
            verdicts.cells_of_the_table,
            {"GP_in_noise_corr": 0.9},
            "holds with conditions",
        ),
        (
            verdicts.cells_of_the_table,
            {"GP_in_cover90": 0.5, "PE_in_cover90": 0.97, "DE_gap_epistemic_sd": 0.03},
            "does not hold here",
        ),
        (verdicts.honest_off_the_data, {}, "holds"),
        (
            verdicts.honest_off_the_data,
            {"PE_gap_cover90": 0.6},
            "holds with conditions",
        ),
        (
            verdicts.honest_off_the_data,
            {f"{f}_outside_cover90": 0.6 for f in ("DE", "PE", "GP")},
            "does not hold here",
        ),
        (verdicts.ensemble_against_the_others, {}, "holds"),
        (
            verdicts.ensemble_against_the_others,
            {"GP_gap_crps": 0.05},
            "holds with conditions",
        ),
        (
            verdicts.ensemble_against_the_others,
            {"GP_all_crps": 0.05},
            "does not hold here",
        ),
    ],
)
def test_verdicts_on_families_follow_the_data(judged, changes, verdict):
    assert judged(study_of(families_table(**changes))).verdict == verdict
