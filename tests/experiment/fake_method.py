"""A method that learns nothing, quickly: it logs numbers made from its streams."""

import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Config:
    steps: int = 5  # log lines to write
    scale: float = 1.0  # size of the noise (nowhere)
    sleep: float = 0.0  # seconds per line
    size: int = 0  # extra numbers in the result
    # a comment on its own line belongs to no field
    mode: str = "good"  # "good" ends well, "fail" raises

    def __post_init__(self):
        if self.scale < 0:
            raise ValueError(f"scale is {self.scale}, but must be at least 0.")


@dataclass
class Result:
    Q: np.ndarray
    steps: list
    best: float
    model: object = None


def fake(env, cfg, rng, log=None):
    g = rng.numpy("behaviour")
    values, best = [], float("nan")
    for i in range(1, cfg.steps + 1):
        time.sleep(cfg.sleep)
        values.append(cfg.scale * g.standard_normal())
        if log:
            log(i, {"return": np.float64(values[-1]), "loss": float("nan")})
        if cfg.mode == "fail":
            raise RuntimeError("the method broke")
    Q = np.array(values + [0.0] * cfg.size)
    return Result(Q, list(range(cfg.steps)), best, model=lambda s: s)
