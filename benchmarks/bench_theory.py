"""Time 10,000 MDPs through every MBPO statement, on one core.

    python benchmarks/bench_theory.py [number of MDPs]

Prints, per statement, violations and the median, 95 % point and maximum of
|gap| / bound over all families of instances, then the seconds. The limit is 60 s
for 10,000.
"""

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mbrl_edu.theory import tables


def main(n: int) -> None:
    begin = time.perf_counter()
    sample = tables.ratio_sample(n)
    seconds = time.perf_counter() - begin
    print(f"{'statement':28s} violations   median      p95      max")
    for name, value in sample.items():
        bad, top = int((value > 1 + 1e-9).sum()), value.max()
        mid, high = np.quantile(value, [0.5, 0.95])
        print(f"{name:28s} {bad:10d} {mid:8.4f} {high:8.4f} {top:8.5f}")
    print(f"{len(value)} MDPs, {len(sample)} statements, {seconds:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
