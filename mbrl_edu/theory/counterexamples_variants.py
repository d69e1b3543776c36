"""Counterexamples for BMPO, AMPO and MAAC; see `counterexamples`."""

from __future__ import annotations

import numpy as np

from mbrl_edu.theory import bounds_ampo as ampo
from mbrl_edu.theory import bounds_bmpo as bmpo
from mbrl_edu.theory import bounds_maac as maac
from mbrl_edu.theory import smooth
from mbrl_edu.theory.counterexamples import GOOD_BAD, ONE, Counterexample, leak
from mbrl_edu.theory.facts import Facts
from mbrl_edu.theory.instances import Instance
from mbrl_edu.theory.mdp import FiniteMDP, policy_return


def bmpo_anchor(
    k1: int = 20, k2: int = 1, e_pi: float = 0.05, gamma: float = 0.95
) -> Counterexample:
    """Exact models in both directions; pi stays, pi_D leaks into a trap."""
    eye = np.eye(2)
    P = np.stack([eye, np.stack([eye[1], eye[1]])])  # action a leads from 0 to state a
    pi, pi_D = np.tile([1.0, 0.0], (2, 1)), np.tile([1 - e_pi, e_pi], (2, 1))
    mdp = FiniteMDP(P, np.tile(GOOD_BAD, 2), eye[0], gamma)
    b = bmpo.average_backward_kernel(mdp, pi)
    e_b, i = bmpo.eps_b(mdp, b, pi), k1 + k2
    eta = bmpo.buffer_return(mdp, P, b, pi, pi_D, k1, k2, i)
    return Counterexample(
        "bmpo_anchor",
        "slide, BMPO's bidirectional bound",
        "policy term gamma^{k1+k2} e_pi, with anchors from the replay buffer",
        "Backward steps do not undo what pi_D did before the anchor was reached.",
        "anchors reached by k1 real steps of pi; or gamma^{k2} for buffer anchors",
        float(abs(policy_return(mdp, pi) - eta)),
        float(bmpo.bidirectional(gamma, 1.0, e_b, e_pi, k1, k2)),
        float(bmpo.buffer_forward(gamma, 1.0, 0.0, e_pi, k2)),
        {"mdp": mdp, "pi": pi, "pi_D": pi_D, "b_hat": b, "k1": k1, "k2": k2},
    )


def ampo_facts(r: np.ndarray, prob: float, gamma: float) -> tuple[Facts, float]:
    """A model that leaks from a state that is never left; and the bound's distance.

    Rewards r (2, 1), pi = pi_D.
    """
    mdp = FiniteMDP(leak(0.0), r, np.eye(2)[0], gamma)
    f = Facts(Instance(mdp, leak(prob), ONE, ONE, 0))
    return f, float(ampo.class_distances(leak(prob), *f.visits).max())


def ampo_normalisation(prob: float = 0.01, gamma: float = 0.99) -> Counterexample:
    """AMPO's right side has no 1/(1-gamma): it is about normalised returns."""
    f, d = ampo_facts(GOOD_BAD, prob, gamma)
    bound = ampo.theorem_3_1(gamma, f.R, f.visit_shift, d, 2, f.pinsker)
    return Counterexample(
        "ampo_normalisation",
        "slide, AMPO Theorem 3.1",
        "eta[pi] >= eta^[pi] - R e_pi - ..., eta a discounted sum of rewards",
        "The right side is at most a few R, a discounted sum differs by R/(1-gamma).",
        "the same for (1-gamma) eta; or the right side divided by 1-gamma",
        abs(f.eta - f.eta_hat),
        bound,
        bound / (1 - gamma),
        {"instance": f.x},
    )


def ampo_sup_r(prob: float = 0.01, gamma: float = 0.99) -> Counterexample:
    """Rewards 0 and -1: sup r = 0, and the printed bound is zero."""
    f, d = ampo_facts(np.array([[0.0], [-1.0]]), prob, gamma)
    sup = float(f.x.mdp.r.max())
    return Counterexample(
        "ampo_sup_r",
        "slide, AMPO Theorem 3.1",
        "R = sup r(s, a)",
        "With costs sup r can be zero, and the bound with it.",
        "R = sup |r| (half the span of r is enough)",
        (1 - gamma) * abs(f.eta - f.eta_hat),
        ampo.theorem_3_1(gamma, sup, f.visit_shift, d, 2, f.pinsker),
        ampo.theorem_3_1(gamma, f.R, f.visit_shift, d, 2, f.pinsker),
        {"instance": f.x},
    )


