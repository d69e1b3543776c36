"""Maximum likelihood for an ensemble: bootstrap, early stopping per member, elites."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mbrl_edu.core import check
from mbrl_edu.core.data import Batch
from mbrl_edu.models.ensemble import Ensemble
from mbrl_edu.models.layout import check_batch

# (epoch, members still in training, their holdout errors) -> False to end the fit
Progress = Callable[[int, list[int], list[float]], bool | None]


@dataclass(frozen=True)
class Config:
    """Settings of one fit; the defaults are MBPO's, except ``stop``, ``steps`` and
    ``average``: an epoch of a small data set has few steps, too few to judge by."""

    batch: int = 256  # transitions per member and gradient step (MBPO; PETS 32)
    holdout: float = 0.2  # share of the data held out (MBPO; PETS 0)
    max_holdout: int = 5000  # at most so many transitions held out (MBPO)
    improvement: float = 0.01  # relative fall of the holdout error that counts (MBPO)
    patience: int = 5  # a member stops after more epochs than this without one (MBPO)
    steps: int = 150  # ... and more gradient steps than this (ours; MBPO 0)
    epochs: int | None = None  # at most so many (PETS 5), None: until all have stopped
    stop: str = "member"  # "member": each for itself; "all": any one keeps all (MBPO)
    bootstrap: bool = True  # each member draws its data with replacement (PETS, MBPO)
    average: float = 1.0  # epochs that the average of the weights spans; 0: none (MBPO)

    def __post_init__(self):
        check.integer("batch", self.batch, low=1)
        check.number("holdout", self.holdout, low=0, high=1, open_high=True)
        check.integer("max_holdout", self.max_holdout, low=1)
        check.number("improvement", self.improvement, low=0, high=1, open_high=True)
        check.integer("patience", self.patience, low=0)
        check.integer("steps", self.steps, low=0)
        check.choice("stop", self.stop, ["member", "all"])
        check.number("average", self.average, low=0)
        if self.epochs is not None:
            check.integer("epochs", self.epochs, low=1)
        elif self.holdout == 0:
            raise ValueError(
                "epochs is None, but must be a number when holdout is 0: without held "
                "out data nothing says when to stop."
            )


MBPO = Config(stop="all", average=0, steps=0)  # their official codes
PETS = Config(batch=32, holdout=0, epochs=5, average=0)


@dataclass
class Report:
    """What a fit did."""

    epochs: int = 0
    member_epochs: int = 0  # epochs summed over the members that trained in them
    error: list[float] = field(default_factory=list)  # per member, of what is kept
    curve: list[dict[int, float]] = field(default_factory=list)  # member: error


class Stopping:
    """Which members improved, and which go on, from the holdout errors of every epoch.

    A member improves if its error falls more than ``improvement`` below its best. With
    "all", any improvement keeps every member in training; with "member", only its own.
    """

    def __init__(self, B: int, cfg: Config, steps: int = 1):
        """``steps``: gradient steps of one epoch."""
        self.cfg, self.live = cfg, list(range(B))
        self.patience = max(cfg.patience, cfg.steps // steps)
        self.best = [float("inf")] * B
        self.waited = [0] * B

    def update(self, errors: list[float]) -> list[int]:
        """Take the errors of the live members; returns those that improved."""
        least = 1 - self.cfg.improvement
        now = list(zip(self.live, errors))
        improved = [b for b, error in now if error < least * self.best[b]]
        for b, error in now:
            if b in improved:
                self.best[b] = error
            keeps = b in improved if self.cfg.stop == "member" else bool(improved)
            self.waited[b] = 0 if keeps else self.waited[b] + 1
        self.live = [b for b in self.live if self.waited[b] <= self.patience]
        return improved


def fit(
    model: Ensemble,
    batch: Batch,
    cfg: Config,
    g: torch.Generator,
    progress: Progress | None = None,
) -> Report:
    """Train ``model`` on all of ``batch``, from its present weights on.

    Holdout and bootstraps are drawn anew at every call, the holdout is shared. Every
    member ends with its own best weights; the elites are those with the lowest squared
    error of the mean on the holdout (without one: on the training data). Ctrl-C ends it
    with the best weights so far. Raises ValueError for data that are too few, not
    finite or of the wrong shape.

    Source: the code of PETS and MBPO, except that a member stops for itself, waits for
    at least ``steps`` gradient steps, and has its weights averaged over the last
    ``average`` epochs.
    """
    check_batch(batch, model.layout.ds, model.layout.da)
    for name, value in batch._asdict().items():
        if value.dtype != model.x_mean.dtype:
            raise ValueError(
                f"batch.{name} is {value.dtype}, but must be {model.x_mean.dtype}, as "
                "the model is."
            )
    n_held = min(int(cfg.holdout * len(batch.r)), cfg.max_holdout)
    n = len(batch.r) - n_held
    if n < cfg.batch:
        raise ValueError(
            f"batch has {len(batch.r)} transitions, {n} of them for training, but "
            f"training needs at least the {cfg.batch} of one gradient step."
        )
    order = torch.randperm(len(batch.r), generator=g, device=g.device)
    train, held = order[n_held:], order[: n_held or n]
    x = model.layout.x(batch.s, batch.a)
    set_normaliser(model, x[train])
    table = torch.cat([model.normalise(x), model.layout.target(batch)], 1)
    own = train.expand(model.B, n)
    if cfg.bootstrap:
        own = train[torch.randint(n, (model.B, n), generator=g, device=g.device)]
    keeper = _Best(model) if n_held else None
    return _epochs(model, table, own, held, cfg, g, keeper, progress)


def _epochs(model, table, own, held, cfg, g, keeper, progress) -> Report:
    """Epochs until every member has stopped; ``part`` holds those still in training."""
    steps = math.ceil(len(own[0]) / cfg.batch)
    report, stopping, part = Report(), Stopping(model.B, cfg, steps), model
    average = _Average(model, cfg.average * steps)
    live = stopping.live  # the members in ``part``
    try:
        while stopping.live and report.epochs != cfg.epochs:
            _epoch(part, average, table, _shuffled(own, g)[live], cfg.batch)
            report.epochs += 1
            report.member_epochs += len(live)
            trained, errors = live, []
            if keeper:
                errors = holdout_error(average.model, table[held]).tolist()
                improved = stopping.update(errors)
                keeper.store(improved, average.model, [live.index(b) for b in improved])
                if stopping.live and stopping.live != live:
                    rows = [live.index(b) for b in stopping.live]
                    model.put(live, part)
                    part, live = model.take(stopping.live), stopping.live
                    average.take(part, rows)
            report.curve.append(dict(zip(trained, errors)))
            if progress and progress(report.epochs, trained, errors) is False:
                break
    finally:
        model.put(live, part)
        (keeper or average).restore(model)
    report.error = holdout_error(model, table[held]).tolist()
    _choose_elites(model, report.error)
    return report


def _epoch(model: Ensemble, average: _Average, table: Tensor, own: Tensor, size: int):
    dx = len(model.x_mean)
    for rows in own.split(size, 1):
        zy = table[rows]  # the only gather of a step: (B, size, dx + dy)
        model.opt.zero_grad()
        model.loss(zy[..., :dx], zy[..., dx:]).backward()
        model.opt.step()
        average.update(model)


def _shuffled(own: Tensor, g: torch.Generator) -> Tensor:
    """Every member's data in a new order; drawn for stopped members too, so that one
    that stops does not change what the others see."""
    n = own.shape[1]
    return torch.stack(
        [o[torch.randperm(n, generator=g, device=g.device)] for o in own]
    )


@torch.no_grad()
def holdout_error(model: Ensemble, zy: Tensor) -> Tensor:
    """Mean squared error of each member's mean, over rows and dimensions: (B,)."""
    z, y = zy[:, : len(model.x_mean)], zy[:, len(model.x_mean) :]
    total = torch.zeros(model.B, device=y.device, dtype=y.dtype)
    for z_, y_ in zip(z.split(256), y.split(256)):
        mean, _ = model(z_.expand(model.B, *z_.shape))
        total += (mean - y_).square().mean(2).sum(1)
    return total / len(y)


