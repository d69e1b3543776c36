"""Presets: each one makes a config of its method for a task that exists."""

import pytest

from mbrl_edu.algos.presets import PRESETS, preset
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment.registry import METHODS


@pytest.mark.parametrize("key", PRESETS, ids="-".join)
def test_every_preset_makes_a_config(key):
    method, name, _ = key
    assert task(name).name == name
    made = METHODS[method].config(**preset(*key))
    for field, value in preset(*key).items():
        assert getattr(made, field) == value


@pytest.mark.parametrize("method", ["bmpo", "ampo", "autombpo"])
def test_those_of_the_papers_evaluate_ten_episodes(method):
    """As the official codes do, other than that of MBPO."""
    own = [PRESETS[k] for k in PRESETS if k[0] == method and k[2].startswith("paper")]
    assert own and all(values["episodes"] == 10 for values in own)


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="name is 'papr'.*paper"):
        preset("pets", "CartPoleSwingUp-v0", "papr")
    with pytest.raises(ValueError, match="pets are for CartPoleSwingUp.*of no method"):
        preset("pets", "Nowhere-v0", "paper")
    with pytest.raises(
        ValueError, match="for Line-v0 there are .* autombpo, mbpo, sac"
    ):
        preset("pets", "Line-v0", "paper")
