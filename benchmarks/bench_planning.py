"""Speed of planning: one CEM action at the size of mbrl-lib's PETS, against its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_planning.py

350 candidates x 20 particles x 15 steps x 5 rounds through 5 elites of 7 networks with
4 x 200 units, 14 inputs and 12 outputs (TS1). The floor is the matrix products alone:
for every step and elite the same weights and numbers of rows, nothing else. Both run in
one process, in turns, and are compared as ratios, because the machine's speed drifts.
The smaller size is the cheap preset of chapter 5.
"""

from statistics import median
from time import thread_time

import torch

from mbrl_edu.algos import cem
from mbrl_edu.algos.cem import CEM
from mbrl_edu.core import gemm
from mbrl_edu.core.rng import Streams
from mbrl_edu.imagine.plan import Config, Imagination
from mbrl_edu.models.ensemble import Config as Networks
from mbrl_edu.models.ensemble import Ensemble
from mbrl_edu.models.layout import Layout

DS, DA, TURNS = 11, 3, 7  # 14 inputs, 12 outputs: reward and s' - s


def seconds(work):
    began = thread_time()  # of the processor: a busy neighbour must not count
    work()
    return thread_time() - began


def products(model, rows, steps):
    """The matrix products of ``steps`` model steps with ``rows`` rows in all."""
    each = rows // len(model.elites)
    blocks = [min(1024, each - i) for i in range(0, each, 1024)]
    weights = [layer.weight.detach() for layer in model.layers]
    inputs = {
        (n, w.shape[1]): torch.randn(n, w.shape[1]) for n in blocks for w in weights
    }

    def work():
        for _ in range(steps):
            for b in model.elites.tolist():
                for n in blocks:
                    for w in weights:
                        torch.mm(inputs[n, w.shape[1]], w[b])

    flops = sum(2 * rows * w.shape[1] * w.shape[2] for w in weights) * steps
    return work, flops


def compare(name, model, planner, P, H):
    imagine = Imagination(model, Config("TS1", P))
    s, g, counted = torch.zeros(model.layout.ds), torch.Generator(), []

    def evaluate(plans):
        counted.append(len(plans))
        return imagine(s, plans, g)

    def action():
        planner.reset()
        planner(evaluate, H, model.layout.da, g)

    action()
    floors = [products(model, n * P, H) for n in counted]
    flops = sum(f for _, f in floors)
    spent = {"action": [], "floor": []}
    for _ in range(TURNS):
        spent["action"].append(seconds(action))
        spent["floor"].append(sum(seconds(work) for work, _ in floors))
    action_s, floor_s = median(spent["action"]), median(spent["floor"])
    ratio = median(a / f for a, f in zip(*spent.values()))
    print(
        f"{name:34} {flops / 1e9:6.1f} GFLOP  action {action_s * 1e3:7.1f} ms  "
        f"floor {floor_s * 1e3:7.1f} ms ({flops / floor_s / 1e9:.0f} GFLOP/s)  "
        f"ratio {ratio:.2f}"
    )


def main():
    torch.set_num_threads(1)
    print(f"product: {gemm.report()}")
    big = Ensemble(Layout(DS, DA), Networks(7, 5), Streams(0))
    # no round is left out: the variance never counts as small
    compare(
        "350 x 20 x 15 x 5, 5 of 7, 4 x 200",
        big,
        CEM(cem.Config(350, 35, tol=0)),
        20,
        15,
    )
    small = Ensemble(Layout(4, 1), Networks(5, 5, (64, 64)), Streams(0))
    cheap = CEM(cem.icem(cem.Config(100, 10, 3)))
    compare("cheap preset: 100 x 5 x 20 x 3, 2 x 64", small, cheap, 5, 20)


if __name__ == "__main__":
    main()
