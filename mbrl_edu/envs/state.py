"""What of an environment a checkpoint must hold at the end of an episode."""

from __future__ import annotations

from typing import Any

import gymnasium as gym


class Between:
    """``env`` between two episodes: all that is left of the past is the position of
    its random stream, which the next ``reset()`` draws a start from.

    ``Between(env).state_dict()`` takes it, ``load_state_dict`` puts it back. This holds
    for the tasks of this package and for Gymnasium's own; an environment that remembers
    more from one episode to the next (a curriculum, say) would need more.
    """

    def __init__(self, env: gym.Env):
        self.env = env

    def state_dict(self) -> dict[str, Any]:
        return dict(self.env.unwrapped.np_random.bit_generator.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.unwrapped.np_random.bit_generator.state = state
