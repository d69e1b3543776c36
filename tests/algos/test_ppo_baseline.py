"""PPO on tasks: probes, an exactly solved task, the books, resuming, bad input."""

import dataclasses
import io

import numpy as np
import pytest
import torch

from mbrl_edu.algos.ppo import Actor, Config, ppo
from mbrl_edu.control.evaluate import evaluate
from mbrl_edu.control.ppo import PPO
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import lqr
from mbrl_edu.envs.probes import PROBES, ProbeAction, ProbeBoth, ProbeTimeLimit
from mbrl_edu.envs.tasks import lqr_task, task
from mbrl_edu.experiment.options import describe

# as small as it gets: these runs are about the loop, not about learning
TINY = Config(
    T=100, actors=3, rollout=11, look=2, episodes=2, epochs=2, hidden=(8,), batch=16
)


def tiny(**values):
    return dataclasses.replace(TINY, **values)


# It learns


@pytest.mark.parametrize("kind", PROBES, ids=lambda kind: kind.__name__)
def test_probes(kind):
    """Values to 0.1 of the exact ones, and actions too where they matter. A time limit
    taken for an end would make the last probe's V at most 3.4 in place of 5."""
    gamma = 0.8 if kind is ProbeTimeLimit else 0.9
    cfg = Config(gamma=gamma, T=3200, actors=4, rollout=40, lr=3e-3, look=99)
    agent = ppo(task(f"{kind.__name__}-v0"), cfg, Streams(0)).agent
    two = {"ProbeObservation": [-1.0, 1.0], "ProbeBoth": [-1.0, 1.0]}
    seen = {**two, "ProbeDiscount": [0.0, 1.0]}.get(kind.__name__, [0.0])
    s = torch.tensor(seen)[:, None]
    with torch.no_grad():
        V = agent.V(s)
    exact = kind.V(s, gamma)
    if kind in (ProbeAction, ProbeBoth):
        assert (agent.mean(s) - kind.best(s)).abs().max() < 0.1
        exact = exact - agent.pi.log_sd.exp().square().item()  # V of the noisy policy
    assert (V - exact).abs().max() < 0.1


SYSTEM = dataclasses.replace(lqr.point_masses(), gamma=1.0)


@pytest.mark.slow
def test_comes_close_to_the_exact_optimum():
    """From 20 starts the greedy policy loses at most 10 % of what lies between doing
    nothing, which is how it begins, and the best that is possible from there; both are
    known exactly. (The threshold is that of PETS on the same task.)"""
    known, rng, n = lqr_task(), Streams(0), 20
    run = ppo(known, Config(T=20_480, look=99), rng)
    _, P = SYSTEM.finite(known.horizon)
    env = known.make()
    starts = [env.reset(seed=rng.key(f"evaluate/{i}") % 2**31)[0] for i in range(n)]
    best = np.array([-s @ P @ s for s in np.float64(starts)])
    nothing = evaluate(known, lambda s: 0 * s[:, :1], rng, n)
    got = evaluate(known, run.agent.mean, rng, n)
    print(f"lost {(best - got).sum() / (best - nothing).sum():.1%} of what is possible")
    assert (got <= best + 1e-3).all()
    assert (best - got).sum() < 0.10 * (best - nothing).sum()


# The loop


def recorded(monkeypatch):
    """The rollouts of the runs that follow."""
    rollouts, update = [], PPO.update

    def keep(self, rollout, g, left):
        rollouts.append((rollout, left))
        return update(self, rollout, g, left)

    monkeypatch.setattr(PPO, "update", keep)
    return rollouts


@pytest.mark.parametrize("name", ["Line-v0", "ProbeDiscount-v0"])
def test_rollouts_hold_what_happened(name, monkeypatch):
    rollouts, known = recorded(monkeypatch), task(name)
    ppo(known, tiny(T=33 * 6, sd=1.0), Streams(0))
    assert [left for _, left in rollouts] == pytest.approx(
        [1 - i / 6 for i in range(6)]
    )
    fields = (torch.cat(x) for x in zip(*(data for data, _ in rollouts)))
    s, a, log_pi, V, r, s_next, d, cut = fields
    assert s.shape == (66, 3, known.ds) and a.shape == (66, 3, known.da)
    assert log_pi.shape == (66, 3, 1) and V.shape == (66, 3)
    inside = a.clamp(-1, 1)
    assert (a != inside).any()  # stored as drawn, not as clipped
    assert torch.allclose(r, known.reward(s, inside, s_next), atol=1e-4)
    assert torch.equal(d, known.terminal(s, inside, s_next))
    over = (d + cut) > 0
    goes_on = (s_next[:-1] == s[1:]).all(-1)
    assert torch.equal(goes_on, ~over[:-1])
    assert (cut if name == "Line-v0" else d).any()


def test_the_books_are_right(monkeypatch):
    steps, step = [], Actor.step
    monkeypatch.setattr(Actor, "step", lambda x, a: (steps.append(1), step(x, a))[1])
    rollouts, rows = recorded(monkeypatch), []
    cfg = tiny(T=250, sd=1.0)
    run = ppo(task("Line-v0"), cfg, Streams(1), lambda t, row: rows.append((t, row)))
    assert cfg.updates == 7 and len(steps) == 231
    assert [t for t, _ in rows] == [33 * (i + 1) for i in range(7)]
    assert run.looks.tolist() == [66, 132, 198, 231]
    looked = [row["greedy"] for t, row in rows if t in run.looks]
    assert looked == run.greedy.tolist()
    assert np.isnan([row["greedy"] for t, row in rows if t not in run.looks]).all()
    # the same episodes, from the rollouts
    r, over = (torch.cat([f(x) for x, _ in rollouts]) for f in (lambda x: x.r, ended))
    found = []
    for i in range(3):
        last = -1
        for t in over[:, i].nonzero().flatten().tolist():
            total = r[last + 1 : t + 1, i].sum().item()
            found.append((3 * t + i + 1, t - last, total))
            last = t
    found.sort()
    assert len(found) > 3
    assert [x[0] for x in found] == run.ends.tolist()
    assert [x[1] for x in found] == run.lengths.tolist()
    assert [x[2] for x in found] == pytest.approx(run.returns, rel=1e-5)
    assert [row["episode"] for _, row in rows][-1] == len(found)


