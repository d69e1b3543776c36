"""PPO: advantages, objective and policies by hand, then what it learns."""

import dataclasses
import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mbrl_edu.control import advantage, heads
from mbrl_edu.control.advantage import Rollout, Samples, gae
from mbrl_edu.control.ppo import AUTOMBPO, PPO, Config, clipped
from mbrl_edu.core.rng import Streams
from mbrl_edu.theory import mdp

T64 = torch.float64


def tensor(*x):
    return torch.tensor(x, dtype=T64)


def column(*x):
    return tensor(*x)[:, None]


# Advantages


def test_gae_by_hand():
    """Three steps; after the second the time limit: its value is used, but nothing of
    what follows; after the third the rollout is over."""
    r, V, d = column(1, 2, 3), column(10, 20, 30), column(0, 0, 0)
    cut, last = column(0, 1, 0), column(-99, 40, 50)
    A = gae(r, V, d, cut, last, 0.5, 0.5)
    delta = [1 + 0.5 * 20 - 10, 2 + 0.5 * 40 - 20, 3 + 0.5 * 50 - 30]
    wanted = [delta[0] + 0.25 * delta[1], delta[1], delta[2]]
    assert A[:, 0].tolist() == pytest.approx(wanted)


def test_an_end_counts_no_value_and_a_cut_does():
    r, V, zero = column(1, 1), column(5, 5), column(0, 0)
    last = column(7, 7)
    end = gae(r, V, column(1, 0), zero, last, 0.9, 0.8)
    cut = gae(r, V, zero, column(1, 0), last, 0.9, 0.8)
    both = gae(r, V, column(1, 0), column(1, 0), last, 0.9, 0.8)
    assert end[0].item() == pytest.approx(1 - 5)
    assert cut[0].item() == pytest.approx(1 + 0.9 * 7 - 5)
    assert both[0].item() == end[0].item()  # ended on the very last step


def test_lambda_0_is_the_error_of_V_and_lambda_1_the_return_less_V():
    g = torch.Generator().manual_seed(0)
    r, V, last = (torch.randn(6, 2, generator=g, dtype=T64) for _ in range(3))
    zero = torch.zeros_like(r)
    following = torch.cat([V[1:], last[-1:]])
    delta = r + 0.9 * following - V
    assert torch.allclose(gae(r, V, zero, zero, last, 0.9, 0.0), delta)
    powers = 0.9 ** torch.arange(6, dtype=T64)
    G = (powers[:, None] * r).sum(0) + 0.9**6 * last[-1]
    A = gae(r, V, zero, zero, last, 0.9, 1.0)
    assert torch.allclose(A[0], G - V[0])


def test_environments_side_by_side_do_not_touch():
    g = torch.Generator().manual_seed(1)
    r, V, last = (torch.randn(7, 3, generator=g) for _ in range(3))
    d, cut = (torch.rand(7, 3, generator=g) < 0.2 for _ in range(2))
    all_ = gae(r, V, d.float(), cut.float(), last, 0.9, 0.9)
    for i in range(3):
        mine = (x[:, [i]].float() for x in (r, V, d, cut, last))
        assert torch.equal(all_[:, [i]], gae(*mine, 0.9, 0.9))


def test_without_a_critic_the_advantage_is_the_reward_to_go():
    agent = PPO(1, (2,), AUTOMBPO, Streams(0))
    r = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    d = torch.tensor([[0.0], [1.0], [0.0], [0.0]])
    x = agent.samples(rollout(agent, torch.zeros(4, 1, 1), r, d))
    assert x.A.tolist() == [3, 2, 12, 8]


# The objective


def test_the_clipped_objective_by_hand():
    ratio = tensor(1.5, 0.5, 1.5, 0.5, 1.1)[:, None]
    A = tensor(1, 1, -1, -1, 2)
    wanted = (1.2 + 0.5 - 1.5 - 0.8 + 2.2) / 5
    assert clipped(ratio, A, 0.2).item() == pytest.approx(wanted)


def test_heads_are_clipped_one_by_one_and_summed():
    ratio, A = tensor(2, 0.9, 0.1)[None], tensor(3)
    assert clipped(ratio, A, 0.2).item() == pytest.approx(3 * (1.2 + 0.9 + 0.1))


