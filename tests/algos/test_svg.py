"""DPG and SVG: gradients against closed forms, learning against exact optima."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import torch
from memory import Cut, Memory
from torch import nn

from mbrl_edu.algos import dpg, svg
from mbrl_edu.algos.dpg import policy_gradient
from mbrl_edu.control.reparameterised import Reparameterised
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import line
from mbrl_edu.envs.lqr import LinearQuadratic, point_masses
from mbrl_edu.envs.tasks import task
from mbrl_edu.imagine import value_gradient as vg
from mbrl_edu.models.ensemble import Config as Network
from mbrl_edu.models.ensemble import Ensemble
from mbrl_edu.models.layout import Layout
from mbrl_edu.models.oracle import Oracle

# as small as it gets: these runs are about the loop, not about learning
TINY = {"T": 150, "T_random": 40, "hidden": (8,), "batch": 10, "look": 2}
TINY |= {"episodes": 2}
SMALL = TINY | {"model_hidden": (8,), "fit_every": 50}
VARIANTS = {
    "dpg": (dpg.dpg, dpg.Config(**TINY)),
    "svg(0)": (svg.svg, svg.Config(**SMALL, variant="0")),
    "svg(1)": (svg.svg, svg.Config(**SMALL, variant="1", B=2)),
    "svg(1), drawn": (svg.svg, svg.Config(**SMALL, variant="1", noise="drawn")),
    "svg(inf)": (svg.svg, svg.Config(**SMALL, variant="inf", B=2)),
}


def make_policy(ds, da, seed=0, **known):
    with Streams(seed).init("pi"):
        return Reparameterised(ds, da, **known).double()


def recorded(name, T, seed=0):
    """A real path of the task under uniform actions, in float64."""
    env = task(name).make()
    g, rows = np.random.default_rng(seed), []
    s = env.reset(seed=seed)[0]
    for _ in range(T):
        a = g.uniform(-1, 1, env.action_space.shape)
        s_next, r, d, _, _ = env.step(a)
        rows.append((s, a, r, s_next, d))
        s = s_next
    env.close()
    return Batch(*(torch.tensor(np.array(x, float)) for x in zip(*rows)))


def relative(x, y):
    return ((x - y).norm() / y.norm()).item()


# Noise


@pytest.mark.parametrize("squash", [True, False])
def test_the_noise_behind_an_action_is_found(squash):
    pi = make_policy(3, 2, squash=squash)
    g = torch.Generator().manual_seed(1)
    s = torch.randn(50, 3, generator=g, dtype=torch.double)
    eta = pi.draw(s, g)
    a = pi(s, eta)
    assert torch.allclose(pi.noise(s, a), eta, rtol=0, atol=1e-9)
    assert torch.equal(pi.mean(s), pi(s, torch.zeros_like(eta)))
    foreign = 2 * torch.rand(50, 2, generator=g, dtype=torch.double) - 1
    assert torch.allclose(pi(s, pi.noise(s, foreign)), foreign, rtol=0, atol=1e-12)


def test_an_action_rounded_to_one_still_has_finite_noise():
    pi = make_policy(1, 1).float()
    s = torch.zeros(2, 1)
    eta = pi.noise(s, torch.tensor([[1.0], [-1.0]]))
    assert eta.isfinite().all() and (eta[0] > 5).all() and (eta[1] < -5).all()


@pytest.mark.parametrize("squash", [True, False])
def test_the_density_is_one_in_all_and_that_of_the_draws(squash):
    pi = make_policy(1, 1, squash=squash, sigma=(0.5, 0.5))
    edge = 1 - 1e-9 if squash else 8.0
    a = torch.linspace(-edge, edge, 200_001, dtype=torch.double)[:, None]
    s = torch.ones_like(a)
    p = pi.log_prob(s, a).exp().detach()
    assert torch.trapezoid(p, a[:, 0]).item() == pytest.approx(1, abs=1e-4)
    mean = torch.trapezoid(p * a[:, 0], a[:, 0]).item()
    draws = pi(s, pi.draw(s, torch.Generator().manual_seed(0)))
    error = draws.std() / math.sqrt(len(a))
    assert draws.mean().item() == pytest.approx(mean, abs=4 * error.item())


# The recursion

PATHS = {
    "Pendulum-v1, known reward": ("Pendulum-v1", True, 1, True),
    "Pendulum-v1, learned reward": ("Pendulum-v1", False, 1, True),
    "Line-v0, three members": ("Line-v0", True, 3, False),
    "LQR-v0, learned reward, two members": ("LQR-v0", False, 2, False),
    "CartPoleSwingUp-v0, features": ("CartPoleSwingUp-v0", True, 1, True),
}


@pytest.mark.parametrize("case", PATHS)
def test_the_recursion_is_autograd_on_a_foreign_path(case):
    """Recorded in the real task, under other actions than the policy's, explained by a
    model that has never seen it."""
    name, known, B, squash = PATHS[case]
    known_task = task(name)
    path = recorded(name, 25)
    reward = known_task.reward if known else None
    layout = Layout(known_task.ds, known_task.da, known_task.features, reward=reward)
    model = Ensemble(layout, Network(B, B, (16, 16)), Streams(1)).double()
    pi = make_policy(known_task.ds, known_task.da, hidden=(16,), squash=squash)
    who = model.draw(25, torch.Generator().manual_seed(0))
    noise = vg.infer(model, pi, path, who)
    with torch.no_grad():
        r, s = vg.replay(model, pi, path.s[:1], noise)
    assert torch.allclose(s[1:], path.s_next, rtol=0, atol=1e-10)  # it explains it
    if not known:
        assert torch.allclose(r, path.r, rtol=0, atol=1e-10)
    found = vg.recursion(model, pi, path, noise, 0.97)
    wanted = vg.unrolled(model, pi, path, noise, 0.97)
    for x, y in zip(found, wanted):
        assert relative(x, y) < 1e-12


def test_a_model_without_noise_explains_by_its_error():
    """Additive noise of sd 1: the derivatives are those of the dynamics."""
    known = task("Pendulum-v1")
    path = recorded("Pendulum-v1", 25)
    model = Oracle(3, 1, known.dynamics, known.reward)
    pi = make_policy(3, 1)
    noise = vg.infer(model, pi, path)
    _, truth = model.sample(path.s, path.a, torch.Generator())
    assert torch.allclose(noise.xi[:, 1:], path.s_next - truth, rtol=0, atol=1e-12)
    found = vg.recursion(model, pi, path, noise, 0.97)
    for x, y in zip(found, vg.unrolled(model, pi, path, noise, 0.97)):
        assert relative(x, y) < 1e-12


def test_a_torn_path_is_refused():
    path = recorded("Pendulum-v1", 5)
    path.s[3] += 1
    model, pi = Oracle(3, 1, lambda s, a: s, lambda s, a, s_next: s[:, 0]), None
    for f in (vg.recursion, vg.unrolled):
        with pytest.raises(ValueError, match="row 3 elsewhere than row 2 ended"):
            f(model, pi, path, None, 0.9)
        with pytest.raises(ValueError, match="no transition"):
            f(model, pi, path.take(slice(0, 0)), None, 0.9)


# Closed forms

SYSTEM = dataclasses.replace(point_masses(), gamma=0.8)
GAIN, S0 = np.array([[-0.4, -0.9]]), np.diag([0.2, 0.1])
SIGMA = 0.3  # of the policy


def linear_policy(K, sigma=SIGMA):
    pi = make_policy(2, 1, hidden=(), squash=False, sigma=(sigma, sigma))
    with torch.no_grad():
        pi.net[0].weight[:1] = torch.tensor(K)
        pi.net[0].bias[:1] = 0
    return pi


@functools.cache
def estimates(n=4000, T=60):
    """dJ/dK of n paths by the reparameterised and by the score function estimator, and
    the first path; every path has its own copy of K, so one backward pass is enough."""
    g = torch.Generator().manual_seed(0)
    root = torch.tensor(np.linalg.cholesky(S0))
    s = start = torch.randn(n, 2, generator=g, dtype=torch.double) @ root.T
    eta = torch.randn(T, n, 1, generator=g, dtype=torch.double)
    K = torch.tensor(GAIN).repeat(n, 1, 1).requires_grad_()
    states, actions, r = [], [], []
    for t in range(T):
        a = (K @ s[..., None])[..., 0] + SIGMA * eta[t]
        states.append(s)
        actions.append(a)
        s_next = SYSTEM.dynamics(s, a)
        r.append(SYSTEM.reward(s, a, s_next))
        s = s_next
    discount = SYSTEM.gamma ** torch.arange(T, dtype=torch.double)[:, None]
    worth = discount * torch.stack(r)
    (by_path,) = torch.autograd.grad(worth.sum(), K)
    to_go = worth.flip(0).cumsum(0).flip(0).detach()  # sum of gamma^t' r from t on
    z = torch.stack(states).detach()
    mu = (K @ z[..., None])[..., 0]
    a = torch.stack(actions).detach()
    log_pi = torch.distributions.Normal(mu, SIGMA).log_prob(a).sum(-1)
    (by_score,) = torch.autograd.grad((log_pi * to_go).sum(), K)
    z = torch.cat([z[:, 0], s[:1].detach()])
    first = Batch(z[:-1], a[:, 0], torch.stack(r)[:, 0].detach(), z[1:], torch.zeros(T))
    return by_path[:, 0], by_score[:, 0], first, start


def test_both_estimators_are_unbiased_and_one_is_far_less_noisy():
    """Noise on actions moves the state like noise in the dynamics, W = sigma^2 B B^T,
    and otherwise costs a constant: the gradient has a closed form."""
    by_path, by_score, _, _ = estimates()
    noisy = dataclasses.replace(SYSTEM, W=SIGMA**2 * SYSTEM.B @ SYSTEM.B.T)
    exact = torch.tensor(noisy.gradient(GAIN, S0))[0]
    for found in (by_path, by_score):
        error = found.std(0) / math.sqrt(len(found))
        assert ((found.mean(0) - exact).abs() < 4 * error).all()
    ratio = by_score.var(0) / by_path.var(0)
    print(f"variance, score function / reparameterised: {ratio.tolist()}")
    assert (ratio > 10).all()


def test_the_recursion_gives_the_reparameterised_estimate():
    by_path, _, path, _ = estimates()
    model, pi = Oracle(2, 1, SYSTEM.dynamics, SYSTEM.reward), linear_policy(GAIN)
    noise = vg.infer(model, pi, path)
    _, v_theta = vg.recursion(model, pi, path, noise, SYSTEM.gamma)
    assert relative(v_theta[:2], by_path[0]) < 1e-12  # the rows of mu come first


def exact_q(system, K, s):
    """Q(s, .) of a = K s, as r + gamma V(s')."""
    P = torch.tensor(system.value(K)[0])

    def q(a):
        s_next = system.dynamics(s, a)
        V = -((s_next @ P) * s_next).sum(1)
        return system.reward(s, a, s_next) + system.gamma * V

    return q


@pytest.mark.parametrize("n", [1, 2])
def test_the_deterministic_gradient_is_the_closed_form(n):
    system = dataclasses.replace(point_masses(n), gamma=0.9)
    start = np.diag(np.linspace(0.5, 1, 2 * n))
    K = system.optimal_gain() * 0.8
    # these states have the second moments of the discounted visits, which is all that a
    # gradient linear in s s^T sees of them
    s = torch.tensor(np.linalg.cholesky(system.moment(K, start)).T)
    pi = nn.Linear(2 * n, n, bias=False).double()
    pi.weight.data = torch.tensor(K)
    policy_gradient(pi(s), exact_q(system, K, s), torch.ones(2 * n).double())
    found, exact = -pi.weight.grad.numpy(), system.gradient(K, start)
    assert found == pytest.approx(exact, rel=1e-10, abs=1e-12)
    h = 1e-5 * np.eye(2 * n * n)[0].reshape(n, 2 * n)
    slope = (system.J(K + h, start) - system.J(K - h, start)) / 2e-5
    assert found[0, 0] == pytest.approx(slope, rel=1e-6)


def test_the_printed_objective_has_another_gradient():
    """s' = 0.9 s + 0.5 a, cost s^2 + 0.1 a^2, a = -k s, k = 0.7, s0 = 1.3: the gradient
    theorem gives dJ/dk; E_{s~rho}[Q(s, pi(s))], the lecture's J, has another slope."""
    system = LinearQuadratic(0.9, 0.5, np.diag([1.0, 0.1]), 0.95)
    start, h = [[1.3**2]], 1e-6

    def J(k):
        return system.J(-k, start)

    def printed(k):  # sum_t gamma^t V(s_t), as Q(s, pi(s)) = V(s)
        return -(system.value(-k)[0] * system.moment(-k, start)).item()

    theorem = -system.gradient(-0.7, start).item()  # d/dk = -d/dK
    assert theorem == pytest.approx((J(0.7 + h) - J(0.7 - h)) / (2 * h), rel=1e-6)
    assert theorem == pytest.approx(1.49199, abs=1e-5)
    slope = (printed(0.7 + h) - printed(0.7 - h)) / (2 * h)
    assert slope == pytest.approx(4.653, abs=1e-3)


def test_without_noise_svg_0_is_dpg():
    system, g = SYSTEM, torch.Generator().manual_seed(0)
    s = torch.randn(20, 2, generator=g, dtype=torch.double)
    pi, plain = linear_policy(GAIN, 1e-9), nn.Linear(2, 1).double()
    plain.weight.data, plain.bias.data = torch.tensor(GAIN), torch.zeros(1).double()
    q = exact_q(system, GAIN, s)
    policy_gradient(pi(s, pi.draw(s, g)), q)
    policy_gradient(plain(s), q)
    assert relative(pi.net[0].weight.grad[:1], plain.weight.grad) < 1e-7


# SVG(1)


class ExactV(nn.Module):
    def __init__(self, P):
        super().__init__()
        self.P = nn.Parameter(torch.tensor(P))

    def forward(self, s):
        return -((s @ self.P) * s).sum(1, keepdim=True)


def svg_1(**known):
    """SVG(1) whose model and value are exact, and its task's system."""
    cfg = svg.Config(
        **SMALL | {"hidden": ()}, gamma=0.8, squash=False, sigma=(0.3, 0.3), **known
    )
    agent = svg.SVG(task("LQR-v0"), dataclasses.replace(cfg, clip=1e9), Streams(0))
    agent.pi = linear_policy(GAIN)
    del agent.model  # a network, which torch lets nothing else replace
    agent.model = Oracle(2, 1, SYSTEM.dynamics, SYSTEM.reward)
    agent.model.draw = lambda n, g: torch.zeros(n, dtype=torch.long)
    agent.q = agent.q_bar = ExactV(SYSTEM.value(GAIN)[0])
    agent.opts["q"] = torch.optim.SGD(agent.q.parameters(), lr=0.0)
    agent.opts["pi"] = torch.optim.SGD(agent.pi.parameters(), lr=0.0)
    return agent


def steps_of(K, n=30):
    """Transitions under a = K s + 0.5 noise, and log of its density."""
    g = torch.Generator().manual_seed(3)
    s = torch.randn(n, 2, generator=g, dtype=torch.double)
    e = torch.randn(n, 1, generator=g, dtype=torch.double)
    a = s @ torch.tensor(K).T + 0.5 * e
    s_next = SYSTEM.dynamics(s, a)
    batch = Batch(s, a, SYSTEM.reward(s, a, s_next), s_next, torch.zeros(n).double())
    log_then = torch.distributions.Normal(0 * e, 0.5).log_prob(0.5 * e)[:, 0]
    return batch, log_then


def by_hand(batch, K_then, most):
    """pi(a|s) / pi_then(a|s) of two Gaussians, written out."""
    now, then = (batch.a - batch.s @ torch.tensor(K).T for K in (GAIN, K_then))
    exponent = (then / 0.5).square() / 2 - (now / 0.3).square() / 2
    return (0.5 / 0.3 * exponent.exp()).clamp(max=most)[:, 0]


def test_importance_weights_by_hand():
    K = np.array([[-0.1, -0.2]])
    batch, log_then = steps_of(K)
    for most in (5.0, 1.5):
        _, _, w = svg_1(most=most).explained(batch, log_then)
        assert torch.allclose(w, by_hand(batch, K, most), rtol=1e-10, atol=0)
    assert (w == 1.5).any() and (w < 1.5).any()
    _, _, w = svg_1(weights=False).explained(batch, log_then)
    assert (w == 1).all()


def test_random_actions_carry_the_density_of_the_uniform_law():
    agent = svg.SVG(task("Pusher-v5"), svg.Config(**SMALL, variant="0"), Streams(0))
    row = agent.act(torch.zeros(1, 23), random=True)
    assert row.shape == (1, 8) and row[0, :7].abs().max() <= 1
    assert row[0, 7].item() == pytest.approx(-7 * math.log(2))
    row = agent.act(torch.zeros(1, 23), random=False)
    log_pi = agent.pi.log_prob(torch.zeros(1, 23), row[:, :7]).item()
    assert row[0, 7].item() == pytest.approx(log_pi, rel=1e-6)


def test_svg_1_by_the_formula():
    """v_theta = mean of w (r_a + gamma V_s' f_a) pi_theta; with exact f and V what is
    in brackets is Q_a, and pi_theta of mu is s."""
    K = np.array([[-0.1, -0.2]])
    batch, log_then = steps_of(K)
    agent = svg_1()
    agent.update_1(batch, log_then)
    s, a = batch.s, batch.a.clone().requires_grad_()
    (q_a,) = torch.autograd.grad(exact_q(SYSTEM, GAIN, s)(a).sum(), a)
    wanted = (by_hand(batch, K, 5.0)[:, None] * q_a * s).mean(0)
    assert relative(-agent.pi.net[0].weight.grad[0], wanted) < 1e-10


def test_the_bound_on_the_gradient_and_what_is_not_finite():
    agent = svg_1()
    agent.cfg = dataclasses.replace(agent.cfg, clip=0.5)
    agent.opts["pi"] = torch.optim.SGD(agent.pi.parameters(), lr=1.0)
    flat = nn.utils.parameters_to_vector
    before = flat(agent.pi.parameters()).clone()
    vg.set_gradient(agent.pi, torch.full_like(before, 7.0))
    agent.step()
    moved = flat(agent.pi.parameters()) - before
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-3) and (moved > 0).all()
    before = flat(agent.pi.parameters()).clone()
    vg.set_gradient(agent.pi, torch.full_like(before, float("nan")))
    agent.step()
    assert torch.equal(flat(agent.pi.parameters()), before)


