"""How the time of one real step of MBPO splits, at Hopper's size, and its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_mbpo.py

G = 20 updates of soft actor-critic on 5 % real transitions; every 250 real steps one
epoch of a fit on 5,000 transitions (a fit takes some ten or twenty) and 100,000
rollouts of one step. The floor of a part is the time of its products of matrices alone,
for those very shapes, measured in turns with the work itself; CPU time, medians.
"""

import torch
from bench_sac import CRITIC, POLICY, Net, floor, turns

from mbrl_edu.algos import mbpo
from mbrl_edu.core import gemm
from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.tasks import task
from mbrl_edu.models import fit

G, EVERY, M, REAL, PIECE, TURNS = 20, 250, 100_000, 5_000, 2_000, 10
MODEL = (14, 200, 200, 200, 200, 24)


def transitions(n, ds, da, g):
    s, a = torch.randn(n, ds, generator=g), 2 * torch.rand(n, da, generator=g) - 1
    s_next = s + 0.1 * torch.randn(n, ds, generator=g)
    return Batch(s, a, s[:, 0], s_next, torch.zeros(n))


def products(n, B=1, backward=False):
    """The model's products for n rows of each of B members; forward and back."""
    w = [torch.randn(B, i, o) / i**0.5 for i, o in zip(MODEL, MODEL[1:])]
    h = [torch.randn(B, n, i) for i in MODEL]

    def work():
        for k in range(len(w)):
            torch.bmm(h[k], w[k], out=h[k + 1])
        for k in reversed(range(len(w) if backward else 0)):
            h[k].mT @ h[k + 1]
            if k:
                h[k + 1] @ w[k].mT

    return work


def main():
    torch.set_num_threads(1)
    print(gemm.prepare())
    hopper, rng = task("Hopper-v5"), Streams(0)
    ds, da = hopper.ds, hopper.da
    cfg = mbpo.Config(T=REAL + 1, M=M)
    parts = mbpo.mbpo(hopper, cfg, rng)
    D = Data(Buffer(REAL, ds, da), Window(1))
    D.env.add(transitions(REAL, ds, da, rng["real"]))
    D.model.add(transitions(20_000, ds, da, rng["imagined"]))
    now = mbpo.Knobs(k=1, G=G, real_ratio=0.05, fit=True)
    epoch = fit.Config(batch=256, holdout=0, epochs=1)
    env = hopper.make()
    env.reset(seed=0)

    def real_step():
        s = torch.randn(1, ds)
        if any(env.step(parts.act(s)[0].numpy())[2:4]):
            env.reset()

    policy, critics = Net(1, POLICY), Net(2, CRITIC)
    one_epoch, one_piece = products(256, 7, backward=True), products(PIECE)
    works = {
        "act and step": (real_step, lambda: None, 1.0),
        "updates": (lambda: parts.improve(D, now), lambda: floor(policy, critics), G),
        "fit, an epoch": (
            lambda: fit.fit(parts.model, D.env.all(), epoch, rng["fit"]),
            lambda: [one_epoch() for _ in range(-(-REAL // 256))],
            1 / EVERY,
        ),
        "rollouts": (
            lambda: parts.rollout(parts.starts(D, M), 1),
            lambda: [one_piece() for _ in range(M // PIECE)],
            1 / EVERY,
        ),
    }
    flat = {(name, i): pair[i] for name, pair in works.items() for i in range(2)}
    times = turns(flat, TURNS)
    whole = {
        name: 1e3 * share * times[name, 0] for name, (_, _, share) in works.items()
    }
    total = sum(whole.values())
    for name, (_, _, share) in works.items():
        least = 1e3 * share * times[name, 1]
        ratio = f"  ratio {whole[name] / least:5.2f}" if least > 0.01 else ""
        print(
            f"{name:14} {whole[name]:7.2f} ms a real step, {whole[name] / total:4.0%}, "
            f"floor {least:7.2f} ms{ratio}"
        )
    print(f"all            {total:7.2f} ms a real step")
    env.close()


if __name__ == "__main__":
    main()
