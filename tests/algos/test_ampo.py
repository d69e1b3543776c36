"""AMPO: its two extractors, its stopping rules, its switches, and that it learns."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from memory import Cut, Memory, cut_after, weights
from scipy.stats import wasserstein_distance
from test_mbpo import LINE, TINY, best_return, same
from test_mbpo import run as run_mbpo

from mbrl_edu.algos import ampo, maac, mbpo
from mbrl_edu.algos.ampo import Config
from mbrl_edu.algos.loop import learn
from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.distance import Distance
from mbrl_edu.models.features import Extractor, Pair, shuffled
from mbrl_edu.models.fit import set_normaliser

SMALL = Config(
    **asdict(TINY) | {"k": (0, 1, 1, 1)}, G_adapt=3, n_critic=2, lr_adapt=1e-3,
    adapt_batch=16,
)  # fmt: skip


def make(cfg=SMALL, seed=0, **known):
    rng = Streams(seed)
    return ampo.ampo(mbpo.mbpo(LINE, cfg, rng), cfg, rng, **known), rng


def run(cfg=SMALL, seed=0, change=None, distance=None, **known):
    parts, rng = make(cfg, seed, distance=distance)
    return learn(change(parts) if change else parts, cfg, rng, **known)


@pytest.fixture(scope="module")
def base():
    return run_mbpo()


@pytest.fixture(scope="module")
def on():
    return run()


def same_base(a, b):
    """Equal in everything that plain MBPO has."""
    pairs = [("agent", a, b), ("model", a, b)]
    equal = [
        torch.equal(p, q)
        for name, a, b in pairs
        for p, q in zip(*(r.parts.modules[name].parameters() for r in (a, b)))
    ]
    return all(equal) and np.array_equal(a.evaluations, b.evaluations)


def planted(shift, n=300):
    """Real s ~ N(0, 1), imagined s ~ N(shift, 1); actions alike."""
    g = torch.Generator().manual_seed(3)

    def batch(mean):
        s, a = torch.randn(n, 2, generator=g) + mean, torch.rand(n, 1, generator=g)
        return Batch(s, a, torch.zeros(n), s, torch.zeros(n))

    D = Data(Buffer(n, 2, 1), Window(1))
    D.env.add(batch(0.0))
    D.model.add(batch(shift))
    return D


def prepared(cfg=SMALL, shift=1.0, **known):
    """AMPO's parts, its data, and the normalised inputs of either kind."""
    parts, _ = make(replace(cfg, T=400, T_random=300), **known)
    D, model = planted(shift), parts.model
    set_normaliser(model, model.layout.x(D.env.all().s, D.env.all().a))
    return (
        parts,
        D,
        *(
            model.normalise(model.layout.x(b.s, b.a))
            for b in (D.env.all(), D.model.data)
        ),
    )


class Recorder(Distance):
    """A student's own distance; it notes what it is given."""

    steps = 2

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x, y):
        return (x.mean(1) - y.mean(1)).square().sum(-1)

    def sharpen(self, x, y, g):
        self.seen.append((x, y))


# The two extractors


def test_an_extractor_gives_the_features_of_the_model():
    parts, D, x, _ = prepared()
    real = D.env.all()
    features = parts.model.features(real.s, real.a)
    z = x.expand(parts.model.B, *x.shape)
    assert torch.equal(Extractor(parts.model)(z), features)


def test_source_sees_real_inputs_and_target_imagined_ones():
    parts, D, real, imagined = prepared(shift=9.0, distance=Recorder())
    pair, seen = parts.modules["ampo"], {"source": [], "target": []}
    for name, rows in seen.items():
        getattr(pair, name).register_forward_hook(
            lambda _, z, out, rows=rows: rows.append((z[0], out))
        )
    parts.adapt(D)
    inputs = [(real, seen["source"]), (imagined, seen["target"])]
    for pool, calls in inputs:
        known = {tuple(row) for row in pool.tolist()}
        z = [z for z, out in calls if z.shape[1] == SMALL.adapt_batch]
        assert len(z) == 3 * SMALL.G_adapt  # two for the distance, one for themselves
        assert {tuple(row) for b in z for row in b.flatten(0, 1).tolist()} <= known
        assert torch.equal(z[1], z[2]) and not torch.equal(z[0], z[1])
    first_x, first_y = pair.distance.seen[0]  # what it learns from: features of each
    assert torch.equal(first_x, seen["source"][1 + 1][1])
    assert torch.equal(first_y, seen["target"][1][1])


