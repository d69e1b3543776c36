"""Worth of plans: members, moments, particles, chunks, and what is not a number."""

import subprocess
import sys

import pytest
import torch

from mbrl_edu.core.data import Batch
from mbrl_edu.envs import line
from mbrl_edu.envs.tasks import task
from mbrl_edu.imagine import plan
from mbrl_edu.imagine.plan import Config, Imagination, judge
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Layout
from mbrl_edu.models.oracle import Oracle


def g(seed=0):
    return torch.Generator().manual_seed(seed)


def uniform(N, H, da, seed=9):
    return 2 * torch.rand(N, H, da, generator=g(seed), dtype=torch.float64) - 1


def one(x):
    return torch.tensor([x], dtype=torch.float64)


# Which member moves which particle


def test_ts1_deals_equally_many_particles_to_every_elite_anew_at_each_step(linear):
    model = linear([1.0] * 5, [0.1] * 5, elites=[4, 1, 3])
    N, P, H = 400, 6, 3
    Imagination(model, Config("TS1", P))(one(0.0), uniform(N, H, 1), g())
    asked = torch.stack(model.asked).view(H, N, P)
    for member in (0, 1, 2, 3, 4):
        wanted = P // 3 if member in (4, 1, 3) else 0
        assert ((asked == member).sum(2) == wanted).all()
    assert (asked[0] != asked[1]).any() and (asked[0, 0] != asked[0, 1]).any()
    # each particle meets each member a third of the time: 5 standard errors
    share = (asked == 4).double().mean((0, 1))
    assert (share - 1 / 3).abs().max() < 5 * (2 / 9 / (N * H)) ** 0.5


def test_tsinf_keeps_every_particle_with_its_member(linear):
    model = linear([1.0] * 4, [0.1] * 4, elites=[2, 0])
    Imagination(model, Config("TSinf", 6))(one(0.0), uniform(5, 4, 1), g())
    assert len(model.asked) == 4
    for who in model.asked:
        assert who.view(5, 6).tolist() == [[2, 2, 2, 0, 0, 0]] * 5


@pytest.mark.parametrize("kind", plan.KINDS)
def test_particles_of_different_plans_never_mix(linear, kind):
    model = linear([1.0, 1.0, 1.0], [0.0] * 3)  # s' = s + a: the state adds up the plan
    plans = uniform(7, 5, 1)
    imagine = Imagination(model, Config(kind, 6))
    paths = imagine.particles(one(0.5), plans, g())
    assert paths.shape == (7, 1 if kind == "E" else 6, 6, 1)
    exact = 0.5 + torch.cat([torch.zeros(7, 1, 1), plans], 1).cumsum(1)
    assert torch.allclose(paths, exact[:, None].expand_as(paths))
    assert torch.allclose(
        imagine(one(0.5), plans, g()), exact[:, 1:].sum((1, 2)), atol=1e-12
    )


# Moments


def moments(A, var, actions, s):
    """Mean and second moment of s_H when each step's law is a mixture over members."""
    m1, m2 = s, s * s
    A1, A2 = A.mean(), (A * A).mean()
    for a in actions:
        m1, m2 = A1 * m1 + a, A2 * m2 + 2 * a * A1 * m1 + a * a + var.mean()
    return m1.item(), m2.item()


@pytest.mark.parametrize("kind", ["TS1", "DS", "MM"])
def test_moments_of_mixing_kinds_in_closed_form(linear, kind):
    model = linear([0.7, 1.1], [0.2, 0.05])
    actions = torch.tensor([0.3, -0.5, 0.8, 0.1], dtype=torch.float64)
    N, P = 4000, 10
    plans = actions.view(1, -1, 1).expand(N, -1, -1)
    x = Imagination(model, Config(kind, P)).particles(one(1.5), plans, g())[:, :, -1, 0]
    m1, m2 = moments(model.A, model.var, actions, one(1.5))
    for power, exact in ((1, m1), (2, m2)):  # plans are independent, particles not
        each = x.pow(power).mean(1)
        assert abs(each.mean() - exact) < 5 * each.std() / N**0.5


def test_moments_of_tsinf_are_those_of_each_member(linear):
    model = linear([0.7, 1.1], [0.2, 0.05])
    actions = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    N, P = 3000, 8
    plans = actions.view(1, -1, 1).expand(N, -1, -1)
    x = Imagination(model, Config("TSinf", P)).particles(one(1.5), plans, g())
    for b in range(2):
        mine = x[:, 4 * b : 4 * b + 4, -1, 0].flatten()
        m1, m2 = moments(model.A[b], model.var[b], actions, one(1.5))
        for power, exact in ((1, m1), (2, m2)):
            y = mine.pow(power)
            assert abs(y.mean() - exact) < 5 * y.std() / len(y) ** 0.5


