"""Contracts of chapter 7: right answers pass, typical wrong ones are told why."""

import math

import numpy as np
import pytest

from mbrl_edu.grading import check, exercises


def target(r, d, q, log_pi, alpha, gamma):
    return r + gamma * (1 - d) * (q.min(0) - alpha * log_pi)


def branch(step, policy, end, s, k, of="s_next", drop=False, stop=True):
    rows = []
    for _ in range(k):
        a = policy(s)
        r, s_next = step(s, a)
        d = end(s, a, s_next if of == "s_next" else s)
        row = (s, a, r, s_next, d)
        rows.append(tuple(x[d == 0] for x in row) if drop else row)
        s = s_next[d == 0] if stop else s_next
    return tuple(np.concatenate(x) for x in zip(*rows))


RIGHT = {
    "mbpo.pool": 400,
    "mbpo.soft": math.log(math.e + 1),
    "mbpo.target": target,
    "mbpo.branch": branch,
}


def test_every_exercise_of_the_chapter_has_a_right_answer_here():
    assert sorted(RIGHT) == [name for name in exercises() if name.startswith("mbpo.")]


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass(exercise):
    feedback = check(exercise, RIGHT[exercise])
    assert feedback, feedback


def with_(**change):
    return lambda *given: branch(*given, **change)


WRONG = [
    ("mbpo.pool", 400_000, "whole store"),
    ("mbpo.pool", 100, "there are more fits"),
    ("mbpo.pool", 4, "the result is 4"),
    ("mbpo.soft", 1, "hard maximum"),
    ("mbpo.soft", 0.731, "its entropy is paid too"),
    ("mbpo.soft", "much", "is not numeric"),
    ("mbpo.target", lambda r, d, *x: target(r, 0 * d, *x), "beyond the end"),
    (
        "mbpo.target",
        lambda r, d, q, h, a, g: target(r, d, q, 0 * h, a, g),
        "no entropy",
    ),
    ("mbpo.target", lambda r, d, q, h, a, g: target(r, d, q, -h, a, g), "punishes"),
    (
        "mbpo.target",
        lambda r, d, q, h, a, g: r + g * (1 - d) * (q.max(0) - a * h),
        "larger critic",
    ),
    (
        "mbpo.target",
        lambda r, d, q, h, a, g: r + g * (1 - d) * (q.mean(0) - a * h),
        "mean of the critics",
    ),
    (
        "mbpo.target",
        lambda r, d, q, h, a, g: r + g * (1 - d) * q.min(0) - g * a * h,
        "after the end",
    ),
    ("mbpo.target", lambda r, d, q, h, a, g: target(r, d, q, h, a, 1), "discounted"),
    ("mbpo.target", lambda *x: target(*x)[:, None], "has shape (1, 1)"),
    ("mbpo.branch", with_(stop=False), "go on after their end"),
    ("mbpo.branch", with_(of="s"), "judged by s,"),
    ("mbpo.branch", with_(drop=True), "steps into an end are missing"),
    ("mbpo.branch", lambda *x: None, "does the function return it?"),
    ("mbpo.branch", lambda *x: 3.0, "is not (s, a, r, s_next, d)"),
    ("mbpo.branch", lambda *x: branch(*x)[:4], "is not (s, a, r, s_next, d)"),
    (
        "mbpo.branch",
        lambda *x: tuple(y[::-1] for y in branch(*x)),
        "s of 4 starts and k = 1",
    ),
]


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG)
def test_wrong_answers_are_told_why(exercise, answer, sentence):
    feedback = check(exercise, answer)
    assert not feedback and sentence in feedback.message, feedback
