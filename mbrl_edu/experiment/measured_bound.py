"""The terms of MBPO's bound, measured while MBPO learns.

A deterministic world has no overlap with a learned Gaussian: its total variation is 1,
however good the model. So the world here is a point mass with Gaussian noise, whose law
p(s'|s, a) is known and has a density; the reward is known as well, so that the model's
error is that of s' alone, as in the bound.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.loop import Metrics, Parts, Progress, learn
from mbrl_edu.control.policies import TanhGaussian
from mbrl_edu.control.sac import SAC
from mbrl_edu.core.data import Data
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.lqr import LQR
from mbrl_edu.envs.task import Task
from mbrl_edu.envs.tasks import lqr_task
from mbrl_edu.models.ensemble import Ensemble
from mbrl_edu.theory import bounds_mbpo
from mbrl_edu.theory.choice_of_k import best_k

NOISE, GAMMA, K = 0.1, 0.95, 5
CHAINS, STEPS, DRAWS = 512, 150, 4  # GAMMA ** STEPS is below 1e-3
GRID = torch.linspace(-9, 9, 721)  # u of a = tanh(u)

CONFIG = mbpo.Config(
    T=3_000,
    T_random=500,
    epoch=250,
    fit_every=125,
    M=1_000,
    k=(0, 1, K, K),
    G=5,
    hidden=(64, 64),
    lr=1e-3,
    B=5,
    elites=3,
    model_hidden=(64, 64, 64),
    fit_batch=128,
    known_reward=True,
)
QUICK = replace(CONFIG, T=1_000, M=20, G=1, hidden=(8,), model_hidden=(8,), epochs=1)


def noisy_mass() -> Task:
    """The point mass of ``envs.lqr`` with noise on s', discounted by 0.95."""
    return replace(lqr_task(1, NOISE), gamma=GAMMA)


def measured(seed: int, quick: bool = False) -> list[dict[str, Any]]:
    """One run of MBPO: a row per evaluation after the first fit."""
    task, cfg, rng = noisy_mass(), QUICK if quick else CONFIG, Streams(seed)
    meter = Meter(task, cfg, rng["meter"], chains=32 if quick else CHAINS)
    rows: list[dict[str, Any]] = []

    def log(t: int, found: dict[str, float]) -> None:
        kept = {name: float(f"{found[name]:.5g}") for name in NAMES if name in found}
        if len(kept) == len(NAMES):
            rows.append({"seed": seed, "step": t} | kept)

    learn(mbpo.mbpo(task, cfg, rng), cfg, rng, log, watch=meter)
    return rows


NAMES = (
    *("return", "eta", "eta_hat", "eta_branch", "e_m", "e_m_prime", "e_m_mean"),
    *("e_pi", "e_pi_mean", "half_span", "slide", "tight", "best_k", "slope"),
)