@pytest.mark.parametrize("trunk", ["shared", "separate"])
def test_one_ratio_for_all_heads_or_one_a_head(trunk):
    """Old log-probabilities shifted by ln 2 up on one head, down on the other: the
    joint ratio stays 1 and loses nothing, a ratio of 2 each is cut to 1.2."""
    agent = PPO(2, (3, 4), Config(trunk=trunk), Streams(0))
    s, a = torch.randn(5, 2), torch.zeros(5, 2, dtype=torch.long)
    with torch.no_grad():
        old = agent.log_pi(s, a) + math.log(2) * torch.tensor([1.0, -1.0])
    A = torch.ones(5)
    loss, parts = agent.loss(Samples(s, a, old, A, A, A))
    wanted = 1.0 if trunk == "shared" else 0.5 + 1.2
    assert -parts["loss_pi"].item() == pytest.approx(wanted, rel=1e-5)
    assert parts["clipped"].item() == (0 if trunk == "shared" else 1)


def rollout(agent, s, r, d=None, cut=None, seed=0):
    """A rollout whose actions ``agent`` draws: s (T, N, ds), r (T, N)."""
    a, log_pi, V = agent.act(s.flatten(0, 1), torch.Generator().manual_seed(seed))
    a, log_pi, V = (x.unflatten(0, r.shape) for x in (a, log_pi, V))
    zero = torch.zeros_like(r)
    d, cut = zero if d is None else d, zero if cut is None else cut
    return Rollout(s, a, log_pi, V, r, s, d, cut)


@pytest.mark.parametrize("actions", [2, (4,), (2, 3)])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_first_gradient_is_the_policy_gradient(actions, normalise):
    """Before the first step every ratio is 1, and the gradient of the objective that
    of mean A ln pi(a|s). So it is in the second rollout too, with moments updated."""
    cfg = Config(critic=False, epochs=1, normalise_state=normalise)
    agent = PPO(3, actions, cfg, Streams(0))
    g = torch.Generator().manual_seed(0)
    for _ in range(2):
        s, r = torch.randn(8, 4, 3, generator=g), torch.randn(8, 4, generator=g)
        data = rollout(agent, s, r)
        x = agent.samples(data)
        loss, parts = agent.loss(x)
        assert parts["kl"].item() == pytest.approx(0, abs=1e-6)
        assert parts["clipped"].item() == 0
        plain = -(x.A * agent.log_pi(x.s, x.a).sum(1)).mean()
        weights = list(agent.pi.parameters())
        ours = torch.autograd.grad(loss, weights)
        theirs = torch.autograd.grad(plain, weights)
        for p, q in zip(ours, theirs):
            assert torch.allclose(p, q, atol=1e-6)
        assert any(p.abs().max() > 1e-3 for p in ours)
        agent.update(data, g)


def test_beyond_the_clip_there_is_no_gradient():
    agent = PPO(1, (2,), Config(critic=False), Streams(0))
    s, a = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.long)
    old = agent.log_pi(s, a).detach() - 0.5  # ratio e^0.5
    for A, moves in ((1.0, False), (-1.0, True)):
        x = Samples(s, a, old, torch.zeros(1), torch.tensor([A]), torch.zeros(1))
        grads = torch.autograd.grad(agent.loss(x)[0], list(agent.pi.parameters()))
        assert any(p.abs().max() > 0 for p in grads) == moves


def test_value_loss_plain_and_clipped():
    x = Samples(*(torch.zeros(1, 1) for _ in range(3)), *(torch.zeros(1),) * 3)
    x = x._replace(V=torch.tensor([0.0]), V_bar=torch.tensor([1.0]))
    for bound, now, wanted in (
        (None, 0.8, 0.2**2),
        (0.3, 0.8, 0.7**2),  # has moved too far: counts as 0.3
        (0.3, 0.2, 0.8**2),
        (0.3, -0.8, 1.8**2),  # the larger of the two
    ):
        agent = PPO(1, 1, Config(value_clip=bound), Streams(0))
        with torch.no_grad():
            agent.critic[-1].bias.fill_(now)
            agent.critic[-1].weight.zero_()
        assert agent.value_loss(x).item() == pytest.approx(wanted, rel=1e-5)


