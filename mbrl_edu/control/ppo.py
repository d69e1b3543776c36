"""Proximal policy optimisation: improves a policy from its own newest steps.

Source: Schulman et al. (2017); generalised advantages: Schulman et al. (2016). What the
paper leaves out follows OpenAI's code, "baselines", listed by Huang et al. (2022);
where Engstrom et al. (2020) or Andrychowicz et al. (2021, "Andr.") measured a detail,
the comment at its setting says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mbrl_edu.control.advantage import Moments, Rollout, Samples, Scale, gae
from mbrl_edu.control.heads import INITS, Categorical, Gaussian, start
from mbrl_edu.control.policies import Features, width
from mbrl_edu.core import check
from mbrl_edu.core.nets import mlp
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import plain


@dataclass(frozen=True)
class Config:
    """Settings of the update."""

    gamma: float = 0.99  # discount (PPO, table 3)
    lam: float = 0.95  # lambda of GAE: 0 trusts V, 1 only rewards (PPO, table 3)
    clip: float = 0.2  # eps, how far a ratio may pay (PPO, table 1)
    epochs: int = 10  # passes over a rollout (PPO, table 3)
    batch: int = 64  # about so many steps per gradient step (PPO, table 3)
    lr: float = 3e-4  # Adam's step size (PPO, table 3)
    anneal: bool = True  # it falls linearly to 0 (baselines; Andr.: helps a bit)
    adam_eps: float = 1e-5  # Adam's epsilon, against huge first steps (baselines)
    entropy: float = 0.0  # c_2, weight of the entropy (PPO: none on continuous tasks)
    critic: bool = True  # False: V = 0; with gamma = lam = 1, A is the reward to go
    value_weight: float = 0.5  # c_1, weight of the critic's loss (baselines)
    value_clip: float | None = None  # bound on V's change; none: it only hurts (Andr.)
    grad_clip: float | None = 0.5  # largest norm of the joint gradient (baselines)
    normalise_advantage: bool = True  # mean 0, sd 1 in a rollout: lr fits all scales
    normalise_state: bool = False  # by moments of all states so far (baselines, Andr.)
    scale_reward: bool = False  # by the sd of discounted sums so far (baselines)
    target_kl: float | None = None  # no further epoch beyond; none: all (Spinning Up)
    hidden: tuple[int, ...] = (64, 64)  # units per hidden layer, tanh (PPO, 6.1)
    trunk: str = "shared"  # "separate": a network and a clip for every head (AutoMBPO)
    init: str = "orthogonal"  # first weights: orthogonal (baselines); glorot, or small,
    # a normal law of sd 0.04 (AutoMBPO, by task)
    sd: float = 0.5  # of continuous actions at first (Andr. 0.5, baselines 1)

    def __post_init__(self):
        for name in ("gamma", "lam"):
            check.number(name, getattr(self, name), low=0, high=1)
        for name in ("epochs", "batch"):
            check.integer(name, getattr(self, name), low=1)
        for name in ("clip", "lr", "adam_eps", "sd"):
            check.number(name, getattr(self, name), low=0, open_low=True)
        for name in ("entropy", "value_weight"):
            check.number(name, getattr(self, name), low=0)
        for name in ("value_clip", "grad_clip", "target_kl"):
            if getattr(self, name) is not None:
                check.number(name, getattr(self, name), low=0, open_low=True)
        switches = ("anneal", "critic", "normalise_advantage", "normalise_state")
        for name in (*switches, "scale_reward"):
            check.choice(name, getattr(self, name), (True, False))
        for h in self.hidden:
            check.integer("hidden", h, low=1)
        check.choice("trunk", self.trunk, ("shared", "separate"))
        check.choice("init", self.init, INITS)


# The hyper-controller of AutoMBPO, by its code: rewards to go in place of advantages.
# 300 steps on 64 of a stage's 4000 decisions are about 5 epochs; Adam as in its paper.
AUTOMBPO = Config(
    gamma=1.0,
    lam=1.0,
    epochs=5,
    anneal=False,
    adam_eps=1e-8,
    critic=False,
    grad_clip=None,
    normalise_advantage=False,
    hidden=(256,),
    trunk="separate",
    init="glorot",
)


def clipped(ratio: Tensor, A: Tensor, eps: float) -> Tensor:
    """mean_t sum_i min(rho_ti A_t, clip(rho_ti, 1 - eps, 1 + eps) A_t).

    PPO, equation 7, for ratios (n, m): one column, or one a head as in AutoMBPO's code.
    A is (n,).
    """
    A = A[:, None]
    bounded = ratio.clamp(1 - eps, 1 + eps)
    return torch.minimum(ratio * A, bounded * A).sum(1).mean()


class PPO(nn.Module):
    """A stochastic policy and a critic, improved together from rollouts.

    ``actions`` is the number da of continuous actions, a Gaussian, or a tuple of sizes:
    (4,) is one choice out of four, (2, 3) are two independent ones. Weights depend on
    the seed and ``name`` alone; Adam's state belongs to ``state_dict()``. ``features``
    (..., ds) -> (..., dx) is what both networks see of a state.
    """

    def __init__(
        self,
        ds: int,
        actions: int | Sequence[int],
        cfg: Config,
        rng: Streams,
        name: str = "ppo",
        device: str = "cpu",
        features: Features = plain,
    ):
        super().__init__()
        check.integer("ds", ds, low=1)
        self.cfg, apart = cfg, cfg.trunk == "separate"
        self.features, dx = features, width(features, ds)
        with rng.init(f"{name}/pi"):
            self.pi = self._policy(dx, actions, apart)
            for net in self.pi.nets:
                start(net, cfg.init, last=0.01)  # at first all actions are alike
        with rng.init(f"{name}/critic"):
            self.critic = mlp(dx, *cfg.hidden, 1, activation=nn.Tanh)
            start(self.critic, cfg.init, last=1.0)
        self.states, self.scale = Moments(dx), Scale(cfg.gamma)
        self.to(device)
        trained = [*self.pi.parameters(), *self.critic.parameters()]
        self.opt = torch.optim.Adam(trained, cfg.lr, eps=cfg.adam_eps, fused=True)

    def _policy(self, dx: int, actions, apart: bool) -> Gaussian | Categorical:
        if isinstance(actions, Sequence):
            return Categorical(dx, actions, self.cfg.hidden, apart)
        if apart:
            raise ValueError(
                "trunk is 'separate', but must be 'shared' for continuous actions."
            )
        check.integer("actions", actions, low=1)
        return Gaussian(dx, actions, self.cfg.hidden, self.cfg.sd)

    # What a loop uses

    def see(self, s: Tensor) -> Tensor:
        """The state as the networks see it: (..., ds) -> (..., dx)."""
        x = self.features(s)
        return self.states.normalise(x) if self.cfg.normalise_state else x

    @torch.no_grad()
    def act(self, s: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """a (n, da) or choices (n, m), their log-probabilities (n, m) with one column
        a head, and V (n,), for s (n, ds)."""
        z = self.pi(self.see(s))
        a = self.pi.draw(z, g)
        return a, self.pi.log_pi(z, a), self.V(s)

    @torch.no_grad()
    def mean(self, s: Tensor) -> Tensor:
        """The greedy action: (n, ds) -> (n, da) in [-1, 1], or choices (n, m)."""
        return self.pi.greedy(self.pi(self.see(s)))

    policy = mean

    def log_pi(self, s: Tensor, a: Tensor) -> Tensor:
        """Log-probabilities (n, m) of actions that somebody else chose."""
        return self.pi.log_pi(self.pi(self.see(s)), a)

    def V(self, s: Tensor) -> Tensor:
        """Value (...) of s (..., ds), in units of scaled rewards; 0 with no critic."""
        if not self.cfg.critic:
            return s.new_zeros(s.shape[:-1])
        return self.critic(self.see(s)).squeeze(-1)

    # The update

    def update(
        self, rollout: Rollout, g: torch.Generator, left: float = 1.0
    ) -> dict[str, float]:
        """Epochs of gradient steps on one rollout; ``left``, the share of the training
        that is still to come, scales lr if ``anneal``.

        Returns, on the rollout, after the last step: ``loss_pi`` and ``loss_V``, the
        ``entropy`` of the policy, ``kl`` from the old policy to the new one, and the
        share ``clipped`` of ratios outside 1 +- clip; and the ``epochs`` made.
        """
        cfg, x = self.cfg, self.samples(rollout)
        for group in self.opt.param_groups:
            group["lr"] = cfg.lr * (left if cfg.anneal else 1.0)
        pieces = math.ceil(len(x.A) / cfg.batch)
        epochs = 0
        while epochs < cfg.epochs:
            epochs += 1
            order = torch.randperm(len(x.A), generator=g, device=g.device)
            for rows in order.tensor_split(pieces):
                self._step(self.loss(x.take(rows))[0])
            if cfg.target_kl is not None and self.measure(x)["kl"] > cfg.target_kl:
                break
        metrics = self.measure(x)
        if cfg.normalise_state:  # only now, so that old and new policy see the same
            self.states.add(self.features(rollout.s.flatten(0, 1)))
        return metrics | {"epochs": epochs}

    @torch.no_grad()
    def samples(self, rollout: Rollout) -> Samples:
        """Every step of the rollout with its advantage and its target for V."""
        s, a, log_pi, V, r, s_next, d, cut = rollout.checked()
        if self.cfg.scale_reward:
            r = self.scale(r, (d + cut).clamp(max=1))
        A = gae(r, V, d, cut, self.V(s_next), self.cfg.gamma, self.cfg.lam)
        V_bar = A + V
        if self.cfg.normalise_advantage:
            A = (A - A.mean()) / (A.std(correction=0) + 1e-8)
        return Samples(*(x.flatten(0, 1) for x in (s, a, log_pi, V, A, V_bar)))

    def loss(self, x: Samples) -> tuple[Tensor, dict[str, Tensor]]:
        """-L^CLIP + c_1 L^VF - c_2 S (PPO, equation 9), and its parts.

        The ratio is that of whole actions, or with separate heads one ratio a head. The
        KL divergence is estimated by the mean of rho - 1 - ln rho, never negative.
        """
        z = self.pi(self.see(x.s))
        change = self.pi.log_pi(z, x.a) - x.log_pi
        if self.cfg.trunk == "shared":
            change = change.sum(1, keepdim=True)
        ratio = change.exp()
        L_clip = clipped(ratio, x.A, self.cfg.clip)
        L_V, S = self.value_loss(x), self.pi.entropy(z).mean()
        with torch.no_grad():
            kl = (ratio - 1 - change).sum(1).mean()
            outside = ((ratio - 1).abs() > self.cfg.clip).float().mean()
        parts = {"loss_pi": -L_clip, "loss_V": L_V, "entropy": S}
        parts |= {"kl": kl, "clipped": outside}
        return -L_clip + self.cfg.value_weight * L_V - self.cfg.entropy * S, parts

    def value_loss(self, x: Samples) -> Tensor:
        """L^VF: mean (V - V_bar)^2; with ``value_clip``, the larger of it and the same
        where V may have moved by at most ``value_clip``."""
        V = self.V(x.s)
        error = (V - x.V_bar).square()
        if self.cfg.value_clip is not None:
            near = x.V + (V - x.V).clamp(-self.cfg.value_clip, self.cfg.value_clip)
            error = torch.maximum(error, (near - x.V_bar).square())
        return error.mean()

    @torch.no_grad()
    def measure(self, x: Samples) -> dict[str, float]:
        """The parts of the loss on ``x`` as numbers."""
        return {name: part.item() for name, part in self.loss(x)[1].items()}

    def _step(self, loss: Tensor) -> None:
        self.opt.zero_grad()
        loss.backward()
        if self.cfg.grad_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.cfg.grad_clip)
        self.opt.step()

    # Adam's state belongs to state_dict()

    def get_extra_state(self) -> dict:
        return self.opt.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state)
