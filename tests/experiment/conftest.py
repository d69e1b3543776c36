import matplotlib
import pytest

from mbrl_edu.experiment import registry

matplotlib.use("Agg")


@pytest.fixture
def fake(monkeypatch):
    """A method called `fake`, registered for one test."""
    method = registry.Method("fake", "fake_method", "02-dyna", "Fake")
    monkeypatch.setitem(registry.METHODS, "fake", method)
    return method


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("MBRL_EDU_PROGRESS", "0")
