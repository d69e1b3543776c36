"""Contracts of chapter 4: right answers pass, typical slips get their sentence."""

import numpy as np
import pytest

from mbrl_edu.envs.lqr import LinearQuadratic
from mbrl_edu.grading import check, exercises


def refit(plans, values, mean, var, top, alpha, ddof=0, smooth=True, nan=-np.inf):
    values = np.where(np.isnan(values), nan, values)
    elites = plans[np.argsort(-values)[:top]]
    new_var = elites.var(0, ddof=ddof)
    new_mean = alpha * mean + (1 - alpha) * elites.mean(0)
    return new_mean, alpha * var + (1 - alpha) * new_var if smooth else new_var


def weights(values, lam):
    w = np.exp((values - values.max()) / lam)
    return w / w.sum()


def best_plan(A, B, C, gamma, H, s, gains=None):
    system, plan = LinearQuadratic(A, B, C, gamma), []
    gains = system.finite(H)[0] if gains is None else gains(system)
    for K in gains:
        plan.append(K @ s)
        s = A @ s + B @ plan[-1]
    return np.array(plan)


def without_end(*given):
    return best_plan(*given, gains=lambda x: [x.optimal_gain()] * given[4])


def overflowing(values, lam):
    with np.errstate(all="ignore"):
        w = np.exp(values / lam)
        return w / w.sum()


RIGHT = {
    "shooting.candidates": 710,
    "shooting.halve": 1024,
    "shooting.refit": refit,
    "shooting.weights": weights,
    "shooting.best-plan": best_plan,
}
WRONG = [
    ("shooting.candidates", 1024, "on average"),
    ("shooting.candidates", 709, "round up"),
    ("shooting.candidates", 709.4, "round up"),
    ("shooting.candidates", 10, "the result is 10"),
    ("shooting.candidates", "many", "is not numeric"),
    ("shooting.halve", 2**20, "squared distance"),
    ("shooting.halve", 2, "the result is 2"),
    ("shooting.refit", lambda *x: refit(*x, smooth=False), "not smoothed"),
    ("shooting.refit", lambda *x: refit(*x, ddof=1), "top - 1"),
    ("shooting.refit", lambda *x: refit(*x[:5], 1 - x[5]), "weight of the new"),
    ("shooting.refit", lambda *x: refit(*x, nan=np.inf), "two of which are worth NaN"),
    ("shooting.refit", lambda *x: refit(*x)[0], "a pair (mean, var)"),
    ("shooting.refit", lambda *x: None, "a pair (mean, var)"),
    ("shooting.weights", overflowing, "subtract the largest"),
    ("shooting.weights", lambda v, lam: weights(v, 1.0), "lam = 0.7"),
    ("shooting.best-plan", without_end, "every step has its own gain"),
    ("shooting.best-plan", lambda *x: np.zeros((x[4], 1)), "the result has shape"),
    ("shooting.best-plan", lambda *x: 3, "has shape ()"),
]


def test_every_exercise_of_the_chapter_has_a_right_answer_here():
    assert sorted(RIGHT) == [x for x in exercises() if x.startswith("shooting.")]


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass(exercise):
    feedback = check(exercise, RIGHT[exercise])
    assert feedback, feedback


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG)
def test_wrong_answers_are_told_why(exercise, answer, sentence):
    feedback = check(exercise, answer)
    assert not feedback and sentence in feedback.message, feedback
