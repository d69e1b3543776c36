"""Fitting an ensemble: data, stopping, elites, the normaliser."""

import math

import numpy as np
import pytest
import torch

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.models import fit as room
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.fit import Stopping, fit
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Layout, check_batch

SMALL = Config(B=3, elites=2, hidden=(16, 16), lr=1e-2)


def transitions(n=400, seed=0):
    """A linear system with a linear reward and a little noise; s2 is constant."""
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(n, 3, generator=g)
    s[:, 2] = 1e5
    a = torch.rand(n, 1, generator=g) * 2 - 1
    s_next = s + 0.1 * torch.cat([s[:, 1:2], a, torch.zeros(n, 1)], 1)
    s_next[:, :2] += 0.01 * torch.randn(n, 2, generator=g)
    r = s[:, 0] + a[:, 0]
    return Batch(s, a, r, s_next, torch.zeros(n))


def trained(cfg=None, seed=0, data=None, **settings):
    rng = Streams(seed)
    model = Ensemble(Layout(3, 1), SMALL, rng)
    cfg = cfg or room.Config(**{"batch": 64, "epochs": 20} | settings)
    return model, fit(model, data or transitions(), cfg, rng["fit"])


def stop(curves, **settings):
    """Epochs each member trains, and its best error, on given holdout curves."""
    cfg = room.Config(**{"steps": 0} | settings)
    rule, trains = Stopping(len(curves), cfg), [0] * len(curves)
    epoch = 0
    while rule.live and epoch < len(curves[0]):
        for b in rule.live:
            trains[b] += 1
        rule.update([curves[b][epoch] for b in rule.live])
        epoch += 1
    return trains, rule.best


def test_stopping_on_curves():
    """The sixth epoch in a row without a fall of more than 1 % is the last."""
    flat = [1.0] * 41
    slow = [0.995**t for t in range(41)]  # 0.5 % an epoch: 1 % takes 3 epochs
    fast = [0.9**t for t in range(10)] + [1.0] * 31
    trains, best = stop([flat, slow, fast])
    assert trains == [7, 41, 16]
    # 0.995^3 is the first below 0.99 of the best, so only every third is one
    assert best == pytest.approx([1.0, 0.995**39, 0.9**9])
    assert stop([flat, slow, fast], stop="all")[0] == [41, 41, 41]
    assert stop([flat, fast], stop="all")[0] == [16, 16]
    assert stop([flat], patience=0)[0] == [2]
    assert stop([flat], patience=0, steps=9)[0] == [11]  # one step an epoch
    assert Stopping(1, room.Config(steps=150), steps=32).patience == 5


def test_nan_is_no_improvement():
    trains, best = stop([[1.0, math.nan] + [math.nan] * 20])
    assert trains == [7] and best == [1.0]


def test_the_bootstrap_is_drawn_once_per_call(monkeypatch):
    seen, orders, epoch = [], [], room._epoch
    monkeypatch.setattr(
        room,
        "_epoch",
        lambda model, average, table, own, size: (
            orders.append(own),
            seen.append(own.sort(1).values),
            epoch(model, average, table, own, size),
        ),
    )
    rng = Streams(0)
    model = Ensemble(Layout(3, 1), SMALL, rng)
    cfg = room.Config(batch=64, epochs=3, patience=9)
    for _ in range(2):
        fit(model, transitions(), cfg, rng["fit"])
    assert not torch.equal(orders[0], orders[1])
    first, second = seen[:3], seen[3:]
    assert all(torch.equal(x, first[0]) for x in first)  # reshuffled, not redrawn
    assert not torch.equal(first[0], second[0])
    assert first[0].shape == (3, 320) and not torch.equal(first[0][0], first[0][1])
    for own in first[0]:  # with replacement: about 1 - 1/e of the data appear
        assert 0.55 < len(own.unique()) / 320 < 0.71
    assert len(first[0].unique()) <= 320  # never from the holdout


def test_a_fit_learns_and_keeps_the_best_weights():
    model, report = trained(batch=16, epochs=None)
    curves = [[e[b] for e in report.curve if b in e] for b in range(3)]
    for b, curve in enumerate(curves):
        rule = Stopping(1, room.Config(), 20)
        for error in curve:
            rule.update([error])
        assert report.error[b] == pytest.approx(rule.best[0], rel=1e-4)
        assert len(curve) < report.epochs or curve is max(curves, key=len)
    assert report.member_epochs == sum(map(len, curves))
    assert set(map(len, curves)) != {report.epochs}, "no member stopped for itself"
    best = sorted(range(3), key=lambda b: report.error[b])
    assert model.elites.tolist() == best[:2]
    data = transitions(1000, seed=1)
    mean, _ = model.predict(data.s, data.a)
    error = (mean - model.layout.target(data)).square().mean((0, 1))
    spread = model.layout.target(data).var(0)
    assert error[0] < 0.1 * spread[0] and error[1] < 0.1 * spread[1]
    assert error[3] < 1e-4  # the constant state stays


def test_stopping_alone_changes_nothing_before_the_first_stop():
    _, alone = trained(epochs=None)
    _, together = trained(epochs=None, stop="all")
    first = min(len([e for e in alone.curve if b in e]) for b in range(3))
    assert alone.curve[:first] == together.curve[:first]
    assert alone.member_epochs < together.member_epochs


def test_same_streams_same_weights():
    a, b, c = (trained(seed=s)[0] for s in (0, 0, 1))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    assert not all(torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters()))


