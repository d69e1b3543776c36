"""The stored runs of chapter 3: families of models, and errors along imagined paths."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_edu.core.data import Batch
from mbrl_edu.core.rng import Streams
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study

PAGE = "03-models"
TASKS = ("CartPoleSwingUp-v0", "Pendulum-v1")
HORIZONS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30)
STEPS, BATCH = 2000, 128  # gradient steps of every network, rows in each
HIDDEN = (128, 128, 128)
FAMILIES = {"D": (1, False), "P": (1, True), "DE": (5, False), "PE": (5, True)}
EPISODES, ROWS_GP = 10, 400  # real episodes to learn from; rows a GP is given
MOST_GP = 800  # rows of a GP in the study model-data
SIZES = (200, 400, 800, 1600, 3200)  # real steps of the study model-data
EVERY = 5  # real steps between two starts of imagined paths


@study("model-families", title="D, P, DE, GP and PE on a noisy sine", page=PAGE)
def model_families(workers, folder, quick=False):
    """Likelihood, coverage, calibration and CRPS of every family inside the data, in a
    gap and outside, on independent draws of the data (PETS, appendix A.1)."""
    import pandas as pd

    from mbrl_edu.models import toy

    seeds = range(1 if quick else 20)
    rows: list[dict[str, Any]] = []
    with Progress("model-families", len(seeds), "seeds") as bar:
        for seed in seeds:
            rows += toy.compare_families(seed)
            bar.advance()
    return rounded(pd.DataFrame(rows))


def rounded(table: Any) -> Any:
    """Numbers to five digits, so that the stored table stays small."""
    numbers = table.select_dtypes("float").columns
    short = table[numbers].map(lambda v: float(f"{v:.5g}"))
    return table.assign(**{c: short[c] for c in numbers})


# Real steps


def paths(task: Any, episodes: int, rng: Streams, name: str) -> tuple[Any, Any]:
    """States (episodes, T + 1, ds) and actions (episodes, T, da) of real episodes.

    Even episodes act at random, uniformly and anew at every step; odd ones swing: an
    AR(1) process, cut at -1 and 1, that keeps its direction for about ten steps.
    """
    import torch

    env, g = task.make(), rng.numpy(name)
    S, A = [], []
    for i in range(episodes):
        s, _ = env.reset(seed=rng.key(f"{name}/{i}") % 2**31)
        states, actions, a = [s], [], np.zeros(task.da)
        for _ in range(task.horizon):
            u = g.uniform(-1, 1, task.da)
            push = 0.9 * a + 0.45 * g.standard_normal(task.da)
            a = np.clip(push, -1, 1) if i % 2 else u
            s, *_ = env.step(a)
            states.append(s)
            actions.append(a)
        S.append(states)
        A.append(actions)
    env.close()
    return torch.tensor(np.array(S)), torch.tensor(np.array(A), dtype=torch.float32)


def transitions(S: Any, A: Any) -> Batch:
    """The steps of real episodes as one batch; the reward is known and left out."""
    s, s_next, a = S[:, :-1].flatten(0, 1), S[:, 1:].flatten(0, 1), A.flatten(0, 1)
    zero = s.new_zeros(len(s))
    return Batch(s, a, zero, s_next, zero)


# Models


def layout_of(task: Any) -> Any:
    """What a model of the task sees and predicts: s' - s, the reward is known."""
    from mbrl_edu.models.layout import Layout

    return Layout(task.ds, task.da, task.features, task.absolute, task.reward)


def learn(
    family: str, task: Any, data: Batch, rng: Streams, rows: int = ROWS_GP
) -> Any:
    """A model of that family, fitted to ``data``; "true" is the task's own dynamics.

    Networks take ``STEPS`` gradient steps each, so that none is trained longer than
    another; a GP sees ``rows`` rows drawn at random, if there are more.
    """
    import torch

    from mbrl_edu.models import fit
    from mbrl_edu.models.ensemble import Config, Ensemble
    from mbrl_edu.models.gp import GP
    from mbrl_edu.models.oracle import Oracle

    if family == "true":
        return Oracle(task.ds, task.da, task.dynamics, task.reward)
    if family == "GP":
        gp = GP(layout_of(task))
        few = torch.randperm(len(data.r), generator=rng["rows"])[:rows]
        gp.fit(data.take(few), rng["gp"])
        return gp
    B, noise = FAMILIES[family]
    cfg = Config(B=B, elites=B, hidden=HIDDEN, probabilistic=noise)
    model = Ensemble(layout_of(task), cfg, rng, name=family)
    epochs = max(1, round(STEPS * BATCH / len(data.r)))
    how = fit.Config(batch=BATCH, holdout=0, epochs=epochs, bootstrap=B > 1)
    fit.fit(model, data, how, rng[f"fit/{family}"])
    return model


