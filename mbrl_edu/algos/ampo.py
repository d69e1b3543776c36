"""AMPO: MBPO that makes imagined transitions look like real ones, inside the model.

Lecture, "Unsupervised Model Adaptation" and Algorithm 1; Shen et al. (2020) and their
code. After the rollouts, the layers up to the model's last hidden one learn to give
imagined (s, a) the features of real ones. The next fit starts from there; until then
the model stays as it was fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from mbrl_edu.algos import mbpo
from mbrl_edu.algos.loop import Log, Metrics, Parts, Result, Tick, learn
from mbrl_edu.core import check
from mbrl_edu.core.checkpoint import Checkpoint
from mbrl_edu.core.data import Batch, Data
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs.task import Task
from mbrl_edu.models.distance import MMD, Distance, Wasserstein
from mbrl_edu.models.ensemble import Ensemble
from mbrl_edu.models.features import Pair, shuffled

LOOK = 10  # adaptation steps between two looks at the shift


@dataclass(frozen=True)
class Config(mbpo.Config):
    """Settings of MBPO, and of the adaptation of its model."""

    G_adapt: int = 40  # steps of the features after each rollout; 0: MBPO (AMPO: by
    # task, 6 to 3,000)
    G_first: int | None = None  # so many in epoch 0, growing to G_adapt in stop_epoch;
    # none: G_adapt from the start (AMPO on HalfCheetah)
    distance: str = "w1"  # what the steps lower: w1 (WGAN-GP) or mmd (lecture)
    n_critic: int = 5  # critic's steps before each of them, for w1 (AMPO)
    penalty: float = 10.0  # weight that holds the critic's slope at 1, for w1 (AMPO)
    lr_adapt: float = 1e-4  # Adam's step size for features and critic (AMPO)
    adapt_batch: int = 256  # real and imagined (s, a) of a step, per member (AMPO)
    stop_epoch: int | None = None  # the last epoch that adapts; none: all (AMPO: by
    # task)
    stop_ratio: float | None = None  # rest while the shift is at most this (1: as two
    # samples of real features); none: the shift does not matter (ours)

    def __post_init__(self):
        super().__post_init__()
        check.integer("G_adapt", self.G_adapt, low=0)
        check.choice("distance", self.distance, ("w1", "mmd"))
        check.integer("n_critic", self.n_critic, low=1)
        check.number("penalty", self.penalty, low=0, open_low=True)
        check.number("lr_adapt", self.lr_adapt, low=0, open_low=True)
        check.integer("adapt_batch", self.adapt_batch, low=2)
        if self.stop_epoch is not None:
            check.integer("stop_epoch", self.stop_epoch, low=0)
        if self.stop_ratio is not None:
            check.number("stop_ratio", self.stop_ratio, low=0)
        if self.G_first is not None:
            check.integer("G_first", self.G_first, low=0)
            if not self.stop_epoch:
                raise ValueError(
                    f"stop_epoch is {self.stop_epoch}, but must be 1 at least where "
                    "G_first is given: the steps grow until then."
                )

    def steps(self, t: int) -> int:
        """Adaptation steps after the rollouts at real step t, by the epoch alone."""
        epoch = (t - self.T_random) // self.epoch
        if self.stop_epoch is not None and epoch > self.stop_epoch:
            return 0
        if self.G_first is None or self.stop_epoch is None:
            return self.G_adapt
        return int(mbpo.ramp(epoch, 0, self.stop_epoch, self.G_first, self.G_adapt))


def ampo(
    parts: Parts, cfg: Config, rng: Streams, distance: Distance | None = None
) -> Parts:
    """MBPO that adapts its features after every rollout (Algorithm 1, line 10).

    ``distance`` replaces the one that the config names; it lives on ``rng.device``.
    Where the model is used before its next fit, as in MAAC's updates, it is the fitted
    one. ``rng`` streams of its own: "ampo/real", "ampo/imagined", "ampo/critic",
    "ampo/look".
    """
    if not cfg.G_adapt:
        return parts
    model = parts.model
    if distance is None and cfg.distance == "mmd":
        distance = MMD()
    elif distance is None:
        how = cfg.n_critic, cfg.penalty, cfg.lr_adapt
        h = model.cfg.hidden[-1]
        distance = Wasserstein(model.B, h, rng, "ampo/critic", rng.device, 100, *how)
    pair = Pair(model, distance, cfg.lr_adapt)
    return replace(
        parts,
        modules=parts.modules | {"ampo": pair},
        fit=Fit(parts.fit, model, pair),
        adapt=Adapt(parts.adapt, model, pair, cfg, rng),
    )


@dataclass(frozen=True)
class Fit:
    """The fit of the base, begun with the features that were adapted (AMPO)."""

    base: Callable[[Data], Metrics]
    model: Ensemble
    pair: Pair

    def __call__(self, D: Data) -> Metrics:
        self.pair.hand_over(self.model)
        return self.base(D)


@dataclass(frozen=True)
class Adapt:
    """Steps of the pair down the distance of real features from imagined ones; the
    model is not touched.

    Nothing holds the scale of the features, so part of what w1 wins is that they
    shrink. Logged is therefore the shift, which does not count that: before, after, and
    after with the target extractor for both kinds, as the next fit will begin.
    """

    base: Callable[[Data], Metrics]
    model: Ensemble
    pair: Pair
    cfg: Config
    rng: Streams

    def __call__(self, D: Data) -> Metrics:
        metrics, pair, cfg = self.base(D), self.pair, self.cfg
        if D.model.data is None or min(len(D.env) // 2, len(D.model)) < 2:
            return metrics  # too few to compare
        real, imagined = self._inputs(D.env.all()), self._inputs(D.model.data)
        batches, g = self._batches(real, imagined), self.rng["ampo/look"]
        pair.begin(self.model)
        shift, done = pair.shift(real, imagined, g), 0
        metrics |= {"shift": shift}
        while done < cfg.steps(len(D.env)):
            if cfg.stop_ratio is not None and shift <= cfg.stop_ratio:
                break
            metrics |= {"distance": pair.step(batches, self.rng["ampo/critic"])}
            done += 1
            if cfg.stop_ratio is not None and done % LOOK == 0:
                shift = pair.shift(real, imagined, g)
        after = {
            "shift_pair": pair.shift(real, imagined, g),
            "shift_model": pair.shift(real, imagined, g, one=True),
        }
        return metrics | after | {"adapt_steps": done}

    def _inputs(self, batch: Batch) -> Tensor:
        """Normalised as in the last fit: (n, dx)."""
        return self.model.normalise(self.model.layout.x(batch.s, batch.a))

    def _batches(self, real: Tensor, imagined: Tensor) -> Iterator[tuple[Tensor, ...]]:
        n = min(self.cfg.adapt_batch, len(real), len(imagined))
        kinds = ("ampo/real", real), ("ampo/imagined", imagined)
        return zip(*(shuffled(z, self.model.B, n, self.rng[name]) for name, z in kinds))


def learner(task: Task, cfg: Config, rng: Streams) -> Parts:
    """MBPO's parts, changed by ``ampo``."""
    return ampo(mbpo.mbpo(task, cfg, rng), cfg, rng)


def train(
    task: Task,
    cfg: Config,
    rng: Streams,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Tick | None = None,
) -> Result:
    """AMPO on ``task``; see ``loop.learn``."""
    return learn(learner(task, cfg, rng), cfg, rng, log, checkpoint, tick=tick)
