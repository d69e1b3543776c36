"""Which product of matrices runs: never one that costs accuracy unasked."""

import os
import subprocess
import sys

import pytest
import torch

from mbrl_edu.core import gemm

ASK = """
from mbrl_edu.core import gemm
gemm._cpu = lambda: "vendor_id : AuthenticAMD"
found = gemm.prepare()
print(found.path, found.error, gemm.error(), gemm._get())
"""


def ask(**env):
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    path, told, measured, setting = done.stdout.split()
    assert told == measured  # the report is of what runs
    return path, float(told), setting


def test_accuracy_is_that_of_32_bit_numbers():
    chosen = gemm.prepare()
    assert chosen.error == gemm.error() <= gemm.LIMIT
    assert gemm.report() == {
        "path": chosen.path,
        "error": chosen.error,
        "reason": chosen.reason,
    }


def test_the_self_test_decides():
    """As if on a CPU that Intel did not make, with its units for bfloat16 and, where
    oneDNN can be told so, without: taken if and only if it is exact."""
    if gemm._get() is None or not torch.backends.mkl.is_available():
        pytest.skip("this torch has no oneDNN and MKL to choose from")
    assert ask(ONEDNN_MAX_CPU_ISA="AVX2")[::2] == ("onednn", "bf16")
    path, error, setting = ask()
    assert error <= gemm.LIMIT
    assert (path, setting) in [("onednn", "bf16"), ("default", "none")]


def test_a_rounding_product_is_not_taken(monkeypatch):
    errors, set_to = iter([2e-3, 3e-7]), []
    monkeypatch.setattr(gemm, "_why_default", lambda: "")
    monkeypatch.setattr(gemm, "_get", lambda: "none")
    monkeypatch.setattr(gemm, "_set", set_to.append)
    monkeypatch.setattr(gemm, "error", lambda: next(errors))
    chosen = gemm.prepare.__wrapped__()
    assert (chosen.path, chosen.error) == ("default", 3e-7)
    assert set_to == ["bf16", "none"] and "2e-03" in chosen.reason


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision is 'fp16'"):
        gemm.prepare("fp16")


def test_it_is_chosen_before_layers_of_whatever_make_are_built():
    """What a notebook builds by hand, and trains before the package builds anything,
    is then the same to the last bit; on some CPUs the products differ in theirs."""
    code = (
        "from mbrl_edu.core import gemm, rng\n"
        "assert gemm.prepare.cache_info().currsize == 0\n"
        "with rng.Streams(0).init('x'):\n"
        "    print(gemm.prepare.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"]
