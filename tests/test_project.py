"""The address, the links of plain pages, the workflows."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from driver import address, inputs, say

ROOT = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff", "pyproject.toml"])
def test_address_is_repeated_right(name: str) -> None:
    assert re.search(re.escape(address.read(ROOT)) + r"(?![\w~-])", text(name))


def copy_of_places(there: Path) -> dict[Path, bytes]:
    """A copy of every file that a reader may meet the address in."""
    roots = [p for p in ROOT.iterdir() if p.is_file()]
    for path in [*roots, *inputs.files("book", ".github", "mbrl_edu")]:
        copy = there / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return {p: p.read_bytes() for p in there.rglob("*") if p.is_file()}


def test_moving_the_address_there_and_back(tmp_path: Path) -> None:
    before, old = copy_of_places(tmp_path), address.read(ROOT)
    new = "https://git.invalid/somebody/another-name"
    address.move(tmp_path, new + ".git/")
    assert address.read(tmp_path) == new
    for path, content in before.items():
        now = path.read_bytes()
        assert old.encode() not in now, f"the old address stays in {path.name}"
        assert now.count(new.encode()) == content.count(old.encode())
    address.move(tmp_path, old)
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("url", ["", "mbrl-edu", "http://a.invalid/b", "https://a b/c"])
def test_bad_address_is_refused(tmp_path: Path, url: str) -> None:
    before = copy_of_places(tmp_path)
    with pytest.raises(say.Failed, match="is no address of a repository"):
        address.move(tmp_path, url)
    assert {p: p.read_bytes() for p in before} == before


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(inputs.toc_pages())
    pages = {p for p in inputs.files("book") if p.suffix in {".md", ".ipynb"}}
    assert pages == listed


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_plain_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text(name)):
        if not target.startswith(("https://", "mailto:")):
            assert (ROOT / target).exists(), f"{name} links to {target}"


def test_workflows_only_call_make() -> None:
    """They cannot drift from what everybody runs."""
    flows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    targets = re.search(r"^COMMANDS := (.*)$", text("Makefile"), re.MULTILINE)
    assert flows and targets
    for flow in flows:
        jobs = yaml.safe_load(flow.read_text(encoding="utf-8"))["jobs"]
        for job in jobs.values():
            for step in job["steps"]:
                if "run" in step:
                    word, target = step["run"].split()
                    assert word == "make" and target in targets.group(1).split()
                else:
                    assert step["uses"].startswith("actions/")


def test_ci_runs_every_command() -> None:
    assert "for command in test book colab browser; do" in text(".ci/run")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
