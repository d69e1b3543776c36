"""Speed of Dyna-Q: planning updates per second, and the time of the chapter's runs.

    python benchmarks/bench_tabular.py

The floor is what the update itself costs in Python: the same arithmetic over a list of
transitions that was drawn beforehand. Everything is measured in one process, in turns,
and the medians are compared as ratios, because the machine's speed drifts.
"""

from statistics import median
from time import perf_counter

from mbrl_edu.algos import dyna_q
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import Maze
from mbrl_edu.models.tabular import LastModel

UPDATES, TURNS = 500_000, 9
alpha, gamma = 0.1, 0.95


def seconds(work, *args):
    began = perf_counter()
    work(*args)
    return perf_counter() - began


def update_all(Q, transitions):
    for s, a, r, s_next, d in transitions:
        Q[s][a] += alpha * (r + gamma * (1 - d) * max(Q[s_next]) - Q[s][a])


def main():
    model = LastModel()
    dyna_q.dyna_q(Maze(), dyna_q.Config(n=5), Streams(0), model=model)
    u = Streams(0).random("planning").random
    drawn = list(model.replay(UPDATES, u))
    spent = {"floor": [], "line (f)": [], "whole run, n = 50": []}
    updates = dict.fromkeys(spent, UPDATES)
    for seed in range(TURNS):
        Q = [[0.0] * 4 for _ in range(54)]
        spent["floor"].append(seconds(update_all, Q, drawn) / UPDATES)
        line_f = seconds(update_all, Q, model.replay(UPDATES, u))
        spent["line (f)"].append(line_f / UPDATES)
        cfg = dyna_q.Config(n=50, episodes=None, steps=8_000)
        began = perf_counter()
        result = dyna_q.dyna_q(Maze(), cfg, Streams(seed))
        spent["whole run, n = 50"].append((perf_counter() - began) / result.updates)
        updates["whole run, n = 50"] = result.updates
    floor = median(spent["floor"])
    print(f"{'':20} {'updates per second':>20} {'time over floor':>16}")
    for name, times in spent.items():
        x = median(times)
        print(f"{name:20} {1 / x:20,.0f} {x / floor:16.2f}")

    print("\n30 runs of 50 episodes on the Dyna maze, one process:")
    for n in (0, 5, 50):
        cfg = dyna_q.Config(n=n)
        took = sum(seconds(dyna_q.dyna_q, Maze(), cfg, Streams(s)) for s in range(30))
        print(f"n = {n:2}: {took:5.2f} s")


if __name__ == "__main__":
    main()
