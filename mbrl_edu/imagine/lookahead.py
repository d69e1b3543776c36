"""Model predictive control with a value at the horizon: look a few steps ahead."""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_edu.control.sac import SAC
from mbrl_edu.core import check
from mbrl_edu.imagine.rollout import Rule
from mbrl_edu.models.protocol import Model


@torch.no_grad()
def lookahead(
    model: Model,
    agent: SAC,
    s: Tensor,
    H: int,
    N: int,
    gamma: float,
    g: torch.Generator,
    terminal: Rule | None = None,
) -> tuple[Tensor, Tensor]:
    """N actions in s (1, ds), and what each is worth: a (N, da), J (N,).

    J = sum_{i<H} gamma^i r_i + gamma^H V(s_H) in one imagined future (lecture, "Other
    Components of BMPO"). As in BMPO's code, the first action is drawn from pi, later
    ones are greedy, every step is one draw of the model, and V is the mean of the
    target critics at one draw from pi, without entropy. Nothing is earned after
    ``terminal(s, a, s')``. A future that leaves the finite numbers is worth minus
    infinity.
    """
    check.integer("H", H, low=0)
    check.integer("N", N, low=1)
    if s.shape != (1, model.layout.ds):
        raise ValueError(
            f"s has shape {tuple(s.shape)}, but must have (1, {model.layout.ds})."
        )
    s = s.expand(N, -1)
    first = a = agent.sample(s, g)[0]
    J, alive = s.new_zeros(N), s.new_ones(N, dtype=torch.bool)
    for i in range(H):
        r, s_next = model.sample(s, a, g)
        r = torch.where(s_next.isfinite().all(1), r, -torch.inf)
        J += gamma**i * torch.where(alive, r, 0)
        if terminal is not None:
            alive &= terminal(s, a, s_next) == 0
        s, a = s_next, agent.mean(s_next)
    V = agent.q_bar(s, agent.sample(s, g)[0]).mean(0)
    J += gamma**H * torch.where(alive, V, 0)
    return first, torch.where(J.isfinite(), J, -torch.inf)