def snapshot(model):
    return {k: v.clone() for k, v in model.state_dict().items() if "_extra" not in k}


def changed(model, before):
    now = model.state_dict()
    return {k for k, v in before.items() if not torch.equal(v, now[k])}


def test_the_model_stays_and_its_next_fit_begins_with_target():
    """Only the features change then: not the last layer, bounds, normaliser, Adam."""
    parts, D, *_ = prepared()
    model, pair, fits = parts.model, parts.modules["ampo"], []

    def base(D):
        fits.append(snapshot(model))
        return {}

    fit = replace(parts.fit, base=base)
    before, opt = snapshot(model), str(model.opt.state_dict())
    parts.adapt(D)
    assert not changed(model, before) and str(model.opt.state_dict()) == opt
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    target, other = pair.target[0].weight.clone(), pair.source[0].weight
    fit(D)
    assert changed(model, before) == {"layers.0.weight", "layers.0.bias"}
    assert torch.equal(fits[0]["layers.0.weight"], target)
    assert not torch.equal(target, other) and str(model.opt.state_dict()) == opt
    with torch.no_grad():
        model.layers[0].weight.add_(1.0)  # what a fit does
    fit(D)  # nothing was adapted since
    assert torch.equal(fits[1]["layers.0.weight"], target + 1)


def test_without_a_fit_the_model_never_changes():
    """Fitted once, adapted six times; with one fit more its features are others."""
    models = []
    for fits in (1, 2):
        count = iter(range(9))

        def change(parts, fits=fits, count=count):
            def schedule(now):
                return replace(parts.schedule(now), fit=next(count) < fits)

            def adapt(D, parts=parts):
                models.append(snapshot(parts.model))
                return parts.adapt(D)

            return replace(parts, schedule=schedule, adapt=adapt)

        last = run(change=change).parts.model
        assert not changed(last, models[-1])
    assert len(models) == 12
    assert all(
        torch.equal(m["layers.0.weight"], models[0]["layers.0.weight"])
        for m in models[:7]
    )
    assert not torch.equal(models[7]["layers.0.weight"], models[0]["layers.0.weight"])


def test_both_begin_as_the_model_each_time():
    parts, D, *_ = prepared()
    pair = parts.modules["ampo"]
    parts.adapt(D)
    with torch.no_grad():
        parts.model.layers[0].weight.add_(1.0)
    pair.begin(parts.model)
    for extractor in (pair.source, pair.target):
        assert torch.equal(extractor[0].weight, parts.model.layers[0].weight)


def test_batches_go_through_all_rows_in_an_own_order():
    z = torch.arange(10.0)[:, None]
    batches = shuffled(z, 2, 4, Streams(0)["g"])
    two = torch.cat([next(batches), next(batches)], 1)[..., 0]  # 8 of 10, then anew
    assert all(len(set(member.tolist())) == 8 for member in two)
    assert not torch.equal(two[0], two[1])
    whole = next(shuffled(z, 1, 10, Streams(0)["g"]))
    assert sorted(whole.flatten().tolist()) == list(range(10))


# What adaptation does


def projected_w1(model, extractors, real, imagined):
    """Exact W1 of projected features, real from imagined, mean over members."""
    rng, B = np.random.default_rng(0), model.B
    found = []
    with torch.no_grad():
        pairs = zip((real, imagined), extractors)
        x, y = (f(z.expand(B, *z.shape)).numpy() for z, f in pairs)
    for _ in range(8):
        v = rng.normal(size=x.shape[2])
        v /= np.linalg.norm(v)
        found += [wasserstein_distance(a @ v, b @ v) for a, b in zip(x, y)]
    return np.mean(found)


