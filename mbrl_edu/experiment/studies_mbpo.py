"""The stored runs of chapter 7: MBPO, SAC and PPO on the same tasks.

Every run is one seed of one label, kept in the folder of the study, so a study can be
stopped and gone on with. The settings are the presets "cheap"; SAC has MBPO's networks,
step sizes and evaluations. The seeds are not those that the presets were chosen on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from mbrl_edu.algos import sac
from mbrl_edu.algos.presets import preset
from mbrl_edu.experiment import backends
from mbrl_edu.experiment.measured_bound import measured
from mbrl_edu.experiment.progress import Progress
from mbrl_edu.experiment.studies import study
from mbrl_edu.experiment.sweep import sweep

PAGE = "07-mbpo"
FIVE, TEN = range(10, 15), range(10, 20)  # seeds
PENDULUM, SWING, HOPPER = "Pendulum-v1", "CartPoleSwingUp-v0", "Hopper-v5"
INVERTED = "InvertedPendulum-v5"
SAME = "SAC, same G"  # as many policy updates per real step as MBPO
LONG = 25  # steps of a long rollout
REAL_RATIOS = (0.0, 0.05, 0.5, 1.0)
PPO: dict[str, Any] = {"actors": 4, "rollout": 256}  # 1,024 real steps an update

# small enough for a test: what is left of a run shows only that it runs
_TINY: dict[str, Any] = {"T": 220, "T_random": 200, "epoch": 10, "hidden": (8,)}
_TINY |= {"batch": 8, "episodes": 1, "G": 1}
_TINY_MODEL: dict[str, Any] = {"fit_every": 10, "M": 5, "model_hidden": (8,)}
_TINY_MODEL |= {"fit_batch": 32, "epochs": 1}
_TINY_PPO: dict[str, Any] = {"T": 64, "actors": 2, "rollout": 16, "look": 1}
_TINY_PPO |= {"hidden": (8,), "epochs": 1, "episodes": 1}
_TINY_OF = {"mbpo": _TINY | _TINY_MODEL, "sac": _TINY, "ppo": _TINY_PPO}

Options = Mapping[str, Any]
# label, method, task, options, seeds
Job = tuple[str, str, str, Options, Iterable[int]]


def cheap(task: str, **change: Any) -> dict[str, Any]:
    """MBPO's options for two cores, with five greedy episodes per evaluation."""
    return preset("mbpo", task, "cheap") | {"episodes": 5} | change


def without_a_model(options: Options, **change: Any) -> dict[str, Any]:
    """The options of SAC that MBPO's ``options`` have too, with one update a step."""
    fields = sac.Config.__dataclass_fields__
    return {k: v for k, v in options.items() if k in fields} | {"G": 1} | change


def runs(
    jobs: list[Job],
    folder: Any,
    workers: int | None,
    quick: bool,
    seeds: Iterable[int],
) -> Any:
    """One row per label, seed and evaluation: step, return, updates, run_seconds; of
    those seeds of a job that are among ``seeds``, or of its first one if ``quick``."""
    import pandas as pd

    parts = []
    for label, method, task, options, known in jobs:
        some = [seed for seed in known if seed in set(seeds)]
        if quick:
            options = dict(options) | _TINY_OF[method]
            some = some[:1]
        if not some:
            continue
        done = sweep(method, task, some, {label: options}, folder, workers)
        table = done.frame()
        if method == "ppo":  # its "return" is that of the steps it learns from
            table = table.dropna(subset="greedy")
            table = table.assign(**{"return": table["greedy"], "updates": -1})
        seconds = {
            r.seed: round(r.manifest["wall_seconds"], 1) for r in done.runs[label]
        }
        parts.append(table.assign(run_seconds=table["seed"].map(seconds)))
    names = ["label", "seed", "step", "return", "updates", "run_seconds"]
    return pd.concat(parts, ignore_index=True)[names].round(3)