# It learns

LEARN = {"T": 2500, "T_random": 300, "hidden": (), "gamma": 0.95, "look": 1000}
REPLAY = LEARN | {"lr_pi": 2e-3, "lr_q": 3e-3, "tau": 0.02}
NOISE, MODEL = {"sigma": (0.3, 0.3)}, {"model_hidden": (16,), "epochs": 3}
LEARNERS = {
    "dpg": (dpg.dpg, dpg.Config(**REPLAY, sigma=0.3)),
    "svg(0)": (svg.svg, svg.Config(**REPLAY, **NOISE, variant="0")),
    "svg(1)": (svg.svg, svg.Config(**REPLAY, **NOISE, **MODEL, variant="1")),
    "svg(inf)": (
        svg.svg,
        svg.Config(**LEARN, **NOISE, **MODEL, variant="inf", lr_pi=0.02),
    ),
}


def returns_on_the_line(policy, n=200):
    """Of whole episodes from n random starts, and of the exact optimum from there."""
    known, g = task("Line-v0"), torch.Generator().manual_seed(5)
    start = (2 * torch.rand(n, 2, generator=g) - 1) * torch.tensor(line.START).float()
    s, live, total = start, torch.ones(n), torch.zeros(n)
    for _ in range(known.horizon):
        a = policy(s).clamp(-1, 1)
        s_next = known.dynamics(s, a)
        total += live * known.reward(s, a, s_next)
        live, s = live * (1 - known.terminal(s, a, s_next)), s_next
    P = torch.tensor(line.exact(1.0).finite(known.horizon)[1]).float()
    return total.mean().item(), -torch.einsum("ni,ij,nj->n", start, P, start).mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_each_comes_close_to_the_exact_optimum(name):
    """At most 5 % of what lies between doing nothing and the best possible is lost. The
    optimum of the discounted problem that they learn from loses 0.6 % already."""
    learn, cfg = LEARNERS[name]
    found = learn(task("Line-v0"), cfg, Streams(0))
    mine, best = returns_on_the_line(found.agent.policy)
    nothing, _ = returns_on_the_line(lambda s: torch.zeros(len(s), 1))
    K = torch.tensor(line.exact(cfg.gamma).optimal_gain()).float()
    discounted, _ = returns_on_the_line(lambda s: s @ K.T)
    lost = (best - mine) / (best - nothing)
    print(f"{name}: lost {lost:.2%} of {best - nothing:.1f}")
    assert mine <= best + 1e-3
    assert (best - discounted) / (best - nothing) < 0.01
    assert lost < 0.05


