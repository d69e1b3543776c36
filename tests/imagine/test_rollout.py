"""Rollouts: which members are asked, where rows end, what comes out."""

import pytest
import torch

from mbrl_edu.envs import line
from mbrl_edu.imagine.rollout import replay, rollout
from mbrl_edu.models.oracle import Oracle


def g(seed=0):
    return torch.Generator().manual_seed(seed)


def still(s):
    return torch.zeros(len(s), 1, dtype=s.dtype)


def test_only_the_member_a_row_drew_is_evaluated(ensemble, monkeypatch):
    seen = []
    member = ensemble._member

    def watched(b, z):
        seen.append((b, len(z)))
        return member(b, z)

    monkeypatch.setattr(ensemble, "_member", watched)
    with torch.no_grad():
        for (
            layer
        ) in ensemble.layers:  # members that are no elites spoil what they touch
            layer.weight[[0, 2]] = torch.nan
    out = rollout(ensemble, still, torch.zeros(100, 2), 3, g())
    assert len(out.r) == 300 and all(x.isfinite().all() for x in out)
    assert sum(n for _, n in seen) == 300
    assert {b for b, n in seen if n} == {1, 3}


@pytest.mark.parametrize("fixed", [False, True])
def test_members_are_drawn_evenly_each_step_or_once(linear, fixed):
    model = linear([1.0] * 4, [0.1] * 4, elites=[3, 1])
    n = 2000
    rollout(model, still, torch.zeros(n, 1).double(), 3, g(), fixed=fixed)
    asked = torch.stack(model.asked)
    assert set(asked.flatten().tolist()) == {1, 3}
    share = (asked[0] == 3).double().mean()
    assert abs(share - 0.5) < 5 * 0.5 / n**0.5
    assert (asked[0] == asked[1]).all() == fixed


def test_rows_follow_the_model_until_the_end():
    """Against the same rollout in a plain loop."""
    model = Oracle(2, 1, line.dynamics, line.reward)
    s0 = torch.tensor([[0.0, 0.0], [2.8, 0.5], [2.0, 0.9]], dtype=torch.float64)

    def policy(s):
        return (0.3 - s[:, 1:]).clamp(-1, 1)

    out = rollout(model, policy, s0, 4, g(), terminal=line.terminal)
    expected, rows, ended = [], s0, 0
    for _ in range(4):
        going = []
        for s in rows[:, None]:
            a = policy(s)
            s_next = line.dynamics(s, a)
            d = line.terminal(s, a, s_next)
            expected.append((s, a, line.reward(s, a, s_next), s_next, d))
            ended += d.item()
            if not d:
                going.append(s_next)
        rows = torch.cat(going)
    assert 0 < ended < 3
    for got, parts in zip(out, zip(*expected)):
        assert torch.allclose(got, torch.cat(parts))


def test_a_row_that_leaves_the_numbers_ends_unrecorded():
    def step(s, a):
        return torch.where(s > 2, torch.full_like(s, torch.nan), s + 1)

    model = Oracle(1, 1, step, lambda s, a, s_next: s[:, 0])
    out = rollout(model, still, torch.tensor([[0.0], [2.5], [1.5]]), 3, g())
    assert out.s[:, 0].tolist() == [0.0, 1.5, 1.0, 2.0]
    assert all(x.isfinite().all() for x in out)
    none = rollout(model, still, torch.tensor([[2.5]]), 3, g())
    assert [len(x) for x in none] == [0] * 5


def test_a_known_reward_replaces_the_models(linear):
    model = linear([1.0], [0.0])
    out = rollout(
        model,
        still,
        torch.ones(2, 1).double(),
        2,
        g(),
        reward=lambda s, a, s_next: 7 * s[:, 0],
    )
    assert out.r.tolist() == [7.0] * 4 and out.d.tolist() == [0.0] * 4


def test_replay_follows_given_actions(linear):
    model = Oracle(2, 1, line.dynamics, line.reward)
    s, a = torch.rand(3, 2, generator=g()), torch.rand(3, 5, 1, generator=g()) - 0.5
    path = replay(model, s, a, g())
    assert path.shape == (3, 6, 2) and (path[:, 0] == s).all()
    for t in range(5):
        assert torch.allclose(path[:, t + 1], line.dynamics(path[:, t], a[:, t]))
    two = linear([2.0, 3.0], [0.0, 0.0])
    zeros = torch.zeros(50, 3, 1).double()
    end = replay(two, torch.ones(50, 1).double(), zeros, g(), fixed=True)[:, -1, 0]
    assert set(end.tolist()) == {8.0, 27.0}


def test_same_generator_same_rollout(ensemble):
    s = torch.zeros(10, 2)
    runs = [rollout(ensemble, still, s, 2, g(seed)) for seed in (0, 0, 1)]
    assert (runs[0].s_next == runs[1].s_next).all()
    assert (runs[0].s_next != runs[2].s_next).any()


@pytest.mark.parametrize(
    ("s", "k", "sentence"),
    [
        (torch.zeros(3, 2), 0, "k is 0"),
        (torch.zeros(3, 4), 2, r"s has shape \(3, 4\)"),
        (torch.zeros(2), 2, r"s has shape \(2,\)"),
        (torch.zeros(0, 2), 2, "n at least 1"),
        (torch.full((3, 2), torch.nan), 2, "not finite"),
    ],
)
def test_bad_input_is_refused(ensemble, s, k, sentence):
    with pytest.raises(ValueError, match=sentence):
        rollout(ensemble, still, s, k, g())


@pytest.mark.parametrize("shape", [(3, 5), (2, 5, 1), (3, 5, 2)])
def test_actions_of_a_wrong_shape_are_refused(ensemble, shape):
    with pytest.raises(ValueError, match="a has shape"):
        replay(ensemble, torch.zeros(3, 2), torch.zeros(shape), g())
