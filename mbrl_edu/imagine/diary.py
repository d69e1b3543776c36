"""What a run that plans says about itself: its trials, and plans beside what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mbrl_edu.core.data import Batch

Log = Callable[[int, dict[str, float]], None]


class Diary:
    """Trials in order, each with one row of numbers; a part of a checkpoint."""

    def __init__(self, H: int, device: str = "cpu"):
        self.H, self.device = H, device  # the plans' horizon
        self.k = 0  # the trial that has ended
        self.D: list[Batch] = []  # the trials themselves
        self.rows: list[dict[str, float]] = []  # one per trial
        self.looks: list[tuple[int, float, float]] = []  # trial, planned, obtained
        self.planned: dict[int, float] = {}  # step of the present trial -> worth

    @property
    def steps(self) -> int:
        """Real steps of all trials."""
        return sum(len(trial.r) for trial in self.D)

    def close(
        self, k: int, trial: Batch, loss: float, model_steps: int, log: Log | None
    ) -> None:
        """Trial k has ended; ``loss`` is that of the fit before it, ``model_steps`` the
        number of imagined steps so far."""
        self.k, self.D = k, [*self.D, trial]
        # a plan that reaches beyond the end of the trial has nothing beside it
        pairs = [
            (planned, trial.r[t : t + self.H].sum().item())
            for t, planned in self.planned.items()
            if t + self.H <= len(trial.r)
        ]
        self.planned.clear()
        self.looks += [(k, *pair) for pair in pairs]
        planned, obtained = np.mean(pairs, 0) if pairs else (np.nan, np.nan)
        row = {"episode": k, "return": trial.r.sum().item(), "length": len(trial.r)}
        row |= {"loss": loss, "planned": float(planned), "obtained": float(obtained)}
        self.rows.append(row | {"model_steps": model_steps})
        if log:
            log(self.steps, self.rows[-1])

    def arrays(self, episodes: int) -> dict[str, np.ndarray]:
        """Everything as arrays by name; losses of the last ``episodes`` trials only."""
        columns = {"returns": "return", "lengths": "length", "losses": "loss"}
        found = {k: np.array([row[c] for row in self.rows]) for k, c in columns.items()}
        found["losses"] = found["losses"][len(self.rows) - episodes :]
        k, planned, obtained = np.array(self.looks).reshape(-1, 3).T
        found |= {"planned": planned, "obtained": obtained, "planned_in": k.astype(int)}
        D = Batch.cat(self.D)
        return found | {
            name: getattr(D, name).cpu().numpy() for name in ("s", "a", "r")
        }

    def state_dict(self) -> dict[str, Any]:
        D = Batch.cat(self.D)
        return {"k": self.k, "D": D, "rows": self.rows, "looks": self.looks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.k, self.rows, self.looks = (state[name] for name in ("k", "rows", "looks"))
        self.D = [Batch(*(x.to(self.device) for x in state["D"]))]
