"""MAAC: its gradient in closed form, its switches, and that it learns."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from memory import Cut, Memory, cut_after, weights
from test_mbpo import LINE, TINY, best_return, same
from test_mbpo import run as run_mbpo

from mbrl_edu.algos import maac, mbpo
from mbrl_edu.algos.loop import Knobs, learn
from mbrl_edu.algos.maac import Config, objective
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import line, lqr
from mbrl_edu.models.oracle import Oracle

SMALL = Config(**asdict(TINY), H=2)


def run(cfg=SMALL, seed=0, **known):
    rng = Streams(seed)
    return learn(maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng), cfg, rng, **known)


@pytest.fixture(scope="module")
def base():
    return run_mbpo()


def system():
    """A linear-quadratic problem, a policy a = K s, its exact V, Q and gradient."""
    exact = lqr.point_masses(1)
    K = 0.5 * exact.optimal_gain() + 0.01
    return exact, K


def gradient(H, terminal=None, wrong=0.0, constant=0.0):
    """d mean J / dK through the true dynamics (plus an error) and the exact Q."""
    exact, K = system()
    gain = torch.tensor(K, requires_grad=True)
    C = torch.tensor(exact.C)

    def reward(s, a, s_next):
        z = torch.cat([s, a], 1)
        return -(z @ C * z).sum(1)

    A, B = torch.tensor(exact.A), torch.tensor(exact.B)
    model = Oracle(2, 1, lambda s, a: s @ A.T + a @ B.T + wrong, reward)

    def policy(s):
        return s @ gain.T, torch.zeros(len(s), dtype=s.dtype)

    P = torch.tensor(value_matrix(exact, K))

    def q(s, a):
        s_next = s @ A.T + a @ B.T
        return reward(s, a, None) - exact.gamma * (s_next @ P * s_next).sum(1)

    s = torch.tensor([[1.0, -0.5], [0.3, 0.8], [-2.0, 0.1]], dtype=torch.float64)
    J, _ = objective(s, H, policy, model, q, exact.gamma, None, terminal)
    (slope,) = torch.autograd.grad(J.mean(), gain)
    return J.detach(), slope, s, exact, K


def value_matrix(exact, K):
    """P with V(s) = -s.P.s for a = K s."""
    return exact.value(K)[0]


@pytest.mark.parametrize("H", [0, 1, 2, 5])
def test_with_true_model_and_critic_every_H_gives_the_same_return(H):
    J, _, s, exact, K = gradient(H)
    np.testing.assert_allclose(
        J, -np.einsum("ni,ij,nj->n", s, value_matrix(exact, K), s)
    )


def test_the_gradient_is_the_closed_form_one():
    """Through H true steps, the gradient holds the terminal Q fixed: that of following
    a changed gain for H + 1 steps and the old one afterwards. As H grows it becomes the
    policy gradient of ``LinearQuadratic``; H = 0 is one term, Q_a pi_theta, of it."""
    exact, K = system()
    starts = gradient(0)[2].numpy()
    moment = np.einsum("ni,nj->ij", starts, starts) / len(starts)
    whole = exact.gradient(K, moment)
    for H in (0, 3):
        eps, rows = 1e-6, []
        for sign in (1, -1):
            J = 0.0
            for s in starts:
                x, total = s.copy(), 0.0
                for t in range(H + 1):
                    a = (K + sign * eps * np.eye(1, 2)) @ x
                    z = np.concatenate([x, a])
                    total -= exact.gamma**t * z @ exact.C @ z
                    x = exact.A @ x + exact.B @ a
                total -= exact.gamma ** (H + 1) * x @ value_matrix(exact, K) @ x
                J += total / len(starts)
            rows.append(J)
        slope = gradient(H)[1][0, 0].item()
        np.testing.assert_allclose(slope, (rows[0] - rows[1]) / (2 * eps), rtol=1e-6)
    np.testing.assert_allclose(gradient(600)[1], whole, rtol=1e-6)


def test_an_error_of_the_model_counts_more_the_longer_the_path():
    true = [gradient(H)[1] for H in (1, 8)]
    wrong = [gradient(H, wrong=0.05)[1] for H in (1, 8)]
    error = [(w - t).abs().sum() for w, t in zip(wrong, true)]
    assert 0 < error[0] < error[1]


def test_nothing_is_earned_after_an_end():
    _, K = system()

    def over(s, a, s_next):
        return torch.tensor([1.0, 0.0, 0.0])

    J, _, s, exact, _ = gradient(3, terminal=over)
    z = np.concatenate([s[0], K @ s[0].numpy()])
    assert J[0].item() == pytest.approx(-z @ exact.C @ z)
    assert J[1].item() == pytest.approx(gradient(3)[0][1].item())


def test_entropy_enters_at_every_step():
    def policy(s):
        return s[:, :1], torch.full((len(s),), 2.0)

    def reward(s, a, s_next):
        return torch.zeros(len(s))

    model = Oracle(2, 1, line.dynamics, reward)
    J, first = objective(
        torch.ones(1, 2), 2, policy, model, reward_free, 0.5, None, alpha=0.1
    )
    assert J.item() == pytest.approx(-0.2 * (1 + 0.5 + 0.25)) and first.item() == 2.0


def reward_free(s, a):
    return torch.zeros(len(s))


def test_switched_off_it_is_mbpo(base):
    off = run(replace(SMALL, H=0))
    assert same(base, off)


class Cliff:
    """Moves by a; a step from beyond 1 costs e^1000, which is infinite, and so does its
    slope."""

    def sample(self, s, a, g):
        s_next = s + a
        return -(torch.where(s > 1, 1000.0, 0.0) * s).exp().squeeze(1), s_next


@pytest.mark.parametrize("H", [1, 2, 4])
def test_what_explodes_beyond_an_end_is_never_seen(H):
    """Three rows; the second goes over at its first step, the third at once at its
    second. J and its gradient are those of the paths up to there."""

    def over(s, a, s_next):
        return (s_next > 1).squeeze(1)

    gain = torch.tensor(0.5, requires_grad=True)

    def policy(s):
        return gain.expand(len(s), 1), s.squeeze(1).exp()  # a log pi that explodes too

    def q(s, a):
        return torch.where(s > 1, 1e30, 1.0).square().squeeze(1) * a.squeeze(1)

    s = torch.tensor([[-9.0], [0.9], [0.2]])
    J, _ = objective(s, H, policy, Cliff(), q, 0.5, None, over)
    earned = [[-1.0], [-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0, -1.0, -1.0]][H - 1]
    walks = sum(0.5**t * r for t, r in enumerate(earned)) + 0.5**H * 0.5
    third = walks if H == 1 else -1.5
    torch.testing.assert_close(J, torch.tensor([walks, -1.0, third]))
    (slope,) = torch.autograd.grad(J.sum(), gain)
    assert slope.item() == pytest.approx(0.5**H * (2 if H == 1 else 1))


def test_no_step_is_made_along_a_gradient_that_is_not_finite():
    cfg, rng = SMALL, Streams(0)
    parts = maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng)
    with torch.no_grad():
        parts.model.layers[0].weight.fill_(torch.inf)
    D, agent = run_mbpo(mbpo.Config(**asdict(TINY) | {"T": 61})).D, parts.agent
    before = [p.clone() for p in agent.pi.parameters()]
    q = agent.q.layers[0].weight.clone()
    metrics = parts.improve(D, Knobs(k=1, G=1, real_ratio=1.0, fit=True))
    assert not metrics["loss_pi"].isfinite()
    assert all(torch.equal(a, b) for a, b in zip(before, agent.pi.parameters()))
    assert not torch.equal(q, agent.q.layers[0].weight)  # the critics need no model


# The plain form of the slide


def plain(beta=0.0, **change):
    cfg, rng = replace(SMALL, soft=False, beta=beta, **change), Streams(0)
    return maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng)


def transitions(n=8):
    g = torch.Generator().manual_seed(1)
    s, s_next = torch.randn(2, n, 2, generator=g)
    a, r = torch.rand(n, 1, generator=g), torch.randn(n, generator=g)
    return Batch(s, a, r, s_next, (torch.arange(n) % 3 == 0).float())


def test_the_plain_target_has_no_entropy():
    agent, batch = plain().agent, transitions()
    a_next, _ = agent.sample(batch.s_next, Streams(5)["g"])
    low = torch.minimum(*agent.q_bar(batch.s_next, a_next))
    y = batch.r + agent.cfg.gamma * (1 - batch.d) * low
    assert torch.equal(agent.target(batch, Streams(5)["g"], soft=False), y)
    assert not torch.allclose(agent.target(batch, Streams(5)["g"]), y)
    loss = sum(0.5 * (q - y).square().mean() for q in agent.q(batch.s, batch.a))
    found = agent.update_critic(batch, Streams(5)["g"], soft=False)["loss_q"]
    assert found.item() == pytest.approx(loss.item(), rel=1e-5)


def test_the_plain_objective_pays_beta_for_the_entropy_of_the_first_action():
    s = transitions().s
    (without, _), (rich, log_pi) = (plain(b).improve.actor_loss(s) for b in (0.0, 0.3))
    assert (rich - without).item() == pytest.approx(0.3 * log_pi.mean().item())


def test_the_plain_form_leaves_the_temperature_alone_and_learns_without_it():
    """Its target is used in a run: whatever alpha is, the run is the same."""
    cfg = replace(SMALL, soft=False)
    results = []
    for alpha in (1.0, 5.0):
        rng = Streams(0)
        parts = maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng)
        with torch.no_grad():
            parts.agent.log_alpha.fill_(np.log(alpha))
        results.append(learn(parts, cfg, rng))
        assert parts.agent.alpha.item() == pytest.approx(alpha)
    for a, b in zip(*(r.parts.agent.pi.parameters() for r in results)):
        assert torch.equal(a, b)


def test_the_value_at_the_end_is_that_of_the_named_critics():
    """Stubs for q and q_bar: with H = 0 and no entropy the loss is that value."""

    def critics(value):
        stub = torch.nn.Module()
        stub.forward = lambda s, a: torch.tensor([[value], [value + 9]]).expand(-1, 8)
        return stub

    for bar, value in ((False, 2.0), (True, 7.0)):
        parts = plain(terminal_bar=bar, H=0)
        parts.agent.q, parts.agent.q_bar = critics(2.0), critics(7.0)
        loss, _ = parts.improve.actor_loss(transitions().s)
        assert loss.item() == pytest.approx(-value)  # the lower of the two


@pytest.mark.parametrize(
    "change",
    [{}, {"H": 1}, {"soft": False}, {"soft": False, "beta": 0.1}]
    + [{"terminal_bar": True}],
)
def test_each_switch_changes_the_run(base, change):
    other = run(replace(SMALL, **change))
    assert not same(base, other)
    if change:
        assert not same(run(), other)


def test_no_gradient_reaches_the_model_or_the_critics():
    cfg, rng = SMALL, Streams(0)
    parts = maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng)
    before = [
        p.clone() for p in [*parts.model.parameters(), *parts.agent.q.parameters()]
    ]
    loss, log_pi = parts.improve.actor_loss(torch.zeros(4, 2))
    parts.agent.update_actor(loss, log_pi)
    after = [*parts.model.parameters(), *parts.agent.q.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after))
    assert all(p.grad is None and p.requires_grad for p in after)


def test_a_run_can_be_resumed():
    kept, rng = Memory(), Streams(0)
    parts = maac.maac(mbpo.mbpo(LINE, SMALL, rng), SMALL, rng)
    with pytest.raises(Cut):
        learn(cut_after(parts, 150), SMALL, rng, checkpoint=kept)
    assert same(run(), run(checkpoint=kept))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"H": -1}, "H is -1"),
        ({"soft": 2}, "soft is 2"),
        ({"soft": False, "beta": -0.1}, "beta is -0.1"),
        ({"beta": 0.1}, "beta is 0.1, but must be 0 where soft is True"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **bad)


def test_a_path_longer_than_the_task_is_refused():
    cfg = replace(SMALL, H=31)
    with pytest.raises(ValueError, match="H is 31.*30"):
        maac.maac(mbpo.mbpo(LINE, cfg, Streams(0)), cfg, Streams(0))


def test_it_refuses_to_drop_what_another_variant_does():
    parts = mbpo.mbpo(LINE, SMALL, Streams(0))
    with pytest.raises(ValueError, match="parts.improve is function"):
        maac.maac(replace(parts, improve=lambda D, now: {}), SMALL, Streams(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("soft", [True, False])
def test_on_a_gpu(soft):
    result = maac.train(LINE, replace(SMALL, soft=soft), Streams(1, "cuda"))
    own = weights(result.parts)
    assert own.is_cuda and own.isfinite().all()


@pytest.mark.parametrize("soft", [True, False])
def test_it_learns_the_line(soft):
    """Within 10 % of the exact optimum after 600 real steps, 200 of them random."""
    cfg = Config(
        T=600, T_random=200, epoch=200, fit_every=50, M=400, G=5, batch=128,
        fit_batch=64, hidden=(64, 64), model_hidden=(64, 64), B=3, elites=2, lr=1e-3,
        tau=0.01, H=3, soft=soft,
    )  # fmt: skip
    rng = Streams(0)
    result = maac.train(LINE, cfg, rng)
    best = best_return(rng, cfg.episodes).mean()
    assert result.evaluations[0].mean() < 2 * best
    assert 1.1 * best < result.evaluations[-1].mean() <= best + 0.05
    assert weights(result.parts).isfinite().all()
