"""The bounds of MBPO as functions of their symbols.

Symbols, all arrays that broadcast: gamma discount in [0, 1); r_max = sup |r| (half the
span of r may take its place in every bound here); e_pi policy shift; e_m, e_m_prime
model errors (definitions in `errors`); k number of model steps. TV is half the L1
distance. Each function returns the right side of |gap| <= bound, two-sided although the
sources print the lower side only. Source: Janner et al. 2019 (arXiv 1906.08253) and the
lecture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mbrl_edu.theory._arrays import Array, discount, in_range, length, scalar
from mbrl_edu.theory.distances import tv


def checked(gamma: Any, r_max: Any, **errors: Any) -> list[Array]:
    """gamma, r_max and the errors as arrays, refused outside their ranges."""
    first = [discount("gamma", gamma), in_range("r_max", r_max, 0)]
    return first + [in_range(name, value, 0) for name, value in errors.items()]


# --- lemmas ---------------------------------------------------------------------------


def lemma_b1(px: ArrayLike, qx: ArrayLike, py: ArrayLike, qy: ArrayLike) -> Any:
    """Lemma B.1: TV of two joint laws <= TV(px, qx) + E_{x~px} TV(py(.|x), qy(.|x)).

    px, qx (..., X) laws of x; py, qy (..., X, Y) laws of y given x. Returns the right
    side (...). The left side is tv(px[..., None] * py, qx[..., None] * qy, axes=2).
    """
    inner = (np.asarray(px) * tv(py, qy)).sum(axis=-1)
    return scalar(tv(px, qx) + inner)


def lemma_b1_max(px: ArrayLike, qx: ArrayLike, py: ArrayLike, qy: ArrayLike) -> Any:
    """Lemma B.1, coarser form: TV(px, qx) + max_x TV(py(.|x), qy(.|x))."""
    return scalar(tv(px, qx) + np.max(tv(py, qy), axis=-1))


def lemma_b2(t: Any, delta: Any) -> Any:
    """Lemma B.2: two chains with one start law have TV(law of s_t) <= t delta.

    delta = max_{j<t} E_{s ~ p1_j} TV(p1(.|s), p2(.|s)). The paper asks for an expected
    KL divergence <= delta instead; with KL the lemma is FALSE (see `counterexamples`).
    The sum of the t expected TVs in place of t delta is true too, and sharper.
    """
    return scalar(length("t", t) * in_range("delta", delta, 0))


def lemma_b3(gamma: Any, r_max: Any, e_m: Any, e_pi: Any) -> Any:
    """Lemma B.3, |eta1 - eta2| <= 2 r_max (e_pi + gamma e_m) / (1-gamma)^2.

    e_m = max_t E_{s,a ~ p1,pi1} TV(p1, p2), e_pi = max_s TV(pi1, pi2). The paper prints
    2 r_max [gamma (e_pi + e_m) / (1-gamma)^2 + e_pi / (1-gamma)], the same number, and
    measures both errors by KL, for which it is FALSE.
    """
    g, R, m, p = checked(gamma, r_max, e_m=e_m, e_pi=e_pi)
    return scalar(2 * R * (p + g * m) / (1 - g) ** 2)


def lemma_b4(
    gamma: Any, r_max: Any, m_pre: Any, pi_pre: Any, m_post: Any, pi_post: Any, k: Any
) -> Any:
    """Lemma B.4: two sliding branches whose errors differ before and inside the branch.

    2 r_max [gamma^{k+1} (m_pre + pi_pre) / (1-gamma)^2 + k (m_post + pi_post) /
    (1-gamma) + gamma^k pi_pre / (1-gamma) + pi_post / (1-gamma)]. m_* are maxima over t
    of the expected TV of the kernels along rollout 1's OWN branch law, pi_* maxima over
    states. Printed with KL in the paper; true with TV.
    """
    g, R, m0, p0, m1, p1 = checked(
        gamma, r_max, m_pre=m_pre, pi_pre=pi_pre, m_post=m_post, pi_post=pi_post
    )
    k = length("k", k)
    pre = g ** (k + 1) * (m0 + p0) / (1 - g) + g**k * p0
    return scalar(2 * R / (1 - g) * (pre + k * (m1 + p1) + p1))


def lemma_b4_tight(
    gamma: Any, r_max: Any, m_pre: Any, pi_pre: Any, m_post: Any, pi_post: Any, k: Any
) -> Any:
    """Lemma B.4 without slack (ours); symbols as in `lemma_b4`.

    At time t the states differ by at most (t-k)+ (m_pre + pi_pre) + min(t,k) (m_post +
    pi_post), the last action by pi_post. Summed over gamma^t: 2 r_max / (1-gamma)^2
    [gamma^{k+1} (m_pre + pi_pre) + gamma (1-gamma^k) (m_post + pi_post) + (1-gamma)
    pi_post].
    """
    inside = tight(gamma, r_max, np.add(m_post, pi_post), np.add(m_pre, pi_pre), k)
    g, R, p1 = checked(gamma, r_max, pi_post=pi_post)
    return scalar(inside + 2 * R * p1 / (1 - g))


# --- full model rollouts --------------------------------------------------------------


def theorem_4_1(gamma: Any, r_max: Any, e_m: Any, e_pi: Any) -> Any:
    """MBPO Theorem 4.1: |eta[pi] - eta^[pi]|, pi rolled out in the model from rho0.

    2 gamma r_max (e_m + 2 e_pi) / (1-gamma)^2 + 4 r_max e_pi / (1-gamma), e_m under
    pi_D. Equal to 2 r_max (gamma e_m + 2 e_pi) / (1-gamma)^2.
    """
    g, R, m, p = checked(gamma, r_max, e_m=e_m, e_pi=e_pi)
    return scalar(2 * R * (g * m + 2 * p) / (1 - g) ** 2)


def theorem_4_1_tight(gamma: Any, r_max: Any, e_m: Any, e_pi: Any) -> Any:
    """Theorem 4.1 without slack (ours): 2 r_max gamma (e_m + 2 e_pi) / (1-gamma)^2.

    Compare the STATES of (pi, p), (pi_D, p) and (pi, p^): they part by t e_pi and by
    t (e_m + e_pi), and the last action is pi's in the two that matter. So the summand
    4 r_max e_pi / (1-gamma) of the paper is not needed. True as well with the averages
    E_{rho_D} TV(p, p^) and E_{nu_D} TV(pi, pi_D) for e_m and e_pi; those can be
    estimated from the data alone.
    """
    return tight_data(gamma, r_max, e_m, e_pi, np.inf)


# --- branched rollouts ----------------------------------------------------------------


def theorem_4_3(gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, k: Any) -> Any:
    """The slide's bound (MBPO Theorem A.2) on |eta - eta_branch|.

    2 r_max [gamma^{k+1} e_pi/(1-gamma)^2 + gamma^k e_pi/(1-gamma) + k e_m'/(1-gamma)],
    which is 2 r_max [gamma^k e_pi / (1-gamma)^2 + k e_m' / (1-gamma)]. True for the
    sliding and the head-first branch with e_m' over s ~ pi_t, a ~ pi (slide, Theorem
    A.2). The main text of the paper's Theorem 4.3 takes s ~ pi_D,t: FALSE then for k >=
    3 (see `tight_data_states`). If the reward is learned, TV is over (s', r) and k
    counts its call too: k model transitions and a model reward are k + 1.
    """
    g, R, m, p = checked(gamma, r_max, e_m_prime=e_m_prime, e_pi=e_pi)
    k = length("k", k)
    with np.errstate(invalid="ignore"):  # k = inf with m = 0
        model = np.where(m > 0, k * m, 0.0)
    return scalar(2 * R * (g**k * p / (1 - g) ** 2 + model / (1 - g)))


def tight(gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, k: Any) -> Any:
    """The bound for the sliding branch without slack (ours).

    2 r_max gamma / (1-gamma)^2 [gamma^k e_pi + (1 - gamma^k) e_m'].
    Proof: at time t the states of (pi, p) and of the branch differ in TV by at most
    (t-k)+ e_pi + min(t,k) e_m' (Lemma B.2 with pi's true chain as reference), the last
    action is pi's in both, and sum_t gamma^t min(t,k) = gamma (1-gamma^k) /
    (1-gamma)^2. Also true, and sharper, with the discounted averages
    `mean_policy_shift` (walk = pi) and `mean_model_error` (walk = pi) in place of the
    maxima: step j of pi's chain carries weight gamma^{j+1+k} / (1-gamma) for the
    policy, gamma^{j+1} (1-gamma^k) / (1-gamma) for the model. k may be infinite (full
    model rollout).
    """
    g, R, m, p = checked(gamma, r_max, e_m_prime=e_m_prime, e_pi=e_pi)
    fade = g ** length("k", k)
    return scalar(2 * R * g / (1 - g) ** 2 * (fade * p + (1 - fade) * m))


def tight_head_first(gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, k: Any) -> Any:
    """The head-first branch without slack (ours).

    2 r_max / (1-gamma)^2 [gamma^k e_pi + gamma (1-gamma^k) e_m']. Here the last action
    IS pi_D's from time k on, so the slide's policy term is exactly right; only its
    count k of model errors is loose.
    """
    g, R, m, p = checked(gamma, r_max, e_m_prime=e_m_prime, e_pi=e_pi)
    fade = g ** length("k", k)
    return scalar(2 * R / (1 - g) ** 2 * (fade * p + g * (1 - fade) * m))


def tight_learned_reward(
    gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, k: Any
) -> Any:
    """Sliding branch, learned reward, k generated tuples (s, a, r, s') (ours).

    2 r_max / (1-gamma)^2 [gamma^k e_pi + (1 - gamma^k) e_m'], TV over the joint (s',
    r), k >= 1: k - 1 model transitions, then the model's reward. At most the slide's
    formula with the same k, which is therefore true when k counts tuples.
    """
    g, R, m, p = checked(gamma, r_max, e_m_prime=e_m_prime, e_pi=e_pi)
    fade = g ** length("k", k)
    return scalar(2 * R / (1 - g) ** 2 * (fade * p + (1 - fade) * m))


def theorem_4_2(gamma: Any, r_max: Any, e_m: Any, e_pi: Any, k: Any) -> Any:
    """MBPO Theorem 4.2 (A.3): the branch bound with e_m under the DATA policy.

    2 r_max [gamma^{k+1} e_pi / (1-gamma)^2 + (gamma^k + 2) e_pi / (1-gamma)
    + k (e_m + 2 e_pi) / (1-gamma)].
    """
    g, R, m, p = checked(gamma, r_max, e_m=e_m, e_pi=e_pi)
    k = length("k", k)
    policy = g**k * p / (1 - g) + 2 * p
    return scalar(2 * R / (1 - g) * (policy + k * (m + 2 * p)))


def tight_data(gamma: Any, r_max: Any, e_m: Any, e_pi: Any, k: Any) -> Any:
    """Theorem 4.2 without slack (ours): `tight` with e_m + 2 e_pi for e_m'.

    2 r_max gamma / (1-gamma)^2 [gamma^k e_pi + (1-gamma^k) (e_m + 2 e_pi)]: the states
    of (pi, p) and (pi_D, p) part by t e_pi, those of (pi_D, p) and the branch by
    min(t,k) (e_m + e_pi). Every error is one under the data policy; the averages over
    rho_D and nu_D may replace the maxima.
    """
    return tight(gamma, r_max, np.add(e_m, np.multiply(2, e_pi)), e_pi, k)


def tight_data_states(gamma: Any, r_max: Any, e: Any, e_pi: Any, k: Any) -> Any:
    """The main text's Theorem 4.3 made true, e over s ~ pi_D,t, a ~ pi (ours).

    `tight` with e for e_m', plus 2 r_max e_pi gamma^2 [1 - k gamma^{k-1} + (k-1)
    gamma^k] / (1-gamma)^3: the j-th state of a branch is off pi_D's own law by j e_pi,
    so the j-th model step may err by e + j e_pi. The extra term is zero for k <= 1; for
    k = 2 it is exactly the slack of the printed formula, which is therefore true for k
    <= 2 and false from k = 3 on.
    """
    g, R, m, p = checked(gamma, r_max, e=e, e_pi=e_pi)
    k = length("k", k)
    if np.isinf(k).any():
        raise ValueError("k = inf is not allowed here; it must be finite.")
    drift = 1 - k * g ** np.maximum(k - 1, 0) + (k - 1) * g**k
    extra = 2 * R * p * g**2 * np.where(k < 2, 0, drift) / (1 - g) ** 3
    return scalar(tight(g, R, m, p, k) + extra)


def branch_point(gamma: Any, r_max: Any, e_m_prime: Any, e_pi: Any, k: Any) -> Any:
    """A TRUE bound for the branch-point reading (ours).

    2 r_max / (1-gamma) [(1 - gamma^k) + gamma e_pi / (1-gamma) + k e_m']. The first
    term is the price of not counting the first k rewards (no error at all can be behind
    it); the policy term keeps no factor gamma^k.
    """
    g, R, m, p = checked(gamma, r_max, e_m_prime=e_m_prime, e_pi=e_pi)
    k = length("k", k)
    return scalar(2 * R / (1 - g) * (1 - g**k + g * p / (1 - g) + k * m))
