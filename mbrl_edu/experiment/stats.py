"""IQM and mean with stratified bootstrap bands, paired differences.

Follows Agarwal et al. (2021), "Deep RL at the edge of the statistical precipice":
report an interquartile mean with a percentile-bootstrap band whose resamples are drawn
within each task (stratum), never across tasks.

Shapes: scores are (runs,) or (runs, tasks), curves are (runs, steps). Nothing loops
over resamples. `rng` is a whole number or a NumPy generator; the same one gives the
same band.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.core.rng import Streams

Statistic = Callable[..., np.ndarray]  # (array, axis) -> array without that axis
BLOCK = 4_000_000  # numbers resampled at once: 32 MB


@dataclass(frozen=True)
class Band:
    """A statistic with its band: numbers, or arrays (steps,) for curves."""

    center: Any
    low: Any
    high: Any
    level: float  # share of repetitions whose band should hold the true value
    runs: int  # runs (seeds) per task

    def __str__(self) -> str:
        return f"{self.center:.4g} [{self.low:.4g}, {self.high:.4g}]"


def mean(x: np.ndarray, axis: int = 0) -> np.ndarray:
    """Arithmetic mean along `axis`."""
    return np.mean(x, axis=axis)


def iqm(x: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean of the middle half: floor(n / 4) values are cut off at either end."""
    ordered = np.sort(np.asarray(x, float), axis=axis)
    n = ordered.shape[axis]
    cut = n // 4
    return np.take(ordered, np.arange(cut, n - cut), axis=axis).mean(axis=axis)


def _array(name: str, x: Any, dims: tuple[int, ...]) -> np.ndarray:
    x = np.asarray(x, float)
    if x.ndim not in dims or x.size == 0:
        words = {1: "(runs,)", 2: "(runs, columns)"}
        allowed = " or ".join(words[d] for d in dims)
        raise ValueError(f"{name} has shape {x.shape}, but must have {allowed}.")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} holds NaN or infinite values; drop or replace them.")
    return x


def _generator(rng: int | np.random.Generator) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    return Streams(rng).numpy("bootstrap")


def _band(center: Any, draws: np.ndarray, level: float, runs: int) -> Band:
    """Percentile interval of `draws` (resamples, ...)."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(center, low, high, level, runs)


def _resample(x: np.ndarray, resamples: int, g: np.random.Generator) -> np.ndarray:
    """(resamples, runs, tasks): runs drawn with replacement within each task."""
    n, tasks = x.shape
    drawn = g.integers(n, size=(resamples, n, tasks))
    return np.take_along_axis(x[None], drawn, axis=1)


def _checked(level: float, resamples: int) -> tuple[float, int]:
    level = check.number("level", level, 0, 1, open_low=True, open_high=True)
    return level, check.integer("resamples", resamples, low=1)


def bootstrap(
    scores: Any,
    statistic: Statistic = iqm,
    level: float = 0.95,
    resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> Band:
    """`statistic` over all runs and tasks of `scores` (runs,) or (runs, tasks).

    Columns are strata: every resample has as many runs of every task as the data.
    """
    level, resamples = _checked(level, resamples)
    x = _array("scores", scores, (1, 2)).reshape(len(scores), -1)
    draws = _resample(x, resamples, _generator(rng)).reshape(resamples, -1)
    return _band(float(statistic(x.ravel())), statistic(draws, axis=1), level, len(x))


def bootstrap_curve(
    curves: Any,
    statistic: Statistic = iqm,
    level: float = 0.95,
    resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> Band:
    """`statistic` over runs at every step of `curves` (runs, steps).

    Whole runs are drawn, so that the band keeps how a run's steps hang together; it
    holds at each step by itself, not for all steps at once.
    """
    level, resamples = _checked(level, resamples)
    x = _array("curves", curves, (2,))
    n, steps = x.shape
    drawn = _generator(rng).integers(n, size=(resamples, n))
    width = max(1, BLOCK // drawn.size)
    blocks = [x[:, i : i + width] for i in range(0, steps, width)]
    bands = [_band(0, statistic(b[drawn], axis=1), level, n) for b in blocks]
    low = np.concatenate([b.low for b in bands])
    high = np.concatenate([b.high for b in bands])
    return Band(statistic(x, axis=0), low, high, level, n)


def paired_difference(
    a: Any,
    b: Any,
    statistic: Statistic = iqm,
    level: float = 0.95,
    resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> Band:
    """`statistic` of a - b, run by run; row i of both must have the same seed."""
    x, y = _array("a", a, (1, 2)), _array("b", b, (1, 2))
    if x.shape != y.shape:
        raise ValueError(f"a has shape {x.shape} and b {y.shape}, but they must agree.")
    return bootstrap(x - y, statistic, level, resamples, rng)


def probability_of_improvement(
    a: Any,
    b: Any,
    level: float = 0.95,
    resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> Band:
    """P(a run of a scores higher than a run of b), ties half, averaged over tasks.

    a (runs_a,) or (runs_a, tasks) and b (runs_b, ...) are independent runs; their
    numbers of runs may differ. `Band.runs` is the smaller one.
    """
    level, resamples = _checked(level, resamples)
    x, y = _array("a", a, (1, 2)), _array("b", b, (1, 2))
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"a has {x.shape[1]} tasks and b {y.shape[1]}, but they must agree."
        )
    above = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])  # (na, nb, tasks)
    g = _generator(rng)
    wa = _counts(len(x), (resamples, x.shape[1]), g)  # (resamples, tasks, na)
    wb = _counts(len(y), (resamples, x.shape[1]), g)
    draws = np.einsum("rti,ijt,rtj->r", wa, above, wb, optimize=True) / x.shape[1]
    return _band(float(above.mean()), draws, level, min(len(x), len(y)))


def _counts(n: int, shape: tuple[int, ...], g: np.random.Generator) -> np.ndarray:
    """How often each of n runs is in a resample, as a share: (*shape, n)."""
    return g.multinomial(n, np.full(n, 1 / n), size=shape) / n