# The loop


@pytest.mark.parametrize("name", VARIANTS)
def test_the_books_are_right(name):
    learn, cfg = VARIANTS[name]
    rows = []
    found = learn(task("Line-v0"), cfg, Streams(1), lambda t, r: rows.append((t, r)))
    assert found.lengths.sum() >= cfg.T > found.lengths[:-1].sum()
    assert [t for t, _ in rows] == found.lengths.cumsum().tolist()
    assert [row["return"] for _, row in rows] == found.returns.tolist()
    assert [row["episode"] for _, row in rows] == list(range(len(rows)))
    seen = {t: row["greedy"] for t, row in rows if "greedy" in row}
    assert list(seen.items()) == list(zip(found.looks.tolist(), found.greedy.tolist()))
    assert len(seen) == len(rows) // 2 > 0
    assert all(math.isfinite(x) for _, row in rows for x in row.values())


def parameters(found):
    return nn.utils.parameters_to_vector(found.agent.parameters()).detach()


@pytest.mark.parametrize("name", VARIANTS)
def test_resumed_or_not_the_same_weights(name):
    """Also: the same seed gives the same run, another one another, and looking more
    often changes nothing."""
    learn, cfg = VARIANTS[name]
    whole = learn(task("Line-v0"), cfg, Streams(2))
    blind = dataclasses.replace(cfg, look=1000)
    assert torch.equal(
        parameters(learn(task("Line-v0"), blind, Streams(2))), parameters(whole)
    )
    other = learn(task("Line-v0"), cfg, Streams(3))
    assert not torch.equal(parameters(other), parameters(whole))
    kept = Memory()

    def power(t, row):
        if t > 90 and not kept.cut:
            kept.cut = True
            raise Cut

    kept.cut = False
    with pytest.raises(Cut):
        learn(task("Line-v0"), cfg, Streams(2), power, kept)
    assert 40 < kept.t[-1] < 120  # learning had begun
    resumed = learn(task("Line-v0"), cfg, Streams(2), power, kept)
    assert torch.equal(parameters(resumed), parameters(whole))
    for field in ("returns", "lengths", "greedy", "looks"):
        assert np.array_equal(getattr(resumed, field), getattr(whole, field))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", VARIANTS)
