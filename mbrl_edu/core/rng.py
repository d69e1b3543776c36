"""One seed, many independent random streams that are called by name."""

from __future__ import annotations

import random
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mbrl_edu.core import check

if TYPE_CHECKING:
    import torch


class Streams:
    """Named streams of random numbers; each depends on (seed, name) alone.

    Using one stream more, or adding another, moves no other stream: an agent that
    plans 50 times per step meets the same world as one that never plans.

    ``rng["name"]`` is a ``torch.Generator`` on ``device``, ``rng.numpy("name")`` a
    NumPy generator, ``rng.random("name")`` a ``random.Random`` (the fastest for
    single numbers). The three kinds under one name are streams of their own.
    """

    def __init__(self, seed: int, device: str = "cpu"):
        self.seed = check.integer("seed", seed, low=0)
        self.device = device
        self._torch: dict[str, torch.Generator] = {}
        self._numpy: dict[str, np.random.Generator] = {}
        self._random: dict[str, random.Random] = {}

    def key(self, name: str) -> int:
        """A 63-bit number made of (seed, name)."""
        words = np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])
        high, low = (int(w) for w in words.generate_state(2))
        return high << 31 | low >> 1

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._torch:
            import torch

            generator = torch.Generator(self.device)
            self._torch[name] = generator.manual_seed(self.key(name))
        return self._torch[name]

    def numpy(self, name: str) -> np.random.Generator:
        """NumPy's generator of this name."""
        if name not in self._numpy:
            self._numpy[name] = np.random.default_rng(self.key(name))
        return self._numpy[name]

    def random(self, name: str) -> random.Random:
        """Python's generator of this name."""
        if name not in self._random:
            self._random[name] = random.Random(self.key(name))
        return self._random[name]

    @contextmanager
    def init(self, name: str):
        """Layers built inside take their weights from stream ``init/name``; the
        global state of torch is put back afterwards. The process's matrix product is
        chosen before (``gemm.prepare``), for layers of whatever make."""
        import torch

        from mbrl_edu.core import gemm

        gemm.prepare()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.key(f"init/{name}"))
            yield

    def state_dict(self) -> dict[str, Any]:
        """The position of every stream used so far, for a checkpoint."""
        return {
            "seed": self.seed,
            "torch": {name: g.get_state() for name, g in self._torch.items()},
            "numpy": {name: g.bit_generator.state for name, g in self._numpy.items()},
            "random": {name: g.getstate() for name, g in self._random.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put every stream back to where ``state_dict`` found it."""
        if state["seed"] != self.seed:
            raise ValueError(
                f"state['seed'] is {state['seed']}, but must be the seed of these "
                f"streams, {self.seed}."
            )
        self._torch, self._numpy, self._random = {}, {}, {}
        for name, position in state["torch"].items():
            self[name].set_state(position)
        for name, position in state["numpy"].items():
            self.numpy(name).bit_generator.state = position
        for name, position in state["random"].items():
            version, internal, gauss = position
            self.random(name).setstate((version, tuple(internal), gauss))
