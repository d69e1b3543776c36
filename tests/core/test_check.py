"""Checks: the sentence names the argument, its value and what is allowed."""

import numpy as np
import pytest

from mbrl_edu.core import budget, check, device


@pytest.mark.parametrize("good", [1, 3, np.int64(2)])
def test_integer_accepts(good):
    assert check.integer("n", good, low=1, high=3) == good


@pytest.mark.parametrize("bad", [0, 4, 1.0, "2", None, True, float("nan")])
def test_integer_refuses(bad):
    with pytest.raises(ValueError) as error:
        check.integer("n", bad, low=1, high=3)
    message = f"n is {bad!r}, but must be a whole number in [1, 3]."
    assert str(error.value) == message


def test_an_upper_limit_of_zero_counts():
    with pytest.raises(ValueError, match="at most 0"):
        check.integer("n", 1, high=0)


@pytest.mark.parametrize("good", [0.0, 0.5, 0, np.float32(0.25)])
def test_number_accepts(good):
    assert check.number("gamma", good, low=0, high=1, open_high=True) == good


@pytest.mark.parametrize("bad", [1.0, -0.1, "0.5", None, True, float("nan"), 1e999])
def test_number_refuses(bad):
    with pytest.raises(ValueError) as error:
        check.number("gamma", bad, low=0, high=1, open_high=True)
    assert str(error.value) == f"gamma is {bad!r}, but must be a number in [0, 1)."


def test_open_ends_are_said():
    with pytest.raises(ValueError, match="greater than 0"):
        check.number("alpha", 0, low=0, open_low=True)
    with pytest.raises(ValueError, match="less than 1"):
        check.number("alpha", 1, high=1, open_high=True)


def test_choice_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'dyna_q'"):
        check.choice("method", "dynaq", ["dyna_q", "mbpo"])
    assert check.choice("method", "mbpo", ["dyna_q", "mbpo"]) == "mbpo"


def test_budget_reads_the_variable(monkeypatch):
    monkeypatch.delenv("MBRL_EDU_BUDGET", raising=False)
    assert budget.budget(10, 2) == 10
    monkeypatch.setenv("MBRL_EDU_BUDGET", "quick")
    assert budget.budget(10, 2) == 2
    monkeypatch.setenv("MBRL_EDU_BUDGET", "fast")
    with pytest.raises(ValueError, match="MBRL_EDU_BUDGET is 'fast'"):
        budget.budget(10, 2)


def test_device_never_falls_back_silently(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.resolve("auto") == device.resolve("cpu") == "cpu"
    with pytest.raises(ValueError, match="no GPU"):
        device.resolve("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.resolve("auto") == device.resolve("cuda") == "cuda"
    with pytest.raises(ValueError, match="device is 'gpu'"):
        device.resolve("gpu")
