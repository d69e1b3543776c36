"""How honest a predicted law is: likelihood, coverage, calibration, sharpness, CRPS.

A law is an equal-weight mixture of M Gaussians (M = 1 is a Gaussian): ``mu`` and
``sigma`` have shape (M, ...), ``y`` the shape (...). sigma = 0 is a point mass. All
functions return 64-bit numpy arrays of the shape of ``y``, unless they say otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

Array = NDArray[np.float64]
LEVELS = np.linspace(0.01, 0.99, 99)


def nll(mu: ArrayLike, sigma: ArrayLike, y: ArrayLike) -> Array:
    """-ln mean_i N(y; mu_i, sigma_i^2), in nats; infinite for a point mass that is
    wrong, minus infinite for one that is right."""
    mu, sigma, y = _law(mu, sigma, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(y == mu, 0.0, (y - mu) / sigma)
        log_n = -0.5 * z**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
        log_n = np.where((sigma == 0) & (y != mu), -np.inf, log_n)
        return -(logsumexp(log_n, axis=0) - np.log(len(mu)))


def cdf(mu: ArrayLike, sigma: ArrayLike, y: ArrayLike) -> Array:
    """F(y), the probability that the law gives to values up to y."""
    mu, sigma, y = _law(mu, sigma, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(y == mu, 0.0, (y - mu) / sigma)
    return ndtr(z).mean(0)


def coverage(F: ArrayLike, level: float) -> float:
    """Share of outcomes inside the central interval that should hold ``level`` of them,
    from F = cdf(mu, sigma, y): those with (1 - level)/2 <= F <= (1 + level)/2."""
    return float(np.mean(np.abs(np.asarray(F) - 0.5) <= level / 2))


def calibration_error(F: ArrayLike) -> float:
    """mean over p of |share of outcomes with F <= p, minus p|, p = 0.01, ..., 0.99."""
    F = np.sort(np.ravel(F))
    share = np.searchsorted(F, LEVELS, side="right") / len(F)
    return float(np.abs(share - LEVELS).mean())


def moments(mu: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array, Array]:
    """Mean of the mixture, and its variance in two parts: mean of the variances
    (aleatoric, if the members have learned the noise) and variance of the means
    (epistemic)."""
    mu, sigma = np.asarray(mu, float), np.asarray(sigma, float)
    return mu.mean(0), np.mean(sigma**2, 0), mu.var(0)


def sharpness(mu: ArrayLike, sigma: ArrayLike) -> float:
    """Mean standard deviation of the law: how much it commits itself."""
    _, aleatoric, epistemic = moments(mu, sigma)
    return float(np.sqrt(aleatoric + epistemic).mean())


def crps(mu: ArrayLike, sigma: ArrayLike, y: ArrayLike) -> Array:
    """E|X - y| - E|X - X'| / 2 with X, X' drawn from the law, in the unit of y.

    Closed form for mixtures (Grimit et al. 2006): mean_i A(y - mu_i, sigma_i^2)
    - mean_ij A(mu_i - mu_j, sigma_i^2 + sigma_j^2) / 2. A point mass has |mu - y|.
    """
    mu, sigma, y = _law(mu, sigma, y)
    spread = np.zeros_like(y)
    for mu_j, sigma_j in zip(mu, sigma):  # M^2 terms, M at a time
        s = np.sqrt(sigma**2 + sigma_j**2)
        spread += mean_distance(mu - mu_j, s).mean(0) / len(mu)
    return mean_distance(y - mu, sigma).mean(0) - spread / 2


def mean_distance(m: Array, s: Array) -> Array:
    """A(m, s^2) = E|m + s Z|, Z standard normal: 2 s phi(m/s) + m (2 Phi(m/s) - 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(s > 0, m / s, 0.0)
    exact = 2 * s * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) + m * (2 * ndtr(z) - 1)
    return np.where(s > 0, exact, np.abs(m))


def scores(mu: ArrayLike, sigma: ArrayLike, y: ArrayLike) -> dict[str, float]:
    """All of the above as means over ``y``, one row of a table."""
    F = cdf(mu, sigma, y)
    return {
        "nll": float(nll(mu, sigma, y).mean()),
        "cover50": coverage(F, 0.5),
        "cover90": coverage(F, 0.9),
        "calibration_error": calibration_error(F),
        "sharpness": sharpness(mu, sigma),
        "crps": float(crps(mu, sigma, y).mean()),
    }


def _law(mu, sigma, y) -> tuple[Array, Array, Array]:
    mu, y = np.asarray(mu, float), np.asarray(y, float)
    sigma = np.broadcast_to(np.asarray(sigma, float), mu.shape)
    if mu.shape[1:] != y.shape or not len(mu):
        raise ValueError(
            f"mu has shape {mu.shape}, but must be (M, *{y.shape}), M > 0."
        )
    if not (sigma >= 0).all():
        raise ValueError("sigma has an entry below 0 or NaN, but must be at least 0.")
    return mu, sigma, y