def test_the_loss_is_its_parts():
    cfg = Config(value_weight=0.7, entropy=0.3)
    agent = PPO(2, 1, cfg, Streams(0))
    x = agent.samples(rollout(agent, torch.randn(5, 2, 2), torch.randn(5, 2)))
    loss, part = agent.loss(x)
    total = part["loss_pi"] + 0.7 * part["loss_V"] - 0.3 * part["entropy"]
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)


# Policies


def test_gaussian_by_torch_and_its_entropy():
    pi = heads.Gaussian(3, 2, (8,), 0.7)
    s, a = torch.randn(4, 3), torch.randn(4, 2)
    mu = pi(s)
    law = torch.distributions.Normal(mu, pi.log_sd.exp())
    assert torch.allclose(pi.log_pi(mu, a)[:, 0], law.log_prob(a).sum(1), atol=1e-5)
    wanted = 2 * (math.log(0.7) + 0.5 * math.log(2 * math.pi * math.e))
    assert pi.entropy(mu).tolist() == pytest.approx([wanted] * 4, rel=1e-5)
    g = torch.Generator().manual_seed(0)
    many = pi.draw(mu[:1].expand(20_000, 2), g)
    assert torch.allclose(many.mean(0), mu[0], atol=0.02)
    assert torch.allclose(many.std(0), torch.full((2,), 0.7), atol=0.02)
    assert pi.greedy(10 * mu).abs().max() <= 1


@pytest.mark.parametrize("apart", [False, True])
def test_log_probabilities_of_heads_add_up(apart):
    """Over all 2 x 3 actions the products of the heads' probabilities sum to 1; drawn
    actions occur as often as they should; the entropies of the heads add up too."""
    with Streams(3).init("pi"):
        pi = heads.Categorical(2, (2, 3), (16,), apart)
    s = torch.randn(1, 2, generator=torch.Generator().manual_seed(0)).expand(6, 2)
    every = torch.cartesian_prod(torch.arange(2), torch.arange(3))
    logits = 5 * pi(s)
    each = pi.log_pi(logits, every)
    assert each.shape == (6, 2)
    p = each.sum(1).exp()
    assert p.sum().item() == pytest.approx(1, rel=1e-5)
    entropy = -(p * p.log()).sum()
    assert pi.entropy(logits)[0].item() == pytest.approx(entropy.item(), rel=1e-4)
    g = torch.Generator().manual_seed(0)
    drawn = pi.draw(logits[:1].expand(20_000, 5), g)
    share = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=6) / 20_000
    assert torch.allclose(share, p, atol=0.02)
    assert pi.greedy(logits)[0].tolist() == every[p.argmax()].tolist()


def test_entropy_of_even_odds():
    pi = heads.Categorical(1, (2, 5), ())
    even = torch.zeros(3, 7)
    wanted = math.log(2) + math.log(5)
    assert pi.entropy(even).tolist() == pytest.approx([wanted] * 3)


def test_separate_heads_share_no_weight():
    agent = PPO(2, (2, 3), Config(trunk="separate"), Streams(0))
    s, a = torch.randn(4, 2), torch.zeros(4, 2, dtype=torch.long)
    agent.log_pi(s, a)[:, 0].sum().backward()
    first, second = agent.pi.nets
    assert all(p.grad is not None for p in first.parameters())
    assert all(not p.grad.any() for p in second.parameters())


def test_first_weights():
    agent = PPO(4, 2, Config(hidden=(32,)), Streams(0))
    inner, outer = agent.pi.nets[0][0].weight, agent.pi.nets[0][-1].weight
    assert torch.allclose(inner.T @ inner, 2 * torch.eye(4), atol=1e-5)
    assert torch.allclose(outer @ outer.T, 1e-4 * torch.eye(2), atol=1e-8)
    assert agent.mean(torch.randn(9, 4)).abs().max() < 0.1
    glorot = PPO(4, (3,), Config(hidden=(32,), init="glorot"), Streams(0))
    bound = math.sqrt(6 / (32 + 3))
    most = glorot.pi.nets[0][-1].weight.abs().max().item()
    assert 0.9 * bound < most <= bound
    small = PPO(9, (3,), Config(hidden=(256,), init="small"), Streams(0))
    assert small.pi.nets[0][0].weight.std().item() == pytest.approx(0.04, rel=0.1)
    assert not small.pi.nets[0][0].bias.any()