@pytest.mark.parametrize("distance", ["w1", "mmd"])
def test_adaptation_lowers_a_planted_shift(distance):
    """To less than half, by exact W1. With w1 much of that is that features shrink, so
    the shift, which does not count that, falls less."""
    cfg = replace(
        SMALL, G_adapt=60, n_critic=5, adapt_batch=64, lr_adapt=2e-3, distance=distance
    )
    parts, D, real, imagined = prepared(cfg)
    model, pair = parts.model, parts.modules["ampo"]
    before = projected_w1(model, (pair.source, pair.target), real, imagined)
    report = parts.adapt(D)
    after = projected_w1(model, (pair.source, pair.target), real, imagined)
    assert after < before / 2
    assert report["shift"] > 2 and report["shift_pair"] < report["shift"]
    assert report["adapt_steps"] == 60


def test_the_shift_is_one_for_equal_laws_and_blind_to_scale():
    parts, _, real, imagined = prepared(shift=0.0)
    pair, g = parts.modules["ampo"], Streams(0)["g"]
    pair.begin(parts.model)
    shifts = torch.stack([pair.shift(real, imagined, g) for _ in range(20)])
    assert 0.7 < shifts.mean() < 1.4
    far = pair.shift(real, imagined + 3, Streams(0)["g"])
    assert far > 5
    own = Pair(parts.model, Recorder())
    own.source, own.target = (torch.nn.Identity(), torch.nn.Identity())
    small, large = (
        own.shift(c * real, c * imagined, Streams(0)["g"]) for c in (1.0, 1e-3)
    )
    assert small.item() == pytest.approx(large.item(), rel=1e-3)


# When it stops


def test_the_rule_of_the_official_code_counts_epochs():
    cfg = replace(SMALL, G_adapt=100, stop_epoch=1)  # T_random 60, epochs of 50
    assert [cfg.steps(t) for t in (60, 85, 110, 135, 160, 185)] == 4 * [100] + 2 * [0]
    assert replace(cfg, stop_epoch=None).steps(10_000) == 100
    cheetah = replace(SMALL, G_adapt=1000, G_first=100, stop_epoch=30)
    steps = [cheetah.steps(60 + 50 * epoch) for epoch in (0, 10, 30, 31)]
    assert steps == [100, 400, 1000, 0]


def test_in_a_run_it_stops_after_its_last_epoch():
    rows = []
    run(replace(SMALL, stop_epoch=0), log=lambda t, m: rows.append(m))
    assert [m.get("adapt_steps") for m in rows] == [None, 3.0, 0.0, 0.0]
    assert rows[-1]["shift"] > 0  # still measured


def test_the_measured_rule_stops_where_the_two_are_alike():
    cfg = replace(SMALL, G_adapt=400, lr_adapt=2e-3, adapt_batch=64, stop_ratio=2.5)
    steps = {}
    for shift in (0.0, 1.0):
        parts, D, *_ = prepared(cfg, shift=shift)
        before = weights(parts)
        steps[shift] = parts.adapt(D)["adapt_steps"]
        moved = not torch.equal(before, weights(parts))
        assert moved == (steps[shift] > 0)
    assert steps[0.0] == 0 and 0 < steps[1.0] < 400
    assert steps[1.0] % ampo.LOOK == 0


# Switches


def test_switched_off_it_is_mbpo(base):
    assert same(base, run(replace(SMALL, G_adapt=0)))


def test_where_it_never_adapts_it_is_mbpo_too(base):
    assert same_base(base, run(replace(SMALL, stop_ratio=1e9)))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"G_adapt": 4},
        {"G_first": 0, "stop_epoch": 2},
        {"distance": "mmd"},
        {"n_critic": 1},
        {"penalty": 1.0},
        {"lr_adapt": 2e-3},
        {"adapt_batch": 17},
        {"stop_epoch": 0},
        {"stop_ratio": 1e9},
    ],
)
def test_each_switch_changes_the_run(base, on, change):
    other = run(replace(SMALL, **change)) if change else on
    assert change.keys() == {"stop_ratio"} or not same_base(base, other)
    assert not change or not same_base(on, other)


