"""Where a number came from: code, versions, machine, the command that repeats it."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import os
import platform
import shlex
import subprocess
import sys
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import mbrl_edu
from mbrl_edu.experiment import store
from mbrl_edu.experiment.options import describe

PACKAGE = Path(mbrl_edu.__file__).parent
ROOMS = ("core", "theory", "envs", "models", "control", "imagine", "algos")


@functools.cache
def code_fingerprint(module: str) -> str:
    """Hash of the program text that a run of the method in `module` may use.

    Comments, docstrings and layout do not count: only a change of what the code does
    makes stored runs old.
    """
    files = sorted(f for room in ROOMS for f in (PACKAGE / room).rglob("*.py"))
    spec = importlib.util.find_spec(module)
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is not None and origin not in files:
        files.append(origin)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name} {_program(file)}".encode())
    return digest.hexdigest()


def _program(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant):
                del body[0]  # a docstring
    return ast.dump(tree)


def config_hash(method: str, task: str, config: Any) -> str:
    """Hash of what was asked for, whatever the seed and the code."""
    fields = sorted(dataclasses.asdict(config).items())
    text = f"{method} {task} {store.dumps(fields)}"
    return hashlib.sha256(text.encode()).hexdigest()


def commit() -> tuple[str | None, bool | None]:
    """The commit of this package and whether its files differ from it.

    (None, None) unless the package lies in the root of its own git repository: the
    repository of a reader who installed it says nothing about it.
    """
    root = _git("rev-parse", "--show-toplevel")
    if root is None or Path(root).resolve() != PACKAGE.parent.resolve():
        return None, None
    # tables that a study has just written are results, not a change of the code
    results = f":(exclude){PACKAGE.name}/stored"
    changed = _git("status", "--porcelain", "--", PACKAGE.name, results)
    return _git("rev-parse", "--verify", "HEAD"), bool(changed)


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE.parent), *words],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Versions of Python, this package, and what its numbers depend on."""
    found: dict[str, str] = {"python": platform.python_version()}
    found["mbrl_edu"] = mbrl_edu.__version__
    for name in ("numpy", "gymnasium"):
        found[name] = metadata.version(name)
    if "torch" in sys.modules:  # a tabular run does not load it
        found["torch"] = str(sys.modules["torch"].__version__)
    return found


@functools.cache
def machine() -> dict[str, Any]:
    """CPU model, number of cores, operating system; no names or paths."""
    return {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.system()}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
    return models[0] if models else platform.machine()


def fingerprint(value: Any) -> str:
    """Hash of a value with functions in it, such as a `Task`: of what they compute
    with, not of where they lie in memory.

    Raises ValueError for what cannot be told apart by its contents.
    """
    return hashlib.sha256(_contents(value).encode()).hexdigest()


def _contents(value: Any) -> str:
    if value is ... or value is None:
        return repr(value)
    if isinstance(value, (bool, int, float, complex, str, bytes, type)):
        return repr(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [_contents(v) for v in value]
        ordered = isinstance(value, (list, tuple))
        return f"[{' '.join(parts if ordered else sorted(parts))}]"
    if isinstance(value, Mapping):
        return _contents([(_contents(k), v) for k, v in value.items()])
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{value.dtype} {value.shape} {value.tolist()}"
    if isinstance(value, types.CodeType):
        return _contents((value.co_code, value.co_consts, value.co_names))
    if isinstance(value, types.MethodType):
        return _contents((value.__func__, value.__self__))
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        inside = (value.__code__, value.__defaults__, value.__kwdefaults__, cells)
        return f"{value.__module__}.{value.__qualname__} {_contents(inside)}"
    if isinstance(value, functools.partial):
        return _contents((value.func, value.args, value.keywords))
    if dataclasses.is_dataclass(value):
        fields = [getattr(value, f.name) for f in dataclasses.fields(value)]
        return f"{type(value).__qualname__} {_contents(fields)}"
    raise ValueError(
        f"a task with {value!r} in it cannot be kept: nothing says whether another is "
        "the same; run it without folder."
    )


def command(
    method: str, task: str, seed: int, config: Any, device: str | None = None
) -> str:
    """The shell command that repeats a run; options at their default are left out."""
    words = ["python", "-m", "mbrl_edu", "run", method, task, "--seed", str(seed)]
    words += ["--device", device] if device else []
    for option in describe(type(config)):
        value = getattr(config, option.name)
        if option.required or value != option.default:
            words += [f"--{option.name}", as_word(value)]
    return shlex.join(words)


def as_word(value: Any) -> str:
    """An option's value as typed in a shell."""
    if isinstance(value, (tuple, list)):
        return ",".join(as_word(v) for v in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)


def origin(started: datetime, seconds: float, device: str = "cpu") -> dict[str, Any]:
    """The part of a manifest that every kind of run shares."""
    head, dirty = commit()
    return {
        "commit": head,
        "dirty": dirty,
        "versions": versions(),
        "device": device,
        "machine": machine(),
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(seconds, 3),
    }


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
