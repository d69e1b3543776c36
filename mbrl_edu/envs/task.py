"""A task: an environment and what is known about it in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import gymnasium as gym
import numpy as np

from mbrl_edu.core import check
from mbrl_edu.envs import rendering

if TYPE_CHECKING:
    from torch import Tensor

    Rule = Callable[[Tensor, Tensor, Tensor], Tensor]


def never(s: Tensor, a: Tensor, s_next: Tensor) -> Tensor:
    """d = 0 (...): the task has no end."""
    return s_next.new_zeros(s_next.shape[:-1])


def plain(s: Tensor) -> Tensor:
    """Networks see the state as it is."""
    return s


@dataclass(frozen=True)
class Task:
    """What a method may know about its environment.

    All functions take raw units, float tensors of any leading shape - s (..., ds),
    a (..., da) in [-1, 1], s_next (..., ds) - and are differentiable.

    Fields::

        name, gym_id : the name in the table; the environment's name at Gymnasium
        ds, da : numbers of state and action components
        terminal(s, a, s_next) -> d (...) : 1 where s_next is a true end, else 0; a time
            limit is none. A state that is not finite is an end wherever a task can end.
        reward(s, a, s_next) -> r (...) : None where it is no function of these; note
            then says what is missing
        gamma, horizon : discount; steps until the time limit
        features(s) -> x (..., dx) : what networks should see instead of s
        absolute : states that a model learns as s' and not as s' - s, because features
            hide them
        dynamics(s, a) -> s_next (..., ds) : true dynamics, where known in closed form
        arguments : what the environment is made with
        note : what cannot be seen from (s, a, s_next), and other things to know
    """

    name: str
    gym_id: str
    ds: int
    da: int
    terminal: Rule = never
    reward: Rule | None = None
    gamma: float = 0.99
    horizon: int = 1000
    features: Callable[[Tensor], Tensor] = plain
    absolute: tuple[int, ...] = ()
    dynamics: Callable[[Tensor, Tensor], Tensor] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        check.integer("ds", self.ds, low=1)
        check.integer("da", self.da, low=1)
        check.number("gamma", self.gamma, low=0, high=1)
        check.integer("horizon", self.horizon, low=1)

    def make(self, render_mode: str | None = None) -> gym.Env:
        """A fresh environment: actions in [-1, 1], float32 observations, the time limit
        reported as ``truncated``. Pictures: ``render_mode="rgb_array"``.

        Raises RuntimeError where pictures are asked for and MuJoCo cannot draw.
        """
        env = gym.make(
            self.gym_id,
            max_episode_steps=self.horizon,
            disable_env_checker=True,  # the tests run it; here it costs time
            render_mode=render_mode,
            **self.arguments,
        )
        if render_mode is not None and hasattr(env.unwrapped, "mujoco_renderer"):
            rendering.prepare()
        wrapped = continuous(env, self.gym_id)
        for key, space in (
            ("ds", wrapped.observation_space),
            ("da", wrapped.action_space),
        ):
            if getattr(self, key) != _size(space):
                raise ValueError(
                    f"{key} is {getattr(self, key)}, but {self.gym_id} has "
                    f"{_size(space)}."
                )
        return wrapped

    @classmethod
    def from_env(cls, gym_id: str, **known: Any) -> Task:
        """A task from any registered environment with continuous actions.

        ``known`` are other fields of a task (terminal, reward, ...). Without a
        ``horizon`` it is the environment's own. Raises ValueError if the observation or
        action space does not fit, or if there is no time limit.
        """
        env = gym.make(gym_id, **known.get("arguments", {}))
        try:
            wrapped = continuous(env, gym_id)
            limit = env.spec.max_episode_steps if env.spec else None
        finally:
            env.close()
        horizon = known.pop("horizon", limit)
        if horizon is None:
            raise ValueError(
                f"{gym_id} has no time limit, so horizon must be given, a whole number "
                "at least 1."
            )
        check.integer("horizon", horizon, low=1)
        ds, da = _size(wrapped.observation_space), _size(wrapped.action_space)
        sizes = {"name": gym_id, "ds": ds, "da": da, "horizon": horizon}
        return cls(**{"gym_id": gym_id, **sizes, **known})


def _size(space: gym.Space) -> int:
    return cast(gym.spaces.Box, space).shape[0]


def continuous(env: gym.Env, name: str = "env") -> Continuous:
    """``env`` with actions scaled to [-1, 1] and float32 observations.

    Raises ValueError unless both spaces are boxes of one dimension and the bounds of
    the actions are finite.
    """
    for part in ("action", "observation"):
        space = getattr(env, f"{part}_space")
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
            raise ValueError(
                f"{name} has the {part} space {space}, but it must be a Box of one "
                "dimension."
            )
    a = cast(gym.spaces.Box, env.action_space)
    if not (np.isfinite(a.low).all() and np.isfinite(a.high).all()):
        raise ValueError(
            f"{name} has the action space {a}, but its bounds must be finite."
        )
    if not (a.low < a.high).all():
        raise ValueError(
            f"{name} has the action space {a}, but low must be below high."
        )
    return Continuous(env)


class Continuous(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Actions in [-1, 1], mapped linearly to the environment's own bounds; float32
    observations. Made by ``continuous``, which checks that this is possible.

    Actions outside [-1, 1] are clipped; of the wrong shape or not finite, they raise
    ValueError.
    """

    def __init__(self, env: gym.Env):
        gym.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        a = cast(gym.spaces.Box, env.action_space)
        s = cast(gym.spaces.Box, env.observation_space)
        self._middle = ((a.high + a.low) / 2).astype(np.float32)
        self._half = ((a.high - a.low) / 2).astype(np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, a.shape, np.float32)
        most = np.finfo(np.float32).max  # Gymnasium frowns on infinite bounds
        low, high = (
            np.clip(x, -most, most).astype(np.float32) for x in (s.low, s.high)
        )
        self.observation_space = gym.spaces.Box(low, high, dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        s, info = self.env.reset(seed=seed, options=options)
        return np.asarray(s, np.float32), info

    def step(self, a):
        a = np.asarray(a, np.float32)
        if a.shape != self._half.shape:
            raise ValueError(
                f"a has shape {a.shape}, but must have {self._half.shape}."
            )
        if not np.isfinite(a).all():
            raise ValueError(f"a is {a}, but must be finite.")
        raw = self._middle + self._half * np.clip(a, -1.0, 1.0)
        s, r, d, cut, info = self.env.step(raw)
        return np.asarray(s, np.float32), float(r), bool(d), bool(cut), info
