"""Speed of one adaptation step of AMPO at the paper's size, against its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_ampo.py

7 members of 4 x 200 units, 14 inputs, batch 256: 5 steps of the critics (100 units),
then one of both extractors. The floor is the time of the products of matrices that
these must do, for those very shapes and on the same machine, without biases,
activations, optimisers or random numbers. Both run in turns, in one process and on one
thread, and their medians are compared as a ratio, because the machine's speed drifts.
CPU time is measured, not wall time: a busy neighbour must not count.
"""

import torch
from bench_sac import turns

from mbrl_edu.core import gemm
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.distance import MMD, Wasserstein
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.features import Pair, shuffled
from mbrl_edu.models.layout import Layout

B, N, DS, DA, H, HIDDEN, CRITIC_STEPS, TURNS = 7, 256, 11, 3, 200, 100, 5, 30
EXTRACTOR = (DS + DA, H, H, H, H)
CRITIC = (H, HIDDEN, 1)


class Net:
    """B perceptrons' products; ``count`` adds up what all calls do."""

    def __init__(self, sizes):
        self.count, self.shapes = 0, list(zip(sizes, sizes[1:]))
        self.w = [torch.randn(B, i, o) / i**0.5 for i, o in self.shapes]
        self.h = [torch.randn(B, N, i) for i in sizes]
        self.slope = [torch.empty_like(w) for w in self.w]
        self.back = [torch.empty_like(h) for h in self.h]

    def product(self, x, y, out, k):
        i, o = self.shapes[k]
        self.count += 2 * B * N * i * o
        torch.bmm(x, y, out=out)

    def forward(self):
        for k, w in enumerate(self.w):
            self.product(self.h[k], w, self.h[k + 1], k)

    def weights(self):
        for k in reversed(range(len(self.w))):
            self.product(self.h[k].mT, self.h[k + 1], self.slope[k], k)

    def inputs(self, down_to):
        for k in reversed(range(down_to, len(self.w))):
            self.product(self.h[k + 1], self.w[k].mT, self.back[k], k)


def floor(source, target, critic):
    """The products of one adaptation step."""
    for _ in range(CRITIC_STEPS):
        source.forward()
        target.forward()
        for _ in range(2):  # f of both kinds, down to its weights
            critic.forward()
            critic.weights()
            critic.inputs(1)
        critic.forward()  # f between them,
        critic.inputs(0)  # its slope there,
        critic.weights()  # and what the weights do to the slope's length
        critic.forward()
    for extractor in (source, target):
        extractor.forward()
        critic.forward()
        critic.inputs(0)
        extractor.weights()
        extractor.inputs(1)


def main():
    torch.set_num_threads(1)
    print(gemm.prepare())
    rng, how = Streams(0), Config(B=B, hidden=(H,) * 4)
    model = Ensemble(Layout(DS, DA), how, rng)
    w1 = Pair(model, Wasserstein(B, H, rng, steps=CRITIC_STEPS))
    mmd = Pair(model, MMD())
    real, imagined = torch.randn(5_000, DS + DA), torch.randn(20_000, DS + DA) + 0.5
    kinds = (("real", real), ("imagined", imagined))
    batches = zip(*(shuffled(z, B, N, rng[name]) for name, z in kinds))
    x, y = next(batches)
    z_x, z_y = (z.detach() for z in w1(x, y))
    nets = Net(EXTRACTOR), Net(EXTRACTOR), Net(CRITIC)
    floor(*nets)
    flops = sum(net.count for net in nets)
    works = {
        "floor": lambda: floor(*nets),
        "step": lambda: w1.step(batches, rng["g"]),
        "critics": lambda: [
            w1.distance.sharpen(z_x, z_y, rng["g"]) for _ in range(CRITIC_STEPS)
        ],
        "mmd": lambda: mmd.step(batches, rng["g"]),
        "shift": lambda: w1.shift(real, imagined, rng["g"]),
    }
    times = turns(works, TURNS)
    for name, took in times.items():
        print(f"{name:8} {1e3 * took:7.1f} ms  ratio {took / times['floor']:5.2f}")
    rate = flops / times["floor"] / 1e9
    print(f"floor: {flops / 1e9:.2f} GFLOP at {rate:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
