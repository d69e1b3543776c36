"""A hill climb on |gap| / bound: true statements survive it, false ones do not."""

import numpy as np
import pytest

from mbrl_edu.theory import search, smooth
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.statements import MBPO, MBPO_FALSE, ratio
from mbrl_edu.theory.statements_variants import OTHERS, OTHERS_FALSE, bmpo_statements

ROUNDS = 200
SETTINGS = ((2, 2, 0.9, 1), (4, 2, 0.9, 6))  # states, actions, gamma, k
BMPO = bmpo_statements(3, 2)


@pytest.mark.parametrize("name", [*MBPO, *OTHERS, *BMPO])
def test_no_climb_passes_a_true_statement(name, record_property):
    rule = (MBPO | OTHERS | BMPO)[name]
    rounds = ROUNDS // 2 if name in BMPO else ROUNDS
    for S, A, gamma, k in SETTINGS:
        found, instance = search.worst(rule, S, A, gamma, k, rounds=rounds)
        assert instance.mdp.S == S
        record_property(f"S={S} k={k}", found.score)
        assert (np.diff(found.history) >= 0).all()
        assert found.score <= 1 + 1e-9, (S, A, gamma, k)


@pytest.mark.parametrize("name", ["tight", "Theorem 4.1, tight", "tight, head-first"])
def test_the_climb_reaches_the_tight_forms(name):
    assert search.worst(MBPO[name], 3, 2, 0.9, 2, rounds=300)[0].score > 0.99


@pytest.mark.parametrize(
    "name, S, gamma, k",
    [
        ("Lemma B.2, KL", 3, 0.9, 1),
        ("Lemma B.3, KL", 3, 0.9, 1),
        ("Theorem 4.3, main text", 4, 0.2, 3),
        ("Theorem 4.3, main text", 4, 0.9, 15),
        ("Theorem 4.3, a ~ pi_D", 4, 0.9, 15),
        ("branch-point reading", 3, 0.9, 2),
        ("BMPO, buffer anchor", 3, 0.95, 1),
        ("AMPO, un-normalised", 3, 0.9, 1),
        ("AMPO, sup r", 3, 0.9, 1),
        ("AMPO, signed class", 5, 0.95, 1),
        ("MAAC, Theorem 4.1 as printed", 3, 0.9, 9),
    ],
)
def test_the_climb_finds_every_false_statement(name, S, gamma, k, record_property):
    rule = (MBPO_FALSE | OTHERS_FALSE)[name]
    found, x = search.worst(rule, S, 2, gamma, k, rounds=800, stop=1.001)
    record_property("rounds", len(found.history))
    assert found.score > 1.001
    facts = Facts(x)  # the instance handed back is the one that was found
    value = ratio(*rule(facts), np.maximum(facts.R, 1e-3) / (1 - gamma))
    assert value == pytest.approx(found.score, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.2, 0.9])
@pytest.mark.parametrize("k", [1, 2])
def test_the_main_text_of_theorem_4_3_holds_up_to_two_steps(gamma, k):
    rule = MBPO_FALSE["Theorem 4.3, main text"]
    assert search.worst(rule, 4, 2, gamma, k, rounds=400)[0].score <= 1 + 1e-9


def gradient_score(printed):
    def score(x):
        real, model, theta, s0 = smooth.decode_pair(x)
        e = smooth.gradient_errors(real, model, theta, s0, 2, 0.9)
        return ratio(*smooth.gradient_pair(e, printed), 1.0)

    return score


def test_climb_on_the_gradient_error():
    """MAAC Lemma 4.1: with the offset term never passed, without it passed at once."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        start = rng.normal(size=(80, smooth.pair_size()))
        true = search.climb(gradient_score(False), start, 300, rng)
        assert 0.3 < true.score <= 1 + 1e-9
        false = search.climb(gradient_score(True), start, 300, rng, stop=1.001)
        assert false.score > 1.001


def test_climb_finds_a_known_maximum_and_stops():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(20, 3))
    found = search.climb(lambda x: -((x - 1) ** 2).sum(axis=1), start, 400, rng)
    assert found.score > -1e-2 and np.abs(found.point - 1).max() < 0.1
    early = search.climb(lambda x: x[:, 0], start, 400, rng, stop=2.0)
    assert early.score > 2 and len(early.history) < 400
    bad = search.climb(lambda x: np.where(x[:, 0] > 0, np.nan, x[:, 1]), start, 50, rng)
    assert np.isfinite(bad.score) and bad.point[0] <= 0