def test_e_is_the_mean_without_chance(linear):
    model = linear([0.7, 1.1], [0.2, 0.05])
    paths = Imagination(model, Config("E", 50)).particles(
        one(1.0), uniform(2, 3, 1), g()
    )
    s = one(1.0).expand(2, 1)
    for t in range(3):
        s = 0.9 * s + uniform(2, 3, 1)[:, t]
    assert torch.allclose(paths[:, 0, -1], s)


def test_ds_and_mm_make_one_gaussian_of_two_members_and_ts1_does_not(linear):
    """Members that say 2 or -2 for sure: TS1 keeps both apart, DS mixes them."""
    model = linear([2.0, -2.0], [0.0, 0.0])
    plans = torch.zeros(500, 1, 1, dtype=torch.float64)
    last = {
        kind: Imagination(model, Config(kind, 10)).particles(one(1.0), plans, g())[
            :, :, 1
        ]
        for kind in ("TS1", "DS", "MM")
    }
    assert set(last["TS1"].flatten().tolist()) == {2.0, -2.0}
    for kind in ("DS", "MM"):
        x = last[kind].flatten() / 2
        assert (x.abs() < 0.5).double().mean() == pytest.approx(0.383, abs=0.05)
        assert x.square().mean() == pytest.approx(1, abs=0.15)


# Rewards, discount, ends


@pytest.mark.parametrize("gamma", [1.0, 0.5, 0.0])
def test_worth_by_hand_with_discount_and_another_reward(linear, gamma):
    model = linear([1.0], [0.0])
    plans = torch.tensor([[[0.5], [0.25]], [[-1.0], [1.0]]], dtype=torch.float64)
    worth = Imagination(model, Config("TS1", 1, gamma))(one(1.0), plans, g())
    assert worth.tolist() == [1.5 + gamma * 1.75, 0.0 + gamma * 1.0]
    paid = Imagination(
        model,
        Config("TS1", 1, gamma),
        reward=lambda s, a, s_next: 10 * s[:, 0] + a[:, 0],
    )(one(1.0), plans, g())
    assert paid.tolist() == [10.5 + gamma * 15.25, 9.0 + gamma * 1.0]


def test_mm_pays_for_the_particles_that_it_drew(linear):
    model = linear([1.0], [1.0])
    plans = torch.zeros(6, 1, 1, dtype=torch.float64)
    imagine = Imagination(model, Config("MM", 4))
    paths = imagine.particles(one(0.0), plans, g())
    assert torch.allclose(imagine(one(0.0), plans, g()), paths[:, :, 1, 0].mean(1))


def test_nothing_is_paid_after_the_end():
    model = Oracle(2, 1, line.dynamics, line.reward)
    s = torch.tensor([2.9, 0.6], dtype=torch.float64)
    plans = torch.ones(1, 6, 1, dtype=torch.float64)
    worth = Imagination(model, Config("E"), terminal=line.terminal)(s, plans, g())
    assert worth.item() == pytest.approx(-(3.06**2) - 4 - 20)  # it falls off at once
    assert Imagination(model, Config("E"))(s, plans, g()).item() < worth.item()


def test_one_step_is_brute_force():
    """H = 1 on a grid: worth is the reward, and the best action is the best on it."""
    t = task("Line-v0")
    model = Oracle(2, 1, t.dynamics, t.reward)
    s, grid = torch.tensor([2.0, 0.0]), torch.linspace(-1, 1, 41)
    worth = Imagination(model, Config("TS1", 3))(s, grid.view(-1, 1, 1), g())
    rows = s.expand(41, 2)
    exact = t.reward(rows, grid[:, None], t.dynamics(rows, grid[:, None]))
    assert torch.allclose(worth, exact)


# What is not a number


class Broken(Oracle):
    """s' = s + a, but NaN (or infinite) once an action is above 1/2."""

    def __init__(self, bad, reward):
        def step(s, a):
            return torch.where(a > 0.5, torch.full_like(s, bad), s + a)

        super().__init__(1, 1, step, reward)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", plan.KINDS)
def test_a_plan_that_leaves_the_numbers_loses(bad, kind):
    """Also with a reward that stays finite there, and although all others are bad."""
    model = Broken(bad, lambda s, a, s_next: -1e6 + s_next[:, 0].nan_to_num().tanh())
    plans = uniform(50, 4, 1).float()
    worth = Imagination(model, Config(kind, 4))(torch.zeros(1), plans, g())
    broken = (plans > 0.5).any(1)[:, 0]
    assert 0 < broken.sum() < 50
    assert (worth[broken] == -torch.inf).all() and worth[~broken].isfinite().all()


