"""What AutoMBPO's controller looks at and a run of MBPO does not keep.

Lai et al. (2021), by their code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mbrl_edu.algos.loop import Knobs, Metrics, Parts
from mbrl_edu.control.policies import TanhGaussian, log_density
from mbrl_edu.control.sac import SAC
from mbrl_edu.core.data import Data

RECENT = 5  # epochs of real steps that the policy's shift looks at (AutoMBPO)
CUT = 100.0  # no step counts more in the shift (AutoMBPO)
EDGE = 1 - 1e-6  # actions nearer to +-1 count as this; float32 rounds some to 1


def density(pi: TanhGaussian, s: Tensor, a: Tensor) -> Tensor:
    """pi(a|s) of actions that were drawn before: (n, ds), (n, da) -> (n,) float64."""
    mu, log_sd = (x.double() for x in pi.gaussian(s))
    u = a.double().clamp(-EDGE, EDGE).atanh()
    return log_density(u, (u - mu) * (-log_sd).exp(), log_sd).exp()


class Meter:
    """Looks at the steps and updates of a run and changes none of them.

    Policy shift: mean over the policy's own steps of the last 5 epochs of
    min(abs(pi_old(a|s) - pi_now(a|s)), 100), where pi_old took the step. Critic loss:
    mean over the updates since the last decision (AutoMBPO's code: of one pass over
    100,000 transitions, mixed alike). ``base``: the knobs of the schedule below the
    controller, at the last decision.
    """

    def __init__(self, agent: SAC, epoch: int):
        self.agent = agent
        self.steps: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=RECENT * epoch)
        self.shift = 0.0
        self.loss, self.updates = torch.zeros(()), 0
        self.base: Knobs | None = None

    @torch.no_grad()
    def stepped(self, s: Tensor, a: Tensor) -> None:
        """The policy of now took a (1, da) in s (1, ds)."""
        self.steps.append((s, a, density(self.agent.pi, s, a)))

    def updated(self, metrics: Metrics) -> None:
        """One update of the policy was made."""
        self.loss = self.loss + metrics["loss_q"]
        self.updates += 1

    @torch.no_grad()
    def policy_shift(self) -> float:
        """How far the policy has moved from what its recent steps were taken by."""
        if not self.steps:
            return 0.0
        s, a, old = (torch.cat(x) for x in zip(*self.steps))
        return (old - density(self.agent.pi, s, a)).abs().clamp(max=CUT).mean().item()

    def read(self, epoch_begins: bool) -> tuple[float, float]:
        """Critic loss and policy shift; the first begins anew, the second is measured
        anew where an epoch begins."""
        if epoch_begins:
            self.shift = self.policy_shift()
        loss = float(self.loss) / max(self.updates, 1)
        self.loss, self.updates = torch.zeros(()), 0
        return loss, self.shift

    def state_dict(self) -> dict[str, Any]:
        steps = [torch.cat(x) for x in zip(*self.steps)] or None
        own = {"shift": self.shift, "updates": self.updates, "steps": steps}
        base = asdict(self.base) if self.base else None
        return own | {"loss": float(self.loss), "base": base}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shift, self.updates = state["shift"], state["updates"]
        self.loss = torch.tensor(state["loss"])
        self.base = Knobs(**state["base"]) if state["base"] else None
        device = self.agent.log_alpha.device
        columns = [x.to(device).split(1) for x in state["steps"] or ()]
        self.steps.clear()
        self.steps.extend(zip(*columns))


def metered(parts: Parts, meter: Meter) -> Parts:
    """``parts`` whose steps and updates ``meter`` looks at; apply it last, since what
    replaces ``act`` or ``improve`` later is not looked at."""
    act, improve = Act(parts.act, meter), Improve(parts.improve, meter)
    return replace(parts, act=act, improve=improve)


@dataclass(frozen=True)
class Act:
    base: Callable[[Tensor], Tensor]
    meter: Meter

    def __call__(self, s: Tensor) -> Tensor:
        a = self.base(s)
        self.meter.stepped(s, a)
        return a


@dataclass(frozen=True)
class Improve:
    base: Callable[[Data, Knobs], Metrics]
    meter: Meter

    def __call__(self, D: Data, now: Knobs) -> Metrics:
        metrics = self.base(D, now)
        self.meter.updated(metrics)
        return metrics