# Normalisation


def test_moments_are_those_of_all_rows():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 3 + 7
    moments = advantage.Moments(3)
    for part in (x[:1], x[1:20], x[20:]):
        moments.add(part)
    assert torch.allclose(moments.mean, x.mean(0), rtol=1e-4)
    assert torch.allclose(moments.var, x.var(0, correction=0), rtol=1e-4)


def test_rewards_are_scaled_by_the_sd_of_their_discounted_sums():
    scale = advantage.Scale(0.5)
    r = torch.tensor([[4.0], [2.0], [6.0]])
    done = torch.tensor([[0.0], [1.0], [0.0]])
    sums = np.array([4, 0.5 * 4 + 2, 6])  # the third step begins anew
    assert scale(r, done).flatten().tolist() == pytest.approx(r[:, 0] / sums.std())
    scale(r[:1], done[:1])
    seen = np.append(sums, 0.5 * 6 + 4)  # the episode goes on in the next rollout
    assert scale.moments.var.item() == pytest.approx(seen.var(), rel=1e-5)


# What it learns


def learn(agent, play, updates, g, T=8, N=32):
    """``updates`` updates on rollouts by ``play(a)``, a problem of one step: s, then
    r (n,) for actions a (n, ...)."""
    for i in range(updates):
        s, pay = play(T * N, g)
        a, log_pi, V = agent.act(s, g)
        one = torch.ones(T, N)
        fields = (s, a, log_pi, V, pay(a), s)
        fields = (x.unflatten(0, (T, N)) for x in fields)
        agent.update(Rollout(*fields, one, 0 * one), g, 1 - i / updates)


def test_learns_a_bandit():
    """The last of four arms pays most; V becomes what it pays."""
    agent = PPO(1, (4,), Config(lr=3e-3), Streams(0))
    mean = torch.tensor([0.0, 0.3, 0.6, 1.0])

    def play(n, g):
        noise = 0.3 * torch.randn(n, generator=g)
        return torch.zeros(n, 1), lambda a: mean[a[:, 0]] + noise

    learn(agent, play, 15, torch.Generator().manual_seed(0))
    s = torch.zeros(1, 1)
    assert agent.log_pi(s, torch.tensor([[3]])).exp().item() > 0.9
    assert agent.mean(s).tolist() == [[3]]
    assert agent.V(s).item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("cfg", [Config(), AUTOMBPO], ids=["joint", "autombpo"])
def test_learns_a_bandit_of_several_choices_that_depends_on_s(cfg):
    """Each head is paid for one choice, which for the first depends on s; the second
    matters little, the third not at all."""
    cfg = dataclasses.replace(cfg, lr=3e-3)
    agent = PPO(1, (2, 3, 3), cfg, Streams(0))

    def play(n, g):
        s = torch.randint(2, (n, 1), generator=g).float()

        def pay(a):
            right = (a[:, 0] == s[:, 0]).float() - 0.5
            return right + 0.5 * ((a[:, 1] == 2).float() - 1 / 3)

        return s, pay

    learn(agent, play, 20, torch.Generator().manual_seed(0))
    assert agent.mean(torch.tensor([[0.0], [1.0]]))[:, :2].tolist() == [[0, 2], [1, 2]]
    s = torch.tensor([[0.0], [1.0]])
    p = agent.log_pi(s, torch.tensor([[0, 2, 0], [1, 2, 0]])).exp()
    assert (p[:, :2] > 0.9).all() and (p[:, 2] < 0.9).all()


