"""Speed of one bidirectional rollout of BMPO, against its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_bmpo.py

10,000 states, 5 steps forward and 5 backward, at the size of Hopper: 11 numbers in a
state, 3 in an action, two ensembles of 7 networks (5 elites) with 4 x 200 units, two
policies with 2 x 256. No row ends early. The floor is the matrix products alone, of the
same weights and numbers of rows. Both run in one process, in turns, and are compared as
ratios, because the machine's speed drifts.
"""

from dataclasses import replace
from statistics import median
from time import perf_counter

import torch

from mbrl_edu.algos.bmpo import Config, bmpo
from mbrl_edu.algos.mbpo import mbpo
from mbrl_edu.core import gemm
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import never
from mbrl_edu.envs.tasks import task

M, K, TURNS, ROWS = 10_000, 5, 5, 1024  # a model's products have at most 1024 rows


def seconds(work):
    began = perf_counter()
    work()
    return perf_counter() - began


def products(parts):
    """The matrix products of both models and both policies; and how many operations."""
    pairs = []  # (x, w) of one step
    each = M // len(parts.model.elites)
    blocks = [min(ROWS, each - i) for i in range(0, each, ROWS)]
    for model in (parts.model, parts.modules["bmpo/model"]):
        for layer in model.layers:
            for b in model.elites.tolist():
                w = layer.weight[b].detach()
                pairs += [(torch.randn(n, len(w)), w) for n in blocks]
    for net in (parts.agent.pi.net, parts.modules["bmpo/pi_b"].net):
        for layer in net[::2]:
            w = layer.weight.detach().T
            pairs.append((torch.randn(M, len(w)), w))

    def work():
        for _ in range(K):
            for x, w in pairs:
                torch.mm(x, w)

    return work, K * sum(2 * len(x) * w.numel() for x, w in pairs)


def main():
    torch.set_num_threads(1)
    print(f"product: {gemm.report()}")
    hopper = replace(task("Hopper-v5"), terminal=never)
    cfg, rng = Config(k_back=(0, 1, K, K), beta=(0, 1, 0, 0), H_mpc=0), Streams(0)
    parts = bmpo(mbpo(hopper, cfg, rng), cfg, rng)
    parts.rollout.now.k_back = K
    s = torch.randn(M, hopper.ds, generator=rng["starts"])

    def rollout():
        assert len(parts.rollout(s, K).r) == 2 * K * M

    floor, flops = products(parts)
    rollout(), floor()  # the first of each is slow
    spent = [(seconds(rollout), seconds(floor)) for _ in range(TURNS)]
    one, least = (median(x) for x in zip(*spent))
    ratio = median(a / b for a, b in spent)
    print(
        f"{M} x ({K} + {K}), 5 of 7, 4 x 200: {flops / 1e9:.1f} GFLOP  rollout "
        f"{one * 1e3:.0f} ms  floor {least * 1e3:.0f} ms "
        f"({flops / least / 1e9:.0f} GFLOP/s)  ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
