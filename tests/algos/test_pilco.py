"""PILCO: learns a task with an exact optimum, imagines what happens, can be resumed."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from mbrl_edu.algos.pilco import Agent, Config, pilco
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import lqr
from mbrl_edu.envs.hold import decisions, held
from mbrl_edu.envs.tasks import lqr_task, task
from mbrl_edu.imagine.belief import KNOWN, Belief, Particles
from mbrl_edu.imagine.controllers import Linear, Radial, ascend
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Angles, Layout, no_reward
from mbrl_edu.models.moments import Gaussian
from mbrl_edu.models.moments_waves import squashed

# as small as it gets: these runs are about the loop, not about learning
TINY = Config(2, length=20, H=3, n=4, P=5, iterations=2, restarts=0, resets=3)


def tiny(**values):
    return dataclasses.replace(TINY, **values)


def normal(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


# It learns


SYSTEM = dataclasses.replace(lqr.point_masses(), gamma=1.0)


@functools.cache
def learned(seed, **values):
    fixed = {"policy": "linear", "restarts": 0, "resets": 50, "gp_rows": 100}
    cfg = Config(2, **({"H": 20, "iterations": 25} | fixed | values))
    return pilco(lqr_task(), cfg, Streams(seed))


def lost(run, k):
    """What trial k lost on the best that is possible from where it began, as a share
    of what doing nothing loses; both are exact."""
    begin, n = run.lengths[:k].sum(), run.lengths[k]
    s = run.s[begin].astype(float)
    best = -s @ SYSTEM.finite(n)[1] @ s
    nothing, z = 0.0, s
    for _ in range(n):
        nothing -= z @ SYSTEM.C[:2, :2] @ z
        z = SYSTEM.A @ z
    assert run.returns[k] <= best + 1e-3
    return best - run.returns[k], best - nothing


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_two_trials_come_close_to_the_exact_optimum(seed):
    """Both together lose at most 10 % of what lies between doing nothing and the best:
    the same bound as PETS."""
    run = learned(seed)
    assert run.lengths.tolist() == [100] * 3
    losses = np.array([lost(run, k) for k in (1, 2)]).sum(0)
    assert losses[0] < 0.10 * losses[1]


@pytest.mark.slow
def test_particles_learn_it_too():
    run = learned(0, propagation="particles", P=30, length=50)
    losses = np.array([lost(run, k) for k in (1, 2)]).sum(0)
    assert losses[0] < 0.10 * losses[1]


@pytest.mark.slow
def test_the_gradient_is_followed_upwards():
    for climb in learned(0).climb:
        climb = climb[np.isfinite(climb)]
        assert len(climb) > 2 and (np.diff(climb) >= 0).all() and climb[-1] > climb[0]


# What it imagines


def world(noise=0.05):
    """A GP of a made-up pendulum on a cart, and the swing-up's reward."""
    model = GP(Layout(4, 1, Angles((1,)), reward=no_reward))
    x = normal(30, 6, seed=3)
    theta = 0.1 * normal(4, 8, seed=5) + torch.tensor([1.0] * 6 + [-1.0, 0.0]).double()
    theta[:, -1] = np.log(noise)
    model.condition(x, 0.2 * normal(30, 4, seed=4), theta)
    return model


def swing_up(H=3, spread=0.1):
    start = Gaussian(torch.zeros(4).double(), spread**2 * torch.eye(4).double())
    known = KNOWN["CartPoleSwingUp-v0"]
    return Belief(world(), start, known.reward, H, known.angles)


def policies():
    g = Streams(0)["policy"]
    return Linear(5, 1, g, scale=0.5), Radial(normal(6, 5, seed=7), 1, g)


@pytest.mark.parametrize("policy", policies(), ids=["linear", "rbf"])
def test_one_step_against_many_draws(policy):
    """The chain state, features, action, change of state: exact but for the squashing
    of what is not quite Gaussian, which is of second order in S."""
    belief = swing_up(H=1, spread=0.05)
    n = 400_000
    s = belief.start.m + 0.05 * normal(n, 4, seed=1)
    features = Angles((1,))
    with torch.no_grad():
        a = policy(features(s))
        (step,) = belief.path(policy)
        gp = world()
        mean, var = gp.latent(torch.cat([features(s), a], 1))
        noise = (2 * gp.theta[:, -1]).exp()
        s_next = s + mean + (var + noise).sqrt() * normal(n, 4, seed=2)
        r = task("CartPoleSwingUp-v0").reward(s, a, s_next)
    assert torch.allclose(step.a.m, a.mean(0), atol=2e-3)
    assert torch.allclose(step.s_next.m, s_next.mean(0), atol=2e-3)
    assert torch.allclose(step.s_next.S, torch.cov(s_next.T), atol=3e-4)
    assert step.r.item() == pytest.approx(r.mean().item(), abs=1e-3)


