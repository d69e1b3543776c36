"""Every true statement on every family of instances; tightness is recorded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory import branch, errors, tables
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import FAMILIES, Instance, draw, laws
from mbrl_edu.theory.mdp import FiniteMDP, policy_return
from mbrl_edu.theory.statements import MBPO, MBPO_FALSE, ratio, ratios
from mbrl_edu.theory.statements_variants import OTHERS, OTHERS_FALSE, bmpo_statements

SLACK = 1 + 1e-9


def check(values, record):
    for name, value in values.items():
        record(name, f"median {np.median(value):.3g}, largest {value.max():.6f}")
        assert np.isfinite(value).all(), name
        assert value.max() <= SLACK, (name, value.max(), int(value.argmax()))


@pytest.mark.parametrize("S, A", [(2, 2), (4, 3), (7, 2)])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_true_statements(family, S, A, record_property):
    rng = np.random.default_rng(S * 10 + A)
    check(ratios(draw(family, rng, 150, S, A), MBPO | OTHERS), record_property)


@pytest.mark.parametrize("k1, k2", [(0, 4), (3, 0), (5, 2), (2, 9)])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_bidirectional_statements(family, k1, k2, record_property):
    rng = np.random.default_rng(100 * k1 + k2)
    check(ratios(draw(family, rng, 40, 4, 2), bmpo_statements(k1, k2)), record_property)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(0, 2**32 - 1),
    st.integers(2, 8),
    st.integers(2, 4),
)
def test_mbpo_statements_anywhere(family, seed, S, A):
    values = ratios(draw(family, np.random.default_rng(seed), 10, S, A), MBPO)
    for name, value in values.items():
        assert value.max() <= SLACK, name


def test_no_error_no_gap():
    x = draw("far", np.random.default_rng(0), 200)
    facts = Facts(Instance(x.mdp, x.mdp.P, x.pi, x.pi, x.k))
    for name in ("slide", "tight", "Theorem 4.1", "slide, head-first"):
        gap, bound = MBPO[name](facts)
        np.testing.assert_allclose(gap, 0, atol=1e-10)
        np.testing.assert_allclose(bound, 0, atol=1e-10)


def test_tight_forms_are_nearly_attained(record_property):
    """The corner of the tight bound: a small leak under pi_D, or in the model."""
    x = draw("near_tight", np.random.default_rng(1), 4000, 3, 2)
    values = ratios(x, MBPO)
    largest = {name: float(value.max()) for name, value in values.items()}
    for name, value in largest.items():
        record_property(name, value)
    for name in (
        "tight",
        "tight, averages",
        "Theorem 4.2, tight",
        "Theorem 4.1, tight",
    ):
        assert largest[name] > 0.999, (name, largest[name])
    gamma = np.asarray(x.mdp.gamma)  # the slide's formula reaches at most gamma here
    assert (values["slide"] <= gamma + 1e-9).all()
    assert largest["slide"] > 0.98


def test_random_instances_are_far_below_the_bound(record_property):
    """So a histogram over random instances says nothing about truth at the edge."""
    values = tables.ratio_sample(3000, 2, ("random",), ((5, 3),))
    for name in ("slide", "tight"):
        record_property(name, float(np.median(values[name])))
    assert np.median(values["slide"]) < 0.02
    assert np.median(values["tight"]) < 0.05


def test_random_instances_do_not_find_the_false_theorem():
    """Not one of 6000 random instances violates the main text's Theorem 4.3."""
    x = draw("random", np.random.default_rng(3), 6000, 4, 2)
    name = "Theorem 4.3, main text"
    assert ratios(x, {name: MBPO_FALSE[name]})[name].max() <= 1


@pytest.mark.parametrize(
    "family, name",
    [
        ("gate", "Theorem 4.3, main text"),
        ("gate", "Theorem 4.3, a ~ pi_D"),
        ("random", "branch-point reading"),
        ("near_absorbing", "Lemma B.2, KL"),
        ("near_tight", "AMPO, un-normalised"),
        ("near_tight", "BMPO, buffer anchor"),
        ("random", "MAAC, Theorem 4.1 as printed"),
    ],
)
def test_false_statements_are_violated_somewhere(family, name, record_property):
    table = MBPO_FALSE | OTHERS_FALSE
    x = draw(family, np.random.default_rng(4), 300, 5, 2)
    value = ratios(x, {name: table[name]})[name]
    record_property("violated", float((value > 1).mean()))
    assert value.max() > 1.05


@pytest.mark.parametrize("sure", [False, True])
def test_learned_reward_counts_as_a_call(sure):
    """k tuples (k - 1 transitions, then the model's reward): the slide's k is right."""
    rng = np.random.default_rng(5)
    n, S, A = 400, 3, 2
    concentration = 0.1 if sure else 1.0
    joint = laws(rng, n, S, A, S * 2, concentration=concentration).reshape(
        n, S, A, S, 2
    )
    other = laws(rng, n, S, A, S * 2, concentration=concentration).reshape(joint.shape)
    share = 10 ** rng.uniform(-3, 0, size=(n, 1, 1, 1, 1))
    hat = (1 - share) * joint + share * other
    P, r = errors.split_joint(joint, [-1, 1])
    P_hat, r_hat = errors.split_joint(hat, [-1, 1])
    gamma = rng.choice([0.5, 0.9, 0.99], size=n)
    mdp = FiniteMDP(P, r, laws(rng, n, S), gamma)
    pi, pi_D = laws(rng, n, S, A), laws(rng, n, S, A)
    k = rng.integers(1, 20, size=n)
    pairs = errors.joint_error_by_pair(joint, hat)
    e_m, e_pi = errors.model_error(mdp, pairs, pi, pi), errors.policy_shift(pi, pi_D)
    eta = policy_return(mdp, pi)
    gap = eta - branch.sliding_return(mdp, P_hat, pi, pi_D, k - 1, r_hat)
    for form in (mbpo.theorem_4_3, mbpo.tight_learned_reward):
        value = ratio(gap, form(gamma, 1.0, e_m, e_pi, k), 1 / (1 - gamma))
        assert value.max() <= SLACK
