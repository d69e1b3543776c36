"""Speed of one update of MAAC at MBPO's size, against its floor.

    OMP_NUM_THREADS=1 python benchmarks/bench_maac.py

H = 3 steps through 7 members of 4 x 200 units, 5 of them elites, Hopper's 11 + 3
inputs, batch 256, policy and critics of 2 x 256 units. The floor is the time of the
products of matrices that the update must do, for those very shapes and on the same
machine, without biases, activations, optimisers or random numbers; a row of the batch
goes through one member per step, so each elite has a fifth of the rows. Both run in
turns, in one process and on one thread, and their medians are compared as a ratio,
because the machine's speed drifts. CPU time is measured, not wall time: a busy
neighbour must not count.
"""

import torch
from bench_sac import CRITIC, DA, DS, POLICY, N, Net, turns

from mbrl_edu.algos import maac, mbpo
from mbrl_edu.algos.loop import Knobs
from mbrl_edu.core import gemm
from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.tasks import task

H, ELITES, TURNS = 3, 5, 100
MODEL = (DS + DA, 200, 200, 200, 200, 2 * (1 + DS))


def floor(policy, critics, members):
    """The products of one update: target, critics' step, policy's step."""
    policy.forward()  # a' at s'
    critics.forward()  # targets there
    critics.forward()
    critics.weights()
    critics.inputs(1)
    for _ in range(H):  # the path,
        policy.forward()
        for member in members:
            member.forward()
    policy.forward()
    critics.forward()  # its end,
    critics.inputs(0)
    for t in reversed(range(H + 1)):  # and back to the policy's weights at every step
        policy.weights()
        policy.inputs(0 if t else 1)
        if t:
            for member in members:
                member.inputs(0)


def transitions(n):
    s, s_next = torch.randn(2, n, DS)
    return Batch(s, torch.rand(n, DA) * 2 - 1, torch.randn(n), s_next, torch.zeros(n))


def main():
    torch.set_num_threads(1)
    print(gemm.prepare())
    hopper, rng = task("Hopper-v5"), Streams(0)
    cfg, now = maac.Config(H=H), Knobs(k=1, G=1, real_ratio=0.05, fit=False)
    parts = maac.maac(mbpo.mbpo(hopper, cfg, rng), cfg, rng)
    plain = mbpo.Improve(parts.agent, cfg.batch, rng)
    D = Data(Buffer(5_000, DS, DA), Window(1))
    D.env.add(transitions(5_000))
    D.model.add(transitions(100_000))
    agent, batch = parts.agent, transitions(N)
    policy, critics = Net(1, POLICY), Net(2, CRITIC)
    rows = [len(part) for part in torch.arange(N).tensor_split(ELITES)]
    members = [Net(1, MODEL, n) for n in rows]
    floor(policy, critics, members)
    flops = sum(net.count for net in (policy, critics, *members))
    works = {
        "floor": lambda: floor(policy, critics, members),
        "update": lambda: parts.improve(D, now),
        "critics": lambda: agent.update_critic(batch, rng["sac"]),
        "path": lambda: parts.improve.actor_loss(batch.s),
        "policy": lambda: agent.update_policy(
            parts.improve.actor_loss(batch.s)[0], careful=True
        ),
        "mbpo": lambda: plain(D, now),
    }
    times = turns(works, TURNS)
    for name, took in times.items():
        print(f"{name:8} {1e3 * took:7.3f} ms  ratio {took / times['floor']:5.2f}")
    rate = flops / times["floor"] / 1e9
    print(f"floor: {flops / 1e9:.3f} GFLOP at {rate:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
