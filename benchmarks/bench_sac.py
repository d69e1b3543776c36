"""Speed of soft actor-critic: one update at MBPO's size, against its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_sac.py

Batch 256, two hidden layers of 256 units, Hopper's 11 + 3 inputs. The floor is the time
of the products of matrices that the update must do (0.56 GFLOP), for those very shapes
and on the same machine, without biases, activations, optimisers or targets. Both run
in turns, in one process and on one thread, and their medians are compared as a ratio,
because the machine's speed drifts. CPU time is measured, not wall time: a busy
neighbour must not count.
"""

from statistics import median
from time import thread_time

import torch

from mbrl_edu.control.sac import SAC, Config
from mbrl_edu.core import gemm
from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams

DS, DA, N, TURNS = 11, 3, 256, 200  # Hopper, MBPO's batch
POLICY = (DS, 256, 256, 2 * DA)
CRITIC = (DS + DA, 256, 256, 1)


class Net:
    """B perceptrons' products on n rows: forward, for the weights' gradients, for the
    inputs'.

    ``count`` adds up the multiplications and additions of all calls.
    """

    def __init__(self, B, sizes, n=N):
        self.B, self.n, self.shapes, self.count = B, n, list(zip(sizes, sizes[1:])), 0
        self.w = [torch.randn(B, i, o) / i**0.5 for i, o in self.shapes]
        self.h = [torch.randn(B, n, i) for i in sizes]
        self.slope = [torch.empty_like(w) for w in self.w]
        self.back = [torch.empty_like(h) for h in self.h]
        self.mm = torch.bmm
        if B == 1:  # a plain product is what a single network does
            self.mm = torch.mm
            for name in ("w", "h", "slope", "back"):
                setattr(self, name, [x[0] for x in getattr(self, name)])

    def product(self, x, y, out, k):
        i, o = self.shapes[k]
        self.count += 2 * self.B * self.n * i * o
        self.mm(x, y, out=out)

    def forward(self):
        for k, w in enumerate(self.w):
            self.product(self.h[k], w, self.h[k + 1], k)

    def weights(self):
        for k in reversed(range(len(self.w))):
            self.product(self.h[k].mT, self.h[k + 1], self.slope[k], k)

    def inputs(self, down_to):
        for k in reversed(range(down_to, len(self.w))):
            self.product(self.h[k + 1], self.w[k].mT, self.back[k], k)


def floor(policy, critics):
    """The products of one update: target, critics' step, policy's step."""
    policy.forward()  # a' at s'
    critics.forward()  # targets there
    critics.forward()
    critics.weights()
    critics.inputs(1)
    policy.forward()  # a at s
    critics.forward()
    critics.inputs(0)  # down to a
    policy.weights()
    policy.inputs(1)


def turns(works, n=TURNS):
    """Median CPU seconds of every work, one call each in turn."""
    spent = {name: [] for name in works}
    for turn in range(n + 20):  # the first 20 warm up
        for name, work in works.items():
            began = thread_time()
            work()
            if turn >= 20:
                spent[name].append(thread_time() - began)
    return {name: median(times) for name, times in spent.items()}


def main():
    torch.set_num_threads(1)
    print(gemm.prepare())
    rng = Streams(0)
    agent, g = SAC(DS, DA, Config(), rng), rng["update"]
    a = torch.rand(N, DA) * 2 - 1
    batch = Batch(
        torch.randn(N, DS), a, torch.randn(N), torch.randn(N, DS), torch.zeros(N)
    )
    policy, critics = Net(1, POLICY), Net(2, CRITIC)
    floor(policy, critics)
    flops = policy.count + critics.count
    works = {
        "floor": lambda: floor(policy, critics),
        "update": lambda: agent.update(batch, g),
        "critics": lambda: agent.update_critic(batch, g),
        "policy": lambda: agent.update_actor(*agent.actor_loss(batch.s, g)),
        "targets": agent.update_targets,
    }
    times = turns(works)
    for name, took in times.items():
        print(f"{name:8} {1e3 * took:7.3f} ms  ratio {took / times['floor']:5.2f}")
    rate = flops / times["floor"] / 1e9
    print(f"floor: {flops / 1e9:.3f} GFLOP at {rate:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
