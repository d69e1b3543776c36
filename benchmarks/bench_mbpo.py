"""How the time of one real step of MBPO splits on Hopper, and its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_mbpo.py

The settings are those of MBPO's code, the data Hopper's: 5,000 random steps, a model
fitted to them, its rollouts. G = 20 updates of soft actor-critic on 5 % real
transitions; every 250 real steps a fit (as many epochs as one that goes on from the
last took here) and 100,000 rollouts of one step. The floor of a part is the time of its
products of matrices alone, for those very shapes, measured in turns with the work
itself; CPU time, medians.
"""

from dataclasses import replace

import numpy as np
import torch
from bench_sac import CRITIC, POLICY, Net, floor, turns

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.presets import preset
from mbrl_edu.control.policies import uniform
from mbrl_edu.core import gemm
from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.tasks import task
from mbrl_edu.models import fit

G, EVERY, M, REAL, PIECE, TURNS = 20, 250, 100_000, 5_000, 2_000, 10
MODEL = (14, 200, 200, 200, 200, 24)


def play(env, act, n):
    """n real steps with a = act(s)."""
    rows, s = [], env.reset(seed=0)[0]
    for _ in range(n):
        a = act(torch.as_tensor(s)[None])
        s_next, r, d, cut, _ = env.step(a[0].numpy())
        rows.append((s, a[0].numpy(), r, s_next, float(d)))
        s = env.reset()[0] if d or cut else s_next
    return Batch(*(torch.as_tensor(np.array(x, np.float32)) for x in zip(*rows)))


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
    options = preset("mbpo", "Hopper-v5", "paper") | {"T": REAL + EVERY}
    parts = mbpo.mbpo(hopper, mbpo.Config(**options), rng)
    D = Data(Buffer(REAL + EVERY, hopper.ds, hopper.da), Window(1))
    env = hopper.make()
    D.env.add(play(env, uniform(hopper.da, rng["behaviour"]), REAL))
    parts.fit(D)
    D.env.add(play(env, parts.act, EVERY))
    epochs = parts.fit(D)["model_epochs"]
    D.model.add(parts.rollout(parts.starts(D, M), 1))
    now = mbpo.Knobs(k=1, G=G, real_ratio=0.05, fit=True)
    one = replace(mbpo.Config(**options).fit, epochs=1)
    print(f"a fit that goes on from the last: {epochs} epochs")

    policy, critics = Net(1, POLICY), Net(2, CRITIC)
    one_epoch, one_piece = products(256, 7, backward=True), products(PIECE)
    works = {
        "act and step": (lambda: play(env, parts.act, 100), lambda: None, 0.01),
        "updates": (lambda: parts.improve(D, now), lambda: floor(policy, critics), G),
        "fit": (
            lambda: fit.fit(parts.model, D.env.all(), one, rng["fit"]),
            lambda: [one_epoch() for _ in range(-(-len(D.env) * 4 // 5 // 256))],
            epochs / EVERY,
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
