"""The arrays that the pages draw."""

import subprocess
import sys

import numpy as np
import pytest

from mbrl_edu.theory import FiniteMDP, tables
from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory.instances import laws


def test_bound_against_k_marks_its_optimum():
    t = tables.bound_against_k(0.9, 0.01, 0.2, k_max=60)
    assert t["slide"].argmin() == t["best_k"] == 29
    np.testing.assert_allclose(t["policy"] + t["model"], t["slide"])
    assert (t["tight"] <= t["head_first"] + 1e-12).all()
    assert (t["head_first"] <= t["slide"] + 1e-12).all()
    assert t["best_k_tight"] == np.inf and t["largest"] == pytest.approx(20)
    with pytest.raises(ValueError, match="k_max"):
        tables.bound_against_k(0.9, 0.01, 0.2, k_max=-1)


def test_ratio_sample():
    sample = tables.ratio_sample(300, families=("random", "gate"), shapes=((3, 2),))
    assert all(v.shape == (300,) and v.max() <= 1 + 1e-9 for v in sample.values())
    again = tables.ratio_sample(300, families=("random", "gate"), shapes=((3, 2),))
    np.testing.assert_array_equal(sample["slide"], again["slide"])


def learning_problem(n=40):
    rng = np.random.default_rng(0)
    mdp = FiniteMDP(
        laws(rng, n, 6, 3, 6, concentration=0.5),
        rng.uniform(0, 1, (n, 6, 3)),
        laws(rng, n, 6),
        0.95,
    )
    return mdp, laws(rng, n, 6, 3), laws(rng, n, 6, 3, concentration=0.2)


def test_counted_model_converges():
    mdp, pi_D, _ = learning_problem(5)
    rng = np.random.default_rng(1)
    P = tables.counted_model(mdp, pi_D, 2_000_000, rng)
    np.testing.assert_allclose(P.sum(-1), 1)
    assert np.abs(P - mdp.P).max() < 0.05
    empty = tables.counted_model(mdp, pi_D, 0, rng)
    np.testing.assert_allclose(empty, 1 / 6)


def test_error_against_shift():
    mdp, pi_D, pi_new = learning_problem()
    t = tables.error_against_shift(mdp, pi_D, pi_new, [50, 500, 50_000])
    np.testing.assert_allclose(t["e_m_prime"][:, 0], t["e_m"], atol=1e-12)
    assert (np.diff(t["e_pi"], axis=0) > 0).all()
    mean = t["e_m"].mean(axis=-1)
    assert mean[0] > 2 * mean[1] > 4 * mean[2]  # more data, smaller error
    assert (t["best_k"][:, 0] == 0).all()  # no shift: nothing to gain from the model
    assert t["best_k"][2, -1].mean() > t["best_k"][0, -1].mean()
    assert t["slope"].shape == (3, 40) and np.isfinite(t["slope"]).all()


def test_bidirectional_against_split():
    t = tables.bidirectional_against_split(0.95, 0.02, 0.02, 0.1, 8)
    assert t["slide"].argmin() == 4  # equal errors: half backward, half forward
    assert t["slide"][0] == pytest.approx(t["forward"])
    assert (t["end"] <= t["slide"] + 1e-12).all()
    assert (np.diff(t["buffer"]) > 0).all()  # backward steps cost, and buy nothing
    assert t["buffer"][0] == pytest.approx(mbpo.tight(0.95, 1, 0.02, 0.1, 8))


def test_gradient_bound_against_horizon():
    sizes = {"L_f": 0.9, "L_F": 0.9, "L_pi": 0.2, "B": 1.0}
    sizes |= {"L_r": 1.0, "M_r": 1.0, "L_Q": 2.0}
    t = tables.gradient_bound_against_horizon(0.9, 8, 0.1, 1.0, 0.05, **sizes)
    assert t["model"][0] == t["offset"][0] == 0 and t["critic"][0] == 1
    assert (np.diff(t["model"]) > 0).all()
    np.testing.assert_allclose(t["sum"], t["model"] + t["critic"] + t["offset"])


def test_room_is_light():
    """Importing the room loads neither scipy nor torch nor matplotlib."""
    code = (
        "import sys, mbrl_edu.theory.tables, mbrl_edu.theory.errata;"
        "print([m for m in ('scipy', 'torch', 'matplotlib', 'pandas')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
