"""Run directories: finished by a rename, so half a run never counts.

A finished run is a directory that holds

- `manifest.json`  what was run, on what, when, and the command that repeats it
- `metrics.jsonl`  one JSON object per log line; `step` comes first
- `result.json`    numbers and short lists of the result
- `arrays.npz`     its arrays (read without pickle)

It is written under a hidden name beside the final one and renamed as its last act.
All JSON is strict: a metric that is NaN or infinite is written as null and read back
as NaN; in `result.json` such a number is `{"float": "nan"}` and comes back as it was.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

PARTIAL = ".partial-"  # what marks the hidden name of an unfinished directory
MANIFEST = "manifest.json"


class StoreError(OSError):
    """A folder cannot be written or read; the message is one sentence."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the OSErrors inside into one sentence about `path`."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StoreError(
            f"folder {path} cannot be used: {why}; runs finished before are kept."
        ) from error


@contextmanager
def finished_by_rename(
    path: Path, replace: bool = False, token: str = ""
) -> Iterator[Path]:
    """A directory to write into that becomes `path` when the block ends well.

    When the block raises, nothing of it stays. When `path` exists by then, the older
    one stays, or with `replace` gives way. `token` goes into the hidden name, so that
    `clean` can find what one sweep left behind.
    """
    path = Path(path)
    hidden = path.with_name(f".{path.name}{PARTIAL}{token}{uuid.uuid4().hex[:8]}")
    with explained(path.parent):
        hidden.mkdir(parents=True)
    try:
        yield hidden
        with explained(path.parent):
            _flush(hidden)
            _rename(hidden, path, replace)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Make the disk hold what was written, before the rename says that it does."""
    for file in folder.iterdir():
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _rename(hidden: Path, path: Path, replace: bool) -> None:
    if path.exists() and not replace:
        return  # another process finished the same run first
    if path.exists():
        old = path.with_name(f".{path.name}{PARTIAL}old-{uuid.uuid4().hex[:8]}")
        path.rename(old)
        hidden.rename(path)
        shutil.rmtree(old, ignore_errors=True)
        return
    try:
        hidden.rename(path)
    except OSError:
        if not path.exists():  # else lost a race for the same name: nothing is lost
            raise


class Metrics:
    """Log lines: kept in memory, and appended to a file when there is one."""

    def __init__(self, file: Path | None = None):
        self.rows: list[dict[str, Any]] = []
        self._file = file

    def log(self, step: int, metrics: dict[str, Any]) -> None:
        """Add one line; values are numbers, or words such as the name of a phase."""
        row = {"step": int(step)} | {k: _scalar(k, v) for k, v in metrics.items()}
        self.rows.append(row)
        if self._file is not None:
            line = dumps(_nulls(row)) + "\n"
            with explained(self._file.parent.parent), self._file.open("ab") as handle:
                handle.write(line.encode())


def _scalar(name: str, value: Any) -> Any:
    """A plain Python number or word; 0-d arrays and tensors are unpacked."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"metric {name} is {value!r}, but must be a number or a word.")


def _nulls(row: dict[str, Any]) -> dict[str, Any]:
    finite = {k: not isinstance(v, float) or math.isfinite(v) for k, v in row.items()}
    return {k: v if finite[k] else None for k, v in row.items()}


def dumps(value: Any, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinities raise ValueError instead of being written."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)


def write_json(path: Path, value: Any) -> None:
    """`value` as strict, indented JSON."""
    path.write_text(dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The JSON in `path`; StoreError when it is missing or broken."""
    with explained(path.parent):
        text = path.read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreError(f"file {path} is not readable as JSON: {error}.") from None


def write_result(folder: Path, result: Any) -> list[str]:
    """Write the fields of the dataclass `result`; returns those that were left out.

    Numbers, words, None, lists and dicts of them go to `result.json`, arrays and
    tensors to `arrays.npz`. Anything else (a model, a policy) is left out.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    left_out = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if hasattr(value, "detach"):  # a torch tensor, without importing torch
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray) and value.dtype != object:
            arrays[field.name] = value
            continue
        try:
            plain[field.name] = _encode(value)
        except TypeError:
            left_out.append(field.name)
    write_json(folder / "result.json", plain)
    np.savez_compressed(folder / "arrays.npz", **arrays)
    return left_out


def read_result(folder: Path) -> dict[str, Any]:
    """The stored fields of a result by name."""
    plain = {k: _decode(v) for k, v in read_json(folder / "result.json").items()}
    with explained(folder), np.load(folder / "arrays.npz", allow_pickle=False) as npz:
        return plain | {name: npz[name] for name in npz.files}


def _encode(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_encode(v) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _encode(v) for k, v in value.items()}
    raise TypeError


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if isinstance(value, dict):
        if list(value) == ["float"]:
            return float(value["float"])
        return {k: _decode(v) for k, v in value.items()}
    return value


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The log lines of a finished run; null comes back as NaN."""
    with explained(folder):
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{k: math.nan if v is None else v for k, v in r.items()} for r in rows]


def finished(folder: str | Path) -> list[Path]:
    """The finished runs directly inside `folder`, by name; unfinished are ignored."""
    with explained(Path(folder)):
        inside = sorted(Path(folder).iterdir())
    return [p for p in inside if PARTIAL not in p.name and (p / MANIFEST).is_file()]


def clean(folder: str | Path, token: str = "") -> int:
    """Delete what interrupted runs left in `folder`; returns how many there were.

    Call it when nothing is writing there. With `token`, only what that sweep left.
    """
    folder = Path(folder)
    left = list(folder.glob(f".*{PARTIAL}{token}*")) if folder.is_dir() else []
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)
