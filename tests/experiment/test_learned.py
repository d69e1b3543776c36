"""What a run learned: asked, filmed, kept and made whole again."""

import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_resume_methods import CASES, go

import mbrl_edu
from mbrl_edu.envs.tasks import task
from mbrl_edu.experiment import learned, store
from mbrl_edu.experiment.metrics import RunWarning
from mbrl_edu.experiment.registry import METHODS
from mbrl_edu.experiment.run import load
from mbrl_edu.experiment.sweep import sweep
from mbrl_edu.viz.figure import StaticFigure

DEEP = [m for m in CASES if m != "autombpo" and "," not in m]
S = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


def test_every_deep_method_but_one_learns_a_policy():
    known = {name for name, m in METHODS.items() if m.kind == "continuous"}
    assert known == {*DEEP, "autombpo"}
    assert {n for n in known if METHODS[n].learner} == set(DEEP)


@pytest.mark.parametrize("method", DEEP)
def test_what_was_learned_comes_back_with_the_run(method, tmp_path):
    run = go(method, CASES[method], tmp_path)
    again = load(run.folder)
    assert learned.of_result(again.result) is None  # it comes from the file
    then, now = (flat(r.learned.state_dict()) for r in (run, again))
    assert then.keys() == now.keys() and len(then) > 0
    assert all(torch.equal(then[k], now[k]) for k in then)
    if method == "pets":  # it plans with draws, and `run` has used up some
        assert (again.policy(S) == load(run.folder).policy(S)).all()
        return
    found = run.policy(S)
    assert found.shape == (5, 1) and (abs(found) <= 1).all() and found.std() > 0
    assert (found == again.policy(S)).all()
    assert np.allclose(found[2], again.policy(S[2].tolist()), atol=1e-6)


@pytest.mark.parametrize("change", [{"model": "GP"}, {"precision": "bf16"}])
def test_every_model_of_pets_comes_back(change, tmp_path):
    """It predicts what the model of the run that is in memory does."""
    run = go("pets", CASES["pets"] | change, tmp_path)
    again = load(run.folder)
    s, a = torch.tensor(S), torch.zeros(5, 1)
    who = torch.zeros(5, dtype=torch.long)
    for x, y in zip(
        *(r.learned.model.sample(s, a, torch.Generator(), who) for r in (run, again))
    ):
        assert torch.equal(x, y)


def flat(state, name=""):
    """Every tensor of a nested state by its place."""
    if isinstance(state, torch.Tensor):
        return {name: state}
    if isinstance(state, dict):
        state = list(state.items())
    elif isinstance(state, (list, tuple)):
        state = list(enumerate(state))
    else:
        return {}
    return {k: v for key, x in state for k, v in flat(x, f"{name}/{key}").items()}


def test_the_policy_is_the_one_that_was_evaluated(tmp_path):
    """The last return of the log, earned once more by the stored run."""
    run = load(go("sac", CASES["sac"], tmp_path).folder)
    env = task("Line-v0").make()
    seed = mbrl_edu.core.rng.Streams(run.seed).key("evaluate/0") % 2**31
    s, total, done = env.reset(seed=seed)[0], 0.0, False
    while not done:
        s, r, d, cut, _ = env.step(run.policy(s))
        total, done = total + float(r), d or cut
    assert total == pytest.approx(run.rows[-1]["return"], rel=1e-5)


def test_a_table_gives_its_best_action(tmp_path):
    run = load(mbrl_edu.run("dyna_q", "DynaMaze-v0", folder=tmp_path, n=5).folder)
    best = run.result.Q.argmax(1)
    assert run.policy(3) == best[3] and (run.policy([0, 7]) == best[[0, 7]]).all()
    for bad in (-1, len(best), 0.5, [[0]]):
        with pytest.raises(ValueError, match="must be a state from 0 to 5"):
            run.policy(bad)
    with pytest.raises(ValueError, match="dyna_q learns no policy .* run.result"):
        _ = run.learned


