"""Soft actor-critic: learns a policy from any transitions, real or imagined."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mbrl_edu.control.policies import Features, TanhGaussian, width
from mbrl_edu.core import check
from mbrl_edu.core.data import Batch
from mbrl_edu.core.nets import MemberLinear
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import plain


@dataclass(frozen=True)
class Config:
    """Settings of soft actor-critic; the defaults are those of MBPO's code."""

    gamma: float = 0.99  # discount (MBPO)
    tau: float = 0.005  # step of the target critics after every update (MBPO)
    lr: float = 3e-4  # Adam's step size, for policy, critics and temperature (MBPO)
    hidden: tuple[int, ...] = (256, 256)  # units per hidden layer, ReLU (MBPO)
    alpha: float = 1.0  # temperature at the start (MBPO)
    learn_alpha: bool = True  # False: the temperature stays at alpha (SAC's first form)
    target_entropy: float | None = None  # of the policy, in nats; none: -da (SAC)

    def __post_init__(self):
        check.number("gamma", self.gamma, low=0, high=1)
        check.number("tau", self.tau, low=0, high=1, open_low=True)
        check.number("lr", self.lr, low=0, open_low=True)
        check.choice("learn_alpha", self.learn_alpha, (True, False))
        # the logarithm is what is learnt, so a learnt temperature cannot start at 0
        check.number("alpha", self.alpha, low=0, open_low=self.learn_alpha)
        if self.target_entropy is not None:
            check.number("target_entropy", self.target_entropy)
        if not self.hidden:
            raise ValueError("hidden is (), but must name at least one layer.")
        for h in self.hidden:
            check.integer("hidden", h, low=1)


class Critics(nn.Module):
    """Two critics q(s, a) side by side, evaluated in one pass.

    Weights and biases start uniformly within +- 1 / sqrt(inputs), torch's usual start
    (MBPO's code has that of Keras); build it inside ``rng.init(name)``. ``features``
    (n, ds) -> (n, dx) is what they see of s.
    """

    def __init__(
        self, ds: int, da: int, hidden: Sequence[int], features: Features = plain
    ):
        super().__init__()
        self.ds, self.da, self.features = ds, da, features
        sizes = [width(features, ds) + da, *hidden, 1]
        pairs = zip(sizes[:-1], sizes[1:])
        self.layers = nn.ModuleList(MemberLinear(2, i, o) for i, o in pairs)
        for i, layer in zip(sizes, self.layers):
            for p in layer.parameters():
                nn.init.uniform_(p, -(i**-0.5), i**-0.5)

    def forward(self, s: Tensor, a: Tensor) -> Tensor:
        """Values of both critics: (n, ds), (n, da) -> (2, n)."""
        _check("s", s, self.ds)
        _check("a", a, self.da, len(s))
        x = torch.cat([self.features(s), a], 1)
        x = x.expand(2, *x.shape)
        for layer in self.layers[:-1]:
            x = layer(x).relu_()
        return self.layers[-1](x).squeeze(2)


