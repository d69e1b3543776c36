"""pyproject, constraints, environment and the other places that name versions agree."""

import os
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name as canonical
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def pyproject() -> dict:
    return tomllib.loads(text("pyproject.toml"))["project"]


@cache
def pins() -> dict[str, Version]:
    """constraints.txt: one exact version a line."""
    lines = text("constraints.txt").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "only lines NAME==VERSION"
    assert len({canonical(name) for name, _ in pairs}) == len(pairs), "a name twice"
    return {canonical(name): Version(version) for name, version in pairs}


def asked_for(*extras: str) -> list[Requirement]:
    """What the project asks for by itself and through the named extras."""
    lists = [pyproject()["dependencies"]]
    lists += [pyproject()["optional-dependencies"][extra] for extra in extras]
    return [Requirement(entry) for one in lists for entry in one]


@pytest.mark.parametrize("wanted", asked_for("book", "test"), ids=str)
def test_constraints_satisfy_pyproject(wanted: Requirement) -> None:
    pin = pins().get(canonical(wanted.name))
    assert pin is not None, f"constraints.txt does not name {wanted.name}"
    assert wanted.specifier.contains(pin)


@pytest.mark.parametrize("wanted", asked_for("dask", "ray"), ids=str)
def test_pyproject_has_lower_bounds(wanted: Requirement) -> None:
    assert [s.operator for s in wanted.specifier] == [">="]


def test_only_another_engine_is_excluded() -> None:
    """A library that pins exactly, or from above, breaks the environments of others."""
    ours = asked_for("book", "test")
    bounded = {r.name for r in ours for s in r.specifier if s.operator != ">="}
    assert bounded == {"jupyter-book"}


@pytest.mark.skipif(os.environ.get("CONSTRAINTS") == "none", reason="newest versions")
def test_everything_installed_is_pinned() -> None:
    """All that the install brings has a line in constraints.txt, and that version."""
    seen: set[str] = set()
    waiting = asked_for("book", "test")
    while waiting:
        wanted = waiting.pop()
        name = canonical(wanted.name)
        if wanted.marker and not any(
            wanted.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)
        ):
            continue
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        assert name in pins(), f"constraints.txt does not name {name}"
        assert Version(found.version).public == pins()[name].public
        if name != "torch":  # what it brings along differs from machine to machine
            waiting += _brought_by(found, wanted.extras)
    assert len(seen) > 60


def _brought_by(found: metadata.Distribution, extras: set[str]) -> list[Requirement]:
    needed = []
    for entry in found.requires or []:
        requirement = Requirement(entry)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
            requirement.marker = None
            needed.append(requirement)
    return needed


def test_conda_environment_has_the_same_versions() -> None:
    given = yaml.safe_load(text("environment.yml"))
    *plain, with_pip = given["dependencies"]
    python = [entry for entry in plain if entry.startswith("python=")]
    assert len(python) == 1
    version = python[0].removeprefix("python=")
    assert SpecifierSet(pyproject()["requires-python"]).contains(version)
    assert set(plain) == {python[0], "make", "pip"}
    expected = ["--constraint constraints.txt", "--editable .[book,test]"]
    assert with_pip == {"pip": expected}


def test_one_version_of_the_project() -> None:
    import mbrl_edu

    version = pyproject()["version"]
    citation = yaml.safe_load(text("CITATION.cff"))
    assert mbrl_edu.__version__ == version
    assert citation["version"] == version
    newest = re.search(r"^## (\d+\.\d+\.\d+)", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == version


def test_same_oldest_python_everywhere() -> None:
    needed = pyproject()["requires-python"].removeprefix(">=")
    assert f"NEEDED = ({needed.replace('.', ', ')})" in text("tools/project.py")
    for name in ("Makefile", "README.md", "CONTRIBUTING.md"):
        assert f"Python {needed} or newer" in text(name)