def test_states_of_another_shape_are_refused(tmp_path):
    run = go("sac", CASES["sac"])
    for bad in (0.0, np.zeros(3), np.zeros((1, 1, 2))):
        with pytest.raises(ValueError, match=r"must have \(2,\) or \(n, 2\)"):
            run.policy(bad)


def test_what_cannot_be_made_whole_says_why(tmp_path):
    run = go("autombpo", CASES["autombpo"], tmp_path / "a")
    with pytest.raises(ValueError, match="autombpo learns no policy for states"):
        run.policy([0.0, 0.0])
    run = load(go("sac", CASES["sac"], tmp_path / "b").folder)
    weights = run.folder / learned.FILE
    whole = weights.read_bytes()
    for spoilt in (b"", whole[:500]):
        weights.write_bytes(spoilt)
        with pytest.raises(store.StoreError, match="weights.pt cannot be read: it is"):
            run.policy([0.0, 0.0])
    weights.write_bytes(whole)
    run.config = replace(run.config, hidden=(9,))
    with pytest.raises(ValueError, match="does not fit: it was made by other code"):
        run.policy([0.0, 0.0])
    weights.unlink()
    with pytest.raises(ValueError, match="kept without its weights.* run sac Line-v0"):
        run.policy([0.0, 0.0])


def test_a_task_without_a_name_is_handed_over(tmp_path):
    mine = replace(task("Line-v0"), horizon=7)
    known = {"folder": tmp_path, "device": "cpu", **CASES["sac"]}
    run = mbrl_edu.run("sac", mine, **known)
    with pytest.raises(ValueError, match=r"load it with load\(path, task=...\)"):
        load(run.folder).policy(S)
    with pytest.raises(ValueError, match="task is 'Line-v0', but must be a Task"):
        load(run.folder, "Line-v0")
    many = {"seeds": 1, "folder": tmp_path, "device": "cpu", "workers": 1}
    swept = sweep("sac", mine, configs=[CASES["sac"]], **many)
    (found,) = next(iter(swept.runs.values()))
    for again in (load(run.folder, mine), mbrl_edu.run("sac", mine, **known), found):
        assert learned.of_result(again.result) is None
        assert (again.policy(S) == run.policy(S)).all()


def test_a_full_disk_says_so(tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.warns(RunWarning, match="is done, .* weights.pt could not be written"):
        run = mbrl_edu.run("pets", "Line-v0", folder=tmp_path, save_every=1e9, **TINY)
    assert run.folder is None and len(run.rows) == 2


TINY = {"device": "cpu"} | CASES["pets"] | {"episodes": 1}


def test_ctrl_c_does_not_lose_a_run_that_is_done(tmp_path, monkeypatch):
    """It takes effect once everything is written."""
    write = learned.write

    def pressed(*given):
        signal.raise_signal(signal.SIGINT)
        write(*given)

    monkeypatch.setattr(learned, "write", pressed)
    with pytest.raises(KeyboardInterrupt):
        mbrl_edu.run("pets", "Line-v0", folder=tmp_path, save_every=1e9, **TINY)
    monkeypatch.setattr(learned, "write", None)  # nothing is run or written again
    again = mbrl_edu.run("pets", "Line-v0", folder=tmp_path, **TINY)
    assert again.folder is not None and again.policy(S).shape == (5, 1)


def test_a_film_shows_one_greedy_episode(tmp_path):
    run = mbrl_edu.run("dyna_q", "DynaMaze-v0", n=50, progress=False)
    film = run.video()
    assert isinstance(film, StaticFigure) and "14 steps, return 1" in film.html
    assert "data:video/mp4" in film.html and len(film.html) > 5_000
    small = CASES["sac"] | {"target_entropy": -1.0}
    run = mbrl_edu.run("sac", "CartPoleSwingUp-v0", device="cpu", **small)
    assert "3 steps, return" in run.video(steps=3).html
    with pytest.raises(ValueError, match="steps is 0"):
        run.video(steps=0)


def test_a_task_without_pictures_has_no_film():
    run = go("sac", CASES["sac"])
    with warnings.catch_warnings(), pytest.raises(ValueError, match="has no pictures"):
        warnings.simplefilter("error")
        run.video()
