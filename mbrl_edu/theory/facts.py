"""The quantities of a batch of instances, each computed once, when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mbrl_edu.theory import bounds_ampo as ampo
from mbrl_edu.theory import bounds_autombpo as autombpo
from mbrl_edu.theory import bounds_bmpo as bmpo
from mbrl_edu.theory import branch, errors
from mbrl_edu.theory._arrays import Array
from mbrl_edu.theory.distances import half_span, kl
from mbrl_edu.theory.instances import Instance
from mbrl_edu.theory.mdp import policy_kernel, policy_return, state_distributions


class Facts:
    """`facts.e_pi`, `facts.eta`, ... of an instance or a batch; names are in RULES."""

    def __init__(self, x: Instance):
        self.x = x
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in RULES:
            raise AttributeError(f"Facts has no quantity {name!r}.")
        if name not in self._known:
            self._known[name] = RULES[name](self, self.x)
        return self._known[name]


def _backward(f: Facts, x: Instance) -> Array:
    """A learned backward kernel: the model's own, for states that pi_D visits."""
    return bmpo.average_backward_kernel(x.mdp.with_model(x.P_hat), x.pi)


def _expected_kl(f: Facts, x: Instance) -> Any:
    """max_t E_{s ~ pi_D,t, a ~ pi_D} KL(p, p^), what the paper's lemmas ask for."""
    pairs = np.nan_to_num(kl(x.mdp.P, x.P_hat), posinf=1e300)
    return errors.model_error(x.mdp, pairs, x.pi_D, x.pi_D)


def _chains(f: Facts, x: Instance, t: int = 7) -> tuple[Array, ...]:
    """pi in p and in p^: laws at time t, kernels, laws of times 0..t-1 in p."""
    model = x.mdp.with_model(x.P_hat)
    real = state_distributions(x.mdp, x.pi, t)
    other = state_distributions(model, x.pi, t)
    kernels = policy_kernel(x.mdp, x.pi), policy_kernel(model, x.pi)
    return real[..., t, :], other[..., t, :], *kernels, real[..., :t, :]


RULES: dict[str, Callable[[Facts, Instance], Any]] = {
    # returns, un-normalised
    "gamma": lambda f, x: np.asarray(x.mdp.gamma),
    "k": lambda f, x: x.k,
    "R": lambda f, x: x.mdp.r_max,
    "half": lambda f, x: half_span(x.mdp.r, axes=2),
    "eta": lambda f, x: policy_return(x.mdp, x.pi),
    "eta_D": lambda f, x: policy_return(x.mdp, x.pi_D),
    "eta_hat": lambda f, x: branch.model_return(x.mdp, x.P_hat, x.pi),
    "sliding": lambda f, x: branch.sliding_return(x.mdp, x.P_hat, x.pi, x.pi_D, x.k),
    "head": lambda f, x: branch.head_first_return(x.mdp, x.P_hat, x.pi, x.pi_D, x.k),
    "point": lambda f, x: branch.branch_point_return(x.mdp, x.P_hat, x.pi, x.pi_D, x.k),
    # errors
    "pairs": lambda f, x: errors.model_error_by_pair(x.mdp, x.P_hat),
    "e_pi": lambda f, x: errors.policy_shift(x.pi, x.pi_D),
    "e_m": lambda f, x: errors.model_error(x.mdp, f.pairs, x.pi_D, x.pi_D),
    "e_m_prime": lambda f, x: errors.model_error(x.mdp, f.pairs, x.pi, x.pi),
    "e_literal": lambda f, x: errors.model_error(x.mdp, f.pairs, x.pi_D, x.pi),
    "e_kl": _expected_kl,
    "mean_shift": lambda f, x: errors.mean_policy_shift(x.mdp, x.pi, x.pi_D, x.pi),
    "mean_error": lambda f, x: errors.mean_model_error(x.mdp, x.P_hat, x.pi),
    "data_shift": lambda f, x: errors.mean_policy_shift(x.mdp, x.pi, x.pi_D, x.pi_D),
    "data_error": lambda f, x: errors.mean_model_error(x.mdp, x.P_hat, x.pi_D),
    "inside_D": lambda f, x: errors.branch_model_error(
        x.mdp, f.pairs, x.pi_D, x.pi_D, x.k
    ),
    "inside": lambda f, x: errors.branch_model_error(x.mdp, f.pairs, x.pi_D, x.pi, x.k),
    "chains": _chains,
    # BMPO
    "b_hat": _backward,
    "e_b": lambda f, x: bmpo.eps_b(x.mdp, f.b_hat, x.pi),
    # AMPO
    "visits": lambda f, x: ampo.visits(x.mdp, x.P_hat, x.pi, x.pi_D),
    "visit_shift": lambda f, x: ampo.visit_shift(x.mdp, x.pi, x.pi_D),
    "state_errors": lambda f, x: ampo.state_errors(x.mdp, x.P_hat, f.visits[0]),
    "pinsker": lambda f, x: ampo.expected_pinsker(x.mdp, x.P_hat, f.visits[0]),
    # AutoMBPO, with the share beta of real samples tied to k
    "beta": lambda f, x: 1 / (1 + np.asarray(x.k)),
    "V_star": lambda f, x: autombpo.optimum(x.mdp)[1],
    "mixed": lambda f, x: autombpo.mixed_kernel(x.mdp, x.P_hat, f.beta),
    "V_mixed": lambda f, x: autombpo.optimum(x.mdp.with_model(f.mixed))[1],
    "tv_max": lambda f, x: f.pairs.max(axis=(-2, -1)),
}