def test_the_gradient_of_the_return_against_finite_differences():
    belief, particles = swing_up(), few_particles()
    for policy in policies():
        names, values = zip(*policy.named_parameters())
        for imagine in (belief, particles):

            def J(*x, policy=policy, imagine=imagine, names=names):
                return torch.func.functional_call(
                    Through(policy, imagine), dict(zip(prefixed(names), x)), ()
                )

            x = [v.detach().clone().requires_grad_() for v in values]
            assert torch.autograd.gradcheck(J, x)


def prefixed(names):
    return [f"policy.{name}" for name in names]


class Through(torch.nn.Module):
    """The return of a policy, as a module: lets its parameters be replaced."""

    def __init__(self, policy, imagine):
        super().__init__()
        self.policy, self.imagine = policy, imagine

    def forward(self):
        return self.imagine(self.policy).sum()


def few_particles(P=3):
    s = 0.1 * normal(5, 4, seed=1)
    reward = task("CartPoleSwingUp-v0").reward
    return Particles(world(), s, reward, 3, P, Streams(0)["p"])


def test_particles_and_moments_agree():
    """Over three steps, but for the error of moment matching."""
    policy = policies()[0]
    start = 0.1 * normal(100_000, 4, seed=1)
    reward = task("CartPoleSwingUp-v0").reward
    many = Particles(world(), start, reward, 3, 20_000, Streams(0)["p"])
    with torch.no_grad():
        by_points, by_moments = many(policy), swing_up()(policy)
    assert torch.allclose(by_points, by_moments, atol=0.02)
    assert by_points.shape == (3,)


@pytest.mark.parametrize("name", KNOWN)
def test_expected_rewards_of_certain_states_are_the_rewards(name):
    known, known_task = KNOWN[name], task(name)
    assert (known.ds, known_task.da) == (known_task.ds, 1)
    features = Angles(known.angles)
    for seed in range(10):
        s, a = normal(1, known.ds, seed=seed), normal(1, 1, seed=seed + 50).clamp(-1, 1)
        s_next = normal(1, known.ds, seed=seed + 100)
        if "CartPole" not in name:
            s_next = known_task.dynamics(s, a)

        def sure(x):
            return Gaussian(x[0], torch.zeros(x.shape[1], x.shape[1]).double())

        found = known.reward(sure(s), sure(a), sure(features(s_next)))
        fell = name == "Line-v0" and known_task.terminal(s, a, s_next).item()
        expected = known_task.reward(s, a, s_next).item() + 20 * fell
        assert found.item() == pytest.approx(expected, rel=1e-9)


def test_policies_stay_within_their_bounds():
    f = 30 * normal(1000, 5)
    for policy in policies():
        a = policy(f)
        assert a.shape == (1000, 1) and a.abs().max() <= 1
        out, _ = policy.moments(Gaussian(f[0], 10 * torch.eye(5).double()))
        assert out.m.abs() <= 1 and 0 <= out.S <= 1


def test_a_radial_policy_goes_through_its_readings():
    f = normal(6, 5, seed=7)
    narrow, wide = (Radial(f, 2, Streams(0)["p"], width=w) for w in (1.0, 2.0))
    assert torch.allclose(wide.log_l, narrow.log_l + np.log(2))
    for policy in (narrow, wide):
        assert torch.allclose(policy(f), squashed(policy.y.T), atol=1e-2)
        assert torch.equal(policy.fixed()(f), policy(f))
        S = 0.1 * torch.eye(5).double()
        one, two = (p.moments(Gaussian(f[0], S)) for p in (policy, policy.fixed()))
        assert torch.equal(one[0].S, two[0].S) and torch.equal(one[1], two[1])


