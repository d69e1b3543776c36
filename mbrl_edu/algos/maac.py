"""MAAC: the policy's gradient goes through H steps of the model and then the critic.

Lecture, "Model-Augmented Actor Critic" and Algorithm 1; Clavera et al. (2020). MBPO's
loop with another loss for the policy; with H = 0 it is MBPO, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.loop import Knobs, Log, Metrics, Parts, Result, Tick, learn
from mbrl_edu.control.sac import SAC
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Data
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.models.protocol import Model

Policy = Callable[
    [Tensor], tuple[Tensor, Tensor]
]  # s (n, ds) -> a (n, da), log pi (n,)
Value = Callable[[Tensor, Tensor], Tensor]  # s (n, ds), a (n, da) -> (n,)
End = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Config(mbpo.Config):
    """Settings of MBPO, and of steps through its model."""

    H: int = 3  # steps of the model that the gradient goes through; 0: MBPO
    soft: bool = True  # entropy at every step, at a learnt price (SAC); or the slide's
    # plain objective and target, and a price beta for the entropy
    beta: float = 0.0  # what one nat of the policy's entropy is worth if not soft
    terminal_bar: bool = False  # value after H steps from the target critics

    def __post_init__(self):
        super().__post_init__()
        check.integer("H", self.H, low=0)
        check.choice("soft", self.soft, (True, False))
        check.number("beta", self.beta, low=0)
        if self.soft and self.beta:
            raise ValueError(
                f"beta is {self.beta}, but must be 0 where soft is True: the price of "
                "entropy is learnt there."
            )
        check.choice("terminal_bar", self.terminal_bar, (True, False))


def objective(
    s: Tensor,
    H: int,
    policy: Policy,
    model: Model,
    q: Value,
    gamma: float,
    g: torch.Generator,
    terminal: End | None = None,
    alpha: float | Tensor = 0.0,
) -> tuple[Tensor, Tensor]:
    """J (n,) from each s (n, ds), and log pi (n,) of the first action.

    J = sum_{t<H} gamma^t (r_t - alpha log pi_t)
        + gamma^H (q(s_H, a_H) - alpha log pi_H)

    with a_t ~ pi(.|s_t) and (r_t, s_{t+1}) ~ model, both functions of their noise, so
    that J has a derivative along every path. With alpha = 0 it is the slide's J_pi. A
    row that reaches a known end earns nothing after it.
    """
    a, log_pi = policy(s)
    first, J, over = log_pi, torch.zeros_like(log_pi), s.new_zeros(len(s)).bool()
    for t in range(H):
        r, s_next = model.sample(s, a, g)
        J = J + gamma**t * (r - alpha * log_pi).where(~over, 0.0)
        if terminal is not None:
            over = over | terminal(s, a, s_next).bool()
        # beyond its end a row might explode, and 0 times infinity is no number: it
        # stays where it was
        s = s_next.where(~over[:, None], s)
        a, log_pi = policy(s)
    return J + gamma**H * (q(s, a) - alpha * log_pi).where(~over, 0.0), first


def maac(parts: Parts, cfg: Config, rng: Streams) -> Parts:
    """MBPO whose policy climbs ``objective`` (Algorithm 1, line 10).

    ``rng`` streams of its own: "maac/act", "maac/model". Raises ValueError if H is
    beyond the task, or if another variant has replaced ``improve`` before.
    """
    check.integer("H", cfg.H, low=0, high=parts.task.horizon)
    if not isinstance(parts.improve, mbpo.Improve):
        name = type(parts.improve).__name__
        raise ValueError(
            f"parts.improve is {name}, but must be MBPO's own: apply maac before "
            "variants that wrap it."
        )
    return replace(parts, improve=Improve(parts, cfg, rng))


@dataclass(frozen=True)
class Improve:
    """One step of the critics as in MBPO, one of the policy on -mean J, both on the
    same transitions of D.env and D.model (Algorithm 1, lines 8 to 12).

    If not ``soft``, the critics learn r + gamma q_bar(s', a'), the policy -mean J -
    beta H(pi), and there is no temperature. A gradient through the model that is not
    finite is left out.
    """

    parts: Parts
    cfg: Config
    rng: Streams

    def __call__(self, D: Data, now: Knobs) -> Metrics:
        agent: SAC = self.parts.agent
        soft = self.cfg.soft
        batch = D.mix(self.cfg.batch, now.real_ratio, self.rng)
        metrics = agent.update_critic(batch, self.rng["sac"], soft)
        loss, log_pi = self.actor_loss(batch.s)
        metrics |= agent.update_policy(loss, careful=True)
        if soft:
            metrics |= agent.update_alpha(log_pi)
        else:
            metrics |= {"entropy": -log_pi.detach().mean()}
        agent.update_targets()
        return metrics

    def actor_loss(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """-mean J (- beta H(pi) if not soft), and log pi (n,) of the first action; its
        gradient reaches the policy alone, not the model and not the critics."""
        parts, agent, cfg = self.parts, self.parts.agent, self.cfg
        critics = agent.q_bar if cfg.terminal_bar else agent.q
        streams = iter(["sac"])  # the first action is the one that MBPO would draw

        def policy(s: Tensor) -> tuple[Tensor, Tensor]:
            return agent.sample(s, self.rng[next(streams, "maac/act")])

        def q(s: Tensor, a: Tensor) -> Tensor:
            return critics(s, a).amin(0)

        alpha = agent.alpha if cfg.soft else 0.0
        how = agent.cfg.gamma, self.rng["maac/model"], parts.task.terminal, alpha
        with frozen(parts.model):
            J, log_pi = objective(s, cfg.H, policy, parts.model, q, *how)
        loss = -J.mean()
        if cfg.beta:
            loss = loss + cfg.beta * log_pi.mean()  # H(pi) = -E[log pi]
        return loss, log_pi


@contextmanager
def frozen(module: torch.nn.Module) -> Iterator[None]:
    """No gradient for the weights of ``module`` inside; less to compute and to keep."""
    learnt = [p for p in module.parameters() if p.requires_grad]
    for p in learnt:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learnt:
            p.requires_grad_(True)


def learner(task: Task, cfg: Config, rng: Streams) -> Parts:
    """MBPO's parts, changed by ``maac``."""
    return maac(mbpo.mbpo(task, cfg, rng), cfg, rng)


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Tick | None = None,
) -> Result:
    """MAAC on ``task``; see ``loop.learn``."""
    return learn(learner(task, cfg, rng), cfg, rng, log, checkpoint, tick=tick)
