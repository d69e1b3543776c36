"""Contracts: right answers pass, typical wrong ones fail with a sentence that helps."""

import numpy as np
import pytest

from mbrl_edu.grading import check, exercises
from mbrl_edu.theory import FiniteMDP, branch


def returned(rewards, gamma):
    return sum(gamma**t * r for t, r in enumerate(rewards))


def p_hat(transitions, S, A):
    counts = np.zeros((S, A, S))
    for s, a, s_next in transitions:
        counts[s, a, s_next] += 1
    seen = counts.sum(-1, keepdims=True)
    return np.where(seen > 0, counts / np.maximum(seen, 1), 1 / S)


def backup(Q, s, a, r, s_next, d, alpha, gamma):
    return Q[s, a] + alpha * (r + gamma * (1 - d) * Q[s_next].max() - Q[s, a])


def plan(Q, model, n, alpha, gamma, u):
    states = list(model)
    for _ in range(n):
        s = states[int(u() * len(states))]
        actions = list(model[s])
        a = actions[int(u() * len(actions))]
        r, s_next, d = model[s][a]
        Q[s, a] = backup(Q, s, a, r, s_next, d, alpha, gamma)


def model_error(P, P_hat, pi, rho0, T, half=0.5, walk=None, over=max):
    wrong = (half * np.abs(P - P_hat).sum(-1) * pi).sum(-1)
    mu, seen = rho0, []
    for _ in range(T + 1):
        seen.append(mu @ wrong)
        mu = np.einsum("s,sa,sat->t", mu, pi, P if walk is None else P_hat)
    return over(seen)


def sliding(P, P_hat, r, rho0, gamma, pi, pi_D, k, T=2000):
    real, model = (np.einsum("sa,sat->st", x, y) for x, y in ((pi_D, P), (pi, P_hat)))
    r_pi, total, start = (pi * r).sum(1), 0.0, rho0
    for t in range(T):
        mu = start
        for _ in range(min(t, k)):
            mu = mu @ model
        total += gamma**t * mu @ r_pi
        start = start @ real if t >= k else start
    return total


def head_first(P, P_hat, r, rho0, gamma, pi, pi_D, k):
    mdp = FiniteMDP(P, r, rho0, gamma)
    return branch.head_first_return(mdp, P_hat, pi, pi_D, k)


def branch_point(P, P_hat, r, rho0, gamma, pi, pi_D, k):
    mdp = FiniteMDP(P, r, rho0, gamma)
    if k == 0:  # both readings agree
        return branch.sliding_return(mdp, P_hat, pi, pi_D, k)
    return branch.branch_point_return(mdp, P_hat, pi, pi_D, k)


def head_first_after_0(*args):
    return (head_first if args[-1] else sliding)(*args)


RIGHT = {
    "introduction.return": returned,
    "introduction.count_model": p_hat,
    "dyna.first-episode": 0.1,
    "dyna.value-of-start": 0.5133,
    "dyna.backup": backup,
    "dyna.plan": plan,
    "dyna.bonus": lambda r, tau, kappa: r + kappa * tau**0.5,
    "bounds.best-k": 16,
    "bounds.says-nothing": 0.0101,
    "bounds.model-error": model_error,
    "bounds.branch": sliding,
}


def test_every_exercise_has_a_right_answer_here():
    """The later chapters have a file of their own."""
    mine = {name.split(".")[0] for name in RIGHT}
    assert sorted(RIGHT) == [e for e in exercises() if e.split(".")[0] in mine]


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass(exercise):
    feedback = check(exercise, RIGHT[exercise])
    assert feedback, feedback
    assert "✓" in feedback._repr_html_() and repr(feedback).startswith("Right: ")


def no_terminal(Q, s, a, r, s_next, d, alpha, gamma):
    return backup(Q, s, a, r, s_next, 0, alpha, gamma)


def one_too_many(Q, model, n, alpha, gamma, u):
    plan(Q, model, n + 1, alpha, gamma, u)


WRONG = [
    ("introduction.return", lambda r, gamma: sum(r), "the result is 1.0"),
    ("introduction.return", lambda r, gamma: None, "does the function return it?"),
    ("introduction.return", lambda r: 0, "raised TypeError"),
    ("introduction.count_model", lambda t, S, A: np.zeros((S, A, S)), "sum to 1"),
    ("introduction.count_model", lambda t, S, A: np.ones((S, S)) / S, "has shape"),
    ("dyna.first-episode", 0.095, "the result is 0.095"),
    ("dyna.first-episode", "much", "is not numeric"),
    ("dyna.value-of-start", 0.95**14, "count again"),
    ("dyna.value-of-start", 0.6, "the result is 0.6"),
    ("dyna.value-of-start", None, "no result"),
    ("dyna.backup", no_terminal, "nothing follows s_next"),
    ("dyna.backup", lambda *x: 0.0, "the result is 0.0"),
    ("dyna.plan", lambda *x: None, "changed in place"),
    ("dyna.plan", one_too_many, "with n = 0 more than 0 values changed"),
    ("dyna.bonus", lambda r, tau, kappa: r + kappa * tau, "tau = 9"),
    ("dyna.bonus", 3, "must be a function"),
    ("bounds.best-k", 15, "balance at 15.28 steps"),
    ("bounds.best-k", 15.28, "balance at 15.28 steps"),
    ("bounds.best-k", 0, "the result is 0"),
    ("bounds.best-k", "long", "is not numeric"),
    ("bounds.says-nothing", 0.5, "the result is 0.5"),
    ("bounds.model-error", lambda *x: model_error(*x, half=1.0), "HALF the L1"),
    ("bounds.model-error", lambda *x: model_error(*x, walk=1), "follows the model"),
    ("bounds.model-error", lambda *x: model_error(*x, over=np.mean), "the mean over t"),
    ("bounds.model-error", lambda *x: 0.0, "the result is 0.0"),
    ("bounds.branch", head_first_after_0, "this is the head-first reading"),
    ("bounds.branch", branch_point, "this is the branch-point reading"),
    ("bounds.branch", lambda *x: None, "does the function return it?"),
]


@pytest.mark.parametrize(("exercise", "answer", "sentence"), WRONG)
def test_wrong_answers_are_told_why(exercise, answer, sentence):
    feedback = check(exercise, answer)
    assert not feedback and sentence in feedback.message, feedback
    assert "✗" in feedback._repr_html_() and repr(feedback).startswith("Not yet: ")


def test_an_empty_function_is_not_an_error():
    def todo(*_):
        raise NotImplementedError

    assert "still empty" in check("dyna.backup", todo).message


def test_messages_are_escaped():
    assert "<b>" not in check("dyna.first-episode", "<b>")._repr_html_()


def test_an_unknown_exercise_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'dyna.plan'"):
        check("dyna.plann", 1)