@dataclass
class Meter:
    """Watches the loop and measures; nothing that learns is touched.

    eta, eta_hat : discounted return of the stochastic policy in the world, in the model
    eta_branch : return in sliding branches of k model steps (see ``theory.branch``)
    e_m : mean total variation of the model on the real pairs
    e_m_prime, e_m_mean : the same along the policy in the world; largest over time (the
        bound's), discounted mean over time
    e_pi, e_pi_mean : total variation of the policy and the mixture of all policies that
        made the data, in states of both; largest (the bound's) and mean
    half_span : half the span of the rewards seen; stands for r_max
    slope : (e_m_mean - e_m) / e_pi_mean
    """

    task: Task
    cfg: mbpo.Config
    g: torch.Generator
    chains: int = CHAINS
    past: list[tuple[float, TanhGaussian | None]] = field(default_factory=list)

    @torch.no_grad()
    def __call__(self, now: Progress, D: Data, parts: Parts) -> Metrics:
        found = self.measure(D, parts) if now.epoch else {}
        if not self.past:
            self.past.append((self.cfg.T_random, None))  # uniform actions
        self.past.append((self.cfg.epoch, copy.deepcopy(parts.agent.pi)))
        return found

    def measure(self, D: Data, parts: Parts) -> Metrics:
        """Everything above, as numbers."""
        agent, model = parts.agent, parts.model
        paths, rewards, errors = self._world(agent, model)
        discount = GAMMA ** torch.arange(STEPS)
        data = D.env.all()
        e_m = self._error(model, data.s, data.a).mean().item()
        half = torch.cat([rewards.flatten(), data.r])
        half_span = (half.max() - half.min()).item() / 2
        seen = torch.cat([paths[::10].flatten(0, 1), data.s])
        shift = self._shift(agent.pi, seen[torch.randperm(len(seen), generator=self.g)])
        by_time = errors.mean(1)
        e_m_mean = (by_time * discount).sum() / discount.sum()
        e = {"e_m": e_m, "e_m_prime": by_time.max().item(), "e_m_mean": e_m_mean.item()}
        e |= {"e_pi": shift.max().item(), "e_pi_mean": shift.mean().item()}
        terms = GAMMA, half_span, e["e_m_prime"], e["e_pi"]
        return e | {
            "eta": (rewards.mean(1) * discount).sum().item(),
            "eta_hat": self._imagined(agent, model, self._starts(), STEPS).sum().item(),
            "eta_branch": self._branched(agent, model, data.s),
            "half_span": half_span,
            "slide": bounds_mbpo.theorem_4_3(*terms, K),
            "tight": bounds_mbpo.tight(*terms, K),
            "best_k": float(np.minimum(best_k(GAMMA, *terms[2:]), 1e3)),
            "slope": (e["e_m_mean"] - e_m) / e["e_pi_mean"],
        }

    def _starts(self) -> Tensor:
        high = torch.tensor(LQR().high, dtype=torch.float32)
        return (2 * torch.rand(self.chains, 2, generator=self.g) - 1) * high

    def _noise(self, s: Tensor) -> Tensor:
        return NOISE * torch.randn(s.shape, generator=self.g)

    def _world(self, agent: SAC, model: Ensemble) -> tuple[Tensor, Tensor, Tensor]:
        """States (STEPS, n, 2), rewards and model errors (STEPS, n) of the policy."""
        assert self.task.dynamics and self.task.reward
        s, rows = self._starts(), []
        for _ in range(STEPS):
            a = agent.sample(s, self.g)[0]
            mean = self.task.dynamics(s, a)
            s_next = mean + self._noise(mean)
            rows.append((s, self.task.reward(s, a, s_next), self._error(model, s, a)))
            s = s_next
        paths, rewards, errors = (torch.stack(x) for x in zip(*rows))
        return paths, rewards, errors

    def _error(self, model: Ensemble, s: Tensor, a: Tensor) -> Tensor:
        """TV(p, p_hat) = E_p[(1 - p_hat / p)+] for each row, from a few draws (n,)."""
        assert self.task.dynamics
        mean = self.task.dynamics(s, a)
        mu, lv = model.predict(s, a)
        mu, lv = (s + mu)[model.elites], lv[model.elites]
        total = torch.zeros(len(s))
        for _ in range(DRAWS):
            x = mean + self._noise(mean)
            log_p = _log_normal(x, mean, torch.tensor(2 * math.log(NOISE)))
            log_p_hat = _log_normal(x, mu, lv).logsumexp(0) - math.log(len(mu))
            total += (1 - (log_p_hat - log_p).exp()).clamp(min=0)
        return total / DRAWS

    def _shift(self, pi: TanhGaussian, s: Tensor, most: int = 2_000) -> Tensor:
        """TV of pi and the mixture of past policies at rows of s, by quadrature in u;
        the map to a = tanh(u) does not change it."""
        s, u = s[:most], GRID
        weights = [steps for steps, _ in self.past]
        uniform = (1 - u.tanh() ** 2) / 2
        mixed = torch.zeros(len(s), len(u))
        for steps, old in self.past:
            law = uniform if old is None else _density(old, s)
            mixed += steps / sum(weights) * law
        return (_density(pi, s) - mixed).abs().sum(1) * (u[1] - u[0]) / 2

    def _imagined(self, agent: SAC, model: Ensemble, s: Tensor, n: int) -> Tensor:
        """Discounted mean reward of each of n imagined steps (n,)."""
        found = []
        for t in range(n):
            a = agent.sample(s, self.g)[0]
            r, s_next = model.sample(s, a, self.g)
            found.append(GAMMA**t * r.mean())
            s = s_next
        return torch.stack(found)

    def _branched(self, agent: SAC, model: Ensemble, s: Tensor) -> float:
        """The first k rewards from starts, then k model steps after each real state,
        which counts gamma^t by its time in its episode."""
        head = self._imagined(agent, model, self._starts(), K).sum()
        weight = GAMMA ** (torch.arange(len(s)) % self.task.horizon).double()
        i = torch.multinomial(weight, 8 * self.chains, True, generator=self.g)
        tail = self._imagined(agent, model, s[i], K + 1)[K]  # gamma^K is in it
        return (head + tail / (1 - GAMMA)).item()


def _log_normal(x: Tensor, mean: Tensor, lv: Tensor) -> Tensor:
    """Log-density of a normal law with independent components, (..., d) -> (...)."""
    each = (x - mean).square() * (-lv).exp() + lv + math.log(2 * math.pi)
    return -each.sum(-1) / 2


def _density(pi: TanhGaussian, s: Tensor) -> Tensor:
    """Density of u at the grid, for policies with one action: (n, grid)."""
    mu, log_sd = pi.gaussian(s)
    z = (GRID - mu) / log_sd.exp()
    return (-z.square() / 2 - log_sd).exp() / math.sqrt(2 * math.pi)
