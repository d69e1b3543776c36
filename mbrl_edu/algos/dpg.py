"""The deterministic policy gradient, with a learned critic and replay.

Lecture, "Deterministic policy gradient"; Silver et al. (2014). The printed gradient is
right, but of J = E_{s~rho}[r(s, pi(s))], not of the printed E_{s~rho}[Q(s, a)].
Networks, replay and slow targets as in DDPG (Lillicrap et al. 2016).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbrl_edu.control import episodes
from mbrl_edu.control.episodes import Learner, Log, Result, descend, follow, value
from mbrl_edu.control.policies import uniform, width
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Batch, Buffer
from mbrl_edu.core.nets import mlp
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task

__all__ = ["DPG", "Config", "Result", "dpg", "policy_gradient"]


@dataclass(frozen=True)
class Config(episodes.Config):
    """Settings of the deterministic policy gradient."""

    sigma: float = 0.1  # sd of the noise on actions while learning (DDPG: 0.2, smooth)

    def __post_init__(self):
        super().__post_init__()
        check.number("sigma", self.sigma, low=0)


class DPG(Learner):
    """Policy pi, critic q and their slow copies. ``rng`` streams: "init/pi", "init/q",
    "behaviour", "explore", "replay"."""

    def __init__(self, task: Task, cfg: Config, rng: Streams):
        super().__init__()
        self.cfg, self.rng, self.width = cfg, rng, task.da
        self.see = task.features
        dx = width(self.see, task.ds)
        with rng.init("pi"):
            self.pi = mlp(dx, *cfg.hidden, task.da)
        with rng.init("q"):
            self.q = mlp(dx + task.da, *(cfg.hidden or (64, 64)), 1)
        if cfg.squash:
            self.pi.append(nn.Tanh())
        self.pi_bar, self.q_bar = copy.deepcopy(self.pi), copy.deepcopy(self.q)
        self.to(rng.device)
        self.opts = {
            "pi": torch.optim.Adam(self.pi.parameters(), lr=cfg.lr_pi),
            "q": torch.optim.Adam(self.q.parameters(), lr=cfg.lr_q),
        }

    @torch.no_grad()
    def act(self, s: Tensor, random: bool) -> Tensor:
        if random:
            return uniform(self.width, self.rng["behaviour"])(s)
        a, g = self.policy(s), self.rng["explore"]
        noise = torch.randn(a.shape, generator=g, device=g.device)
        return (a + self.cfg.sigma * noise).clamp(-1, 1)

    @torch.no_grad()
    def policy(self, s: Tensor) -> Tensor:
        return self.pi(self.see(s))

    def after_step(self, D: Buffer, t: int) -> dict[str, Tensor]:
        metrics = {}
        for _ in range(self.cfg.G):
            metrics = self.update(D.sample(self.cfg.batch, self.rng["replay"]))
        return metrics

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critic, one of the policy, one of the targets."""
        s, a, r, s_next, d = batch
        x, x_next = self.see(s), self.see(s_next)
        with torch.no_grad():
            q_next = value(self.q_bar, x_next, self.pi_bar(x_next))
            y = r + self.cfg.gamma * (1 - d) * q_next
        loss = F.mse_loss(value(self.q, x, a), y)
        descend(self.opts["q"], loss)
        self.opts["pi"].zero_grad()
        policy_gradient(self.pi(x), lambda a: value(self.q, x, a))
        self.opts["pi"].step()
        follow(self.q_bar, self.q, self.cfg.tau)
        follow(self.pi_bar, self.pi, self.cfg.tau)
        return {"loss_q": loss.detach()}


def policy_gradient(
    a: Tensor, q: Callable[[Tensor], Tensor], w: Tensor | None = None
) -> None:
    """Add -sum_i w_i grad_theta pi(s_i) grad_a q(s_i, a_i) to the gradients of theta.

    a (n, da) = pi(s) with its graph, ``q(a)`` (n,) row by row, w (n,) the weights of
    the states, 1 / n if not given. Where they are the discounted visits of pi itself,
    it is the gradient of -J; with replayed states (off-policy) a term is left out
    (Silver et al. 2014, equations 9 and 15).
    """
    w = a.new_full((len(a),), 1 / len(a)) if w is None else w
    at = a.detach().requires_grad_()
    (q_a,) = torch.autograd.grad(q(at).sum(), at)
    a.backward(-w[:, None] * q_a)


learner = DPG


def dpg(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """Actor-critic with the deterministic policy gradient; see ``episodes.train``."""
    return episodes.train(task, DPG(task, cfg, rng), cfg, rng, log, checkpoint)
