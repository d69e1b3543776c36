"""Contracts of chapter 5: right answers pass, typical wrong ones are told why."""

import numpy as np
import pytest

from mbrl_edu.grading import check, exercises


def moments(mean, var):
    return mean.mean(0), var.mean(0) + mean.var(0)


def worth(step, reward, s, plans, B, P, finish=lambda total: total.mean(1)):
    N, H, _ = plans.shape
    x, total = np.tile(s, (N * P, 1)), np.zeros(N * P)
    who = np.tile(np.arange(P) // (P // B), N)
    for t in range(H):
        a = plans[:, t].repeat(P, 0)
        x_next = step(x, a, who)
        total += reward(x, a, x_next)
        x = x_next
    return finish(total.reshape(N, P))


RIGHT = {
    "pets.spread": 7.25,
    "pets.jensen": 0.5,
    "pets.moments": moments,
    "pets.worth": worth,
}


def test_every_exercise_of_the_chapter_has_a_right_answer_here():
    assert sorted(RIGHT) == [name for name in exercises() if name.startswith("pets.")]


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass(exercise):
    feedback = check(exercise, RIGHT[exercise])
    assert feedback, feedback


def worth_by(finish):
    return lambda *given: worth(*given, finish=finish)


def mixed(total):
    N, P = total.shape
    return total.reshape(P, N).mean(0)


def other_members(step, reward, s, plans, B, P):
    """Particle p follows p % B: a fair dealing, but not the one asked for."""
    return worth(lambda x, a, who: step(x, a, who * 0), reward, s, plans, B, P)


WRONG = [
    ("pets.spread", 1.25, "variance under TS1"),
    ("pets.spread", 1.0, "within a member"),
    ("pets.spread", 2.69, "the result is 2.69"),
    ("pets.spread", "wide", "is not numeric"),
    ("pets.jensen", 1, "what E reports"),
    ("pets.jensen", 0.2231, "the result is 0.2231"),
    ("pets.jensen", None, "no result"),
    ("pets.moments", lambda m, v: (m.mean(0), v.mean(0)), "lacks the disagreement"),
    ("pets.moments", lambda m, v: (m.mean(0), m.var(0)), "members' own variance"),
    (
        "pets.moments",
        lambda m, v: (m.mean(0), np.sqrt(moments(m, v)[1])),
        "is a standard deviation",
    ),
    (
        "pets.moments",
        lambda m, v: (m.mean(0), v.mean(0) + m.var(0, ddof=1)),
        "divides by B - 1",
    ),
    ("pets.moments", lambda m, v: (m[0], moments(m, v)[1]), "for the mean of 2"),
    ("pets.moments", lambda m, v: 3.0, "not a pair"),
    ("pets.moments", 3.0, "must be a function"),
    ("pets.worth", worth_by(mixed), "particles of different plans"),
    ("pets.worth", worth_by(lambda x: x.sum(1)), "sum over particles"),
    ("pets.worth", worth_by(lambda x: x[:, 0]), "first particle only"),
    ("pets.worth", worth_by(lambda x: x.max(1)), "best particle's"),
    ("pets.worth", worth_by(lambda x: x), "has shape (3, 4)"),
    ("pets.worth", other_members, "for N = 3, P = 4, B = 2, H = 2 the result"),
    ("pets.worth", lambda *x: None, "does the function return it?"),
]


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG)
def test_wrong_answers_are_told_why(exercise, answer, sentence):
    feedback = check(exercise, answer)
    assert not feedback and sentence in feedback.message, feedback