def ended(rollout):
    return rollout.d + rollout.cut


def weights(run):
    return torch.cat([p.flatten() for p in run.agent.parameters()])


def test_same_seed_same_run_however_it_is_watched():
    known = task("Line-v0")
    first = ppo(known, TINY, Streams(5))
    again = ppo(known, TINY, Streams(5), lambda t, row: None)
    watched = ppo(known, tiny(look=1, episodes=3), Streams(5))
    other = ppo(known, TINY, Streams(6))
    assert torch.equal(weights(first), weights(again))
    assert torch.equal(weights(first), weights(watched))
    assert not torch.equal(weights(first), weights(other))
    assert (first.returns == watched.returns).all()
    assert (first.greedy == again.greedy).all()


def test_actors_and_episodes_begin_differently():
    actors = [Actor(lqr_task().make(), str(i), Streams(0)) for i in range(2)]
    first, second = (actor.s for actor in actors)
    actors[0].begin(1)
    third = actors[0].s
    assert (first != second).any() and (first != third).any()
    actors[0].begin(0)
    assert (actors[0].s == first).all()


# Checkpoints


class Stop(Exception):
    """The process is killed."""


class File:
    """A checkpoint on disk that may hold no code; ``stop``: killed at this save."""

    def __init__(self, stop=None):
        self.data, self.stop, self.saved = None, stop, []

    def load(self):
        if self.data is None:
            return None
        return torch.load(io.BytesIO(self.data), weights_only=True)

    def save(self, t, state):
        file = io.BytesIO()
        torch.save(state, file)
        self.data = file.getvalue()
        self.saved.append(t)
        if len(self.saved) == self.stop:
            raise Stop


@pytest.mark.parametrize("stop", [1, 2, 5])
@pytest.mark.parametrize(
    "known",
    [task("Line-v0"), lqr_task(noise=0.1), task("InvertedPendulum-v5")],
    ids=lambda known: known.name,
)
def test_a_resumed_run_ends_like_one_that_was_never_stopped(known, stop):
    """Killed in mid-episode, with moments, sums and Adam under way."""
    cfg = tiny(T=165, normalise_state=True, scale_reward=True)
    whole = ppo(known, cfg, Streams(3))
    file, seen = File(stop), []
    with pytest.raises(Stop):
        ppo(known, cfg, Streams(3), checkpoint=file)
    file.stop = None
    rest = ppo(known, cfg, Streams(3), lambda t, row: seen.append(t), file)
    assert seen == [33 * i for i in range(stop + 1, 6)]
    assert file.saved == [33 * i for i in range(1, 6)]
    assert torch.equal(weights(whole), weights(rest))
    for name in ("returns", "lengths", "ends", "greedy", "looks"):
        assert (getattr(whole, name) == getattr(rest, name)).all()


def test_the_resume_test_would_notice_another_episode(monkeypatch):
    """If the actors began afresh in place of playing their episodes again."""
    known, file = lqr_task(), File(2)
    whole = ppo(known, TINY, Streams(3))
    with pytest.raises(Stop):
        ppo(known, TINY, Streams(3), checkpoint=file)
    file.stop = None
    monkeypatch.setattr(Actor, "load_state_dict", lambda self, state: None)
    rest = ppo(known, TINY, Streams(3), checkpoint=file)
    assert not torch.equal(weights(whole), weights(rest))


def test_an_environment_that_does_not_repeat_itself_is_refused():
    actor = Actor(lqr_task(noise=0.1).make(), "0", Streams(0))
    actor.step(np.zeros(1, np.float32))
    state = actor.state_dict()
    actor.load_state_dict(state)
    state["s"] = state["s"] + 0.1
    with pytest.raises(ValueError, match="another state from the same seed"):
        actor.load_state_dict(state)


# Bad input, and what the front door reads


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"T": 0}, "T is 0"),
        ({"T": 32}, "T is 32, but must be at least the 33 of one rollout"),
        ({"actors": 0}, "actors is 0"),
        ({"rollout": 0}, "rollout is 0"),
        ({"look": 0}, "look is 0"),
        ({"episodes": 0}, "episodes is 0"),
        ({"trunk": "separate"}, "trunk is 'separate'.*'shared'"),
        ({"gamma": 2.0}, "gamma is 2.0"),
    ],
)
def test_bad_settings_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny(**values)


def test_every_setting_has_its_line_of_help():
    assert all(option.help for option in describe(Config))
    assert {"T", "clip"} <= {option.name for option in describe(Config)}


def test_an_interrupted_run_closes_its_environments(monkeypatch):
    envs, closed, make = [], [], type(TASK).make

    def made(self):
        envs.append(make(self))
        monkeypatch.setattr(envs[-1], "close", lambda: closed.append(True))
        return envs[-1]

    def stop(t, row):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(TASK), "make", made)
    with pytest.raises(KeyboardInterrupt):
        ppo(TASK, TINY, Streams(0), stop)
    assert len(envs) == len(closed) == 3


TASK = task("Line-v0")
