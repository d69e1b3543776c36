"""Buffers against a list of transitions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbrl_edu.core.data import Batch, Buffer, Data, Window
from mbrl_edu.core.rng import Streams


def batch(first, n, ds=2, da=1):
    """n transitions whose reward is their number."""
    r = torch.arange(first, first + n, dtype=torch.float32)
    s = r[:, None].expand(n, ds)
    return Batch(s, r[:, None].expand(n, da) / 1e6, r, s + 1, (r % 2))


@given(st.integers(1, 9), st.lists(st.integers(0, 12), max_size=6))
def test_the_buffer_holds_the_newest(capacity, sizes):
    buffer, expected, first = Buffer(capacity, 2, 1), [], 0
    for n in sizes:
        buffer.add(batch(first, n))
        expected = [*expected, *range(first, first + n)][-capacity:]
        first += n
        assert len(buffer) == len(expected)
        assert buffer.all().r.tolist() == expected
        assert torch.equal(buffer.all().s_next, buffer.all().s + 1)


@given(st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_the_window_holds_the_last_rollouts_whole(keep, sizes):
    window, rollouts, first = Window(keep), [], 0
    for n in sizes:
        window.add(batch(first, n))
        rollouts.append(list(range(first, first + n)))
        first += n
    assert window.data.r.tolist() == sum(rollouts[-keep:], [])


def test_sampling_is_uniform_and_recent_means_newest():
    g = Streams(0)["x"]
    buffer = Buffer(10, 2, 1)
    buffer.add(batch(0, 25))
    counts = torch.bincount(buffer.sample(50_000, g).r.long(), minlength=25)
    assert counts[:15].sum() == 0
    assert (counts[15:] - 5000).abs().max() < 5 * (5000 * 0.9) ** 0.5
    assert set(buffer.sample(1000, g, recent=3).r.tolist()) == {22.0, 23.0, 24.0}


@pytest.mark.parametrize(("ratio", "n_real"), [(0.0, 0), (0.05, 12), (1.0, 256)])
def test_mix_has_the_share_of_real_transitions(ratio, n_real):
    data = Data(Buffer(100, 2, 1), Window(1))
    data.env.add(batch(0, 100))
    assert (data.mix(256, ratio, Streams(0)).r < 100).sum() == 256  # nothing imagined
    data.model.add(batch(100, 50))
    mixed = data.mix(256, ratio, Streams(0))
    assert (mixed.r < 100).sum() == n_real and len(mixed.r) == 256


def test_bad_input_is_refused():
    buffer = Buffer(5, 2, 1)
    with pytest.raises(ValueError, match="empty"):
        buffer.sample(1, Streams(0)["x"])
    with pytest.raises(ValueError, match="Nothing is imagined"):
        Window(1).sample(1, Streams(0)["x"])
    with pytest.raises(ValueError, match=r"batch.s has shape \(4, 3\)"):
        buffer.add(batch(0, 4, ds=3))
    with pytest.raises(ValueError, match="batch.d has shape"):
        buffer.add(batch(0, 4)._replace(d=torch.zeros(3)))
    with pytest.raises(ValueError, match="capacity is 0"):
        Buffer(0, 2, 1)