@torch.no_grad()
def set_normaliser(model: Ensemble, x: Tensor) -> None:
    """Mean and standard deviation of the inputs. A constant one is left unscaled:
    below the resolution of 32-bit numbers a deviation is only rounding."""
    x = x.double()
    mean, std = x.mean(0), x.std(0, correction=0)
    std[std <= 1e-6 * mean.abs() + 1e-12] = 1.0
    model.x_mean.copy_(mean)
    model.x_std.copy_(std)


def _choose_elites(model: Ensemble, errors: list[float]) -> None:
    finite = [e if e == e else float("inf") for e in errors]
    ranked = sorted(range(model.B), key=finite.__getitem__)
    model.elites = torch.tensor(ranked[: model.cfg.elites], device=model.elites.device)


class _Best:
    """The best weights and biases of every member; the bounds are not kept (MBPO)."""

    def __init__(self, model: Ensemble):
        self.weights = [p.detach().clone() for p in model.layers.parameters()]

    def store(self, members: list[int], seen: Ensemble, rows: list[int]) -> None:
        if members:
            for kept, p in zip(self.weights, seen.layers.parameters()):
                kept[members] = p.detach()[rows]

    @torch.no_grad()
    def restore(self, model: Ensemble) -> None:
        for kept, p in zip(self.weights, model.layers.parameters()):
            p.copy_(kept)


class _Average:
    """Running average of the weights over the last ``span`` steps (Polyak and Juditsky
    1992): the noise of large steps cancels. With span 0 it is the model itself."""

    def __init__(self, model: Ensemble, span: float):
        self.span, self.steps = span, 0
        self.model = copy.deepcopy(model) if span else model

    @torch.no_grad()
    def update(self, model: Ensemble) -> None:
        if self.span:
            self.steps += 1
            weight = min(1.0, max(1 / self.span, 1 / self.steps))
            for mean, p in zip(self.model.parameters(), model.parameters()):
                mean.lerp_(p, weight)

    def take(self, part: Ensemble, rows: list[int]) -> None:
        self.model = self.model.take(rows) if self.span else part

    @torch.no_grad()
    def restore(self, model: Ensemble) -> None:
        for mean, p in zip(self.model.parameters(), model.parameters()):
            p.copy_(mean)
