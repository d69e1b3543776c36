"""Backward rollouts: order, ends and chains, by hand."""

import pytest
import torch

from mbrl_edu.imagine.backward import backward_rollout
from mbrl_edu.models.layout import Layout

G = torch.Generator()


class Back:
    """s = s' - 1 - a and r = 10 s, without noise: a backward model of a walk."""

    layout, B, elites = Layout(1, 1), 1, torch.tensor([0])

    def sample(self, s_next, a, g, who=None):
        s = s_next - 1 - a
        return 10 * s[:, 0], s


def half(s_next):
    return torch.full_like(s_next, 0.5)


def test_every_step_leads_to_the_state_that_the_last_one_began_in():
    anchors = torch.tensor([[4.0], [9.0]])
    b = backward_rollout(Back(), half, anchors, 3, G)
    assert b.s_next.ravel().tolist() == [4, 9, 2.5, 7.5, 1, 6]
    assert b.s.ravel().tolist() == [2.5, 7.5, 1, 6, -0.5, 4.5]
    assert b.r.tolist() == [25, 75, 10, 60, -5, 45]
    assert b.a.eq(0.5).all() and b.d.eq(0).all()


def test_the_end_is_that_of_the_later_state():
    """States above 5 are ends. The second anchor is one: the step into it is kept, with
    d = 1, and nothing before. A state that the model invents may be an end too; only
    the next step back says so."""

    def terminal(s, a, s_next):
        assert (s < s_next).all()  # in their own order
        return (s_next[:, 0] > 5).float()

    b = backward_rollout(Back(), half, torch.tensor([[4.0], [9.0]]), 3, G, terminal)
    assert b.s_next.ravel().tolist() == [4, 9, 2.5, 1] and b.d.tolist() == [0, 1, 0, 0]

    def low(s, a, s_next):
        return (s_next[:, 0] < 3).float()

    b = backward_rollout(Back(), half, torch.tensor([[4.0]]), 3, G, low)
    assert b.s.ravel().tolist() == [2.5, 1] and b.d.tolist() == [0, 1]


def test_rows_that_leave_the_finite_numbers_are_dropped():
    class Wild(Back):
        def sample(self, s_next, a, g, who=None):
            r, s = super().sample(s_next, a, g)
            return r, torch.where(s < 0, torch.inf, s)

    b = backward_rollout(Wild(), half, torch.tensor([[2.0], [9.0]]), 2, G)
    assert b.s.ravel().tolist() == [0.5, 7.5, 6]


def test_draws_depend_on_the_generator_and_members_are_used(linear):
    model = linear([0.5, 2.0], [1e-12, 1e-12])  # s = 0.5 s' + a or 2 s' + a
    s_next = torch.ones(400, 1).double()
    one, again, other = (
        backward_rollout(model, torch.zeros_like, s_next, 1, g.manual_seed(seed))
        for g, seed in ((torch.Generator(), 0), (torch.Generator(), 0), (G, 1))
    )
    assert torch.equal(one.s, again.s) and not torch.equal(one.s, other.s)
    assert 130 < (one.s > 1).sum() < 270  # 200 +- 7 standard deviations


@pytest.mark.parametrize(
    ("s_next", "k", "says"),
    [
        (torch.zeros(2, 1), 0, "k is 0"),
        (torch.zeros(2, 3), 1, "has shape"),
        (torch.tensor([[float("nan")]]), 1, "not finite"),
    ],
)
def test_bad_input_is_refused(s_next, k, says):
    with pytest.raises(ValueError, match=says):
        backward_rollout(Back(), half, s_next, k, G)
