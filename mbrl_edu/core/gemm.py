"""Which matrix product torch runs on this CPU, and how exact it is.

torch hands products of 32-bit numbers to the MKL, which takes a slow path on CPUs that
Intel did not make. oneDNN, which torch carries too, has no such path; torch calls it
only if it may round to bfloat16, which oneDNN does where the CPU has units for that
(AMX) and nowhere else. So the error is measured before anything is chosen, and what
costs accuracy is never chosen without being asked for.
"""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mbrl_edu.core import check

# Products of 32-bit numbers err by about 1e-6 of the largest entry, TF32 by 5e-4,
# bfloat16 by 2e-3: the limit lies far from all of them.
LIMIT = 1e-5

# (members, rows, inputs, outputs): a model's first and inner layers, and a critic's.
SHAPES = ((7, 256, 14, 200), (7, 256, 200, 200), (1, 256, 256, 256), (1, 2000, 200, 24))


@dataclass(frozen=True)
class Product:
    """The product that this process runs, for the manifest of a run."""

    path: str  # "default", "onednn" or "bf16"
    error: float  # measured: largest error / largest entry, against 64-bit numbers
    reason: str  # why this path


@cache
def prepare(precision: str = "fp32") -> Product:
    """Choose the product of this process, once; every network asks for it when built.

    ``"fp32"`` takes the fastest path that keeps the accuracy of 32-bit numbers,
    ``"bf16"`` lets products round to bfloat16: up to three times as fast on a CPU with
    AMX, but predictions differ in the third digit. Speed is never measured here, so the
    choice depends on the machine alone and the same seed gives the same weights.
    """
    check.choice("precision", precision, ["fp32", "bf16"])
    if precision == "bf16":
        if not _set("bf16"):
            return Product("default", error(), "this torch has no oneDNN products")
        return Product("bf16", error(), "asked for")
    reason = _why_default()
    if reason:
        return Product("default", error(), reason)
    before = _get()
    _set("bf16")
    found = error()
    if found <= LIMIT:
        return Product("onednn", found, "as exact as 32-bit numbers, by self-test")
    _set(before)
    return Product("default", error(), f"oneDNN errs by {found:.0e} on this CPU")


def report() -> dict[str, object]:
    """What ``prepare`` chose, as a dictionary for a manifest."""
    return asdict(prepare())


def error() -> float:
    """Largest error over largest entry of the products that torch runs now."""
    import torch

    g, worst = torch.Generator().manual_seed(0), 0.0
    for B, n, i, o in SHAPES:
        x, w = torch.randn(B, n, i, generator=g), torch.randn(B, i, o, generator=g)
        exact = x.double() @ w.double()
        for y in (torch.bmm(x, w), torch.stack([torch.mm(*p) for p in zip(x, w)])):
            worst = max(worst, ((y - exact).abs().max() / exact.abs().max()).item())
    return worst


def _why_default() -> str:
    """Why oneDNN is not even tried; empty if it may be."""
    import torch

    if _get() is None:
        return "this torch has no oneDNN products"
    if not torch.backends.mkl.is_available():
        return "this torch has no MKL"
    if "GenuineIntel" in _cpu():
        return "the MKL has no slow path on Intel's CPUs"
    if _get() not in ("none", "ieee"):
        return f"oneDNN's precision was set to {_get()!r} before"
    return ""


def _cpu() -> str:
    """The maker of this CPU."""
    try:
        return Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return platform.processor()


def _get() -> str | None:
    import torch

    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    there = torch.backends.mkldnn.is_available()
    return getattr(matmul, "fp32_precision", None) if there else None


def _set(precision: str | None) -> bool:
    import torch

    if _get() is None or precision is None:
        return False
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    matmul.fp32_precision = precision
    return True
