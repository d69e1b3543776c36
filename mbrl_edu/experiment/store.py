"""Run directories: finished by a rename, so half a run never counts.

A finished run is a directory that holds

- `manifest.json`  what was run, on what, when, and the command that repeats it
- `metrics.jsonl`  one JSON object per log line; `step` comes first
- `result.json`    numbers and short lists of the result
- `arrays.npz`     its arrays (read without pickle)
- `weights.pt`     what it learned, if it is no table; read without pickle too

It is written under a hidden name beside the final one and renamed as its last act.
All JSON is strict: in `result.json` a number that is NaN or infinite is
`{"float": "nan"}`, and comes back as it was.
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
def finished_by_rename(path: Path, replace: bool = False) -> Iterator[Path]:
    """A directory to write into that becomes `path` when the block ends well.

    When the block raises, nothing of it stays. When `path` exists by then, the older
    one stays, or with `replace` gives way.
    """
    path = Path(path)
    hidden = path.with_name(f".{path.name}{PARTIAL}{uuid.uuid4().hex[:8]}")
    with explained(path.parent):
        hidden.mkdir(parents=True)
    try:
        yield hidden
        with explained(path.parent):
            flush(hidden)
            rename(hidden, path, replace)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def flush(folder: Path) -> None:
    """Make the disk hold what was written, before the rename says that it does."""
    for file in folder.iterdir():
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())
    synced(folder)


def synced(folder: Path) -> None:
    """Make the disk hold the names in `folder`; some systems cannot be asked to."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rename(hidden: Path, path: Path, replace: bool = False) -> None:
    """Let `hidden` become `path`, unless `path` is there and stays."""
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


def finished(folder: str | Path) -> list[Path]:
    """The finished runs directly inside `folder`, by name; unfinished are ignored."""
    with explained(Path(folder)):
        inside = sorted(Path(folder).iterdir())
    return [p for p in inside if PARTIAL not in p.name and (p / MANIFEST).is_file()]


def clean(folder: str | Path) -> int:
    """Delete what interrupted runs left in `folder`, their checkpoints too; returns how
    many there were. Call it when nothing is writing there.
    """
    folder = Path(folder)
    left = list(folder.glob(f".*{PARTIAL}*")) if folder.is_dir() else []
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)