# Imagined paths beside real ones


def mean_path(model: Any, s: Any, a: Any) -> Any:
    """States (n, k + 1, ds) of the model's mean, averaged over its members, from s
    (n, ds) with actions a (n, k, da)."""
    import torch

    path = [s]
    with torch.no_grad():
        for action in a.unbind(1):
            y = model.predict(path[-1], action)[0].mean(0)
            path.append(model.layout.apply(path[-1], action, y)[1])
    return torch.stack(path, 1)


def windows(S: Any, A: Any, k: int) -> tuple[Any, Any]:
    """Every ``EVERY``-th stretch of k real steps: (n, k + 1, ds), (n, k, da)."""
    real = S.unfold(1, k + 1, EVERY).flatten(0, 1).mT
    return real, A.unfold(1, k, EVERY).flatten(0, 1).mT


def errors(imagined: Any, real: Any, scale: Any) -> np.ndarray:
    """Root mean square over the state's entries, each in units of ``scale`` (ds,), at
    every step: (n, k + 1, ds) twice -> (n, k + 1). Lost paths have infinite error."""
    error = ((imagined - real) / scale).double().square().mean(2).sqrt()
    return error.nan_to_num(nan=np.inf).numpy()


def compounding(name: str, seed: int, families: Any) -> list[dict[str, Any]]:
    """Errors after k steps of every family on one draw of the data: rows."""
    from mbrl_edu.envs.tasks import task
    from mbrl_edu.imagine.rollout import replay

    rng, world = Streams(seed), task(name)
    data = transitions(*paths(world, EPISODES, rng, "train"))
    real, a = windows(*paths(world, EPISODES, rng, "test"), HORIZONS[-1])
    rows = []
    for family in families:
        model = learn(family, world, data, rng)
        imagined = {"mean": mean_path(model, real[:, 0], a)}
        if family in ("P", "DE", "PE", "GP"):
            imagined["sampled"] = replay(model, real[:, 0], a, rng[f"replay/{family}"])
        for path, states in imagined.items():
            error = errors(states, real, data.s.std(0))
            for k in HORIZONS:
                low, median, high = np.quantile(error[:, k], [0.1, 0.5, 0.9])
                row = {"task": name, "family": family, "path": path, "seed": seed}
                row |= {"k": k, "q10": low, "median": median, "q90": high}
                rows.append(row)
    return rows


@study("compounding-error", title="Error after k imagined steps", page=PAGE)
def compounding_error(workers, folder, quick=False):
    """Open-loop error of every family against real episodes with the same actions, in
    units of the state's standard deviation; quantiles over starts."""
    import pandas as pd

    cases = [(TASKS[1], 0)] if quick else list(product(TASKS, range(10)))
    families = ("D", "GP", "true") if quick else (*FAMILIES, "GP", "true")
    rows: list[dict[str, Any]] = []
    with Progress("compounding-error", len(cases), "runs") as bar:
        for name, seed in cases:
            rows += compounding(name, seed, families)
            bar.advance(name)
    return rounded(pd.DataFrame(rows))


@study("model-data", title="Error against the amount of data", page=PAGE)
def model_data(workers, folder: Path, quick=False):
    """Median error of the mean path after 1 and 10 steps on the cart-pole, by family
    and real steps, drawn at random from 16 episodes; for a GP up to 800."""
    import pandas as pd

    seeds, sizes = range(1 if quick else 10), SIZES[: 1 if quick else None]
    rows: list[dict[str, Any]] = []
    with Progress("model-data", len(seeds), "seeds") as bar:
        for seed in seeds:
            rows += errors_by_size(TASKS[0], seed, sizes)
            bar.advance()
    return rounded(pd.DataFrame(rows))


def errors_by_size(name: str, seed: int, sizes: Any) -> list[dict[str, Any]]:
    """Rows of ``model_data`` for one draw of the data."""
    import torch

    from mbrl_edu.envs.tasks import task

    rng, world = Streams(seed), task(name)
    whole = transitions(*paths(world, SIZES[-1] // world.horizon, rng, "train"))
    order = torch.randperm(len(whole.r), generator=rng["order"])
    real, a = windows(*paths(world, EPISODES, rng, "test"), 10)
    rows = []
    for n, family in product(sizes, ("D", "PE", "GP")):
        if family == "GP" and n > MOST_GP:
            continue
        known = whole.take(order[:n])
        model = learn(family, world, known, Streams(seed), rows=MOST_GP)
        error = errors(mean_path(model, real[:, 0], a), real, whole.s.std(0))
        for k in (1, 10):
            row = {"family": family, "n_data": n, "k": k, "seed": seed}
            rows.append(row | {"median": float(np.median(error[:, k]))})
    return rows
