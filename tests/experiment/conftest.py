import sys
from pathlib import Path

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


@pytest.fixture
def deep(monkeypatch):
    """A continuous method that can be resumed, registered for one test."""
    method = registry.Method("fake_deep", "fake_deep", "05-pets", "Deep", "continuous")
    monkeypatch.setitem(registry.METHODS, "fake_deep", method)
    return method


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Words of a command: `python -m mbrl_edu` that knows this folder's methods."""
    start = tmp_path / "start"
    start.mkdir()
    code = (
        "import sys; from mbrl_edu.experiment import registry as r\n"
        "r.METHODS['fake'] = r.Method('fake', 'fake_method', '02-dyna', 'Fake')\n"
        "r.METHODS['fake_deep'] = r.Method(\n"
        "    'fake_deep', 'fake_deep', '05-pets', 'Deep', 'continuous')\n"
        "from mbrl_edu.__main__ import main; sys.exit(main())\n"
    )
    (start / "shell.py").write_text(code)
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}:{here.parents[1]}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda *words: [sys.executable, str(start / "shell.py"), *map(str, words)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("MBRL_EDU_PROGRESS", "0")
    monkeypatch.setenv("MBRL_EDU_TENSORBOARD", "0")
