"""Soft actor-critic: its parts against closed forms, its updates against a second
implementation, what it learns against known answers."""

import copy
import io
import math

import pytest
import torch
from torch import distributions, nn

from mbrl_edu.control.policies import TanhGaussian
from mbrl_edu.control.sac import SAC, Config
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams

SMALL = Config(hidden=(16, 16))


def agent(cfg=SMALL, ds=3, da=2, seed=0, name="sac"):
    return SAC(ds, da, cfg, Streams(seed), name)


def transitions(n=8, ds=3, da=2, seed=1, dtype=torch.float32, device="cpu"):
    g = torch.Generator().manual_seed(seed)
    s, s_next = torch.randn(2, n, ds, generator=g, dtype=dtype)
    a = torch.rand(n, da, generator=g, dtype=dtype) * 2 - 1
    r = torch.randn(n, generator=g, dtype=dtype)
    d = (torch.arange(n) % 3 == 0).to(dtype)
    return Batch(*(x.to(device) for x in (s, a, r, s_next, d)))


def weights(made):
    """Every number that an update may change, in one row."""
    return torch.cat([p.detach().flatten() for p in made.parameters()])


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


# Parts


def test_first_weights_follow_the_usual_law_of_torch():
    made = agent(Config(hidden=(300, 200)), ds=20, da=5)
    for i, layer in zip((25, 300, 200), made.q.layers):
        for p in (layer.weight, layer.bias):
            assert p.abs().max() <= i**-0.5
        # a uniform law on +- c has the standard deviation c / sqrt(3)
        if layer.weight.numel() > 10_000:
            expected = i**-0.5 / math.sqrt(3)
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert not torch.equal(layer.weight[0], layer.weight[1])
    pairs = zip(made.q.parameters(), made.q_bar.parameters())
    assert all(torch.equal(p, p_bar) and p is not p_bar for p, p_bar in pairs)
    assert made.alpha.item() == 1


def test_one_pass_is_two_single_networks():
    made, batch = agent(), transitions()
    q = made.q(batch.s, batch.a)
    for b in range(2):
        x = torch.cat([batch.s, batch.a], 1)
        for layer in made.q.layers[:-1]:
            x = (x @ layer.weight[b] + layer.bias[b, 0]).clamp_min(0)
        last = made.q.layers[-1]
        expected = (x @ last.weight[b] + last.bias[b, 0])[:, 0]
        assert torch.allclose(q[b], expected, atol=1e-6)
    assert not torch.allclose(q[0], q[1])


def test_target_critics_take_their_step():
    made = agent(Config(hidden=(8,), tau=0.25))
    old = [p.clone() for p in made.q_bar.parameters()]
    with torch.no_grad():
        for p in made.q.parameters():
            p += 1
    made.update_targets()
    for p, p_bar, before in zip(made.q.parameters(), made.q_bar.parameters(), old):
        assert torch.allclose(p_bar, 0.75 * before + 0.25 * p)


def test_greedy_action_is_tanh_of_mu():
    made, s = agent(), torch.randn(7, 3)
    mu = made.pi.net(s)[:, :2]
    assert torch.equal(made.mean(s), torch.tanh(mu))
    assert made.mean(s[0]).shape == (2,)  # one state alone is understood too