def test_learns_choices_in_a_finite_mdp_to_near_its_exact_optimum():
    """Twelve states, three actions, a reward for most pairs, and no end: the greedy
    policy closes nine tenths of what lies between even odds and the best, and V is
    within 3 % of the exact values of what it plays."""
    S, A, gamma, T, N = 12, 3, 0.9, 16, 64
    draw = np.random.default_rng(0)
    P = draw.dirichlet(np.ones(S), (S, A))
    known = mdp.FiniteMDP(P, draw.normal(size=(S, A)), np.full(S, 1 / S), gamma)
    agent = PPO(S, (A,), Config(gamma=gamma, lr=1e-2, batch=256, epochs=4), Streams(0))
    g, every = torch.Generator().manual_seed(0), torch.eye(S)
    law, pay = torch.tensor(known.P), torch.tensor(known.r).float()
    s = torch.randint(S, (N,), generator=g)
    updates = 60
    for i in range(updates):
        rows = []
        for _ in range(T):
            a, log_pi, V = agent.act(every[s], g)
            p = law[s, a[:, 0]]
            new = torch.multinomial(p, 1, generator=g)[:, 0]
            zero = torch.zeros(N)
            row = (every[s], a, log_pi, V, pay[s, a[:, 0]], every[new], zero, zero)
            rows.append(row)
            s = new
        rollout = Rollout(*(torch.stack(x) for x in zip(*rows)))
        agent.update(rollout, g, 1 - i / updates)
    best = known.rho0 @ mdp.value_iteration(known)[1]
    even = mdp.policy_return(known, np.full((S, A), 1 / A))
    greedy = np.eye(A)[agent.mean(every)[:, 0].numpy()]
    assert mdp.policy_return(known, greedy) >= even + 0.9 * (best - even)
    choices = torch.arange(A)[:, None].expand(A, S)[..., None]
    log_pi = [agent.log_pi(every, a)[:, 0] for a in choices]
    pi = torch.stack(log_pi, 1).detach().double().softmax(1).numpy()
    exact = mdp.policy_values(known, pi)
    error = np.abs(agent.V(every).detach().numpy() - exact).max()
    assert error < 0.03 * np.abs(exact).max()


# The update


def same(x, y):
    return all(torch.equal(p, q) for p, q in zip(x.parameters(), y.parameters()))


def trained(seed=0, updates=2, cfg=None, agent=None, first=0):
    cfg = cfg or Config(epochs=2, normalise_state=True, scale_reward=True)
    agent = agent or PPO(2, 1, cfg, Streams(seed))
    for i in range(first, updates):
        g = torch.Generator().manual_seed(i)
        s, r = torch.randn(9, 3, 2, generator=g), torch.randn(9, 3, generator=g)
        agent.update(rollout(agent, s, r, seed=i), g, 1 - i / 4)
    return agent


def test_same_seed_same_weights():
    assert same(trained(), trained())
    assert not same(trained(), trained(seed=1))


def test_a_saved_agent_goes_on_as_if_nothing_had_happened():
    """Through a file that may hold no code: weights, Adam, moments and sums."""
    file = io.BytesIO()
    torch.save(trained(updates=2).state_dict(), file)
    file.seek(0)
    other = PPO(2, 1, trained().cfg, Streams(7))
    other.load_state_dict(torch.load(file, weights_only=True))
    ours, theirs = trained(agent=other, first=2, updates=4), trained(updates=4)
    assert same(ours, theirs)
    assert torch.equal(ours.states.var, theirs.states.var)
    assert torch.equal(ours.scale.sums, theirs.scale.sums)


def test_the_step_size_falls_where_asked():
    for anneal, wanted in ((True, 0.25 * 3e-4), (False, 3e-4)):
        agent = PPO(1, 1, Config(anneal=anneal, epochs=1), Streams(0))
        data = rollout(agent, torch.zeros(4, 1, 1), torch.randn(4, 1))
        agent.update(data, torch.Generator(), left=0.25)
        assert agent.opt.param_groups[0]["lr"] == pytest.approx(wanted)


def test_a_kl_limit_ends_the_epochs():
    g = torch.Generator().manual_seed(0)
    s, r = torch.randn(32, 4, 2, generator=g), torch.randn(32, 4, generator=g)
    made = {}
    for limit in (None, 1e-5):
        agent = PPO(2, 1, Config(target_kl=limit, lr=1e-2), Streams(0))
        made[limit] = agent.update(rollout(agent, s, r), g)
    assert made[None]["epochs"] == 10 and made[1e-5]["epochs"] == 1
    assert made[1e-5]["kl"] > 1e-5


