"""Who may import whom, and what ``import mbrl_edu`` may load."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mbrl_edu"

# From left to right: a room imports rooms of its own or an earlier group only.
GROUPS = [
    {"core"},
    {"envs", "theory"},
    {"models", "control"},
    {"imagine"},
    {"algos"},
    {"experiment", "viz", "grading"},
]
RANK = {room: k for k, rooms in enumerate(GROUPS) for room in rooms}
STRANGERS = {("models", "control"), ("control", "models")}

# Heavy libraries, and the rooms that may use them.
HEAVY = {name: {"experiment", "viz"} for name in ("matplotlib", "pandas", "joblib")}

# The order in which the book introduces the methods.
LECTURE = [
    "q_learning",
    "q_planning",
    "dyna_q",
    "dyna_q_plus",
    "prioritized_sweeping",
    "random_shooting",
    "cem",
    "mppi",
    "pets",
    "loop",
    "mbpo",
    "sac",
    "ppo",
    "bmpo",
    "ampo",
    "hyper_meter",
    "hyper",
    "hyper_env",
    "hyper_controller",
    "hyper_runs",
    "hyper_training",
    "autombpo",
    "dpg",
    "svg",
    "maac",
    "pilco",
]
# these speak about all methods
ANY_METHOD = {
    "__init__",
    "presets",
    "presets_ampo",
    "presets_autombpo",
    "presets_bmpo",
    "presets_mbpo",
    "presets_pilco",
}
SLOW = ("matplotlib", "pandas", "joblib", "torch", "scipy")


def imports(path: Path, package: Path = PACKAGE) -> set[str]:
    """Full dotted names of everything a file imports, inside functions too."""
    inside = ["mbrl_edu", *path.relative_to(package).with_suffix("").parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = inside[: -node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
    return found


def broken_rules(path: Path, package: Path = PACKAGE) -> list[str]:
    """The rules that a file's imports break."""
    room, names, broken = path.relative_to(package).parts[0], [], []
    for name in sorted(imports(path, package)):
        top, *rest = name.split(".")
        if room not in HEAVY.get(top, {room}):
            broken.append(f"{top} is for {sorted(HEAVY[top])} only")
        if top == "mbrl_edu" and rest and rest[0] in RANK:
            names.append(rest)
    for other, *rest in names:
        if RANK[other] > RANK[room] or (room, other) in STRANGERS:
            broken.append(f"{room} must not import {other}")
        if room == other == "algos" and rest and path.stem not in ANY_METHOD:
            later = rest[0] in LECTURE and order(rest[0]) >= order(path.stem)
            if later and rest[0] != path.stem:
                broken.append(f"{path.stem} comes before {rest[0]} in the lecture")
    return broken


def order(method: str) -> int:
    return LECTURE.index(method)


def rooms() -> list[Path]:
    return sorted(p.parent for p in PACKAGE.glob("*/__init__.py"))


def modules() -> list[Path]:
    return sorted(path for room in rooms() for path in room.rglob("*.py"))


def test_every_room_has_its_place() -> None:
    unknown = {p.name for p in rooms()} - set(RANK)
    assert not unknown, f"say in GROUPS where these rooms stand: {unknown}"


def test_every_method_has_its_place() -> None:
    methods = {p.stem for p in (PACKAGE / "algos").glob("*.py")} - ANY_METHOD
    assert methods, "no methods found"
    assert methods <= set(LECTURE), f"say in LECTURE where: {methods - set(LECTURE)}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: f"{p.parent.name}.{p.stem}")
def test_imports_go_left(path: Path) -> None:
    assert not broken_rules(path)


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("core/a.py", "from mbrl_edu.envs import maze", "core must not import envs"),
        ("core/a.py", "from mbrl_edu import theory", "core must not import theory"),
        ("core/a.py", "from ..algos import dyna_q", "core must not import algos"),
        ("models/a.py", "import mbrl_edu.control", "models must not import control"),
        ("algos/a.py", "def f():\n    import pandas", "pandas is for"),
        ("algos/q_learning.py", "from mbrl_edu.algos import dyna_q", "comes before"),
        ("algos/q_learning.py", "from .dyna_q import x", "comes before"),
    ],
)
def test_a_broken_rule_is_seen(tmp_path: Path, name: str, text: str, rule: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(text)
    assert any(rule in broken for broken in broken_rules(path, tmp_path))


def test_importing_the_package_is_light() -> None:
    """None of the slow libraries is loaded; the time it took is printed."""
    ask = "import sys, mbrl_edu; print(*(n for n in sys.argv[1:] if n in sys.modules))"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", ask, *SLOW], capture_output=True, text=True, check=True
    )
    took = time.perf_counter() - began
    print(f"import mbrl_edu in a fresh process: {took:.2f} s")
    assert done.stdout.split() == []
    # Its limit is 2 s on a quiet machine; this one only catches a catastrophe.
    assert took < 20