def test_fresh_policies_look_at_random_trials_and_begin_at_the_start():
    agent = Agent(task("PilcoCartPole-v0"), tiny(n=4000, spread=2.0), Streams(0))
    s = normal(50, 4, seed=1) * torch.tensor([1.0, 9, 0.5, 3]) + 7
    c = agent._fresh(s, Streams(1)["p"]).centres  # sin, cos, then x, x', theta'
    assert (c[:, 2:].mean(0).abs() < 0.3).all()
    std = c[:, 2:].std(0) / s.std(0)[[0, 2, 3]]
    assert torch.allclose(std, torch.tensor(2.0).double(), rtol=0.05)
    assert (c[:, :2].mean(0).abs() < 0.05).all()  # all around


# The optimiser


def test_ascent_finds_the_top_and_steps_back_from_where_nothing_is():
    x = torch.nn.Parameter(torch.tensor([0.5], dtype=torch.float64))

    def J():
        if x.item() > 3:
            raise FloatingPointError
        return (3 - x).log().sum() + 5 * x.sum()  # best at 2.8, nothing beyond 3

    values = ascend(J, [x], 50)
    assert x.item() == pytest.approx(2.8, abs=1e-4)
    assert (np.diff(values) >= 0).all()
    with pytest.raises(ValueError, match="not finite where the search begins"):
        ascend(lambda: (x * torch.nan).sum(), [x], 5)


# The loop


def test_the_books_are_right():
    rows = []
    run = pilco(task("Line-v0"), TINY, Streams(1), lambda t, row: rows.append((t, row)))
    T = run.lengths.sum()
    assert run.s.shape == (T, 2) and run.a.shape == (T, 1) and run.r.shape == (T,)
    ends = run.lengths.cumsum()
    trials = np.split(run.r, ends[:-1])
    assert run.returns == pytest.approx([r.sum() for r in trials], rel=1e-5)
    assert [t for t, _ in rows] == ends.tolist()
    assert [row["episode"] for _, row in rows] == [0, 1, 2]
    assert run.climb.shape == (2, 3) and np.isfinite(run.losses).all()
    planned = [climb[np.isfinite(climb)][-1] for climb in run.climb]
    assert run.planned.tolist() == [planned[k - 1] for k in run.planned_in]
    for k, obtained in zip(run.planned_in, run.obtained):
        assert obtained == pytest.approx(trials[k][:3].sum(), rel=1e-5)
    assert run.model_steps % 3 == 0 and run.model_steps > 0
    assert np.abs(run.a).max() <= 1


def test_the_best_of_old_and_fresh_policies_is_kept(monkeypatch):
    """Two fresh ones in trial 1, then one beside the old one; worth by their turn."""
    agent, tried = Agent(task("LQR-v0"), tiny(restarts=1), Streams(0)), []
    worth = iter([2.0, 3.0, 2.5, 2.9, 1.0, 2.0])

    def improve(policy, imagine):
        tried.append(policy)
        return [0.0, next(worth)]

    monkeypatch.setattr(agent, "_improve", improve)
    D = decisions(Batch(*rows(20)), [20], 1)
    for k in (1, 2, 3):
        agent.learn(k, D, 20)
    assert tried[3] is tried[1]  # the better one of the first trial is old in trial 2
    assert tried[5] is tried[3] and agent.pi is tried[5]
    assert agent.climb == [[0.0, 3.0], [0.0, 2.9], [0.0, 2.0]]


def rows(n):
    s, zero = normal(n, 2, seed=1), torch.zeros(n).double()
    return s, normal(n, 1, seed=2), zero, 0.9 * s + 0.1 * normal(n, 2, seed=3), zero


def test_same_seed_same_run():
    one, two, other = (pilco(task("LQR-v0"), TINY, Streams(s)) for s in (3, 3, 4))
    assert (one.a == two.a).all()
    assert np.array_equal(one.climb, two.climb, equal_nan=True)
    assert (one.a != other.a).any()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("CartPoleSwingUp-v0", {"hold": 2}),
        ("LQR-v0", {"policy": "linear", "restarts": 1}),
        ("Pendulum-v1", {"propagation": "particles"}),
    ],
)
def test_what_is_named_runs(name, values):
    run = pilco(task(name), tiny(episodes=1, **values), Streams(0))
    assert np.isfinite(run.returns).all()
    hold = values.get("hold", 1)
    a = run.a[:20].reshape(-1, hold)
    assert (a == a[:, :1]).all() and run.agent.rows.s.shape[0] == 20 // hold


class Stop(Exception):
    pass


