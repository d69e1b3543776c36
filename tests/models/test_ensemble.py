"""The ensemble: loss, bounds, decay, members, state."""

import io
import math

import pytest
import torch

from mbrl_edu.core.data import Batch
from mbrl_edu.core.nets import MemberLinear, mlp
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.layout import Angles, Layout, no_reward

SMALL = Config(B=4, elites=3, hidden=(16, 16))


def model(cfg=SMALL, layout=None, seed=0, double=False):
    made = Ensemble(layout or Layout(3, 2), cfg, Streams(seed))
    return made.double() if double else made


def states(n, ds=3, da=2, seed=1, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(n, ds, generator=g, dtype=dtype)
    return s, torch.rand(n, da, generator=g, dtype=dtype) * 2 - 1


def one_step(made, n=8):
    g = torch.Generator().manual_seed(3)
    z = torch.randn(made.B, n, len(made.x_mean), generator=g)
    y = torch.randn(made.B, n, made.layout.dy, generator=g)
    made.opt.zero_grad()
    made.loss(z, y).backward()
    made.opt.step()


def test_first_weights_are_a_normal_law_cut_at_two_deviations():
    with Streams(0).init("x"):
        layer = MemberLinear(3, 400, 300)
    sd = 1 / (2 * math.sqrt(400))
    assert layer.weight.abs().max() <= 2 * sd and not layer.bias.any()
    # a standard normal cut at 2 has the variance 1 - 4 phi(2) / (2 Phi(2) - 1)
    phi, mass = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    expected = sd * math.sqrt(1 - 4 * phi / mass)
    assert layer.weight.std().item() == pytest.approx(expected, rel=0.005)
    x = torch.randn(3, 5, 400)
    expected = torch.stack([x[b] @ layer.weight[b] + layer.bias[b] for b in range(3)])
    assert torch.allclose(layer(x), expected, atol=1e-5)
    assert torch.allclose(layer.member(2, x[2]), expected[2], atol=1e-5)


def test_mlp_has_no_activation_at_its_end():
    layers = [type(layer).__name__ for layer in mlp(3, 8, 8, 2)]
    assert layers == ["Linear", "SiLU", "Linear", "SiLU", "Linear"]
    with pytest.raises(ValueError, match="sizes is"):
        mlp(3)


def test_loss_by_hand():
    """One member, one dimension, two rows; the network gives mean 2, raw lv 0."""
    made = model(Config(B=1, elites=1, hidden=(1,)), Layout(1, 0, reward=no_reward))
    with torch.no_grad():
        for p in made.layers.parameters():
            p.zero_()
        made.layers[-1].bias[0, 0, 0] = 2.0
    lv = 0.5 - math.log1p(math.exp(0.5))
    lv = -10 + math.log1p(math.exp(lv + 10))
    y = torch.tensor([[[1.0], [5.0]]])
    expected = (1 + 9) / 2 * math.exp(-lv) + lv + 0.01 * 10.5
    assert made.loss(torch.zeros(1, 2, 1), y).item() == pytest.approx(
        expected, rel=1e-6
    )


def test_loss_sums_over_members_and_squares_halved_without_noise():
    z, y = torch.randn(4, 6, 5), torch.randn(4, 6, 4)
    made = model(Config(B=4, elites=4, hidden=(16,), probabilistic=False))
    mean, _ = made(z)
    by_hand = sum(((mean[b] - y[b]) ** 2 / 2).mean() for b in range(4))
    assert made.loss(z, y).item() == pytest.approx(by_hand.item(), rel=1e-5)
    noisy = model()
    mean, lv = noisy(z)
    nll = sum(((mean - y)[b] ** 2 / lv[b].exp() + lv[b]).mean() for b in range(4))
    by_hand = nll + 0.01 * (noisy.lmax.sum() - noisy.lmin.sum())
    assert noisy.loss(z, y).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_soft_bounds_hold_and_keep_a_gradient():
    made = model()
    out = torch.zeros(4, 1, 8, requires_grad=True)
    for raw in (-30.0, 20.0):
        _, lv = made._gaussian(out + raw)
        # lmax - softplus(lmax - lv) <= lmax; the second bound adds at most exp(-10.5)
        assert (lv >= made.lmin).all() and (lv <= made.lmax + 1e-4).all()
        grads = torch.autograd.grad(lv.sum(), [out, made.lmax, made.lmin])
        assert grads[0][..., 4:].abs().min() > 0
        assert (grads[1] if raw > 0 else grads[2]).min() > 0.9  # the bound moves


def test_decay_per_layer_is_the_gradient_of_its_formula():
    """One SGD step with the groups of Adam equals one on the written-out loss."""
    rates = (0.1, 0.2, 0.3)
    cfg = Config(B=2, elites=2, hidden=(6, 6), decay=rates)
    a, b = model(cfg), model(cfg)
    z, y = torch.randn(2, 5, 5), torch.randn(2, 5, 4)
    a.loss(z, y).backward()
    torch.optim.SGD(a._groups(), lr=0.1).step()
    written = [r / 2 * layer.weight.square().sum() for r, layer in zip(rates, b.layers)]
    (b.loss(z, y) + sum(written)).backward()
    torch.optim.SGD(b.parameters(), lr=0.1).step()
    for p, q in zip(a.parameters(), b.parameters()):
        assert torch.allclose(p, q, atol=1e-7)


def test_decay_is_spread_over_the_depth():
    assert Config().rates == pytest.approx((2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4))
    assert Config(hidden=(9,)).rates == pytest.approx((2.5e-5, 1e-4))
    middle = (5e-5 * 2 + 7.5e-5) / 3
    expected = (2.5e-5, middle, 7.5e-5, 1e-4)
    assert Config(hidden=(9, 9, 9)).rates == pytest.approx(expected)


def test_members_are_independent():
    made = model()
    z, y = torch.randn(4, 6, 5), torch.randn(4, 6, 4)
    mean, lv = made(z)
    ((mean[2] - y[2]) ** 2 * (-lv[2]).exp() + lv[2]).mean().backward()
    for p in made.layers.parameters():
        touched = [bool(p.grad[b].any()) for b in range(4)]
        assert touched == [False, False, True, False]


@pytest.mark.parametrize(
    ("B", "noise", "family"),
    [(1, False, "D"), (1, True, "P"), (5, False, "DE"), (5, True, "PE")],
)
def test_family(B, noise, family):
    cfg = Config(B=B, elites=B, hidden=(8,), probabilistic=noise)
    made = model(cfg)
    assert cfg.family == family
    s, a = states(7)
    mean, lv = made.predict(s, a)
    assert mean.shape == lv.shape == (B, 7, 4)
    assert torch.isfinite(lv).all() if noise else (lv == -math.inf).all()
    draws = {tuple(made.sample(s, a, Streams(i)["g"])[0].tolist()) for i in range(8)}
    assert (len(draws) == 1) == (family == "D")


def test_same_seed_same_weights_and_the_name_counts():
    a, b, c = model(seed=3), model(seed=3), model(seed=4)
    d = Ensemble(Layout(3, 2), SMALL, Streams(3), name="backward")
    for made in (a, b):
        one_step(made)
        one_step(made)
    pairs = [zip(a.parameters(), x.parameters()) for x in (b, c, d)]
    assert [all(torch.equal(p, q) for p, q in pair) for pair in pairs] == [1, 0, 0]


def test_layout_of_inputs_and_targets():
    """Angle s1 in, s0 dropped; s2 learned as it is; the reward known."""
    layout = Layout(3, 2, Angles((1,), drop=(0,)), (2,), lambda s, a, z: z.sum(1))
    s, a = states(5)
    x = layout.x(s, a)
    assert layout.dx == 5 and layout.dy == 3
    expected = torch.cat([s[:, 1:2].sin(), s[:, 1:2].cos(), s[:, 2:], a], 1)
    assert torch.allclose(x, expected)
    s_next = s + 1
    y = layout.target(Batch(s, a, s[:, 0], s_next, s[:, 0]))
    assert torch.allclose(y, torch.stack([*torch.ones(2, 5), s_next[:, 2]], 1))
    r, back = layout.apply(s, a, layout.change(s, y))
    assert torch.allclose(back, s_next) and torch.allclose(r, s_next.sum(1))
    learned = Layout(3, 2, absolute=(2,))
    y = learned.target(Batch(s, a, s[:, 0], s_next, s[:, 0]))
    r, back = learned.apply(s, a, learned.change(s, y))
    assert torch.equal(r, s[:, 0]) and torch.allclose(back, s_next)
    made = model(layout=layout)
    mean, _ = made.predict(s, a)
    raw, _ = made(made.normalise(x).expand(4, 5, 5))
    assert torch.allclose(mean[..., :2], raw[..., :2], atol=1e-6)
    assert torch.allclose(mean[..., 2] + s[:, 2], raw[..., 2], atol=1e-6)


def test_features_are_what_the_last_layer_sees():
    made, (s, a) = model(), states(9)
    h = made.features(s, a)
    assert h.shape == (4, 9, 16)
    assert torch.allclose(made.layers[-1](h)[..., :4], made.predict(s, a)[0], atol=1e-6)


def test_state_dict_holds_normaliser_elites_and_optimiser():
    a, b = model(seed=1), model(seed=2)
    one_step(a)
    a.x_mean += 1.0
    a.elites = torch.tensor([2, 1, 3])
    stored = io.BytesIO()
    torch.save(a.state_dict(), stored)
    stored.seek(0)
    b.load_state_dict(torch.load(stored, weights_only=True))
    assert b.elites.tolist() == [2, 1, 3] and torch.equal(b.x_mean, a.x_mean)
    for made in (a, b):
        one_step(made)  # would differ without Adam's state
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


def test_some_members_apart_train_as_they_would_together():
    whole, apart = model(), model()
    for made in (whole, apart):
        one_step(made)
    part = apart.take([3, 1])
    z, y = torch.randn(4, 6, 5), torch.randn(4, 6, 4)
    for made, rows in ((whole, [0, 1, 2, 3]), (part, [3, 1])):
        bounds = [made.lmax, made.lmin]
        made.opt.zero_grad()
        made.loss(z[rows], y[rows]).backward()
        for p in bounds:
            p.grad = None  # shared by the members, so the only difference
        made.opt.step()
    before = apart.layers[0].weight[[0, 2]].clone()
    apart.put([3, 1], part)
    for p, q in zip(apart.layers.parameters(), whole.layers.parameters()):
        assert torch.allclose(p[[1, 3]], q[[1, 3]], atol=1e-6)
        mine, theirs = apart.opt.state[p], whole.opt.state[q]
        assert torch.allclose(mine["exp_avg"][[1, 3]], theirs["exp_avg"][[1, 3]])
    assert torch.equal(apart.layers[0].weight[[0, 2]], before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"B": 0}, "B is 0"),
        ({"B": 5, "elites": 6}, "elites is 6"),
        ({"hidden": ()}, "hidden is"),
        ({"decay": (0.1,)}, "decay is"),
        ({"lr": 0.0}, "lr is 0.0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_wrong_shapes_are_refused():
    made, (s, a) = model(), states(5)
    with pytest.raises(ValueError, match=r"s has shape \(5, 2\), but must be \(n, 3\)"):
        made.predict(s[:, :2], a)
    with pytest.raises(ValueError, match=r"a has shape \(4, 2\), but must be \(5, 2\)"):
        made.sample(s, a[:4], Streams(0)["g"])
    with pytest.raises(ValueError, match="absolute is 3"):
        Layout(3, 2, absolute=(3,))


def test_rounded_products_are_near_and_only_on_request() -> None:
    layout, rng = Layout(4, 2), Streams(0)
    model = Ensemble(layout, Config(hidden=(32, 32, 32)), rng)
    s, a = torch.randn(50, 4, generator=rng["s"]), torch.rand(50, 2, generator=rng["a"])
    who = torch.arange(50) % model.B
    exact = model.predict_rows(s, a, who)
    model.round()
    rounded = model.predict_rows(s, a, who)
    assert not torch.equal(exact[0], rounded[0])
    for x, y in zip(exact, rounded):
        assert (x - y).abs().max() < 0.02 * x.abs().max()
    model.round(False)
    assert torch.equal(model.predict_rows(s, a, who)[0], exact[0])