def test_pets_variant_runs_its_epochs_on_all_data():
    model, report = trained(room.PETS)
    assert (report.epochs, report.member_epochs) == (5, 15)
    step = model.opt.state[model.layers[0].weight]["step"]
    assert step.item() == 5 * math.ceil(400 / 32)
    assert torch.allclose(model.x_mean[:2], transitions().s[:, :2].mean(0), atol=1e-6)


def test_a_second_fit_starts_warm():
    rng = Streams(0)
    model = Ensemble(Layout(3, 1), SMALL, rng)
    cfg = room.Config(batch=64, epochs=40, patience=40)
    first = fit(model, transitions(), cfg, rng["fit"])
    second = fit(model, transitions(), cfg, rng["fit"])
    assert sum(second.curve[0].values()) < sum(first.curve[0].values()) / 2
    assert {int(s["step"]) for s in model.opt.state.values()} == {2 * 40 * 5}


def test_average_weights_are_the_mean_over_the_last_steps():
    model = Ensemble(Layout(3, 1), SMALL, Streams(0))
    average = room._Average(model, span=1e9)  # all steps count alike
    seen = []
    for t in range(5):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(t)
        average.update(model)
        seen.append([p.detach().clone() for p in model.parameters()])
    for p, *steps in zip(average.model.parameters(), *seen):
        assert torch.allclose(p, torch.stack(steps).mean(0), atol=1e-5)
    assert room._Average(model, span=0).model is model


def test_normaliser():
    model, _ = trained()
    g = Streams(0)
    x = torch.from_numpy(g.numpy("x").normal([5, -3, 0, 0], [2, 1e-3, 1, 1], (900, 4)))
    x[:, 2], x[:, 3] = 1e5, 0.0
    x[::2, 2] += 0.0078125  # one rounding step of 32-bit numbers at 1e5
    room.set_normaliser(model, x.float())
    z = model.normalise(x.float())
    assert torch.allclose(z[:, :2].mean(0), torch.zeros(2), atol=1e-3)
    assert torch.allclose(z[:, :2].std(0, correction=0), torch.ones(2), rtol=1e-3)
    assert model.x_std[2:].tolist() == [1.0, 1.0] and z[:, 2:].abs().max() < 0.01


def test_an_interrupted_fit_leaves_the_best_weights():
    rng = Streams(0)
    model = Ensemble(Layout(3, 1), SMALL, rng)
    seen = []

    def impatient(epoch, live, errors):
        seen.append(errors)
        if epoch == 4:
            raise KeyboardInterrupt

    data = transitions()
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, room.Config(batch=64), rng["fit"], impatient)
    order = torch.randperm(400, generator=Streams(0)["fit"])
    z = model.normalise(torch.cat([data.s, data.a], 1))
    zy = torch.cat([z, model.layout.target(data)], 1)[order[:80]]
    assert room.holdout_error(model, zy).tolist() == pytest.approx(
        np.min(seen, 0), rel=1e-4
    )


def test_progress_can_end_a_fit():
    rng = Streams(0)
    model = Ensemble(Layout(3, 1), SMALL, rng)
    cfg = room.Config(batch=64)
    report = fit(model, transitions(), cfg, rng["fit"], lambda epoch, *_: epoch < 2)
    assert report.epochs == 2


def test_bad_data_and_settings_are_refused():
    with pytest.raises(ValueError, match="has 300 transitions, 240 of them .* 256"):
        trained(room.Config(), data=transitions(300))
    bad = transitions()
    bad.r[7] = math.nan
    with pytest.raises(ValueError, match="batch.r holds"):
        trained(data=bad)
    for settings, message in [
        ({"holdout": 1.0}, "holdout is 1.0"),
        ({"holdout": 0}, "epochs is None"),
        ({"stop": "none"}, "stop is 'none'"),
        ({"batch": 0}, "batch is 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            room.Config(**settings)


@pytest.mark.parametrize("name", Batch._fields)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_field_that_is_not_finite_is_named(name, bad):
    batch = transitions(5)
    getattr(batch, name).view(5, -1)[3, 0] = bad
    with pytest.raises(ValueError, match=rf"batch.{name} holds .* row 3"):
        check_batch(batch, 3, 1)


SHAPES = [(n, shape) for n in Batch._fields for shape in ("short", "wide", "one row")]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_a_field_of_the_wrong_shape_is_named(name, shape):
    """Broadcasting would accept some of these without a word."""
    batch = transitions(40)
    x = getattr(batch, name)
    wrong = {"short": x[:-1], "wide": x[..., None], "one row": x[:1]}[shape]
    batch = batch._replace(**{name: wrong})
    model = Ensemble(Layout(3, 1), SMALL, Streams(0))
    with pytest.raises(ValueError, match=r"^batch\.\w+ has shape .* must have"):
        room.fit(model, batch, room.Config(batch=8, epochs=1), Streams(0)["fit"])
    with pytest.raises(ValueError, match=r"^batch\.\w+ has shape .* must have"):
        GP(Layout(3, 1)).fit(batch)


def test_a_field_of_the_wrong_kind_is_named():
    model, cfg = Ensemble(Layout(3, 1), SMALL, Streams(0)), room.Config(batch=8)
    for change, message in (
        ({"r": transitions(40).r.double()}, "batch.r is torch.float64, but must be"),
        ({"a": transitions(40).a.numpy()}, "batch.a is ndarray, but must be a tensor"),
        ({"d": transitions(40).d.long()}, "batch.d is torch.int64, but must be a"),
    ):
        with pytest.raises(ValueError, match=message):
            room.fit(model, transitions(40)._replace(**change), cfg, Streams(0)["fit"])