class Memory:
    """A checkpoint in memory, as it comes back from a file; stops the run after it."""

    def __init__(self, last):
        self.last, self.state, self.saves = last, None, 0

    def load(self):
        return None if self.state is None else torch.load(self.state, weights_only=True)

    def save(self, t, state):
        import io

        self.state = io.BytesIO()
        torch.save(plain(state), self.state)
        self.state.seek(0)
        self.saves += 1
        if self.saves == self.last:
            raise Stop


def plain(x):
    """Named tuples as tuples, as the file gives them back."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x] if isinstance(x, list) else tuple(map(plain, x))
    return x


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_resumed_run_ends_like_one_that_was_never_stopped(last):
    cfg = tiny(hold=2, random=1)
    whole = pilco(task("CartPoleSwingUp-v0"), cfg, Streams(2))
    memory = Memory(last)
    with pytest.raises(Stop):
        pilco(task("CartPoleSwingUp-v0"), cfg, Streams(2), checkpoint=memory)
    again = pilco(task("CartPoleSwingUp-v0"), cfg, Streams(2), checkpoint=memory)
    assert (whole.s == again.s).all() and (whole.a == again.a).all()
    assert np.array_equal(whole.climb, again.climb, equal_nan=True)
    assert whole.model_steps == again.model_steps
    for one, two in (
        (whole.agent.model.beta, again.agent.model.beta),
        (whole.agent.pi.y, again.agent.pi.y),
    ):
        assert torch.equal(one, two)


def test_held_actions_and_longer_steps():
    asked = []

    def act(s):
        asked.append(s)
        return np.array([float(s)])

    again = held(act, 3)
    assert [again(s, s).item() for s in range(7)] == [0, 0, 0, 3, 3, 3, 6]
    assert asked == [0, 3, 6]
    n = torch.arange(7.0)
    D = Batch(n[:, None], n[:, None], n, n[:, None] + 1, torch.zeros(7))
    longer = decisions(D, [4, 3], 2)  # 0 1 | 2 3, then 4 5, and 6 is left out
    assert longer.s[:, 0].tolist() == [0, 2, 4]
    assert longer.s_next[:, 0].tolist() == [2, 4, 6]
    assert longer.r.tolist() == [1, 5, 9]
    with pytest.raises(ValueError, match="lengths sum to 6"):
        decisions(D, [6], 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("propagation", ["moments", "particles"])
def test_on_a_gpu(propagation):
    run = pilco(
        task("CartPoleSwingUp-v0"), tiny(propagation=propagation), Streams(2, "cuda")
    )
    theta = [p for p in run.agent.pi.parameters()]
    assert all(p.is_cuda and p.isfinite().all() for p in theta)
    assert np.isfinite(run.returns).all()


# Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"episodes": -1}, "episodes is -1"),
        ({"random": 0}, "random is 0"),
        ({"explore": 0.0}, "explore is 0.0"),
        ({"length": 0}, "length is 0"),
        ({"hold": 0}, "hold is 0"),
        ({"H": 0}, "H is 0"),
        ({"propagation": "moment"}, "propagation is 'moment'.*moments"),
        ({"P": 0}, "P is 0"),
        ({"policy": "RBF"}, "policy is 'RBF'"),
        ({"n": 0}, "n is 0"),
        ({"spread": 0}, "spread is 0"),
        ({"width": 0}, "width is 0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"restarts": -1}, "restarts is -1"),
        ({"gp_rows": 1}, "gp_rows is 1"),
        ({"resets": 1}, "resets is 1"),
        ({"hold": 11, "H": 2}, "hold is 11, but a trial of 20 steps"),
        ({"H": 31}, "H \\* hold is 31, but must be .* 30"),  # the task's, not length
        ({"H": 16, "hold": 2}, "H \\* hold is 32, but must be .* 30"),
    ],
)
def test_bad_settings_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        pilco(task("Line-v0"), tiny(**values), Streams(0))


@pytest.mark.parametrize(
    ("known", "values", "sentence"),
    [
        (task("Pendulum-v1"), {}, "expected reward of Pendulum-v1 .*'particles'"),
        (lqr_task(2), {}, "LQR-v0 with 4 states"),
        (task("Hopper-v5"), {"propagation": "particles"}, "Hopper-v5 has none"),
    ],
)
def test_what_the_task_cannot_give_is_refused_before_the_first_step(
    known, values, sentence
):
    with pytest.raises(ValueError, match=sentence):
        Agent(known, tiny(**values), Streams(0))
