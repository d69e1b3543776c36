"""Who turns the knobs: a fixed choice, or a policy that PPO improves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mbrl_edu.algos.hyper import KEEP, KNOBS, Units
from mbrl_edu.algos.hyper_env import observations
from mbrl_edu.control import ppo
from mbrl_edu.control.ppo import PPO
from mbrl_edu.core.rng import Streams


@dataclass(frozen=True)
class Fixed:
    """The same choice at every decision: without ``choice``, to fit and to turn no
    knob, which is MBPO where there is a decision before every fit."""

    knobs: tuple[str, ...] = tuple(KNOBS)
    choice: tuple[int, ...] = ()
    units: Units = field(default_factory=Units)

    def choose(self, x: np.ndarray, g: torch.Generator) -> Sequence[int]:
        return self.choice or [KEEP[name] for name in self.knobs]

    def act(self, s: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """As ``PPO.act``, for s (1, n)."""
        a = torch.tensor([list(self.choose(s[0].numpy(), g))])
        return a, self.log_pi(s, a), s.new_zeros(1)

    def log_pi(self, s: Tensor, a: Tensor) -> Tensor:
        return s.new_zeros(a.shape)


class Controller(PPO):
    """PPO on the observations and choices of ``HyperEnv``, and the units that these
    observations were made with. ``greedy``: ``choose`` takes the likeliest choice of
    every knob; else it draws."""

    def __init__(
        self,
        knobs: tuple[str, ...],
        cfg: ppo.Config,
        rng: Streams,
        units: Units | None = None,
        greedy: bool = True,
    ):
        sizes = tuple(KNOBS[name] for name in knobs)
        super().__init__(observations(knobs), sizes, cfg, rng, "autombpo")
        self.knobs, self.units, self.greedy = knobs, units or Units(), greedy

    @torch.no_grad()
    def choose(self, x: np.ndarray, g: torch.Generator) -> Sequence[int]:
        """One choice for each knob, from an observation x (n,)."""
        s = torch.as_tensor(x, device=g.device)[None]
        a = self.mean(s) if self.greedy else self.act(s, g)[0]
        return a[0].tolist()

    def save(self, path: str | Path) -> None:
        """Keep it in a file."""
        own = {"knobs": list(self.knobs), "units": asdict(self.units)}
        state = own | {"ppo": asdict(self.cfg), "weights": self.state_dict()}
        torch.save(state | {"greedy": self.greedy}, path)

    @classmethod
    def load(cls, path: str | Path) -> Controller:
        """What ``save`` kept. Raises ValueError for a file of something else."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not {"knobs", "units"} <= state.keys():
            raise ValueError(f"path is {str(path)!r}, but must hold a controller.")
        cfg, units = ppo.Config(**state["ppo"]), Units(**state["units"])
        made = cls(tuple(state["knobs"]), cfg, Streams(0), units, state["greedy"])
        made.load_state_dict(state["weights"])
        return made
