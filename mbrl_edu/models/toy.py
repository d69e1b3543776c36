"""A regression problem in one dimension that tells the families of models apart.

y = sin x + noise whose size depends on x; data left and right of a gap. After the
figure in PETS (Chua et al. 2018, appendix); sizes and phase of the noise as recalled
from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.models import calibration, fit
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Layout, no_reward
from mbrl_edu.models.protocol import Model

PI = float(np.pi)
LEFT, RIGHT = (-2 * PI, -PI, 700), (PI, 2 * PI, 500)  # from, to, points
REGIONS = {"in range": (LEFT, RIGHT), "gap": ((-PI, PI, 1000),)}
REGIONS["outside"] = ((2 * PI, 2.8 * PI, 1000),)

# The state is x, the next state y itself; there is neither action nor reward.
LAYOUT = Layout(ds=1, da=0, absolute=(0,), reward=no_reward)

FAMILIES = {
    "D": Config(B=1, elites=1, hidden=(64, 64, 64), probabilistic=False),
    "P": Config(B=1, elites=1, hidden=(64, 64, 64)),
    "DE": Config(B=5, elites=5, hidden=(64, 64, 64), probabilistic=False),
    "PE": Config(B=5, elites=5, hidden=(64, 64, 64)),
}
STEPS, BATCH = 3000, 128  # gradient steps, rows in each

Law = tuple[np.ndarray, np.ndarray]  # mu (M, n), sigma (M, n)


def true_sigma(x):
    """Standard deviation of the noise: 0.05 + 0.25 |sin(1.5 x + pi / 8)|."""
    return 0.05 + 0.25 * abs(np.sin(1.5 * np.asarray(x) + PI / 8))


def data(rng: Streams, region: str = "in range", name: str = "toy") -> Batch:
    """x and y of a region, as transitions s = x, s' = y."""
    g = rng.numpy(f"{name}/{region}")
    x = np.concatenate([g.uniform(low, high, n) for low, high, n in REGIONS[region]])
    y = np.sin(x) + true_sigma(x) * g.standard_normal(len(x))
    return batch(x, y)


def batch(x, y) -> Batch:
    """Numbers x (n,) and y (n,) as a batch."""
    s, s_next = (torch.as_tensor(v, dtype=torch.float32)[:, None] for v in (x, y))
    zero = torch.zeros(len(s))
    return Batch(s, torch.zeros(len(s), 0), zero, s_next, zero)


def train(
    family: str, rng: Streams, steps: int = STEPS, known: Batch | None = None
) -> Model:
    """A model of that family ("D", "P", "DE", "PE" or "GP"), fitted to ``known``, or to
    data that are drawn anew."""
    known = data(rng) if known is None else known
    if family == "GP":
        gp = GP(LAYOUT)
        gp.fit(known, rng["gp"])
        return gp
    model = Ensemble(LAYOUT, FAMILIES[family], rng, name=family)
    epochs = max(1, round(steps / (len(known.r) / BATCH)))
    cfg = fit.Config(batch=BATCH, holdout=0, epochs=epochs, bootstrap=model.B > 1)
    fit.fit(model, known, cfg, rng[f"fit/{family}"])
    return model


@torch.no_grad()
def law(model: Model, x) -> Law:
    """The predictive law at x (n,): a mixture with one Gaussian per member.

    DE, whose members give points, becomes the Gaussian of their mean and spread.
    """
    s = torch.as_tensor(x, dtype=torch.float32)[:, None]
    change, lv = model.predict(s, s.new_zeros(len(s), 0))
    mu, sigma = (s + change)[..., 0].double(), (lv[..., 0].double() / 2).exp()
    if model.B > 1 and not sigma.any():
        mu, sigma = mu.mean(0, keepdim=True), mu.std(0, correction=0, keepdim=True)
    return mu.numpy(), sigma.numpy()


@torch.no_grad()
def deviations(model: Model, x) -> tuple[float, float]:
    """Mean aleatoric and mean epistemic standard deviation at x (n,).

    For an ensemble the noise its members predict and the spread of their means; for a
    GP its noise and the deviation of the noise-free posterior.
    """
    s = torch.as_tensor(x, dtype=torch.float32)[:, None]
    a = s.new_zeros(len(s), 0)
    if isinstance(model, GP):
        _, var = model.latent(LAYOUT.x(s, a))
        return model.theta[0, -1].exp().item(), var.sqrt().mean().item()
    mu, lv = model.predict(s, a)
    _, aleatoric, epistemic = calibration.moments(mu.numpy(), (lv / 2).exp().numpy())
    return float(np.sqrt(aleatoric).mean()), float(np.sqrt(epistemic).mean())


@torch.no_grad()
def noise_correlation(model: Model, x) -> float:
    """Correlation of the predicted noise with ``true_sigma`` over x (n,); 0 for a model
    that predicts none, or the same everywhere."""
    s = torch.as_tensor(x, dtype=torch.float32)[:, None]
    _, lv = model.predict(s, s.new_zeros(len(s), 0))
    noise = lv[..., 0].double().exp().mean(0).sqrt().numpy()
    if isinstance(model, GP) or np.ptp(noise) == 0:
        return 0.0
    return float(np.corrcoef(noise, true_sigma(x))[0, 1])


def compare_families(seed: int, steps: int = STEPS) -> list[dict[str, Any]]:
    """Train every family on one draw of the data and score its laws on fresh draws.

    One row per family and region: seed, the entries of ``calibration.scores``, the two
    standard deviations of ``deviations``, and ``noise_correlation``. "D" is a point;
    "D + sigma" adds the standard deviation of its errors on the training data.
    """
    rng, rows = Streams(seed), list[dict[str, Any]]()
    known = data(rng)
    tests = {region: data(rng, region, "toy/test") for region in REGIONS}
    for family in (*FAMILIES, "GP"):
        model = train(family, rng, steps, known)
        laws = {family: 0.0}
        if family == "D":
            mu, _ = law(model, _column(known.s))
            laws["D + sigma"] = float(np.std(mu[0] - _column(known.s_next)))
        for label, constant in laws.items():
            for region, test in tests.items():
                x, y = _column(test.s), _column(test.s_next)
                mu, sigma = law(model, x)
                aleatoric, epistemic = deviations(model, x)
                rows.append(
                    {"family": label, "region": region, "seed": seed}
                    | calibration.scores(mu, sigma + constant, y)
                    | {"aleatoric_sd": aleatoric + constant, "epistemic_sd": epistemic}
                    | {"noise_corr": noise_correlation(model, x)}
                )
    return rows


def _column(x: Tensor) -> np.ndarray:
    return x[:, 0].double().numpy()