def test_on_a_gpu(name):
    learn, cfg = VARIANTS[name]
    found = learn(task("Line-v0"), cfg, Streams(1, "cuda"))
    assert parameters(found).is_cuda and parameters(found).isfinite().all()


# Bad input

BAD = [
    ({"T": 0}, "T is 0"),
    ({"T_random": 5, "batch": 10}, "T_random is 5, but must be at least batch, 10"),
    ({"T": 1000}, "T is 1000, but must be greater than T_random, 1000"),
    ({"capacity": 5}, "capacity is 5, but must be at least batch, 128"),
    ({"gamma": 1.5}, "gamma is 1.5"),
    ({"hidden": (0,)}, "hidden is 0"),
    ({"lr_pi": 0}, "lr_pi is 0"),
    ({"tau": 0}, "tau is 0"),
    ({"squash": 3}, "squash is 3"),
]
BAD_SVG = [
    ({"variant": "2"}, "variant is '2'"),
    ({"sigma": (0.0, 0.5)}, "sigma is 0.0"),
    ({"sigma": (0.5, 0.1)}, "sigma is 0.1"),
    ({"sigma": (0.5,)}, "but must be two numbers"),
    ({"noise": "none"}, "noise is 'none'"),
    ({"most": 0.5}, "most is 0.5"),
    ({"clip": 0}, "clip is 0"),
    ({"B": 0}, "B is 0"),
    ({"model_hidden": ()}, "must name at least one layer"),
    ({"lr_model": -1}, "lr_model is -1"),
]


@pytest.mark.parametrize("config", [dpg.Config, svg.Config])
@pytest.mark.parametrize(("values", "says"), BAD)
def test_bad_settings_are_refused(config, values, says):
    with pytest.raises(ValueError, match=says):
        config(**values)


@pytest.mark.parametrize(("values", "says"), BAD_SVG)
def test_bad_settings_of_svg_are_refused(values, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        svg.Config(**values)


def test_bad_noise_of_dpg_is_refused():
    with pytest.raises(ValueError, match="sigma is -0.1"):
        dpg.Config(sigma=-0.1)
