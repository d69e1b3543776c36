"""Finite MDPs solved exactly, and the bounds of model-based RL as functions.

mdp             exact values, returns, occupancies, hitting times (re-exported here)
branch, errors, distances     branched returns; model error, policy shift; TV, KL, W1,
MMD bounds_mbpo, choice_of_k, bounds_bmpo, bounds_ampo, bounds_autombpo, bounds_maac
                one function per quantity of the lecture, with its source
instances, search, smooth     families of problems; hill climb; systems for MAAC's lemma
facts, statements, statements_variants
                every statement as a pair (gap, bound), for tests and figures
counterexamples, counterexamples_variants, errata    printed statements that are false
tables          arrays for figures
"""

from mbrl_edu.theory.mdp import (
    FiniteMDP,
    action_values,
    as_policy,
    discounted_states,
    expected_steps,
    greedy_policy,
    occupancy,
    policy_kernel,
    policy_return,
    policy_reward,
    policy_values,
    state_distributions,
    value_iteration,
)

__all__ = [
    "FiniteMDP",
    "action_values",
    "as_policy",
    "discounted_states",
    "expected_steps",
    "greedy_policy",
    "occupancy",
    "policy_kernel",
    "policy_return",
    "policy_reward",
    "policy_values",
    "state_distributions",
    "value_iteration",
]
