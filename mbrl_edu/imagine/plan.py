"""How good is a plan? Particles sent through a model (PETS: trajectory sampling)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.models.layout import one_each
from mbrl_edu.models.protocol import Model

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]  # of (s, a, s'), one number a row
Evaluate = Callable[[Tensor], Tensor]  # plans (N, H, da) -> what they are worth (N,)

KINDS = ("TS1", "TSinf", "DS", "MM", "E")
SAMPLING = ("TS1", "TSinf")  # every particle follows one member
ROWS = 16_384  # rows that a model sees at once: this bounds the memory


class Planner(Protocol):
    """Looks for a good plan: random shooting, CEM, MPPI."""

    def __call__(
        self, evaluate: Evaluate, H: int, da: int, g: torch.Generator
    ) -> Tensor:
        """A plan (H, da) with every action in [-1, 1].

        ``evaluate`` says what N plans (N, H, da) are worth (N,). A planner may begin
        where its last plan ended, one step later, until ``reset`` is called.
        """
        ...

    def reset(self) -> None:
        """Forget the last plan: a new episode begins."""
        ...


@dataclass(frozen=True)
class Config:
    """How particles travel."""

    propagation: str = "TS1"  # TS1, TSinf, DS, MM or E (PETS, section 5)
    P: int = 20  # particles per plan; E is without chance and uses one (PETS)
    gamma: float = 1.0  # discount inside a plan (PETS: none)

    def __post_init__(self):
        check.choice("propagation", self.propagation, KINDS)
        check.integer("P", self.P, low=1)
        check.number("gamma", self.gamma, low=0, high=1)
        if self.propagation == "MM" and self.P == 1:
            raise ValueError("P is 1, but MM fits a Gaussian to at least 2 particles.")


class Imagination:
    """What plans are worth in ``model``: the mean return of P particles.

    At every step a particle s draws (r, s' - s) from a Gaussian (PETS, section 5):

    TS1    that of one member; the particles of a plan are dealt to the members anew
           at every step, by a random permutation, so that all get equally many
    TSinf  that of one member, the same for the whole plan
    DS     the one with the ensemble's mean and variance: E[mu], E[sigma^2] + Var[mu]
    MM     as DS; then all particles of a plan are drawn from the (diagonal) Gaussian
           that has their mean and variance
    E      one particle moves by the ensemble's mean

    Members are the model's elites. ``reward`` replaces the model's own, ``terminal``
    is a known end, after which nothing is paid; both are functions of (s, a, s').
    Raises ValueError if TS1 or TSinf cannot deal P particles out evenly.
    """

    def __init__(
        self,
        model: Model,
        cfg: Config | None = None,
        reward: Rule | None = None,
        terminal: Rule | None = None,
    ):
        self.model, self.cfg = model, cfg or Config()
        self.reward, self.terminal = reward, terminal
        self.P = 1 if self.cfg.propagation == "E" else self.cfg.P
        n = len(model.elites)
        if self.cfg.propagation in SAMPLING and self.P % n:
            raise ValueError(
                f"P is {self.P}, but with {self.cfg.propagation} it must be a multiple "
                f"of the {n} members that particles are dealt to."
            )

    @torch.no_grad()
    def __call__(self, s: Tensor, plans: Tensor, g: torch.Generator) -> Tensor:
        """From s (ds,), what each of ``plans`` (N, H, da) is worth: (N,).

        (1 / P) sum_p sum_t gamma^t r(s_t^p, a_t) (lecture, PETS algorithm, line 7). A
        plan on which some particle leaves the finite numbers is worth minus infinity.
        """
        n = len(plans) * self.P
        total, weight = s.new_zeros(n), 1.0
        alive = torch.ones(n, dtype=torch.bool, device=s.device)
        lost = ~alive
        for x, a, r, x_next in self._walk(s, plans, g):
            fine = x_next.isfinite().all(1) & r.isfinite()
            lost |= alive & ~fine
            total += torch.where(alive & fine, weight * r, 0)
            if self.terminal is not None:
                alive &= one_each("terminal", self.terminal(x, a, x_next), n) == 0
            weight *= self.cfg.gamma
        total[lost] = -torch.inf
        return total.view(-1, self.P).mean(1)

    @torch.no_grad()
    def particles(self, s: Tensor, plans: Tensor, g: torch.Generator) -> Tensor:
        """Where the particles of every plan go: (N, P, H + 1, ds)."""
        path = [x for _, _, _, x in self._walk(s, plans, g)]
        start = s.to(path[0]).expand_as(path[0])
        return torch.stack([start, *path], 1).unflatten(0, (len(plans), self.P))

    def _walk(
        self, s: Tensor, plans: Tensor, g: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """(s, a, r, s') of all particles, step by step; N P rows, those of one plan
        next to each other."""
        self._check(s, plans)
        N = len(plans)
        x = s.expand(N * self.P, -1)
        fixed = self._blocks().repeat(N)
        for t in range(plans.shape[1]):
            a = plans[:, t].repeat_interleave(self.P, 0)
            if self.cfg.propagation in SAMPLING:
                who = self._dealt(N, g) if self.cfg.propagation == "TS1" else fixed
                mean, std = self._of_members(x, a, who)
            else:
                mean, std = self._of_ensemble(x, a)
            y = mean if self.cfg.propagation == "E" else _normal(mean, std, g)
            r, x_next = self.model.layout.apply(x, a, y)
            if self.cfg.propagation == "MM":
                x_next = self._refit(x_next, g)
                if self.model.layout.reward is not None:
                    r = self.model.layout.reward(x, a, x_next)
            if self.reward is not None:
                r = one_each("reward", self.reward(x, a, x_next), len(x))
            yield x, a, r, x_next
            x = x_next

    def _blocks(self) -> Tensor:
        """A member for each of the P particles, in blocks of equal size: (P,)."""
        elites = self.model.elites
        return elites.repeat_interleave(-(-self.P // len(elites)))[: self.P]

    def _dealt(self, N: int, g: torch.Generator) -> Tensor:
        """The blocks in a new random order for each plan: (N P,)."""
        if len(self.model.elites) == 1:
            return self._blocks().repeat(N)
        order = torch.rand(N, self.P, generator=g, device=g.device).argsort(1)
        return self._blocks()[order].flatten()

    def _of_members(self, x: Tensor, a: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of y in row i, by member ``who[i]``: (n, dy) each."""
        one = getattr(self.model, "predict_rows", self._all_then_one)
        rows = zip(x.split(ROWS), a.split(ROWS), who.split(ROWS))
        mean, lv = (torch.cat(p) for p in zip(*(one(*row) for row in rows)))
        return mean, (lv / 2).exp()

    def _all_then_one(self, x: Tensor, a: Tensor, who: Tensor):
        """``predict_rows`` for a model that has none."""
        i = torch.arange(len(x), device=x.device)
        return tuple(p[who, i] for p in self.model.predict(x, a))

    def _of_ensemble(self, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of y over the elites, taken as one Gaussian: (n, dy)."""
        parts = []
        for row in zip(x.split(ROWS), a.split(ROWS)):
            mean, lv = (p[self.model.elites] for p in self.model.predict(*row))
            var = lv.exp().mean(0) + mean.var(0, correction=0)
            parts.append((mean.mean(0), var.sqrt()))
        mean, std = (torch.cat(p) for p in zip(*parts))
        return mean, std

    def _refit(self, x: Tensor, g: torch.Generator) -> Tensor:
        """Particles drawn from the Gaussian of the particles of their plan. Dividing by
        P, not P - 1, keeps a particle's variance: the mean varies too."""
        groups = x.view(-1, self.P, x.shape[1])
        std, mean = torch.std_mean(groups, 1, correction=0, keepdim=True)
        return _normal(mean.expand_as(groups), std, g).flatten(0, 1)

    def _check(self, s: Tensor, plans: Tensor) -> None:
        ds, da = self.model.layout.ds, self.model.layout.da
        if s.shape != (ds,):
            raise ValueError(f"s has shape {tuple(s.shape)}, but must have ({ds},).")
        if not s.isfinite().all():
            raise ValueError(f"s is {s.tolist()}, but must be finite.")
        if plans.dim() != 3 or 0 in plans.shape[:2] or plans.shape[2] != da:
            raise ValueError(
                f"plans has shape {tuple(plans.shape)}, but must have (N, H, {da}) "
                "with N and H at least 1."
            )


def _normal(mean: Tensor, std: Tensor, g: torch.Generator) -> Tensor:
    eps = torch.randn(mean.shape, generator=g, device=g.device, dtype=mean.dtype)
    return mean + std * eps


def judge(evaluate: Evaluate, plans: Tensor) -> Tensor:
    """What the plans are worth, (N,); one that is not a number loses: -infinity.

    Raises ValueError if ``evaluate`` does not give one number a plan.
    """
    values = evaluate(plans)
    if values.shape != plans.shape[:1]:
        raise ValueError(
            f"evaluate gave the shape {tuple(values.shape)} for {len(plans)} plans, "
            f"but must give ({len(plans)},)."
        )
    return torch.where(values.isfinite(), values, -torch.inf)


def check_plan(H: int, da: int) -> None:
    """Raises ValueError unless the shape of a plan (H, da) makes sense."""
    check.integer("H", H, low=1)
    check.integer("da", da, low=1)