def ampo_signed(m: int = 9, prob: float = 0.01, gamma: float = 0.999) -> Counterexample:
    """m good states shuffled at random; the model leaks to one bad state."""
    trap, cloud = np.eye(m + 1)[m], np.append(np.full(m, 1 / m), 0.0)
    P = np.tile(cloud, (m + 1, 1, 1))
    P[m] = trap
    P_hat = P.copy()
    P_hat[:m] = (1 - prob) * cloud + prob * trap
    r, pi = np.where(trap > 0, -1.0, 1.0)[:, None], np.ones((m + 1, 1))
    x = Instance(FiniteMDP(P, r, cloud, gamma), P_hat, pi, pi, 0)
    f = Facts(x)
    c = ampo.signed_differences(P_hat, *f.visits)

    def bound(d: float) -> float:
        return ampo.theorem_3_1(gamma, f.R, f.visit_shift, d, m + 1, f.pinsker)

    return Counterexample(
        "ampo_signed",
        "slide, AMPO Theorem 3.1 with the definition of d_F",
        "d_F = sup_{f in F} E_P f - E_Q f with T^(s'|.) in F and no more",
        "Vol(S) times the largest signed difference misses one large negative one.",
        "F closed under negation: T^(s'|.) and -T^(s'|.)",
        (1 - gamma) * abs(f.eta - f.eta_hat),
        bound(c.max()),
        bound(np.abs(c).max()),
        {"instance": x, "differences": c},
    )


def maac_gradient(c: float = 0.3, gamma: float = 0.9, H: int = 2) -> Counterexample:
    """f = s + a, and a model that is off by the constant c."""
    one, zero = np.ones((1, 1)), np.zeros(1)
    F = np.array([[1.0, 1.0]])
    parts = {"C": 0 * one, "G": np.zeros((1, 2)), "w": np.ones(1)}
    critic = {"b": np.array([1.0, 0.0]), "q": np.zeros(2), "h": np.zeros(())}
    real = smooth.Smooth(F, c=zero, **parts, **critic)
    model = smooth.Smooth(F, c=zero + c, **parts, **critic)
    theta, s0 = -0.5 * one, np.ones(1)
    e = smooth.gradient_errors(real, model, theta, s0, H, gamma)
    return Counterexample(
        "maac_gradient",
        "slide, MAAC Lemma 4.1",
        "|grad J - grad J^| <= c1(H) e_f + c2(H) e_Q",
        "A constant offset keeps the derivatives (e_f = e_Q = 0), but not the path.",
        "add c_v(H) e_v, e_v = max_t |f^(x^_t) - f(x^_t)|",
        float(e.gap),
        float(maac.lemma_4_1_printed(e.c, e.e_f, e.e_Q)),
        float(maac.lemma_4_1(e.c, e.e_f, e.e_Q, e.e_v)),
        {"real": real, "model": model, "theta": theta, "s0": s0, "errors": e},
    )


def maac_improvement(
    alpha: float = 1e-7, theta: float = 0.01, gamma: float = 0.99
) -> Counterexample:
    """theta is the rate of a leak; the model's gradient has the wrong sign."""

    def J(leaking: float) -> float:
        return policy_return(
            FiniteMDP(leak(leaking), GOOD_BAD, np.eye(2)[0], gamma), ONE
        )

    slope = -2 * gamma / (1 - gamma + gamma * theta) ** 2  # dJ / dtheta
    exact, other = theta + alpha * slope, theta - alpha * slope
    X = 2 * abs(slope)  # |grad J - grad J^|; c3 = 1 because TV = |theta - theta'|
    return Counterexample(
        "maac_improvement",
        "slide, MAAC Theorem 4.1",
        "J(theta^) >= J(theta) - (2 alpha r_max/(1-gamma)) alpha c3 (...)",
        "alpha comes twice and one factor 1/(1-gamma) is missing.",
        "J(theta^) >= J(theta') - 2 r_max alpha c3 (...)/(1-gamma)^2",
        float(J(exact) - J(other)),
        float(maac.theorem_4_1_printed(gamma, 1.0, alpha, 1.0, X)),
        float(maac.theorem_4_1(gamma, 1.0, alpha, 1.0, X)),
        {"J": J, "alpha": alpha, "theta": theta, "slope": slope, "gamma": gamma},
    )