def test_target_and_losses_by_hand():
    """With known draws, every loss is its formula, and d = 1 leaves the reward."""
    made = agent(Config(hidden=(16, 16), gamma=0.9, alpha=0.3))
    batch = transitions()
    a_next, log_pi = made.sample(batch.s_next, generator())
    low = torch.minimum(*made.q_bar(batch.s_next, a_next))
    y = batch.r + 0.9 * (1 - batch.d) * (low - 0.3 * log_pi)
    assert torch.allclose(made.target(batch, generator()), y, atol=1e-6)
    assert torch.equal(made.target(batch, generator())[::3], batch.r[::3])
    q = made.q(batch.s, batch.a)
    expected = sum(0.5 * ((q[b] - y) ** 2).mean() for b in range(2))
    a, log_pi = made.sample(batch.s, generator(6))
    actor = (0.3 * log_pi - torch.minimum(*made.q(batch.s, a))).mean()
    loss, same = made.actor_loss(batch.s, generator(6))
    assert loss.item() == pytest.approx(actor.item(), abs=1e-6)
    assert torch.equal(same, log_pi)
    metrics = made.update_critic(batch, generator())
    assert metrics["loss_q"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert metrics["q"].item() == pytest.approx(q.mean().item(), abs=1e-6)


def test_the_step_of_the_policy_touches_nothing_else():
    made, batch = agent(), transitions()
    before = copy.deepcopy(made)
    made.update_actor(*made.actor_loss(batch.s, generator()))
    assert all(p.grad is None for p in made.q.parameters())
    for name in ("q", "q_bar"):
        mine, old = getattr(made, name), getattr(before, name)
        assert torch.equal(weights(mine), weights(old))
    assert not torch.equal(weights(made.pi), weights(before.pi))


@pytest.mark.parametrize(("gap", "sign"), [(0.5, -1), (-0.5, 1)])
def test_the_temperature_goes_the_right_way(gap, sign):
    """Entropy above its target: alpha falls. Adam's first step is lr, exactly."""
    batch, lr = transitions(64), 1e-2
    _, log_pi = agent().actor_loss(batch.s, generator())
    target = -log_pi.mean().item() - gap
    made = agent(Config(hidden=(16, 16), lr=lr, target_entropy=target))
    metrics = made.update_actor(*made.actor_loss(batch.s, generator()))
    assert made.log_alpha.item() == pytest.approx(sign * lr, rel=1e-4)
    assert metrics["alpha"].item() == pytest.approx(math.exp(sign * lr), rel=1e-4)
    assert metrics["entropy"].item() == pytest.approx(target + gap, abs=1e-5)


def test_target_entropy_and_a_fixed_temperature():
    assert agent().target_entropy == -2
    assert agent(Config(target_entropy=-0.05)).target_entropy == -0.05
    for alpha in (0.0, 0.2):
        made = agent(Config(hidden=(8,), alpha=alpha, learn_alpha=False))
        for seed in range(3):
            made.update(transitions(), generator(seed))
        assert made.alpha.item() == pytest.approx(alpha)
        assert weights(made.pi).isfinite().all()


# The whole update


class Plain:
    """SAC a second time, the long way: two critics apart, distributions of torch, an
    unfused Adam for each."""

    def __init__(self, made: SAC):
        cfg = self.cfg = made.cfg
        self.entropy, self.pi = made.target_entropy, copy.deepcopy(made.pi.net)
        self.q = [self.critic(made.q, b) for b in range(2)]
        self.q_bar = copy.deepcopy(self.q)
        self.log_alpha = torch.zeros((), dtype=torch.float64, requires_grad=True)
        nets = (self.pi.parameters(), [p for q in self.q for p in q.parameters()])
        self.opts = [torch.optim.Adam(p, cfg.lr) for p in (*nets, [self.log_alpha])]

    @staticmethod
    def critic(twin, b):
        layers = []
        for layer in twin.layers:
            _, i, o = layer.weight.shape
            layers += [nn.Linear(i, o, dtype=torch.float64), nn.ReLU()]
            layers[-2].weight.data = layer.weight[b].detach().T.clone()
            layers[-2].bias.data = layer.bias[b, 0].detach().clone()
        return nn.Sequential(*layers[:-1])

    def sample(self, s, g):
        mu, log_sd = self.pi(s).chunk(2, 1)
        sd = log_sd.clamp(-20, 2).exp()
        u = mu + sd * torch.randn(mu.shape, generator=g, dtype=mu.dtype)
        law = distributions.TransformedDistribution(
            distributions.Normal(mu, sd), distributions.TanhTransform(cache_size=1)
        )
        a = law.transforms[0](u)
        return a, law.log_prob(a).sum(1)

    def low(self, critics, s, a):
        return torch.minimum(*(q(torch.cat([s, a], 1))[:, 0] for q in critics))

    def step(self, opt, loss):
        for each in self.opts:
            each.zero_grad()
        loss.backward()
        opt.step()

    def update(self, batch, g):
        s, a, r, s_next, d = batch
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            a_next, log_pi = self.sample(s_next, g)
            V = self.low(self.q_bar, s_next, a_next) - alpha * log_pi
            y = r + self.cfg.gamma * (1 - d) * V
        x = torch.cat([s, a], 1)
        errors = [nn.functional.mse_loss(q(x)[:, 0], y) for q in self.q]
        self.step(self.opts[1], 0.5 * errors[0] + 0.5 * errors[1])
        a, log_pi = self.sample(s, g)
        self.step(self.opts[0], (alpha * log_pi - self.low(self.q, s, a)).mean())
        gap = (log_pi + self.entropy).detach()
        self.step(self.opts[2], -(self.log_alpha * gap).mean())
        for q, q_bar in zip(self.q, self.q_bar):
            for p, p_bar in zip(q.parameters(), q_bar.parameters()):
                p_bar.data = (1 - self.cfg.tau) * p_bar.data + self.cfg.tau * p.data


def test_updates_equal_those_of_a_second_implementation():
    made = agent(Config(hidden=(16, 16), lr=1e-2, tau=0.1)).double()
    plain, g, g_plain = Plain(made), generator(), generator()
    first = weights(made)
    for seed in range(20):
        batch = transitions(32, seed=seed, dtype=torch.float64)
        made.update(batch, g)
        plain.update(batch, g_plain)
    assert (weights(made) - first).abs().max() > 0.1
    assert torch.allclose(made.log_alpha, plain.log_alpha, atol=1e-9)
    s, a = transitions(dtype=torch.float64)[:2]
    assert torch.allclose(made.pi.net(s), plain.pi(s), atol=1e-7)
    for mine, theirs in ((made.q, plain.q), (made.q_bar, plain.q_bar)):
        values = torch.stack([q(torch.cat([s, a], 1))[:, 0] for q in theirs])
        assert torch.allclose(mine(s, a), values, atol=1e-7)


def test_same_seed_same_weights_and_the_name_counts():
    state = torch.get_rng_state()
    many = [agent(seed=3), agent(seed=3), agent(seed=4), agent(seed=3, name="other")]
    for made in many:
        g = Streams(3)["update"]
        for seed in range(4):
            made.update(transitions(seed=seed), g)
    same = [torch.equal(weights(many[0]), weights(made)) for made in many]
    assert same == [True, True, False, False]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_saved_agent_goes_on_as_if_never_saved():
    """Bit for bit, and only with the optimisers' states."""
    made, other = agent(seed=1), agent(seed=2)
    g = generator()
    for seed in range(5):
        made.update(transitions(seed=seed), g)
    stored = io.BytesIO()
    torch.save(made.state_dict(), stored)
    stored.seek(0)
    other.load_state_dict(torch.load(stored, weights_only=True))
    g_other = torch.Generator()
    g_other.set_state(g.get_state())
    for seed in range(5, 15):
        made.update(transitions(seed=seed), g)
        other.update(transitions(seed=seed), g_other)
    assert torch.equal(weights(made), weights(other))
    forgetful = agent(seed=1)
    state = made.state_dict()
    state["_extra_state"] = forgetful.get_extra_state()
    forgetful.load_state_dict(state)
    for each in (made, forgetful):
        each.update(transitions(), generator(7))
    assert not torch.equal(weights(made), weights(forgetful))


def test_a_copy_is_independent():
    made = agent()
    twin = copy.deepcopy(made)
    for each in (made, twin):
        each.update(transitions(), generator())
    assert torch.equal(weights(made), weights(twin))
    twin.update(transitions(), generator())
    assert not torch.equal(weights(made), weights(twin))


# Bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": 1.1}, r"gamma is 1.1, but must be a number in \[0, 1\]"),
        ({"tau": 0.0}, r"tau is 0.0, but must be a number in \(0, 1\]"),
        ({"lr": -1e-3}, "lr is -0.001"),
        ({"hidden": ()}, "hidden is"),
        ({"hidden": (0,)}, "hidden is 0"),
        ({"alpha": 0.0}, "alpha is 0.0, but must be a number greater than 0"),
        ({"alpha": -1.0, "learn_alpha": False}, "alpha is -1.0"),
        ({"target_entropy": math.inf}, "target_entropy is inf"),
        ({"learn_alpha": "no"}, "learn_alpha is 'no'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


@pytest.mark.parametrize("field", Batch._fields)
def test_wrong_shapes_are_refused_before_anything_changes(field):
    made, batch = agent(), transitions()
    before = weights(made)
    bad = batch._replace(**{field: getattr(batch, field)[..., :1]})
    if field in "rd":  # a column broadcasts silently where a row is meant
        bad = batch._replace(**{field: getattr(batch, field)[:, None]})
    with pytest.raises(ValueError, match=rf"batch.{field} has shape .*, but must have"):
        made.update(bad, generator())
    assert torch.equal(weights(made), before)


def test_wrong_states_and_sizes_are_refused():
    made = agent()
    message = r"s has shape \(5, 2\), but must have \(n, 3\)"
    for call in (made.mean, lambda s: made.sample(s, generator())):
        with pytest.raises(ValueError, match=message):
            call(torch.zeros(5, 2))
    message = r"a has shape \(4, 2\), but must have \(5, 2\)"
    with pytest.raises(ValueError, match=message):
        made.q(torch.zeros(5, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="ds is 0, but must be a whole number"):
        agent(ds=0)
    with pytest.raises(ValueError, match="da is 1.5, but must be a whole number"):
        TanhGaussian(2, 1.5)


# On a GPU

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_it_starts_and_steps_as_on_the_cpu():
    """At d = 1 the critics' step has no draws, which differ between devices."""
    there, here = SAC(3, 2, SMALL, Streams(0), device="cuda"), agent()
    assert torch.equal(weights(there).cpu(), weights(here))
    batch = transitions(64)
    batch = batch._replace(d=torch.ones(64))
    there.update_critic(Batch(*(x.cuda() for x in batch)), Streams(0, "cuda")["g"])
    here.update_critic(batch, generator())
    q, q_here = there.q(batch.s.cuda(), batch.a.cuda()).cpu(), here.q(batch.s, batch.a)
    assert torch.allclose(q, q_here, atol=1e-3)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_nothing_waits():
    rng = Streams(0, "cuda")
    made, batch = SAC(3, 2, SMALL, rng, device="cuda"), transitions(64, device="cuda")
    g, first = rng["update"], weights(made)
    made.update(batch, g)
    torch.cuda.set_sync_debug_mode("error")
    try:
        made.update(batch, g)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert weights(made).isfinite().all() and not torch.equal(weights(made), first)
