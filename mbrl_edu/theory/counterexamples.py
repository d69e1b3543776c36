"""Counterexamples to MBPO's statements as they are printed, as data.

Each function builds one small problem and returns a `Counterexample`: the gap, the
bound as printed (below the gap), the corrected bound (not below it). Every number is
computed from the arrays in `data`; none is written down here. The whole list is in
`errata`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mbrl_edu.theory import bounds_mbpo as mbpo
from mbrl_edu.theory import branch, errors
from mbrl_edu.theory._arrays import Array
from mbrl_edu.theory.distances import kl, tv
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import Instance
from mbrl_edu.theory.mdp import FiniteMDP, policy_return


@dataclass(frozen=True)
class Counterexample:
    """printed_bound < gap <= corrected_bound, and the words that go with it."""

    name: str
    where: str  # the place of the false statement
    printed: str  # the statement as printed, or as it can be read
    why: str  # what goes wrong, in one sentence
    corrected: str  # a true statement
    gap: float
    printed_bound: float
    corrected_bound: float
    data: dict[str, Any]


def leak(prob: float) -> Array:
    """One action; state 0 leaks to the trap 1 with probability `prob`; (2, 1, 2)."""
    return np.array([[[1 - prob, prob]], [[0.0, 1.0]]])


ONE = np.ones((2, 1))  # the only policy where there is one action
GOOD_BAD = np.array([[1.0], [-1.0]])  # reward +1 in state 0, -1 in the trap


def main_text_4_3(e_pi: float = 0.1, k: int = 20, gamma: float = 0.9) -> Counterexample:
    """Start, gate, goal (+1), trap (-1): the model errs where pi_D never goes."""
    eye = np.eye(4)
    P = np.stack([np.stack([eye[s], eye[s]]) for s in range(4)])
    P[0, 1], P[1] = eye[1], eye[3]  # action 1 leaves; the gate leads to the trap
    P_hat = P.copy()
    P_hat[1] = eye[2]  # the model believes that it leads to the goal
    r = np.array([0.0, 0.0, 1.0, -1.0])[:, None] * np.ones(2)
    pi_D, pi = np.tile([1.0, 0.0], (4, 1)), np.tile([1 - e_pi, e_pi], (4, 1))
    x = Instance(FiniteMDP(P, r, eye[0], gamma), P_hat, pi, pi_D, k)
    f = Facts(x)
    return Counterexample(
        "main_text_4_3",
        "MBPO paper, main text, Theorem 4.3",
        "|eta - eta_branch| <= slide's formula with e_m' over s ~ pi_D,t",
        "States that only pi reaches are left out of the error; rollouts meet them.",
        "e_m' over s ~ pi_t, a ~ pi (slide, Theorem A.2)",
        abs(f.eta - f.sliding),
        mbpo.theorem_4_3(gamma, f.R, f.e_literal, f.e_pi, k),
        mbpo.theorem_4_3(gamma, f.R, f.e_m_prime, f.e_pi, k),
        {"instance": x, "e_printed": f.e_literal, "e_m_prime": f.e_m_prime},
    )


def action_of_the_error(e_pi: float = 0.1, k: int = 20) -> Counterexample:
    """The slide names the states of e_m', not the actions: a ~ pi_D would be false."""
    gamma, trap = 0.9, np.eye(2)[1]
    P = np.stack([np.tile(np.eye(2)[0], (2, 1)), np.tile(trap, (2, 1))])
    P_hat = P.copy()
    P_hat[0, 1] = trap  # wrong only for the action that pi_D never takes
    pi_D, pi = np.tile([1.0, 0.0], (2, 1)), np.tile([1 - e_pi, e_pi], (2, 1))
    mdp = FiniteMDP(P, np.tile(GOOD_BAD, 2), np.eye(2)[0], gamma)
    x = Instance(mdp, P_hat, pi, pi_D, k)
    f = Facts(x)
    e = errors.model_error(mdp, f.pairs, pi, pi_D)
    return Counterexample(
        "action_of_the_error",
        "slide 'Bound based on Model & Policy Error', definition of e_m'",
        "e_m' = max_t E_{s ~ pi_t} TV(p, p^), read with a ~ pi_D",
        "The model is never asked for the actions on which this error is measured.",
        "e_m' over s ~ pi_t, a ~ pi",
        abs(f.eta - f.sliding),
        mbpo.theorem_4_3(gamma, f.R, e, f.e_pi, k),
        mbpo.theorem_4_3(gamma, f.R, f.e_m_prime, f.e_pi, k),
        {"instance": x, "e_printed": e, "e_m_prime": f.e_m_prime},
    )