def test_every_step_is_used_once_an_epoch(monkeypatch):
    agent, seen = PPO(1, 1, Config(epochs=2, batch=4), Streams(0)), []
    take = Samples.take
    monkeypatch.setattr(
        Samples, "take", lambda x, rows: (seen.append(rows.tolist()), take(x, rows))[1]
    )
    data = rollout(agent, torch.zeros(7, 2, 1), torch.randn(7, 2))
    agent.update(data, torch.Generator())
    assert [len(rows) for rows in seen] == [4, 4, 3, 3] * 2
    for epoch in (seen[:4], seen[4:]):
        assert sorted(sum(epoch, [])) == list(range(14))


def test_the_gradient_is_shortened(monkeypatch):
    lengths = []

    def step():
        grads = [p.grad for p in agent.parameters() if p.grad is not None]
        lengths.append(torch.cat([x.flatten() for x in grads]).norm().item())

    agent = PPO(1, 1, Config(epochs=1, grad_clip=0.1), Streams(0))
    monkeypatch.setattr(agent, "opt", SimpleNamespace(**vars_of(agent.opt, step)))
    agent.update(
        rollout(agent, torch.zeros(4, 1, 1), torch.full((4, 1), 50.0)),
        torch.Generator(),
    )
    assert lengths == [pytest.approx(0.1, rel=1e-4)]


def vars_of(opt, step):
    groups, zero = opt.param_groups, opt.zero_grad
    return {"param_groups": groups, "zero_grad": zero, "step": step}


# Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"gamma": 1.1}, "gamma is 1.1"),
        ({"lam": -0.1}, "lam is -0.1"),
        ({"clip": 0}, "clip is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"adam_eps": 0.0}, "adam_eps is 0.0"),
        ({"entropy": -1}, "entropy is -1"),
        ({"value_weight": -1}, "value_weight is -1"),
        ({"value_clip": 0.0}, "value_clip is 0.0"),
        ({"grad_clip": 0.0}, "grad_clip is 0.0"),
        ({"target_kl": 0.0}, "target_kl is 0.0"),
        ({"anneal": "no"}, "anneal is 'no'"),
        ({"critic": 2}, "critic is 2"),
        ({"scale_reward": None}, "scale_reward is None"),
        ({"hidden": (64, 0)}, "hidden is 0"),
        ({"trunk": "both"}, "trunk is 'both'"),
        ({"init": "zero"}, "init is 'zero'"),
        ({"sd": 0.0}, "sd is 0.0"),
    ],
)
def test_bad_settings_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Config(**values)


def test_bad_sizes_are_refused():
    for actions, sentence in (
        ((), r"actions is \(\)"),
        ((3, 1), "actions is 1"),
        (0, "actions is 0"),
        (True, "actions is True"),
    ):
        with pytest.raises(ValueError, match=sentence):
            PPO(2, actions, Config(), Streams(0))
    with pytest.raises(ValueError, match="ds is 0"):
        PPO(0, 1, Config(), Streams(0))
    with pytest.raises(ValueError, match="trunk is 'separate'.*continuous"):
        PPO(2, 1, Config(trunk="separate"), Streams(0))


def test_rollouts_that_do_not_fit_are_refused():
    agent = PPO(2, 1, Config(), Streams(0))
    good, g = rollout(agent, torch.zeros(3, 2, 2), torch.zeros(3, 2)), torch.Generator()
    bad = [
        (good._replace(r=torch.zeros(6)), r"rollout.r has shape \(6,\)"),
        (good._replace(d=torch.zeros(3, 1)), r"rollout.d .* \(3, 2\)"),
        (good._replace(s=torch.zeros(3, 2)), r"rollout.s .* \(3, 2, ...\)"),
        (good._replace(r=torch.full((3, 2), math.nan)), "not finite"),
    ]
    for data, sentence in bad:
        before = [p.clone() for p in agent.parameters()]
        with pytest.raises(ValueError, match=sentence):
            agent.update(data, g)
        assert all(torch.equal(p, q) for p, q in zip(before, agent.parameters()))