@study(
    "mbpo-inverted-pendulum", title="MBPO, SAC, PPO on a pole", page=PAGE, seeds=FIVE
)
def inverted_pendulum(workers, folder, quick=False, seeds=FIVE):
    """MBPO and SAC with as many updates per step, as long as the preset says; SAC and
    PPO until they are sure to have learned, or never will."""
    mine = cheap(INVERTED)
    long = {"T": 20_500, "epoch": 500}
    ppo = PPO | {"T": 150_000, "look": 2}
    jobs: list[Job] = [
        ("MBPO", "mbpo", INVERTED, mine, FIVE),
        (SAME, "sac", INVERTED, without_a_model(mine, G=mine["G"]), FIVE),
        ("SAC", "sac", INVERTED, without_a_model(mine, **long), FIVE),
        ("PPO", "ppo", INVERTED, ppo, FIVE),
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study(
    "mbpo-pendulum",
    title="MBPO and long-trained SAC on a pendulum",
    page=PAGE,
    seeds=TEN,
)
def pendulum(workers, folder, quick=False, seeds=TEN):
    """MBPO, SAC, and SAC with MBPO's updates for at most 2,500 real steps, and what SAC
    reaches in 20,000, ten seeds; MBPO in 10,000, five seeds. Ten greedy episodes per
    evaluation."""
    mine = cheap(PENDULUM, T=2_500, episodes=10)
    mine["T"] -= (mine["T"] - mine["T_random"]) % mine["epoch"]
    jobs: list[Job] = [
        ("MBPO", "mbpo", PENDULUM, mine, TEN),
        (SAME, "sac", PENDULUM, without_a_model(mine, G=mine["G"]), TEN),
        ("SAC", "sac", PENDULUM, without_a_model(mine), TEN),
        ("MBPO, long", "mbpo", PENDULUM, mine | {"T": 10_000}, FIVE),
        ("SAC, long", "sac", PENDULUM, without_a_model(mine, T=20_000), TEN),
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study(
    "mbpo-swingup",
    title="MBPO, SAC, PPO on the swing-up of PETS",
    page=PAGE,
    seeds=FIVE,
)
def swingup(workers, folder, quick=False, seeds=FIVE):
    """MBPO and SAC with its updates as long as the preset says, SAC for 40,000 steps,
    PPO for 300,000: what model-free learning ends at."""
    mine = cheap(SWING)
    jobs: list[Job] = [
        ("MBPO", "mbpo", SWING, mine, FIVE),
        (SAME, "sac", SWING, without_a_model(mine, G=mine["G"]), FIVE),
        ("SAC", "sac", SWING, without_a_model(mine, T=40_000), FIVE),
        ("PPO", "ppo", SWING, PPO | {"T": 300_000}, FIVE),
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study(
    "mbpo-lengths", title="How long, and from where to imagine", page=PAGE, seeds=FIVE
)
def lengths(workers, folder, quick=False, seeds=FIVE):
    """k = 1, k that grows over the first half of the run, long k; and long k from the
    start state of an episode instead of any real state. All on the swing-up, where a
    start tells little about the rest."""
    mine = cheap(SWING)
    half = max(2, (mine["T"] - mine["T_random"]) // mine["epoch"] // 2)
    variants: dict[str, Options] = {
        "k = 1": {"k": (0, 1, 1, 1)},
        "k grows": {"k": (1, half, 1, 10)},
        f"k = {LONG}": {"k": (0, 1, LONG, LONG)},
        f"k = {LONG}, from the start": {"k": (0, 1, LONG, LONG), "start": "initial"},
    }
    jobs: list[Job] = [
        (label, "mbpo", SWING, mine | dict(change), FIVE)
        for label, change in variants.items()
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study("mbpo-real-ratio", title="MBPO by its share of real data", page=PAGE, seeds=FIVE)
def real_ratio(workers, folder, quick=False, seeds=FIVE):
    """A policy batch without real transitions, with 5 %, half, and nothing else."""
    mine = cheap(INVERTED)
    jobs: list[Job] = [
        (f"real {b:.0%}", "mbpo", INVERTED, mine | {"real_ratio": b}, FIVE)
        for b in REAL_RATIOS
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study("mbpo-members", title="MBPO by the size of its ensemble", page=PAGE, seeds=FIVE)
def members(workers, folder, quick=False, seeds=FIVE):
    """One network; seven networks of which rollouts use one, three or all."""
    mine = cheap(INVERTED)
    variants = {"one network": (1, 1)} | {f"{e} of 7": (7, e) for e in (1, 3, 7)}
    jobs: list[Job] = [
        (label, "mbpo", INVERTED, mine | {"B": B, "elites": elites}, FIVE)
        for label, (B, elites) in variants.items()
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study("mbpo-hopper", title="MBPO, SAC, PPO on the hopper", page=PAGE, seeds=FIVE)
def hopper(workers, folder, quick=False, seeds=FIVE):
    """MBPO and SAC with its updates for 30,000 real steps, 5,000 random ones among
    them; SAC with one update a step and PPO for 100,000 steps."""
    mine = cheap(HOPPER)
    jobs: list[Job] = [
        ("MBPO", "mbpo", HOPPER, mine, FIVE),
        (SAME, "sac", HOPPER, without_a_model(mine, G=mine["G"]), FIVE),
        ("SAC", "sac", HOPPER, without_a_model(mine, T=100_000), FIVE),
        ("PPO", "ppo", HOPPER, PPO | {"T": 100_000}, FIVE),
    ]
    return runs(jobs, folder, workers, quick, seeds)


@study(
    "mbpo-bound",
    title="The bound of MBPO beside the gap it bounds",
    page=PAGE,
    seeds=FIVE,
)
def bound(workers, folder, quick=False, seeds=FIVE):
    """MBPO on a noisy point mass whose law is known: both returns, model error, policy
    shift and the bound at every evaluation; see ``measured_bound``."""
    import pandas as pd

    seeds = list(seeds)[: 1 if quick else None]
    jobs = [functools.partial(measured, seed, quick) for seed in seeds]
    rows: list[dict[str, Any]] = []
    with Progress("mbpo-bound", len(seeds), "runs") as bar:
        for done, found in enumerate(backends.in_parallel(jobs, workers, "loky")):
            rows += found
            bar.update(done + 1)
    return pd.DataFrame(rows).sort_values(["seed", "step"], ignore_index=True)
