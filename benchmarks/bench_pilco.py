"""Speed of PILCO: one value of the return and its gradient for the whole policy.

    python benchmarks/bench_pilco.py [cartpole pendulum]

The floor counts what any exact moment matching must do for every pair of outputs and
every step, here of the belief's own size: the N x N exponents as one product of
matrices, their exponentials, and one product with the data. No gradient is in it, nor
anything of the policy, the reward or the many small matrices. It is measured in turns
with the work itself, in the same process and on one thread; CPU time, medians.

cartpole: 4 states, sine and cosine, 1 action, 30 basis functions, 40 steps, N = 160.
pendulum: 3 states and 1 action, the size at which a port of PILCO to GPflow was timed
on two quiet cores: 285 ms at N = 160 and 1254 ms at N = 320.
"""

import sys

import torch
from bench_models import turns

from mbrl_edu.imagine.belief import KNOWN, Belief, Quadratic
from mbrl_edu.imagine.controllers import Radial
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Angles, Layout, no_reward
from mbrl_edu.models.moments import Gaussian

H, BASIS, TURNS = 40, 30, 15


def normal(*shape, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def belief(ds, angles, reward, N):
    """A belief of the right size over a process of smooth noise, and a policy."""
    layout = Layout(ds, 1, Angles(angles), reward=no_reward)
    gp, dx = GP(layout), layout.dx
    middle = torch.tensor([0.8] * dx + [-1.5, -4.0], dtype=torch.float64)
    theta = 0.2 * normal(ds, dx + 2, seed=0) + middle
    gp.condition(normal(N, dx, seed=1), 0.1 * normal(N, ds, seed=2), theta)
    eye = torch.eye(ds, dtype=torch.float64)
    start = Gaussian(torch.zeros_like(eye[0]), 0.01 * eye)
    centres = normal(BASIS, dx - 1, seed=3)
    policy = Radial(centres, 1, torch.Generator().manual_seed(4))
    return Belief(gp, start, reward, H, angles), policy


def measure(name, ds, angles, reward, N):
    imagine, policy = belief(ds, angles, reward, N)
    parameters = list(policy.parameters())
    dx, pairs = imagine.process.X.shape[1], ds * (ds + 1) // 2
    left, right = normal(N, dx + 1, seed=5), normal(dx + 1, N, seed=6)
    b, Q = normal(N, seed=7), torch.empty(N, N, dtype=torch.float64)

    def floor():
        for _ in range(H * pairs):
            torch.addmm(b, left, right, out=Q)
            torch.exp(Q, out=Q)
            torch.mm(Q, left)

    def work():
        torch.autograd.grad(imagine(policy).sum(), parameters)

    @torch.no_grad()
    def value():
        imagine(policy)

    times = turns({"floor": floor, "value": value, "work": work}, TURNS)
    least, value_ms, took = (1e3 * times[k] for k in ("floor", "value", "work"))
    exps = H * pairs * N * N / 1e6
    print(
        f"{name:10} N = {N}  value and gradient {took:7.1f} ms  value {value_ms:6.1f} "
        f"ms  floor {least:6.1f} ms ({exps:.1f} M exp)  ratio {took / least:5.1f}",
        flush=True,
    )


def cartpole():
    reward = KNOWN["CartPoleSwingUp-v0"].reward
    measure("cartpole", 4, (1,), reward, 160)


def pendulum():
    reward = Quadratic((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.1)
    for N in (160, 320):
        measure("pendulum", 3, (), reward, N)


def main():
    torch.set_num_threads(1)
    works = {"cartpole": cartpole, "pendulum": pendulum}
    for name in sys.argv[1:] or works:
        works[name]()


if __name__ == "__main__":
    main()