def kl_in_b2(e: float = 0.1) -> Counterexample:
    """Two symmetric two-state chains; KL is of second order in their distance."""
    p = np.array([[0.5, 0.5], [0.5, 0.5]])
    q = np.array([[0.5 + e, 0.5 - e], [0.5 - e, 0.5 + e]])
    return Counterexample(
        "kl_in_b2",
        "MBPO paper, Lemma B.2",
        "TV(law of s_t) <= t delta, delta an expected KL divergence",
        "For close laws KL is about the square of TV, so it cannot bound TV linearly.",
        "delta an expected TV (or, by Pinsker, sqrt(KL / 2))",
        float(tv(p[0], q[0])),
        float(mbpo.lemma_b2(1, kl(p[0], q[0]))),
        float(mbpo.lemma_b2(1, tv(p[0], q[0]))),
        {"p": p, "q": q, "rho0": np.eye(2)[0]},
    )


def kl_in_b3(e: float = 0.001, gamma: float = 0.9) -> Counterexample:
    """The same two chains: the bound on the return fails as well."""
    chains = kl_in_b2(e).data
    P, P_hat = chains["p"][:, None], chains["q"][:, None]
    mdp = FiniteMDP(P, GOOD_BAD, chains["rho0"], gamma)
    f = Facts(Instance(mdp, P_hat, ONE, ONE, 0))
    return Counterexample(
        "kl_in_b3",
        "MBPO paper, Lemma B.3",
        "|eta1 - eta2| <= 2 r_max (e_pi + gamma e_m)/(1-gamma)^2, e_m an expected KL",
        "The lemma rests on Lemma B.2, and fails with it.",
        "e_m an expected TV",
        abs(f.eta_D - f.eta_hat),
        mbpo.lemma_b3(gamma, f.R, f.e_kl, f.e_pi),
        mbpo.lemma_b3(gamma, f.R, f.e_m, f.e_pi),
        {"instance": f.x},
    )


def branch_point(k: int = 1, gamma: float = 0.9) -> Counterexample:
    """Perfect model, pi = pi_D; the reward comes at time 0 only."""
    mdp = FiniteMDP(leak(1.0), np.array([[1.0], [0.0]]), np.eye(2)[0], gamma)
    x = Instance(mdp, leak(1.0), ONE, ONE, k)
    f = Facts(x)
    return Counterexample(
        "branch_point",
        "MBPO paper, choice of the branching point; slide 'Branched rollout'",
        "the slide's bound for rollouts that start at a state ~ d_{pi_D} and are read"
        " after k steps",
        "The first k rewards of an episode are never seen, model error or not.",
        "sliding branches; or add 2 r_max (1 - gamma^k)/(1-gamma), no gamma^k on e_pi",
        abs(f.eta - f.point),
        mbpo.theorem_4_3(gamma, f.R, f.e_m_prime, f.e_pi, k),
        mbpo.branch_point(gamma, f.half, f.e_m_prime, f.e_pi, k),
        {"instance": x},
    )


def learned_reward(e: float = 0.05, k: int = 1, gamma: float = 0.9) -> Counterexample:
    """k model transitions and then the model's reward: k + 1 model calls."""
    joint = np.zeros((2, 1, 2, 2))  # (s', reward level -1 or +1)
    joint[0, 0, 0, 1] = joint[1, 0, 1, 0] = 1
    joint_hat = joint.copy()
    joint_hat[0, 0] = (1 - e) * joint[0, 0]
    joint_hat[0, 0, 1, 0] += e  # once in 1/e calls: trap and reward -1, together
    P, r = errors.split_joint(joint, [-1, 1])
    P_hat, r_hat = errors.split_joint(joint_hat, [-1, 1])
    mdp = FiniteMDP(P, r, np.eye(2)[0], gamma)
    pairs = errors.joint_error_by_pair(joint, joint_hat)
    e_m = errors.model_error(mdp, pairs, ONE, ONE)
    eta = branch.sliding_return(mdp, P_hat, ONE, ONE, k, r_hat)
    return Counterexample(
        "learned_reward",
        "slide's bound with D_TV(p(s',r|s,a) || p_theta(s',r|s,a))",
        "k counts the transitions of the branch; the reward at its end is modelled too",
        "The reward at the end is one more call of the model.",
        "k counts generated tuples (s, a, r, s'): here k + 1",
        float(abs(policy_return(mdp, ONE) - eta)),
        mbpo.theorem_4_3(gamma, 1.0, e_m, 0.0, k),
        mbpo.theorem_4_3(gamma, 1.0, e_m, 0.0, k + 1),
        {"joint": joint, "joint_hat": joint_hat, "mdp": mdp, "k": k},
    )