class SAC(nn.Module):
    """Soft actor-critic with two critics, their slow copies and a learnt temperature.

    It maximises E[sum_t gamma^t (r_t + alpha H(pi(.|s_t)))]. Source: Haarnoja et al.
    (2018b), Algorithm 1; settings and order as in MBPO's code (Janner et al. 2019).

    ``sample(s, g)`` draws a (n, da) and log pi (n,), ``mean(s)`` is the greedy action,
    ``q(s, a)`` and ``q_bar(s, a)`` (2, n) are the critics and the target critics. The
    first weights depend on the seed and ``name`` alone, not on ``device``, where all
    that is passed in must live. Nothing here waits for a GPU; it is therefore not
    checked whether numbers are finite. ``features`` (..., ds) -> (..., dx) is what all
    networks see of a state.
    """

    def __init__(
        self,
        ds: int,
        da: int,
        cfg: Config,
        rng: Streams,
        name: str = "sac",
        device: str = "cpu",
        features: Features = plain,
    ):
        super().__init__()
        self.ds = check.integer("ds", ds, low=1)
        self.da = check.integer("da", da, low=1)
        self.cfg = cfg
        wanted = cfg.target_entropy
        self.target_entropy = -float(da) if wanted is None else wanted
        with rng.init(name):
            self.pi = TanhGaussian(ds, da, cfg.hidden, features)
            self.q = Critics(ds, da, cfg.hidden, features)
        self.q_bar = copy.deepcopy(self.q).requires_grad_(False)
        log_alpha = math.log(cfg.alpha) if cfg.alpha else -math.inf
        self.log_alpha = nn.Parameter(torch.tensor(log_alpha), cfg.learn_alpha)
        self.to(device)
        self.opt_pi = self._adam(self.pi.parameters())
        self.opt_q = self._adam(self.q.parameters())
        self.opt_alpha = self._adam([self.log_alpha])

    def _adam(self, parameters) -> torch.optim.Adam:
        return torch.optim.Adam(parameters, lr=self.cfg.lr, fused=True)

    @property
    def alpha(self) -> Tensor:
        """The temperature: what one nat of entropy is worth, in units of reward."""
        return self.log_alpha.detach().exp()

    def sample(self, s: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """One draw a (n, da) for each s (n, ds), and log pi(a|s) (n,); both are
        differentiable in s and in the policy's weights."""
        return self.pi.sample(s, g)

    def mean(self, s: Tensor) -> Tensor:
        """The greedy action tanh(mu(s)): (n, ds) -> (n, da)."""
        return self.pi.mean(s)

    # One update and its four parts

    def update(self, batch: Batch, g: torch.Generator) -> dict[str, Tensor]:
        """One gradient step each for critics, policy and temperature, one step of the
        target critics; returns what ``update_critic`` and ``update_actor`` do."""
        metrics = self.update_critic(batch, g)
        loss, log_pi = self.actor_loss(batch.s, g)
        metrics |= self.update_actor(loss, log_pi)
        self.update_targets()
        return metrics

    def target(self, batch: Batch, g: torch.Generator, soft: bool = True) -> Tensor:
        """r + gamma (1 - d) (min_i q_bar_i(s', a') - alpha log pi(a'|s')), (n,), with a
        fresh a' ~ pi(.|s'). If not ``soft``, entropy is worth nothing."""
        _, _, r, s_next, d = batch
        a_next, log_pi = self.sample(s_next, g)
        V = self.q_bar(s_next, a_next).amin(0)
        if soft:
            V = V - self.alpha * log_pi
        return r + self.cfg.gamma * (1 - d) * V

    def update_critic(
        self, batch: Batch, g: torch.Generator, soft: bool = True
    ) -> dict[str, Tensor]:
        """One step on sum_i mean (q_i(s, a) - y)^2 / 2 with y of ``target``.

        Returns ``loss_q`` and ``q``, the mean value of both critics.
        """
        self._check_batch(batch)
        with torch.no_grad():
            y = self.target(batch, g, soft)
        q = self.q(batch.s, batch.a)
        loss = (q - y).square().mean(1).sum() / 2
        _step(self.opt_q, loss)
        return {"loss_q": loss.detach(), "q": q.detach().mean()}

    def actor_loss(self, s: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """mean(alpha log pi(a|s) - min_i q_i(s, a)), a ~ pi(.|s), and log pi (n,)."""
        a, log_pi = self.sample(s, g)
        return (self.alpha * log_pi - self.q(s, a).amin(0)).mean(), log_pi

    def update_actor(self, loss: Tensor, log_pi: Tensor) -> dict[str, Tensor]:
        """One step of the policy on ``loss``, then one of the temperature; returns what
        ``update_policy`` and ``update_alpha`` do."""
        return self.update_policy(loss) | self.update_alpha(log_pi)

    def update_policy(self, loss: Tensor, careful: bool = False) -> dict[str, Tensor]:
        """One step of the policy on ``loss``, which is returned as ``loss_pi``.

        ``loss`` may depend on the critics or on a model: only the policy's weights get
        a gradient. If ``careful``, none is made along a gradient that is not finite; a
        GPU is waited for then.
        """
        _step(self.opt_pi, loss, careful)
        return {"loss_pi": loss.detach()}

    def update_alpha(self, log_pi: Tensor) -> dict[str, Tensor]:
        """One step of the temperature on -log alpha mean(log pi + target entropy).

        Returns ``entropy`` (of ``log_pi``'s draws) and ``alpha``, the temperature after
        the step.
        """
        entropy = -log_pi.detach().mean()
        if self.cfg.learn_alpha:
            self.log_alpha.grad = entropy - self.target_entropy  # of the loss above
            self.opt_alpha.step()
        return {"entropy": entropy, "alpha": self.alpha}

    @torch.no_grad()
    def update_targets(self) -> None:
        """q_bar <- q_bar + tau (q - q_bar), for every weight."""
        slow: list[Tensor] = list(self.q_bar.parameters())
        torch._foreach_lerp_(slow, list(self.q.parameters()), self.cfg.tau)

    def _check_batch(self, batch: Batch) -> None:
        n = len(batch.s)
        _check("batch.s", batch.s, self.ds)
        _check("batch.a", batch.a, self.da, n)
        _check("batch.s_next", batch.s_next, self.ds, n)
        for name, x in (("r", batch.r), ("d", batch.d)):
            if x.shape != (n,):
                raise ValueError(
                    f"batch.{name} has shape {tuple(x.shape)}, but must have ({n},)."
                )

    # The optimisers' state belongs to state_dict()

    def get_extra_state(self) -> dict:
        opts = {"pi": self.opt_pi, "q": self.opt_q, "alpha": self.opt_alpha}
        return {name: opt.state_dict() for name, opt in opts.items()}

    def set_extra_state(self, state: dict) -> None:
        self.opt_pi.load_state_dict(state["pi"])
        self.opt_q.load_state_dict(state["q"])
        self.opt_alpha.load_state_dict(state["alpha"])


def _step(opt: torch.optim.Optimizer, loss: Tensor, careful: bool = False) -> None:
    """One step of the weights that ``opt`` holds; no gradient of any other weight is
    computed, whatever ``loss`` depends on. ``careful``: see ``update_policy``."""
    weights = opt.param_groups[0]["params"]
    for p in weights:
        p.grad = None
    loss.backward(inputs=weights)
    if careful and not all(p.grad.isfinite().all() for p in weights):
        return
    opt.step()


def _check(name: str, x: Tensor, width: int, n: int | None = None) -> None:
    if x.dim() != 2 or x.shape[1] != width or (n is not None and len(x) != n):
        wanted = f"({'n' if n is None else n}, {width})"
        raise ValueError(f"{name} has shape {tuple(x.shape)}, but must have {wanted}.")