def test_a_distance_of_ones_own_is_enough(on):
    mine = run(distance=Recorder())
    assert len(mine.parts.modules["ampo"].distance.seen) == 6 * 3 * 2
    assert not same_base(on, mine)


# Resuming and stacking


@pytest.mark.parametrize(
    ("change", "calls"), [({}, 60), ({}, 290), ({"distance": "mmd"}, 150)]
)
def test_a_run_that_is_resumed_ends_like_one_that_never_stopped(on, change, calls):
    cfg, kept = replace(SMALL, **change), Memory()
    with pytest.raises(Cut):
        run(cfg, change=lambda parts: cut_after(parts, calls), checkpoint=kept)
    whole = on if not change else run(cfg)
    assert same(whole, run(cfg, checkpoint=kept))


def test_what_waits_for_the_next_fit_is_kept(on):
    """Also where the run is cut between an adaptation and the fit after it."""
    pair, other = on.parts.modules["ampo"], make(seed=1)[0].modules["ampo"]
    assert pair.adapted and not other.adapted
    other.load_state_dict(pair.state_dict())
    assert other.adapted


def test_it_stacks_with_maac():
    cfg = maac.Config(**asdict(TINY), H=2)

    def stacked(**known):
        rng = Streams(0)
        parts = maac.maac(mbpo.mbpo(LINE, cfg, rng), cfg, rng)
        parts = ampo.ampo(parts, SMALL, rng)
        known.setdefault("change", lambda parts: parts)
        return learn(known["change"](parts), cfg, rng, checkpoint=known.get("kept"))

    whole, kept = stacked(), Memory()
    with pytest.raises(Cut):
        stacked(change=lambda parts: cut_after(parts, 150), kept=kept)
    assert same(whole, stacked(kept=kept))
    assert isinstance(whole.parts.improve, maac.Improve)
    assert isinstance(whole.parts.adapt, ampo.Adapt)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"G_adapt": -1}, "G_adapt is -1"),
        ({"distance": "w2"}, "distance is 'w2'"),
        ({"n_critic": 0}, "n_critic is 0"),
        ({"penalty": 0.0}, "penalty is 0.0"),
        ({"lr_adapt": 0.0}, "lr_adapt is 0.0"),
        ({"adapt_batch": 1}, "adapt_batch is 1"),
        ({"stop_epoch": -1}, "stop_epoch is -1"),
        ({"stop_ratio": -1.0}, "stop_ratio is -1.0"),
        ({"G_first": 5}, "stop_epoch is None, but must be 1"),
        ({"T": 0}, "T is 0"),
    ],
)
def test_bad_settings_are_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **bad)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("distance", ["w1", "mmd"])
def test_on_a_gpu(distance):
    cfg = replace(SMALL, distance=distance, stop_ratio=0.5)
    result = ampo.train(LINE, cfg, Streams(1, "cuda"))
    own = weights(result.parts)
    assert own.is_cuda and own.isfinite().all()


def test_it_learns_the_line():
    """Within 10 % of the exact optimum after 600 real steps, 200 of them random."""
    cfg = Config(
        T=600, T_random=200, epoch=200, fit_every=50, M=400, G=5, batch=128,
        fit_batch=64, hidden=(64, 64), model_hidden=(64, 64), B=3, elites=2, lr=1e-3,
        tau=0.01, G_adapt=10, adapt_batch=64,
    )  # fmt: skip
    rng = Streams(0)
    result = ampo.train(LINE, cfg, rng)
    best = best_return(rng, cfg.episodes).mean()
    assert result.evaluations[0].mean() < 2 * best
    assert 1.1 * best < result.evaluations[-1].mean() <= best + 0.05
    assert weights(result.parts).isfinite().all()
