"""Contracts of chapter 3: right answers pass, typical wrong ones are told why."""

import numpy as np
import pytest

from mbrl_edu.grading import check


def softplus(x):
    return np.logaddexp(0, x)


def bounded(raw, lmin, lmax):
    lv = lmax - softplus(lmax - raw)
    return lmin + softplus(lv - lmin)


def loss(mu, raw, y, lmin, lmax, bound=bounded, factor=1.0, sign=1, over=np.mean):
    lv = sign * bound(raw, lmin, lmax)
    return factor * over((mu - y) ** 2 * np.exp(-lv) + lv)


def posterior(x, y, x_new, l, sf, sn, extra=0.0):  # noqa: E741
    def kernel(u, v):
        return sf**2 * np.exp(-((u[:, None] - v[None]) ** 2) / (2 * l**2))

    inverse = np.linalg.inv(kernel(x, x) + sn**2 * np.eye(len(x)))
    k = kernel(x, x_new)
    var = sf**2 - np.einsum("im,ij,jm->m", k, inverse, k)
    return k.T @ inverse @ y, var + extra * sn**2


def deviation(*args):
    mean, var = posterior(*args)
    return mean, np.sqrt(np.maximum(var, 0))


RIGHT = {
    "models.best-variance": 1.5,
    "models.total-variance": 6,
    "models.loss": loss,
    "models.posterior": posterior,
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass(exercise):
    feedback = check(exercise, RIGHT[exercise])
    assert feedback, feedback


WRONG = [
    ("models.best-variance", 2, "divides by 3"),
    ("models.best-variance", 1.2247, "standard deviation"),
    ("models.best-variance", 6, "the result is 6"),
    ("models.best-variance", "big", "not numeric"),
    ("models.total-variance", 5, "how far are the means apart"),
    ("models.total-variance", 1, "where is the noise"),
    ("models.total-variance", 7, "divide by 2"),
    ("models.total-variance", 4, "deviations were averaged"),
    ("models.total-variance", 3, "the result is 3"),
    ("models.loss", lambda *x: loss(*x, bound=lambda v, *_: v), "without bounds"),
    ("models.loss", lambda *x: loss(*x, bound=np.clip), "clamps"),
    ("models.loss", lambda *x: loss(*x, sign=-1), "wrong way round"),
    ("models.loss", lambda *x: loss(*x, factor=0.5), "no factor 1/2"),
    ("models.loss", lambda *x: loss(*x, over=np.sum), "is a sum"),
    ("models.loss", lambda *x: 0.0, "the result is 0.0"),
    ("models.loss", lambda *x: None, "does the function return it?"),
    ("models.posterior", lambda *x: posterior(*x)[0], "must be a pair"),
    ("models.posterior", lambda *x: posterior(*x, extra=1), "holds the noise"),
    ("models.posterior", deviation, "is a standard deviation"),
    ("models.posterior", lambda *x: (posterior(*x)[1],) * 2, "the mean"),
    ("models.posterior", lambda *x: (posterior(*x)[0], 0.0), "has shape"),
]


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG)
def test_wrong_answers_are_told_why(exercise, answer, sentence):
    feedback = check(exercise, answer)
    assert not feedback and sentence in feedback.message, feedback
