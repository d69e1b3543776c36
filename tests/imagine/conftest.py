"""Models whose answers are known, for rollouts and plans."""

import pytest
import torch

from mbrl_edu.core.rng import Streams
from mbrl_edu.models.ensemble import Config, Ensemble
from mbrl_edu.models.layout import Layout


class Linear:
    """Member b: s' ~ N(A_b s + a, var_b), for any ds = da; r = the first entry of s'.

    It keeps which member every row asked for.
    """

    def __init__(self, A, var, elites=None, ds=1):
        self.layout = Layout(ds, ds, reward=lambda s, a, s_next: s_next[:, 0])
        self.A, self.var = torch.tensor(A).double(), torch.tensor(var).double()
        self.B = len(A)
        self.elites = torch.arange(self.B) if elites is None else torch.tensor(elites)
        self.asked = []

    def predict(self, s, a):
        mean = (self.A[:, None, None] - 1) * s + a
        return mean, self.var.log()[:, None, None].expand_as(mean)

    def predict_rows(self, s, a, who):
        self.asked.append(who)
        i = torch.arange(len(s))
        mean, lv = self.predict(s, a)
        return mean[who, i], lv[who, i]

    def sample(self, s, a, g, who=None):
        if who is None:
            who = self.elites[torch.randint(len(self.elites), (len(s),), generator=g)]
        mean, lv = self.predict_rows(s, a, who)
        eps = torch.randn(mean.shape, generator=g, dtype=mean.dtype)
        return self.layout.apply(s, a, mean + (lv / 2).exp() * eps)


@pytest.fixture
def linear():
    return Linear


@pytest.fixture
def ensemble():
    """An untrained ensemble of 4 (elites 3 and 1), ds = 2, da = 1, learned reward."""
    model = Ensemble(Layout(2, 1), Config(4, 2, (16, 16)), Streams(0))
    model.elites = torch.tensor([3, 1])
    return model
