"""AMPO: Theorem 3.1 in every class of functions, and the domain-adaptation bound."""

import numpy as np
import pytest

from mbrl_edu.theory import bounds_ampo as ampo
from mbrl_edu.theory import mdp as exact
from mbrl_edu.theory.distances import w1_line
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import FAMILIES, draw, laws
from mbrl_edu.theory.statements import ratio
from mbrl_edu.theory.statements_variants import theorem_3_1, theorem_3_1_sharp

SLACK = 1 + 1e-9


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_theorem_3_1_in_every_class(family, record_property):
    rng = np.random.default_rng(5)
    x = draw(family, rng, 8, 3, 2)
    points = rng.normal(size=(6, 2))
    metric = np.linalg.norm(points[:, None] - points, axis=-1)
    gram = np.exp(-(metric**2))
    for i in range(8):
        f = Facts(x[i])
        for kind, geometry in (
            ("smallest", None),
            ("tv", None),
            ("w1", metric),
            ("mmd", gram),
        ):
            for form in (theorem_3_1, theorem_3_1_sharp):
                value = ratio(*form(f, kind, geometry), 1.0)
                record_property(f"{kind} {form.__name__}", float(value))
                assert value <= SLACK
        small = ampo.class_distances(x.P_hat[i], *f.visits, "smallest")
        for kind, geometry in (("tv", None), ("w1", metric), ("mmd", gram)):
            d = ampo.class_distances(x.P_hat[i], *f.visits, kind, geometry)
            assert (small <= d * SLACK + 1e-12).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_lemma_3_1(family):
    x = draw(family, np.random.default_rng(6), 200, 4, 2)
    f = Facts(x)
    d = ampo.class_distances(x.P_hat, *f.visits)
    real = exact.discounted_states(x.mdp, x.pi_D)
    model = exact.discounted_states(x.mdp.with_model(x.P_hat), x.pi)
    bound = ampo.lemma_3_1(f.gamma[:, None], d, f.state_errors)
    assert ratio(real - model, bound).max() <= SLACK


def test_mmd_class_takes_batches():
    rng = np.random.default_rng(7)
    x = draw("random", rng, 5, 3, 2)
    gram, f = np.eye(6) + 0.1, Facts(x)
    batch = ampo.class_distances(x.P_hat, *f.visits, "mmd", gram)
    for i in range(5):
        one = ampo.class_distances(x.P_hat[i], *Facts(x[i]).visits, "mmd", gram)
        np.testing.assert_allclose(batch[i], one, rtol=1e-9)


def test_ampo_refuses_bad_classes():
    x = draw("random", np.random.default_rng(8), 2)
    with pytest.raises(ValueError, match="family = 'kl'"):
        ampo.class_distances(x.P_hat, *Facts(x).visits, "kl")
    with pytest.raises(ValueError, match="geometry is missing"):
        ampo.class_distances(x.P_hat, *Facts(x).visits, "mmd")


def adaptation_case(rng, n, points=5, m=4):
    """K-Lipschitz hypotheses on the line, two domains, two labellings; n at once."""
    x = np.sort(rng.normal(size=(n, points)), axis=-1)
    slopes = np.clip(rng.normal(size=(n, m, points - 1)) * 2, -1, 1)
    rise = np.cumsum(slopes * np.diff(x)[:, None], axis=-1)
    h = np.concatenate([np.zeros((n, m, 1)), rise], -1) + rng.normal(size=(n, m, 1))
    labels = rng.normal(size=(2, n, points))
    labels = np.where(rng.random((n, 1)) < 0.5, h[:, 0], labels)
    mu = laws(rng, 2, n, points, concentration=0.3)
    source, target = (ampo.hypothesis_risks(h, labels[i], mu[i]) for i in (0, 1))
    best = (source + target).min(axis=-1)
    return source, target, w1_line(x, *mu)[:, None], best[:, None]


def test_domain_adaptation_bound(record_property):
    source, target, W, best = adaptation_case(np.random.default_rng(9), 20_000)
    bound = ampo.domain_adaptation(source, 1.0, W, best)
    assert (target <= bound * SLACK + 1e-12).all()
    record_property("largest target/bound", float((target / bound).max()))
    assert (target > ampo.domain_adaptation(source, 0.5, W, best) + 1e-9).any()
