"""Streams: each depends on (seed, name) alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mbrl_edu.core.rng import Streams

KINDS = ("__getitem__", "numpy", "random")


def draw(rng, kind, name, n=4):
    stream = getattr(rng, kind)(name)
    if kind == "__getitem__":
        return torch.rand(n, generator=stream).tolist()
    return [float(stream.random()) for _ in range(n)]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**40), name=st.text(max_size=12))
def test_same_seed_and_name_give_the_same_numbers(kind, seed, name):
    assert draw(Streams(seed), kind, name) == draw(Streams(seed), kind, name)


@pytest.mark.parametrize("kind", KINDS)
def test_other_seed_or_name_gives_other_numbers(kind):
    seen = [draw(Streams(s), kind, name) for s in range(20) for name in "abc"]
    assert len({tuple(x) for x in seen}) == 60


@pytest.mark.parametrize("kind", KINDS)
def test_using_one_stream_moves_no_other(kind):
    alone = draw(Streams(3), kind, "a")
    rng = Streams(3)
    for other in ("b", "c"):
        for any_kind in KINDS:
            draw(rng, any_kind, other, n=100)
    assert draw(rng, kind, "a") == alone


def test_layers_built_in_init_depend_on_the_name_and_leave_the_global_state():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    weights = []
    for name in ("pi", "pi", "q"):
        with Streams(5).init(name):
            weights.append(torch.nn.Linear(3, 2).weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_streams_go_on_where_the_state_was_saved():
    rng = Streams(7)
    for kind in KINDS:
        draw(rng, kind, "a", n=11)
    state = rng.state_dict()
    expected = [draw(rng, kind, "a") for kind in KINDS]
    again = Streams(7)
    again.load_state_dict(state)
    assert [draw(again, kind, "a") for kind in KINDS] == expected
    with pytest.raises(ValueError, match="seed"):
        Streams(8).load_state_dict(state)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed is .* whole number at least 0"):
        Streams(seed)


def test_seeds_look_independent():
    x = np.array([[Streams(s).numpy(n).random() for n in "ab"] for s in range(2000)])
    assert abs(x.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert abs(np.corrcoef(x.T)[0, 1]) < 4 / np.sqrt(2000)
