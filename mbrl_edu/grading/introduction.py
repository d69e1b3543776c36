"""Contracts of chapter 1, Why learn a model?"""

import numpy as np

from mbrl_edu.grading.contract import Wrong, call, compare, contract


@contract("introduction.return")
def discounted_return(answer):
    """g(rewards, gamma) -> sum over t of gamma^t r_t."""
    cases = [([1.0], 0.9), ([0.0, 0.0, 1.0], 0.5), ([2.0, -1.0, 3.0, 0.5], 0.95)]
    for rewards, gamma in [*cases, ([], 0.9), ([1.0] * 7, 1.0)]:
        expected = sum(gamma**t * r for t, r in enumerate(rewards))
        compare(call(answer, list(rewards), gamma), expected, f"g({rewards}, {gamma})")
    return "the first reward counts in full, every later one gamma times less."


@contract("introduction.count_model")
def count_model(answer):
    """p_hat(transitions, S, A) -> (S, A, S) shares; 1/S where a pair was not seen."""
    g = np.random.default_rng(0)
    for S, A, n in ((2, 1, 3), (4, 2, 60), (3, 3, 0)):
        data = [tuple(int(g.integers(k)) for k in (S, A, S)) for _ in range(n)]
        counts = np.zeros((S, A, S))
        for s, a, s_next in data:
            counts[s, a, s_next] += 1
        seen = counts.sum(-1, keepdims=True)
        expected = np.where(seen > 0, counts / np.maximum(seen, 1), 1 / S)
        got = call(answer, list(data), S, A)
        of = f"{n} transitions of {S} states and {A} actions"
        if got is not None and np.shape(got) == expected.shape:
            if not np.allclose(np.sum(got, -1), 1):
                raise Wrong(f"for {of} some p_hat(. | s, a) does not sum to 1.")
        compare(got, expected, of)
    return "these are the maximum-likelihood estimates of p(s' | s, a)."
