"""Stochastic value gradients: SVG(0), SVG(1) and SVG(inf).

Lecture, "SVG Algorithm" (Algorithm 1); Heess et al. (2015). The policy a = pi(s, eta)
and the model s' = f(s, a, xi) are functions of noise, so a return has a derivative
along every path. It goes through Q, SVG(0); through one step of the model and then V,
SVG(1); or back through whole recorded episodes, SVG(inf).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mbrl_edu.algos.dpg import policy_gradient
from mbrl_edu.control import episodes
from mbrl_edu.control.episodes import Learner, Log, Result, descend, follow, value
from mbrl_edu.control.policies import uniform, width
from mbrl_edu.control.reparameterised import Reparameterised, check_sigma
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Batch, Buffer
from mbrl_edu.core.nets import mlp
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.imagine import value_gradient as vg
from mbrl_edu.models import ensemble, fit
from mbrl_edu.models.layout import Layout

__all__ = ["SVG", "Config", "Result", "svg"]

VARIANTS = ("0", "1", "inf")


@dataclass(frozen=True)
class Config(episodes.Config):
    """Settings of stochastic value gradients, all variants."""

    variant: str = "1"  # 0: through Q; 1: one step of the model and V; inf: episodes
    sigma: tuple[float, float] = (0.05, 0.5)  # bounds of the policy's learned sd
    clip: float = 1.0  # longest gradient of the policy; longer ones are shortened
    noise: str = "inferred"  # SVG(1), of replayed steps: inferred (paper) or drawn
    weights: bool = True  # SVG(1): inferred steps weigh pi(a|s) / pi_then(a|s) (paper)
    most: float = 5.0  # ... but at most so much
    model_hidden: tuple[int, ...] = (64, 64)  # units per hidden layer of the model
    B: int = 1  # members of the model (paper 1)
    lr_model: float = 1e-3  # Adam's step size for the model
    epochs: int = 1  # passes over all transitions in each fit
    fit_every: int = 250  # SVG(1): steps between fits; SVG(inf) fits after episodes

    def __post_init__(self):
        super().__post_init__()
        check.choice("variant", self.variant, VARIANTS)
        check_sigma(self.sigma)
        check.number("clip", self.clip, low=0, open_low=True)
        check.choice("noise", self.noise, ("inferred", "drawn"))
        check.choice("weights", self.weights, (True, False))
        check.number("most", self.most, low=1)
        check.integer("epochs", self.epochs, low=1)
        check.integer("fit_every", self.fit_every, low=1)
        self.network  # noqa: B018 (it checks its fields)

    @property
    def network(self) -> ensemble.Config:
        """Settings of the model: every member is used."""
        check.integer("B", self.B, low=1)
        check.number("lr_model", self.lr_model, low=0, open_low=True)
        return ensemble.Config(self.B, self.B, self.model_hidden, lr=self.lr_model)


class SVG(Learner):
    """Policy pi, critic (Q or V) with its slow copy, and model, as the variant needs.

    A row of the replay holds the action and log pi(a|s) from when it was taken. ``rng``
    streams: "init/pi", "init/q", "init/model", "behaviour", "explore", "replay", "fit",
    "noise".
    """

    def __init__(self, task: Task, cfg: Config, rng: Streams):
        super().__init__()
        self.task, self.cfg, self.rng = task, cfg, rng
        self.width, ds, da = task.da + 1, task.ds, task.da
        self.see = task.features
        with rng.init("pi"):
            how = cfg.hidden, cfg.sigma, cfg.squash, self.see
            self.pi = Reparameterised(ds, da, *how)
        self.opts = {"pi": torch.optim.Adam(self.pi.parameters(), lr=cfg.lr_pi)}
        if cfg.variant != "inf":
            dx = width(self.see, ds) + da * (cfg.variant == "0")  # Q or V
            with rng.init("q"):
                self.q = mlp(dx, *(cfg.hidden or (64, 64)), 1)
            self.q_bar = copy.deepcopy(self.q)
            self.opts["q"] = torch.optim.Adam(self.q.parameters(), lr=cfg.lr_q)
        if cfg.variant != "0":
            layout = Layout(ds, da, task.features, task.absolute, task.reward)
            self.model = ensemble.Ensemble(layout, cfg.network, rng, device=rng.device)
        self.to(rng.device)

    @torch.no_grad()
    def act(self, s: Tensor, random: bool) -> Tensor:
        if random:
            a = uniform(self.task.da, self.rng["behaviour"])(s)
            log_pi = torch.full_like(a, 0.5).log().sum(1)
        else:
            a = self.pi(s, self.pi.draw(s, self.rng["explore"]))
            log_pi = self.pi.log_prob(s, a)
        return torch.cat([a, log_pi[:, None]], 1)

    @torch.no_grad()
    def policy(self, s: Tensor) -> Tensor:
        return self.pi.mean(s)

    def after_step(self, D: Buffer, t: int) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        if self.cfg.variant == "inf":
            return metrics
        if self.cfg.variant == "1" and (
            t == self.cfg.T_random or t % self.cfg.fit_every == 0
        ):
            metrics |= self.fit(D)
        update = self.update_0 if self.cfg.variant == "0" else self.update_1
        for _ in range(self.cfg.G):
            batch, log_then = split(D.sample(self.cfg.batch, self.rng["replay"]))
            metrics |= update(batch, log_then)
            follow(self.q_bar, self.q, self.cfg.tau)
        return metrics

    def after_episode(self, D: Buffer, path: Batch) -> dict[str, Any]:
        if self.cfg.variant != "inf":
            return {}
        return self.fit(D) | self.update_inf(split(path)[0])

    def fit(self, D: Buffer) -> dict[str, float]:
        """Train the model on everything in D."""
        how = fit.Config(self.cfg.batch, holdout=0, epochs=self.cfg.epochs)
        report = fit.fit(self.model, split(D.all())[0], how, self.rng["fit"])
        return {"model_loss": sum(report.error) / len(report.error)}

    # The three updates

    def update_0(self, batch: Batch, log_then: Tensor) -> dict[str, Tensor]:
        """v_theta = E[Q_a pi_theta] with noise drawn afresh: nothing to weigh."""
        s, a, r, s_next, d = batch
        pi, g, x = self.pi, self.rng["noise"], self.see(s)
        with torch.no_grad():
            a_next = pi(s_next, pi.draw(s_next, g))
            q_next = value(self.q_bar, self.see(s_next), a_next)
            y = r + self.cfg.gamma * (1 - d) * q_next
        loss = (value(self.q, x, a) - y).square().mean()
        descend(self.opts["q"], loss)
        self.opts["pi"].zero_grad()
        policy_gradient(pi(s, pi.draw(s, g)), lambda a: value(self.q, x, a))
        return {"loss_q": loss.detach()} | self.step()

    def update_1(self, batch: Batch, log_then: Tensor) -> dict[str, Tensor]:
        """v_theta = E[w (r_a + gamma V_s' f_a) pi_theta] at the noise of each step, and
        V by w (r + gamma V_bar(s') - V(s))^2 (Heess et al. 2015, Algorithms 2, 4)."""
        (s, _, r, s_next, d), noise, w = self.explained(batch, log_then)
        with torch.no_grad():
            y = r + self.cfg.gamma * (1 - d) * value(self.q_bar, self.see(s_next))
        loss = (w * (value(self.q, self.see(s)) - y).square()).mean()
        descend(self.opts["q"], loss)

        def ahead(a: Tensor) -> Tensor:
            r, s_next = vg.f(self.model, s, a, noise.xi, noise.who)
            return r + self.cfg.gamma * (1 - d) * value(self.q, self.see(s_next))

        self.opts["pi"].zero_grad()
        policy_gradient(self.pi(s, noise.eta), ahead, w / len(w))
        return {"loss_q": loss.detach(), "weight": w.mean()} | self.step()

    @torch.no_grad()
    def explained(
        self, batch: Batch, log_then: Tensor
    ) -> tuple[Batch, vg.Noise, Tensor]:
        """Transitions, the noise that explains them and their weights (n,): those that
        were replayed, or others from the same states by the present policy and model.
        """
        pi, model, g = self.pi, self.model, self.rng["noise"]
        s, a, r, s_next, d = batch
        who = model.draw(len(s), g)
        if self.cfg.noise == "inferred":
            w = torch.ones_like(r)
            if self.cfg.weights:
                w = (pi.log_prob(s, a) - log_then).exp().clamp(max=self.cfg.most)
            return batch, vg.infer(model, pi, batch, who), w
        eta = pi.draw(s, g)
        xi = torch.randn(len(s), model.layout.dy, generator=g, device=g.device)
        a = pi(s, eta)
        r, s_next = vg.f(model, s, a, xi, who)
        d = self.task.terminal(s, a, s_next)
        return Batch(s, a, r, s_next, d), vg.Noise(eta, xi, who), torch.ones_like(r)

    def update_inf(self, path: Batch) -> dict[str, Tensor]:
        """One step along v_theta of the episode's first state (Algorithm 1, 8-15)."""
        who = self.model.draw(len(path.r), self.rng["noise"])
        noise = vg.infer(self.model, self.pi, path, who)
        _, v_theta = vg.recursion(self.model, self.pi, path, noise, self.cfg.gamma)
        vg.set_gradient(self.pi, v_theta)
        return self.step()

    def step(self) -> dict[str, Tensor]:
        """One step of the policy with its gradient shortened to ``clip``; none where it
        is not finite, which long paths through a bad model can bring about."""
        norm = torch.nn.utils.clip_grad_norm_(self.pi.parameters(), self.cfg.clip)
        if norm.isfinite():
            self.opts["pi"].step()
        return {"gradient": norm}


def split(batch: Batch) -> tuple[Batch, Tensor]:
    """Transitions, and log pi(a|s) (n,) from when they were recorded."""
    a, log_then = batch.a[:, :-1], batch.a[:, -1]
    return batch._replace(a=a), log_then


learner = SVG


def svg(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> Result:
    """Learn ``task`` by stochastic value gradients; see ``episodes.train``."""
    return episodes.train(task, SVG(task, cfg, rng), cfg, rng, log, checkpoint)
