"""A long study made in parts, some seeds at a time, by whom and where it suits.

Tables hold all seeds that are there; the manifest's `parts` say which commit, versions,
machine and command each of them came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mbrl_edu.core import check

if TYPE_CHECKING:
    from pandas import DataFrame

    from mbrl_edu.experiment.stored import Study

# what a manifest says of itself and of each of its parts
ORIGIN = ("commit", "dirty", "versions", "device", "machine", "started", "wall_seconds")


def chosen(
    name: str, known: tuple[int, ...] | None, seeds: Iterable[int] | None
) -> list[int] | None:
    """The seeds to run, None for a study that has none to choose; ValueError for
    seeds that are not among those of the study."""
    if known is None:
        if seeds is not None:
            raise ValueError(
                f"seeds is {list(seeds)}, but study {name} is made all at once."
            )
        return None
    if seeds is None:
        return list(known)
    some = sorted({check.integer("seeds", seed, low=0) for seed in seeds})
    if not some or not set(some) <= set(known):
        raise ValueError(
            f"seeds is {some}, but must be some of {', '.join(map(str, known))}."
        )
    return some


def missing(study: Study, known: tuple[int, ...] | None) -> list[int]:
    """Seeds that the study is to have and has not yet."""
    there = {seed for part in study.manifest.get("parts", ()) for seed in part["seeds"]}
    return [seed for seed in known or () if seed not in there]


def joined(
    old: Study | None,
    tables: dict[str, DataFrame],
    seeds: list[int],
    command: str,
    origin: dict[str, Any],
) -> tuple[dict[str, DataFrame], dict[str, Any]]:
    """New rows beside the stored ones of other seeds, and what the manifest says. Rows
    that are there already, from runs that were only read again, keep their origin.

    Raises ValueError if the stored tables have other names or columns: then the study
    itself has changed, and its parts do not belong together.
    """
    import pandas as pd

    words = f"{command} --seeds {','.join(map(str, seeds))}"
    parts = [{"seeds": seeds, "command": words} | origin]
    if old is not None:
        like = {name: list(table) for name, table in old.tables.items()}
        if like != {name: list(table) for name, table in tables.items()}:
            raise ValueError(
                f"study {old.name} has stored tables of another form: make all of its "
                "seeds again, into an empty folder."
            )
        if _there(old, tables, seeds):
            names = *ORIGIN, "parts"
            return old.tables, {name: old.manifest[name] for name in names}
        parts += _without(old.manifest["parts"], seeds)
        for name, table in old.tables.items():
            kept = table[~table["seed"].isin(seeds)]
            tables[name] = pd.concat([kept, tables[name]], ignore_index=True)
    parts.sort(key=lambda part: part["seeds"])
    seconds = round(sum(part["wall_seconds"] for part in parts), 3)
    whole = origin | {"wall_seconds": seconds, "parts": parts}
    return {name: _in_order(t) for name, t in tables.items()}, whole


def _there(old: Study, tables: dict[str, DataFrame], seeds: list[int]) -> bool:
    """Whether the stored rows of these seeds are the very same."""
    return all(
        _in_order(table[table["seed"].isin(seeds)]).equals(_in_order(tables[name]))
        for name, table in old.tables.items()
    )


def _without(parts: list[dict[str, Any]], seeds: list[int]) -> list[dict[str, Any]]:
    """The parts as far as they are not replaced."""
    left = [(part, [s for s in part["seeds"] if s not in seeds]) for part in parts]
    return [part | {"seeds": some} for part, some in left if some]


def _in_order(table: DataFrame) -> DataFrame:
    """Labels in the order in which they first come, then seeds; rows of one run stay as
    they are, whatever part came first."""
    table = table.copy()
    keys = ["seed"]
    if "label" in table:
        rank = {label: i for i, label in enumerate(dict.fromkeys(table["label"]))}
        table["_rank"] = table["label"].map(rank)
        keys = ["_rank", "seed"]
    table = table.sort_values(keys, kind="stable", ignore_index=True)
    return table.drop(columns="_rank", errors="ignore")
