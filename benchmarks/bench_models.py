"""Speed of the model: one gradient step, a full fit, sampled steps.

    python benchmarks/bench_models.py [step sample fit]

A floor is the time of the products of matrices that must be done, for those very
shapes, without biases, activations or gradients of anything else; it is measured in
turns with the work itself, in the same process and on one thread, and the medians are
compared as ratios, because the machine's speed drifts. CPU time is measured, not wall
time: a busy neighbour must not count.
"""

import resource
import sys
from statistics import median
from time import thread_time

import torch

from mbrl_edu.core import gemm
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.models import fit
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.layout import Layout

DS, DA, TURNS = 11, 3, 25  # Hopper
SIZES = (14, 200, 200, 200, 200, 24)


def turns(works, n=TURNS):
    """Median CPU seconds of every work, one call each in turn."""
    spent = {name: [] for name in works}
    for turn in range(n + 2):  # the first two warm up
        for name, work in works.items():
            began = thread_time()
            work()
            if turn > 1:
                spent[name].append(thread_time() - began)
    return {name: median(times) for name, times in spent.items()}


def peak():
    """Largest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def show(name, times, flops):
    floor, took = times["floor"], times["work"]
    print(
        f"{name:34} {1e3 * took:9.2f} ms  floor {1e3 * floor:9.2f} ms "
        f"({flops / floor / 1e9:4.0f} GFLOP/s)  ratio {took / floor:5.2f}  "
        f"peak {peak():5.2f} GB"
    )


def ensemble():
    return Ensemble(Layout(DS, DA), Config(), Streams(0))


def products(B, n):
    """The products of one gradient step of B members on n rows each, and the forward
    ones alone."""
    z = torch.randn(B, n, SIZES[0])
    weights = [torch.randn(B, i, o) / i**0.5 for i, o in zip(SIZES, SIZES[1:])]
    out = [torch.empty(B, n, o) for o in SIZES[1:]]
    slope = [torch.empty_like(w) for w in weights]
    back = [torch.empty(B, n, i) for i in SIZES[:-1]]

    def forward():
        h = [z]
        for w, o in zip(weights, out):
            h.append(torch.bmm(h[-1], w, out=o))
        return h

    def step():
        h = forward()
        d = h[-1]
        for k in range(4, -1, -1):
            torch.bmm(h[k].mT, d, out=slope[k])
            if k:
                d = torch.bmm(d, weights[k].mT, out=back[k])

    return step, forward


def gradient_step():
    model, B, n = ensemble(), 7, 256
    z, y = torch.randn(B, n, SIZES[0]), torch.randn(B, n, SIZES[-1] // 2)
    floor, _ = products(B, n)

    def work():
        model.opt.zero_grad()
        model.loss(z, y).backward()
        model.opt.step()

    pairs = sum(i * o for i, o in zip(SIZES, SIZES[1:]))
    flops = 2 * B * n * (3 * pairs - SIZES[0] * SIZES[1])
    show(
        "gradient step, 7 x 4 x 200, 256", turns({"floor": floor, "work": work}), flops
    )


@torch.no_grad()
def sampled_step():
    model, g, rows = ensemble(), Streams(0)["g"], 1024
    weights = [torch.randn(i, o) / i**0.5 for i, o in zip(SIZES, SIZES[1:])]
    for n in (400, 10_000, 100_000):
        s, a = torch.randn(n, DS), torch.rand(n, DA) * 2 - 1
        x = torch.randn(n, 14)

        def floor(n=n, x=x):
            for group in x.split(n // 5):  # five elites
                for h in group.split(rows):
                    for w in weights:
                        h = torch.mm(h, w)

        def work(s=s, a=a):
            model.sample(s, a, g)

        flops = 2 * n * sum(i * o for i, o in zip(SIZES, SIZES[1:]))
        times = turns({"floor": floor, "work": work}, TURNS if n < 50_000 else 9)
        show(f"sampled step, {n:,} states", times, flops)


def hopper_like(n, seed):
    """Transitions of a random smooth system with Hopper's sizes: a few stiff states,
    correlated inputs, a reward that is mostly constant."""
    g = Streams(seed)["data"]
    fixed = Streams(0)["system"]
    w1, w2 = (
        torch.randn(14, 64, generator=fixed),
        torch.randn(64, 11, generator=fixed),
    )
    mix = torch.randn(DS, DS, generator=fixed) / DS**0.5
    s = torch.randn(n, DS, generator=g) @ mix
    a = torch.rand(n, DA, generator=g) * 2 - 1
    change = torch.sin(torch.cat([s, a], 1) @ w1 / 14**0.5) @ w2 / 8
    change = change * torch.logspace(-2, 0.3, DS)
    noise = 0.02 * torch.logspace(-2, 0.3, DS) * torch.randn(n, DS, generator=g)
    s_next = s + change + noise
    r = 1 + change[:, -1] - 1e-3 * a.square().sum(1)
    return Batch(s, a, r, s_next, torch.zeros(n))


def full_fit():
    """10,000 transitions to the end of training, by three rules. The floor has the
    products of all members' gradient steps, and those of their errors on the holdout
    after each epoch."""
    step, forward = products(7, 256)
    data, test = hopper_like(10_000, 1), hopper_like(5_000, 2)
    reference = None
    for name, lr, cfg in (
        ("MBPO: lr 0.001, any one keeps all", 1e-3, fit.MBPO),
        ("ours: lr 0.003, averaged, each", 3e-3, fit.Config()),
        ("      lr 0.006", 6e-3, fit.Config()),
    ):
        rng = Streams(0)
        model = Ensemble(Layout(DS, DA), Config(lr=lr), rng)
        began = thread_time()
        report = fit.fit(model, data, cfg, rng["fit"])
        took = thread_time() - began
        one = turns({"step": step, "forward": forward})  # of seven members, 256 rows
        held = min(int(cfg.holdout * len(data.r)), cfg.max_holdout) / 256
        per_epoch = (len(data.r) / 256 - held) * one["step"] + held * one["forward"]
        floor = report.member_epochs / 7 * per_epoch
        reference = reference or took
        kept = sorted(report.error)[:5]
        y = model.layout.target(test)
        with torch.no_grad():
            mean, lv = (x[model.elites] for x in model.predict(test.s, test.a))
        error = (mean - y).square()
        nll = (error * (-lv).exp() + lv).mean()
        print(
            f"{name:34} {took:6.1f} s  {reference / took:4.1f} x  floor {floor:6.1f} s "
            f"ratio {took / floor:5.2f}  "
            f"{report.epochs} epochs, {report.member_epochs} of a member  elites: "
            f"holdout {sum(kept) / 5:.5f}  test {error.mean():.5f}  loss {nll:.3f}  "
            f"peak {peak():.2f} GB",
            flush=True,
        )


def main():
    torch.set_num_threads(1)
    print(gemm.prepare())
    works = {"step": gradient_step, "sample": sampled_step, "fit": full_fit}
    for name in sys.argv[1:] or works:
        works[name]()


if __name__ == "__main__":
    main()