def test_what_happens_after_the_end_cannot_lose():
    model = Broken(float("nan"), lambda s, a, s_next: a[:, 0])
    plans = torch.tensor([[[0.2], [0.9]]])
    over = Imagination(model, Config("E"), terminal=lambda s, a, s_next: (s == 0)[:, 0])
    assert over(torch.zeros(1), plans, g()).item() == pytest.approx(0.2)


def test_judge_lets_no_nan_win():
    given = torch.tensor([float("nan"), -3.0, float("inf"), -float("inf")])
    low = -float("inf")
    assert judge(lambda p: given, torch.zeros(4, 1, 1)).tolist() == [
        low,
        -3.0,
        low,
        low,
    ]
    with pytest.raises(ValueError, match="evaluate gave the shape"):
        judge(lambda p: given[None], torch.zeros(4, 1, 1))


# The same whatever is computed at once; every model


@pytest.mark.parametrize("kind", plan.KINDS)
def test_chunks_and_repetition_change_nothing(ensemble, monkeypatch, kind):
    imagine = Imagination(ensemble, Config(kind, 4))
    s, plans = torch.tensor([0.3, -0.2]), uniform(30, 5, 1).float()
    whole, again = imagine(s, plans, g()), imagine(s, plans, g())
    assert (whole == again).all()
    monkeypatch.setattr(plan, "ROWS", 7)
    assert torch.allclose(imagine(s, plans, g()), whole, atol=1e-5)
    if kind != "E":
        assert (imagine(s, plans, g(1)) != whole).all()


@pytest.mark.parametrize("kind", plan.KINDS)
def test_every_model_can_be_planned_with(ensemble, kind):
    x = torch.rand(30, 2, generator=g())
    batch = Batch(x, x[:, :1], x.sum(1), x + 0.1, torch.zeros(30))
    gp = GP(Layout(2, 1))
    gp.fit(batch)
    for model in (ensemble, gp, Oracle(2, 1, line.dynamics, line.reward)):
        worth = Imagination(model, Config(kind, 4))(x[0], uniform(3, 2, 1).float(), g())
        assert worth.shape == (3,) and worth.isfinite().all()


MEMORY = """
import resource, torch
from mbrl_edu.core.rng import Streams
from mbrl_edu.imagine.plan import Config, Imagination
from mbrl_edu.models.ensemble import Ensemble, Config as Net
from mbrl_edu.models.layout import Layout
torch.set_num_threads(1)
model = Ensemble(Layout(11, 3), Net(), Streams(0))
plans, g = torch.zeros(350, 15, 3), torch.Generator()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Imagination(model, Config("TS1", 5))(torch.zeros(11), plans[:2, :1], g)
before = peak()
for kind in ("TS1", "DS", "MM"):
    Imagination(model, Config(kind, 20))(torch.zeros(11), plans, g)
print(peak() - before)
"""


def test_memory_stays_below_a_gibibyte_at_the_size_of_the_benchmark():
    run = [sys.executable, "-c", MEMORY]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 2**30


# Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"propagation": "TS2"}, "propagation is 'TS2'.*TS1"),
        ({"P": 0}, "P is 0"),
        ({"gamma": 1.1}, "gamma is 1.1"),
        ({"propagation": "MM", "P": 1}, "P is 1, but MM"),
    ],
)
def test_bad_settings_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Config(**values)


@pytest.mark.parametrize("kind", ["TS1", "TSinf"])
def test_particles_must_be_a_multiple_of_the_members(ensemble, kind):
    with pytest.raises(ValueError, match="P is 5, .* a multiple of the 2 members"):
        Imagination(ensemble, Config(kind, 5))


@pytest.mark.parametrize(
    ("s", "plans", "sentence"),
    [
        (torch.zeros(3), torch.zeros(4, 5, 1), r"s has shape \(3,\)"),
        (torch.zeros(1, 2), torch.zeros(4, 5, 1), r"s has shape \(1, 2\)"),
        (torch.tensor([0, torch.nan]), torch.zeros(4, 5, 1), "s is .*finite"),
        (torch.zeros(2), torch.zeros(4, 5), r"plans has shape \(4, 5\)"),
        (torch.zeros(2), torch.zeros(4, 5, 2), r"must have \(N, H, 1\)"),
        (torch.zeros(2), torch.zeros(0, 5, 1), "at least 1"),
        (torch.zeros(2), torch.zeros(4, 0, 1), "at least 1"),
    ],
)
def test_bad_shapes_are_refused(ensemble, s, plans, sentence):
    with pytest.raises(ValueError, match=sentence):
        Imagination(ensemble, Config("TS1", 4))(s, plans, g())
