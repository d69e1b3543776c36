"""The stored numbers on the bounds of BMPO, AMPO, AutoMBPO and MAAC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study
from mbrl_edu.theory import FiniteMDP, smooth, tables
from mbrl_edu.theory import bounds_ampo as ampo
from mbrl_edu.theory import bounds_autombpo as autombpo
from mbrl_edu.theory.distances import w1_line
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import FAMILIES, draw, laws
from mbrl_edu.theory.statements import ratio
from mbrl_edu.theory.statements_variants import (
    OTHERS,
    OTHERS_FALSE,
    bmpo_statements,
    theorem_3_1,
    theorem_3_1_sharp,
)

K1, K2 = 4, 3  # backward and forward steps of BMPO's rollouts
HORIZONS = (1, 2, 5, 10)  # H of MAAC
BETAS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
N_REAL = (3, 6, 12, 30, 60, 150)  # real samples per pair
TRUE, FALSE = "true form", "false form"
ROW = ["method", "statement", "kind", "seed", "instances", "violations"]
ROW += ["median", "p95", "max"]


def row(method: str, statement: str, kind: str, seed: int, x: np.ndarray) -> tuple:
    """How the ratios |gap| / bound of one statement came out."""
    over = int((x > 1 + 1e-9).sum())
    numbers = np.median(x), np.quantile(x, 0.95), x.max()
    return (method, statement, kind, seed, len(x), over, *numbers)


def per_seed(name: str, seeds: Iterable[int], rows: Callable[[int], list]) -> Any:
    """The rows of all seeds as one table."""
    import pandas as pd

    seeds, table = list(seeds), []
    with Progress(name, len(seeds), "seeds") as bar:
        for seed in seeds:
            table += rows(seed)
            bar.advance()
    return pd.DataFrame(table, columns=ROW)


@study("bmpo-bounds", title="BMPO's bounds on sampled MDPs", page="08-bmpo")
def bmpo_bounds(workers, folder, quick=False):
    """Idealised and buffer anchors, true and false forms, on all families."""
    false = {"BMPO, buffer anchor": OTHERS_FALSE["BMPO, buffer anchor"]}
    table = bmpo_statements(K1, K2) | false

    def rows(seed):
        sample = tables.ratio_sample(600, seed, table=table)
        kinds = {name: FALSE if name in false else TRUE for name in table}
        return [row("BMPO", n, kinds[n], seed, x) for n, x in sample.items()]

    return per_seed("bmpo-bounds", range(1 if quick else 20), rows)


@study("ampo-bounds", title="AMPO's Theorem 3.1 in every class", page="09-ampo")
def ampo_bounds(workers, folder, quick=False):
    """Smallest class and total variation on many instances; Wasserstein (linear
    programme) and MMD one instance at a time; forms that are false as printed."""
    true = {n: rule for n, rule in OTHERS.items() if n.startswith("AMPO")}
    false = {n: rule for n, rule in OTHERS_FALSE.items() if n.startswith("AMPO")}

    def rows(seed):
        found = []
        for kind, table in ((TRUE, true), (FALSE, false)):
            sample = tables.ratio_sample(1000, seed, table=table)
            found += [row("AMPO", n, kind, seed, x) for n, x in sample.items()]
        return found + _balls(seed)

    return per_seed("ampo-bounds", range(1 if quick else 20), rows)


def _balls(seed: int) -> list[tuple]:
    """Theorem 3.1 with a Lipschitz ball (W1) and a kernel ball (MMD)."""
    g = np.random.default_rng([seed, 2])
    points = g.normal(size=(6, 2))  # where the 3 x 2 pairs lie
    metric = np.linalg.norm(points[:, None] - points, axis=-1)
    found: dict[str, list] = {}
    for family in FAMILIES:
        f = Facts(draw(family, g, 1, 3, 2)[0])
        for kind, geometry in (("w1", metric), ("mmd", np.exp(-(metric**2)))):
            for form, name in ((theorem_3_1, ""), (theorem_3_1_sharp, "sharp, ")):
                value = float(ratio(*form(f, kind, geometry), 1.0))
                found.setdefault(f"AMPO, {name}{kind} ball", []).append(value)
    return [row("AMPO", n, TRUE, seed, np.array(x)) for n, x in found.items()]


@study("domain-adaptation", title="The domain-adaptation bound", page="09-ampo")
def domain_adaptation(workers, folder, quick=False):
    """eps_t <= eps_s + 2 K W1 + lambda on the line, with four piecewise linear
    hypotheses each; and the same with K in place of 2 K, which is false."""

    def rows(seed):
        g, n, points = np.random.default_rng([seed, 3]), 1000, 5
        x = np.sort(g.normal(size=(n, points)), axis=1)
        slopes = np.clip(2 * g.normal(size=(n, 4, points - 1)), -1, 1)  # K = 1
        rise = np.cumsum(slopes * np.diff(x)[:, None], axis=2)
        h = np.pad(rise, ((0, 0), (0, 0), (1, 0))) + g.normal(size=(n, 4, 1))
        label = np.where(g.random((n, 1)) < 0.5, h[:, 0], g.normal(size=(n, points)))
        mu = laws(g, 2, n, points, concentration=0.3)
        source, target = (ampo.hypothesis_risks(h, label, m) for m in mu)
        w1 = w1_line(x, *mu)[:, None]
        best = (source + target).min(axis=1, keepdims=True)
        found = []
        for kind, factor in ((TRUE, 1.0), (FALSE, 0.5)):
            bound = ampo.domain_adaptation(source, factor, w1, best)
            name = f"target risk, {2 * factor:.0f} K W1"
            found.append(row("AMPO", name, kind, seed, ratio(target, bound).ravel()))
        return found

    return per_seed("domain-adaptation", range(1 if quick else 20), rows)


@study("autombpo-bounds", title="The share of real samples", page="10-autombpo")
def autombpo_bounds(workers, folder, quick=False):
    """The exact bias bounds on sampled MDPs, and fitted value iteration with a share
    beta of real samples: mean loss by beta and number of real samples per pair."""
    import pandas as pd

    true = {n: rule for n, rule in OTHERS.items() if n.startswith("AutoMBPO")}
    losses = []

    def rows(seed):
        g = np.random.default_rng([seed, 4])
        P, other = (laws(g, 60, 8, 3, 8, concentration=0.5) for _ in range(2))
        mdp = FiniteMDP(P, g.uniform(0, 1, (60, 8, 3)), laws(g, 60, 8), 0.9)
        P_hat = 0.75 * P + 0.25 * other
        made = autombpo.share_experiment(mdp, P_hat, [*N_REAL], [*BETAS], seed)
        mean = made["loss"].mean(axis=-1)
        for n, curve in zip(N_REAL, mean, strict=True):
            losses.append((n, seed, *(float(f"{x:.6g}") for x in curve)))
        sample = tables.ratio_sample(1000, seed, table=true)
        return [row("AutoMBPO", n, TRUE, seed, x) for n, x in sample.items()]

    sampled = per_seed("autombpo-bounds", range(1 if quick else 20), rows)
    columns = ["n_real", "seed", *(str(b) for b in BETAS)]
    return {"sampled": sampled, "loss": pd.DataFrame(losses, columns=columns)}


@study("maac-bounds", title="MAAC's bounds on sampled systems", page="12-maac")
def maac_bounds(workers, folder, quick=False):
    """Lemma 4.1 on smooth systems, Lemma 4.2 and Theorem 4.1 on finite MDPs, as
    printed and in their true form."""
    names = [n for n in {**OTHERS, **OTHERS_FALSE} if n.startswith("MAAC")]

    def rows(seed):
        found = []
        for name in names:
            kind = TRUE if name in OTHERS else FALSE
            table = {name: OTHERS.get(name) or OTHERS_FALSE[name]}
            x = tables.ratio_sample(1000, seed, table=table)[name]
            found.append(row("MAAC", name, kind, seed, x))
        g = np.random.default_rng([seed, 5])
        for H in HORIZONS:
            vectors = 0.7 * g.normal(size=(500, smooth.pair_size()))
            system = smooth.decode_pair(vectors)
            e = smooth.gradient_errors(*system, H, 0.95)
            for kind in (TRUE, FALSE):
                pair = smooth.gradient_pair(e, printed=kind == FALSE)
                printed = " as printed" if kind == FALSE else ""
                name = f"MAAC, Lemma 4.1{printed}, H = {H}"
                found.append(row("MAAC", name, kind, seed, ratio(*pair, 1.0)))
        return found

    return per_seed("maac-bounds", range(1 if quick else 20), rows)
