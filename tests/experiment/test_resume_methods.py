"""Every deep method is stopped and goes on through the front door, bit for bit."""

import math

import pytest

import mbrl_edu
from mbrl_edu.experiment.metrics import Metrics
from mbrl_edu.experiment.run import Stopped
from mbrl_edu.models import fit

SHORT = {
    "T": 160, "T_random": 60, "epoch": 50, "fit_every": 25, "M": 20, "G": 1,
    "batch": 32, "fit_batch": 32, "hidden": (8,), "model_hidden": (8,), "B": 2,
    "elites": 1, "epochs": 2, "episodes": 1,
}  # fmt: skip
PATHS = {
    "T": 150, "T_random": 40, "hidden": (8,), "batch": 10, "look": 2, "episodes": 1,
}  # fmt: skip
MODEL = {"model_hidden": (8,), "fit_every": 50, "B": 2}
MANY = {"stages": 1, "runs": 2, "references": 1, "updates": 2, "G_max": 4, "k_max": 3}
PLAIN = ("T", "T_random", "epoch", "G", "batch", "hidden", "episodes")
CASES = {
    "pets": {
        "episodes": 3, "H": 3, "N": 6, "top": 2, "iterations": 1, "B": 2, "P": 2,
        "hidden": (8,), "epochs": 1, "batch": 10,
    },
    "sac": {name: SHORT[name] for name in PLAIN},
    "ppo": {
        "T": 96, "actors": 2, "rollout": 16, "look": 1, "hidden": (8,), "epochs": 1,
        "episodes": 1, "batch": 16,
    },
    "mbpo": SHORT,
    "mbpo, from s0": SHORT | {"start": "initial"},
    "bmpo": SHORT | {"k_back": (0, 1, 1, 1), "beta": (0, 1, 0.1, 0.1), "N_mpc": 5},
    "ampo": SHORT | {"G_adapt": 2, "n_critic": 1, "adapt_batch": 8},
    "maac": SHORT | {"H": 1},
    "autombpo": SHORT | {"T": 110, "M": 5} | MANY,
    "dpg": PATHS,
    "svg": PATHS | MODEL | {"variant": "1"},
    "pilco": {
        "episodes": 2, "length": 20, "H": 3, "n": 4, "iterations": 2, "restarts": 0,
        "resets": 3,
    },
}  # fmt: skip


@pytest.fixture
def stop_after_the_second_row(monkeypatch):
    """Ctrl-C once the log has two rows; called, it does so no more."""
    log, rows = Metrics.log, []

    def stopping(self, *row):
        log(self, *row)
        rows.append(row)
        if len(rows) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Metrics, "log", stopping)
    return lambda: monkeypatch.setattr(Metrics, "log", log)


def go(method, options, folder=None):
    known = {"folder": folder, "device": "cpu", "save_every": 0}
    method = method.split(",")[0]
    return mbrl_edu.run(method, "Line-v0", 3, **known, **options)


def numbers(run):
    """All rows, with NaN, which differs from itself, as a word."""
    return [
        {k: "nan" if math.isnan(v) else v for k, v in row.items()} for row in run.rows
    ]


@pytest.mark.parametrize("method", CASES)
def test_a_method_that_was_stopped_ends_as_if_it_never_was(
    method, tmp_path, stop_after_the_second_row
):
    with pytest.raises(Stopped):
        go(method, CASES[method], tmp_path)
    stop_after_the_second_row()
    resumed = go(method, CASES[method], tmp_path)
    whole = go(method, CASES[method])
    assert resumed.manifest["resumed"]["step"] > 0
    assert numbers(resumed) == numbers(whole) and len(whole.rows) > 2


@pytest.mark.parametrize("method", ["pets", "mbpo", "bmpo", "ampo", "maac"])
def test_a_fit_that_was_cut_in_its_middle_is_done_again(method, tmp_path, monkeypatch):
    """Ctrl-C between the two epochs of a fit, when steps of it have been made."""
    options = CASES[method] | {"epochs": 2}
    whole, epoch, fits = go(method, options), fit._epoch, []

    def stopping(model, *rest):
        epoch(model, *rest)
        fits.append(model)
        if len(fits) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(fit, "_epoch", stopping)
    with pytest.raises(Stopped):
        go(method, options, tmp_path)
    monkeypatch.setattr(fit, "_epoch", epoch)
    resumed = go(method, options, tmp_path)
    assert resumed.manifest["resumed"]["step"] > 0
    assert numbers(resumed) == numbers(whole)
