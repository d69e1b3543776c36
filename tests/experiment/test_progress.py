import io
import re
import sys
import time
import types

import pytest

from mbrl_edu.experiment.execute import _limit
from mbrl_edu.experiment.progress import Progress, where
from mbrl_edu.experiment.registry import find_method
from mbrl_edu.experiment.run import run


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, data, raw):
        assert raw and list(data) == ["text/plain"]
        self.shown.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    """A kernel: IPython with a shell that has one, and a display that records."""
    monkeypatch.delenv("MBRL_EDU_PROGRESS", raising=False)
    handle, displays = Handle(), []

    def display(data, raw, display_id):
        displays.append(data["text/plain"])
        return handle

    ipython, inner = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    inner.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    return handle, displays


def work(show=True, seconds=0.0):
    with Progress("job", 10, "steps", show) as bar:
        for i in range(1, 11):
            time.sleep(seconds)
            bar.update(i, f"return {i}")
        bar.close("job: done in 1 s")


def test_a_terminal_gets_a_bar_on_stderr_and_one_final_line(monkeypatch, capsys):
    monkeypatch.delenv("MBRL_EDU_PROGRESS")
    monkeypatch.setattr(sys, "stderr", Terminal())
    work(seconds=0.03)
    said = sys.stderr.getvalue()
    assert re.search(r" \d/10 .*steps/s, return \d\]", said)  # drawn now and then
    assert said.endswith("job: done in 1 s\n") and capsys.readouterr().out == ""


def test_quick_steps_at_first_do_not_stop_a_terminals_bar(monkeypatch):
    """As random steps are, before those that learn."""
    monkeypatch.delenv("MBRL_EDU_PROGRESS")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("job", 10**8, "steps") as bar:
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            bar.update(bar.done + 1)
        before = len(sys.stderr.getvalue())
        for _ in range(20):
            time.sleep(0.02)
            bar.update(bar.done + 1)
        assert bar.done > 1_000 and len(sys.stderr.getvalue()) > before


def test_no_terminal_no_noise(monkeypatch, capsys):
    monkeypatch.delenv("MBRL_EDU_PROGRESS")
    work()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_it_can_be_silenced(monkeypatch, off):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("MBRL_EDU_PROGRESS", "0" if off == "variable" else "1")
    assert where() == ("silent" if off == "variable" else "terminal")
    work(show=off == "variable")
    assert sys.stderr.getvalue() == ""


def test_a_notebook_gets_one_line_that_updates_in_place(notebook, capsys, monkeypatch):
    handle, displays = notebook
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    work()
    assert displays == ["job"]  # displayed once, everything else is an update
    assert len(handle.shown) == 11 and "50%" in handle.shown[4]
    assert "return 5" in handle.shown[4] and "left" in handle.shown[4]
    assert handle.shown[-1] == "job: done in 1 s"
    assert capsys.readouterr() == ("", "")


def test_what_was_done_before_counts_as_done_but_not_as_fast(notebook, monkeypatch):
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    now = [0.0]
    monkeypatch.setattr(
        "mbrl_edu.experiment.progress.time.perf_counter", lambda: now[0]
    )
    with Progress("job", 100, "steps", start=90) as bar:
        now[0] = 5.0
        bar.update(95)
    assert " 95%  5 s left" in notebook[0].shown[0]


def test_the_speed_is_that_of_the_last_seconds(notebook, monkeypatch):
    """200 quick steps with random actions say nothing about those that learn."""
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    now = [0.0]
    monkeypatch.setattr(
        "mbrl_edu.experiment.progress.time.perf_counter", lambda: now[0]
    )
    with Progress("job", 1_000, "steps") as bar:
        now[0] = 1.0
        bar.update(200)
        assert "  4 s left" in notebook[0].shown[-1]
        for step in range(201, 301):  # one a second
            now[0] += 1
            bar.update(step)
        assert "  700 s left" in notebook[0].shown[-1]
        now[0] += 100  # and then nothing for longer than what is looked back
        bar.update(301)
        assert "  69900 s left" in notebook[0].shown[-1]


TINY = {
    "T": 240, "T_random": 200, "epoch": 20, "hidden": (8,), "batch": 8, "episodes": 1,
    "G": 1,
}  # fmt: skip


def test_the_bar_of_a_long_epoch_moves_at_every_step(monkeypatch):
    moved, update = [], Progress.update

    def noted(self, done, note=None):
        moved.append((done, note))
        update(self, done, note)

    monkeypatch.setattr(Progress, "update", noted)
    done = run("sac", "Line-v0", device="cpu", **TINY)
    assert [n for n, note in moved if note is None] == list(range(1, 241))
    logged = [n for n, note in moved if note is not None]
    assert logged == [row["step"] for row in done.rows] == [200, 220, 240]


def test_the_note_stays_until_there_is_another(notebook, monkeypatch):
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    with Progress("job", 9, "steps") as bar:
        bar.update(1, "return 5")
        bar.update(2)
        assert notebook[0].shown[-1].endswith("return 5")


def test_the_bar_of_a_run_shows_return_loss_and_speed(notebook, deep, monkeypatch):
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    done = run("fake_deep", "Line-v0", episodes=2)
    first, row = notebook[0].shown[0], done.rows[0]
    assert f"return {row['return']:.4g}, loss {row['loss']:.4g}, " in first
    assert "50%" in first and " s left" in first and "steps/s" in first


@pytest.mark.parametrize(
    ("method", "options", "limit"),
    [
        ("pets", {"episodes": 7}, (7, "episodes")),
        ("mbpo", {"T": 9000, "episodes": 7}, (9000, "steps")),
        ("q_learning", {"episodes": 7}, (7, "episodes")),
        ("q_learning", {"episodes": None, "steps": 30}, (30, "steps")),
        ("q_planning", {"updates": 40}, (40, "updates")),
    ],
)
def test_the_bar_counts_what_ends_the_run(method, options, limit):
    assert _limit(find_method(method).config(**options)) == limit


def test_a_notebook_is_not_flooded(notebook):
    work()
    assert len(notebook[0].shown) <= 3


def test_without_a_total_it_counts(notebook, monkeypatch):
    monkeypatch.setattr("mbrl_edu.experiment.progress.PERIOD", 0)
    with Progress("job", None, "episodes") as bar:
        bar.advance()
        bar.advance("so far")
    assert "2 episodes" in notebook[0].shown[1] and "so far" in notebook[0].shown[1]


def test_a_block_that_raises_leaves_a_plain_line(notebook):
    with pytest.raises(RuntimeError), Progress("job", 2, "steps"):
        raise RuntimeError
    assert notebook[0].shown[-1] == "job: failed"
    with pytest.raises(KeyboardInterrupt), Progress("job", 2, "steps"):
        raise KeyboardInterrupt
    assert notebook[0].shown[-1] == "job: stopped"


def test_in_a_real_kernel_the_output_is_one_plain_line_and_no_stderr():
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = (
        "import os; os.environ.pop('MBRL_EDU_PROGRESS', None)\n"
        "import mbrl_edu\n"
        "run = mbrl_edu.run('dyna_q', 'DynaMaze-v0', episodes=30)"
    )
    cells = [nbformat.v4.new_code_cell(code)]
    book = nbformat.v4.new_notebook(cells=cells)
    client.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    (output,) = book.cells[0].outputs
    assert output["output_type"] == "display_data"
    assert set(output["data"]) == {"text/plain"}
    assert "dyna_q on DynaMaze-v0, seed 0: done in" in output["data"]["text/plain"]
