"""A checkpoint kept in memory, and a run that is cut off."""

import io
from dataclasses import replace

import torch


class Memory:
    """Keeps the last state as bytes, the way a file would."""

    def __init__(self):
        self.bytes, self.t = None, []

    def load(self):
        if self.bytes is None:
            return None
        return torch.load(io.BytesIO(self.bytes), weights_only=True)

    def save(self, t, state):
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.bytes = buffer.getvalue()
        self.t.append(t)


class Cut(Exception):
    """The power is gone."""


def cut_after(parts, calls):
    """``parts`` whose ``improve`` fails at the given call."""
    left = [calls]

    def improve(D, now):
        left[0] -= 1
        if not left[0]:
            raise Cut
        return parts.improve(D, now)

    return replace(parts, improve=improve)


def weights(parts):
    """All that a run of the loop learned, as one vector."""
    tensors = [
        p.detach().ravel().double()
        for module in parts.modules.values()
        if isinstance(module, torch.nn.Module)
        for p in module.parameters()
    ]
    return torch.cat(tensors)
