"""The gradient of a return through a recorded path: infer the noise, go backwards.

Lecture, "From deterministic to stochastic" and "SVG Algorithm" (Algorithm 1, lines 8 to
14; the step v' <- v at the end of its loop is missing there); Heess et al. (2015).
With a = pi(s, eta; theta) and r, s' = f(s, a, xi), noise that explains the record
exactly puts the derivatives of pi and f on real states, not on imagined ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from mbrl_edu.control.reparameterised import Reparameterised
from mbrl_edu.core.data import Batch
from mbrl_edu.models.protocol import Model


class Noise(NamedTuple):
    """What makes a record deterministic; n rows."""

    eta: Tensor  # (n, da) of the policy
    xi: Tensor  # (n, dy) of the model
    who: Tensor  # (n,) the member of the model that answers for the row


def gaussian(model: Model, s: Tensor, a: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sd of y = (r, s' - s) from member ``who[i]`` in row i: (n, dy) each.

    A model without noise of its own gets additive noise of sd 1: its derivatives do not
    depend on the noise, and the inferred xi is then its error.
    """
    row = torch.arange(len(s), device=s.device)
    mean, log_var = (x[who, row] for x in model.predict(s, a))
    sd = (log_var / 2).exp()
    return mean, torch.where(log_var == float("-inf"), torch.ones_like(sd), sd)


def f(
    model: Model, s: Tensor, a: Tensor, xi: Tensor, who: Tensor
) -> tuple[Tensor, Tensor]:
    """r (n,) and s' (n, ds) as functions of the noise xi (n, dy)."""
    mean, sd = gaussian(model, s, a, who)
    return model.layout.apply(s, a, mean + sd * xi)


@torch.no_grad()
def infer(
    model: Model, pi: Reparameterised, path: Batch, who: Tensor | None = None
) -> Noise:
    """eta with pi(s, eta) = a and xi with f(s, a, xi) = (r, s'), row by row (line 11).

    Where the reward is a known function, xi explains s' alone. Without ``who`` the
    model's first elite answers for every row.
    """
    if who is None:
        who = model.elites[:1].expand(len(path.r))
    y = path.s_next - path.s
    if model.layout.reward is None:
        y = torch.cat([path.r[:, None], y], 1)
    mean, sd = gaussian(model, path.s, path.a, who)
    return Noise(pi.noise(path.s, path.a), (y - mean) / sd, who)


def recursion(
    model: Model, pi: Reparameterised, path: Batch, noise: Noise, gamma: float
) -> tuple[Tensor, Tensor]:
    """v_s (ds,) and v_theta (p,): derivatives of sum_t gamma^t r_t at the first state.

    theta are the parameters of ``pi`` in their order, flat. ``path`` is one episode of
    T consecutive transitions; its end is the end of the sum. The memory needed grows
    with T da p. Where the reward depends on s', r_s and r_a contain what comes through
    f. Raises ValueError where one transition does not follow on the other.
    """
    check_path(path)
    (r_s, r_a), (f_s, f_a) = model_jacobians(model, path, noise)
    pi_s, pi_theta = policy_jacobians(pi, path, noise)
    v_s, v_theta = torch.zeros_like(r_s[0]), torch.zeros_like(pi_theta[0, 0])  # 8, 9
    for t in reversed(range(len(path.r))):  # 10
        # 12, 13; on the right v_s is still that of t + 1, so v_theta comes first
        v_theta = (r_a[t] + gamma * v_s @ f_a[t]) @ pi_theta[t] + gamma * v_theta
        v_s = r_s[t] + r_a[t] @ pi_s[t] + gamma * v_s @ (f_s[t] + f_a[t] @ pi_s[t])
    return v_s, v_theta


def model_jacobians(model: Model, path: Batch, noise: Noise):
    """((r_s, r_a), (f_s, f_a)) at every row: (T, ds), (T, da), (T, ds, ds),
    (T, ds, da)."""

    def summed(s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        # no row depends on another: the derivative of the sum holds those of all rows
        r, s_next = f(model, s, a, noise.xi, noise.who)
        return r.sum(0), s_next.sum(0)

    r, s_next = jacrev(summed, argnums=(0, 1))(path.s, path.a)
    return r, tuple(x.movedim(0, 1) for x in s_next)


def policy_jacobians(
    pi: Reparameterised, path: Batch, noise: Noise
) -> tuple[Tensor, Tensor]:
    """pi_s (T, da, ds) and pi_theta (T, da, p) at every row."""
    theta = {name: p.detach() for name, p in pi.named_parameters()}

    def action(theta: dict[str, Tensor], s: Tensor, eta: Tensor) -> Tensor:
        return functional_call(pi, theta, (s, eta))

    per_row = vmap(jacrev(action, argnums=(0, 1)), in_dims=(None, 0, 0))
    pi_theta, pi_s = per_row(theta, path.s, noise.eta)
    return pi_s, torch.cat([pi_theta[name].flatten(2) for name in theta], 2)


def unrolled(
    model: Model, pi: Reparameterised, path: Batch, noise: Noise, gamma: float
) -> tuple[Tensor, Tensor]:
    """What ``recursion`` gives, by autograd: play the path again from its first state
    with its inferred noise, and differentiate the discounted sum of rewards."""
    check_path(path)
    s0 = path.s[:1].detach().requires_grad_()
    r, _ = replay(model, pi, s0, noise)
    J = (gamma ** torch.arange(len(r)).to(r) * r).sum()
    v_s, *v_theta = torch.autograd.grad(J, [s0, *pi.parameters()])
    return v_s[0], torch.cat([v.flatten() for v in v_theta])


def replay(
    model: Model, pi: Reparameterised, s: Tensor, noise: Noise
) -> tuple[Tensor, Tensor]:
    """Rewards (T,) and states (T + 1, ds) from s (1, ds) on, under given noise."""
    rewards, states = [], [s]
    for eta, xi, who in zip(*(x.split(1) for x in noise)):
        a = pi(states[-1], eta)
        r, s_next = f(model, states[-1], a, xi, who)
        rewards.append(r)
        states.append(s_next)
    return torch.cat(rewards), torch.cat(states)


def set_gradient(pi: nn.Module, v_theta: Tensor) -> None:
    """Give the parameters of ``pi`` the gradient of -J, from v_theta (p,) of J."""
    parameters = list(pi.parameters())
    parts = v_theta.split([p.numel() for p in parameters])
    for p, part in zip(parameters, parts):
        p.grad = -part.view_as(p)


def check_path(path: Batch) -> None:
    """Raises ValueError unless every transition begins where the last one ended."""
    if not len(path.r):
        raise ValueError("path has no transition, but must have at least 1.")
    torn = (path.s[1:] != path.s_next[:-1]).any(1)
    if torn.any():
        t = int(torn.nonzero()[0, 0]) + 1
        raise ValueError(
            f"path begins its row {t} elsewhere than row {t - 1} ended, but must be "
            "consecutive transitions of one episode."
        )
