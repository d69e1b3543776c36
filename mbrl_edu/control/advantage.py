"""What a rollout teaches: advantages, and the scales of its states and rewards."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

FAR = 10.0  # normalised states and scaled rewards are cut here (baselines)


class Rollout(NamedTuple):
    """T steps of N environments side by side; the first axes of every field are (T, N).

    Episodes follow each other: the step after one with d or cut begins a new one.
    """

    s: Tensor  # (T, N, ds) state
    a: Tensor  # (T, N, da) action as drawn, or (T, N, m) choices
    log_pi: Tensor  # (T, N, m) its log-probabilities, one a head
    V: Tensor  # (T, N) value of s when a was drawn
    r: Tensor  # (T, N) reward
    s_next: Tensor  # (T, N, ds) what the step led to, before any reset
    d: Tensor  # (T, N) 1 where s_next is terminal
    cut: Tensor  # (T, N) 1 where a time limit ended the episode

    def checked(self) -> Rollout:
        """Itself; ValueError if fields do not fit or rewards are not finite."""
        shape = tuple(self.r.shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"rollout.r has shape {shape}, but must have (T, N).")
        for name, x in zip(self._fields, self):
            per_step = ("...",) if name in ("s", "a", "log_pi", "s_next") else ()
            if x.shape[:2] != shape or x.dim() != 2 + len(per_step):
                wanted = ", ".join(str(n) for n in (*shape, *per_step))
                raise ValueError(
                    f"rollout.{name} has shape {tuple(x.shape)}, but must have "
                    f"({wanted}) to fit the rewards."
                )
        if not self.r.isfinite().all():
            raise ValueError("rollout.r has entries that are not finite.")
        return self


class Samples(NamedTuple):
    """The steps of a rollout in one row (n = T N), with what they are to teach."""

    s: Tensor  # (n, ds)
    a: Tensor  # (n, da) or (n, m)
    log_pi: Tensor  # (n, m)
    V: Tensor  # (n,)
    A: Tensor  # (n,) advantage
    V_bar: Tensor  # (n,) target of V

    def take(self, rows: Tensor) -> Samples:
        """The steps with these numbers: rows (m,)."""
        return Samples(*(x[rows] for x in self))


def gae(
    r: Tensor,
    V: Tensor,
    d: Tensor,
    cut: Tensor,
    V_last: Tensor,
    gamma: float,
    lam: float,
) -> Tensor:
    """Advantages A_t = delta_t + gamma lam (1 - d_t) (1 - cut_t) A_{t+1} (T, N) with
    delta_t = r_t + gamma (1 - d_t) V(s_{t+1}) - V(s_t).

    All arguments are (T, N). ``V_last`` is the value of what each step led to; it is
    read where the next row does not hold it: at cuts, since a time limit is no end
    (Pardo et al. 2018), and in the last row. Source: Schulman et al. (2016), equation
    16.
    """
    V_next = torch.cat([V[1:], V_last[-1:]])
    V_next = torch.where(cut.bool(), V_last, V_next)
    delta = r + gamma * (1 - d) * V_next - V
    goes_on = gamma * lam * (1 - d) * (1 - cut)
    A, after = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        A[t] = after = delta[t] + goes_on[t] * after
    return A


class Moments(nn.Module):
    """Mean and variance (d,) of all rows seen so far (Chan et al. 1979).

    Before the first row: mean 0, variance 1.
    """

    mean: Tensor
    var: Tensor
    n: Tensor

    def __init__(self, d: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("var", torch.ones(d))
        self.register_buffer("n", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def add(self, x: Tensor) -> None:
        """Take rows x (n, d) into account."""
        new = len(x) / (self.n + len(x))  # share of the new rows
        gap = x.mean(0) - self.mean
        var = (1 - new) * self.var + new * x.var(0, correction=0)
        self.var.copy_(var + new * (1 - new) * gap.square())
        self.mean.add_(new * gap)
        self.n.add_(len(x))

    def normalise(self, x: Tensor) -> Tensor:
        """(x - mean) / sd, cut at +- 10."""
        return ((x - self.mean) / (self.var + 1e-8).sqrt()).clamp(-FAR, FAR)


class Scale(nn.Module):
    """Rewards over the standard deviation of their discounted sums so far.

    The sum of an environment is R <- gamma R + r, from 0 at every start of an episode.
    Found in baselines; Engstrom et al. (2020), algorithm 1.
    """

    def __init__(self, gamma: float):
        super().__init__()
        self.gamma, self.moments = gamma, Moments(1)
        self.sums: Tensor | None = None  # R of the episodes that are under way: (N,)

    def forward(self, r: Tensor, done: Tensor) -> Tensor:
        """Take the steps r, done (T, N) into account; the scaled r, cut at +- 10."""
        R = r.new_zeros(r.shape[1]) if self.sums is None else self.sums
        seen = []
        for r_t, done_t in zip(r, done):
            R = self.gamma * R + r_t
            seen.append(R)
            R = R * (1 - done_t)
        self.sums = R
        self.moments.add(torch.cat(seen)[:, None])
        return (r / (self.moments.var + 1e-8).sqrt()).clamp(-FAR, FAR)

    # The sums belong to state_dict(); their number is known only after a rollout

    def get_extra_state(self) -> dict:
        return {"sums": self.sums}

    def set_extra_state(self, state: dict) -> None:
        sums = state["sums"]
        self.sums = None if sums is None else sums.to(self.moments.mean.device)
