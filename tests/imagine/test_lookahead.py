"""Looking ahead with a value at the horizon, against brute force."""

import numpy as np
import pytest
import torch

from mbrl_edu.imagine.lookahead import lookahead
from mbrl_edu.models.layout import Layout

ACTIONS = np.array([-1.0, -0.6, 0.0, 0.3, 1.0])
S = torch.tensor([[0.8]], dtype=torch.float64)


def step(s, a):
    """Of numbers or tensors: s' = 1.1 s + a, r = -s'^2 - a^2 / 2."""
    s_next = 1.1 * s + a
    return -(s_next**2) - a**2 / 2, s_next


def greedy(s):
    return 0.5 - 0.2 * s


def value(s, a):
    return 3.0 - s**2 + s * a


class World:
    layout, B, elites = Layout(1, 1), 1, torch.tensor([0])

    def sample(self, s, a, g, who=None):
        r, s_next = step(s, a)
        return r[:, 0], s_next


class Agent:
    """Draws every one of ACTIONS in turn at first, and 0.1 at the horizon."""

    def __init__(self):
        self.asked = 0

    def sample(self, s, g):
        self.asked += 1
        first = torch.as_tensor(ACTIONS)[:, None]
        return (first if self.asked == 1 else torch.full_like(s, 0.1)), None

    def mean(self, s):
        return greedy(s)

    def q_bar(self, s, a):
        V = value(s, a)[:, 0]
        return torch.stack([V + 1, V - 1])  # the mean of both counts


def by_hand(s, a, H, gamma, end):
    """One future at a time, in plain numbers."""
    J = 0.0
    for i in range(H):
        r, s_next = step(s, a)
        J += gamma**i * r
        if end(s_next):
            return J
        s, a = s_next, greedy(s_next)
    return J + gamma**H * value(s, 0.1)


@pytest.mark.parametrize("H", [0, 1, 2, 6])
@pytest.mark.parametrize("far", [np.inf, 1.2])
def test_it_equals_brute_force(H, far):
    def terminal(s, a, s_next):
        return (s_next[:, 0].abs() > far).to(s_next)

    a, J = lookahead(World(), Agent(), S, H, 5, 0.9, torch.Generator(), terminal)
    wanted = [by_hand(0.8, x, H, 0.9, lambda y: abs(y) > far) for x in ACTIONS]
    assert a.ravel().tolist() == ACTIONS.tolist()
    np.testing.assert_allclose(J.numpy(), wanted, rtol=1e-12)


def test_nothing_is_earned_after_an_end():
    def ends(s, a, s_next):
        return (s_next[:, 0].abs() > 1.2).to(s_next)

    free = lookahead(World(), Agent(), S, 3, 5, 0.9, torch.Generator())[1]
    held = lookahead(World(), Agent(), S, 3, 5, 0.9, torch.Generator(), ends)[1]
    over = [abs(step(0.8, x)[1]) > 1.2 for x in ACTIONS]
    assert any(over) and not all(over)
    np.testing.assert_allclose(held[over], step(0.8, ACTIONS[over])[0], rtol=1e-12)
    assert (free[over] != held[over]).all()


def test_a_future_that_leaves_the_finite_numbers_is_never_chosen():
    class Wild(World):
        def sample(self, s, a, g, who=None):
            r, s_next = super().sample(s, a, g)
            # inviting at first: the reward is the best of all, then all is lost
            return r + 1e6 * (a[:, 0] == 1), torch.where(a == 1, torch.nan, s_next)

    for terminal in (None, lambda s, a, s_next: (~s_next.isfinite()[:, 0]).to(s)):
        a, J = lookahead(Wild(), Agent(), S, 2, 5, 0.9, torch.Generator(), terminal)
        assert J[4] == -torch.inf and J[:4].isfinite().all() and a[J.argmax()] != 1


@pytest.mark.parametrize(
    ("change", "says"),
    [({"H": -1}, "H is -1"), ({"N": 0}, "N is 0"), ({"s": torch.zeros(2, 1)}, "shape")],
)
def test_bad_input_is_refused(change, says):
    given = {"s": torch.zeros(1, 1), "H": 1, "N": 5, "gamma": 0.9} | change
    with pytest.raises(ValueError, match=says):
        lookahead(World(), Agent(), g=torch.Generator(), **given)
