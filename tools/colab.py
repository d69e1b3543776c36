"""Run notebooks as a reader does in Colab, without Colab.

    python tools/colab.py FOLDER [NOTEBOOK ...]

In FOLDER stands an environment that was not made for this project: ipywidgets 7.7.1,
older numpy, pandas and Matplotlib, torch already there. Each notebook is copied alone
into an empty folder, its setup cell installs the package from this repository in place
of the public address, and it runs to the end. Afterwards every package that was there
before must have the version that it had. Exit status 1 if anything was not so.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from driver import address, inputs
from driver.say import ROOT, environ

# What a fresh Colab machine brings, as far as it matters here. The kernel parts are
# what Colab runs a notebook with; torch is the version the book was built with.
BROUGHT = ["ipywidgets==7.7.1", "numpy==2.0.2", "pandas==2.2.2", "matplotlib==3.10.0"]
KERNEL = ["ipykernel", "nbclient", "nbformat", "pip"]
CELL_SECONDS = 600
SETUP = "setup"
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(
    notebook, timeout=int(sys.argv[2]), kernel_name="python3",
    extra_arguments=["--log-level=ERROR"],
).execute()
"""
LIST = """
import importlib.metadata as m, json
print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))
"""


def call(python: Path, *words: str, cwd: Path = ROOT) -> str:
    """Run Python; what it printed. Ends the program where it fails."""
    env = environ()
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(python), *words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        what = [word for word in words if "\n" not in word and word != "-c"]
        sys.exit(f"{done.stdout}\nFailed: python {' '.join(what)}")
    return done.stdout


def make_environment(folder: Path) -> Path:
    """A foreign environment, kept from one run to the next; its Python."""
    tried = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    torch = re.search(r"^torch==\S+", tried, re.MULTILINE)
    assert torch is not None, "constraints.txt does not name torch"
    wanted = [*BROUGHT, torch.group(0), *KERNEL]
    python, stamp = folder / "bin" / "python", folder / "packages.json"
    if not restored(python, stamp, wanted):
        print("  making an environment like Colab's", flush=True)
        make = [sys.executable, "-m", "venv", "--clear", str(folder)]
        subprocess.run(make, check=True)
        call(python, "-m", "pip", "install", *wanted)
        stamp.write_text(json.dumps([wanted, installed(python)]))
    return python


def restored(python: Path, stamp: Path, wanted: list[str]) -> bool:
    """Take out what earlier runs installed; whether the rest is as it was made."""
    if not stamp.exists():
        return False
    asked, brought = json.loads(stamp.read_text())
    added = sorted(set(installed(python)) - set(brought))
    if added:
        call(python, "-m", "pip", "uninstall", "--yes", *added)
    return asked == wanted and installed(python) == brought


def installed(python: Path) -> dict[str, str]:
    """Names and versions of all packages."""
    return json.loads(call(python, "-c", LIST))


def alone(notebook: Path, folder: Path) -> Path:
    """Copy a notebook into an empty folder, its setup cell pointing here."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = [c for c in content["cells"] if c["cell_type"] == "code"]
    public, here = f"git+{address.read(ROOT)}", ROOT.as_uri()
    source = "".join(code[0]["source"])
    if code[0].get("id") != SETUP or public not in source:
        sys.exit(f"{notebook.name}: the first code cell is not a setup cell")
    code[0]["source"] = source.replace(public, here)
    copy = folder / notebook.name
    copy.write_text(json.dumps(content), encoding="utf-8")
    return copy


def run(python: Path, notebook: Path) -> list[str]:
    """Run one notebook to its end; what the install changed."""
    call(python, "-m", "pip", "uninstall", "--yes", "mbrl-edu")
    before = installed(python)
    assert "mbrl-edu" not in before
    with tempfile.TemporaryDirectory() as empty:
        copy = alone(notebook, Path(empty))
        call(python, "-c", RUN, copy.name, str(CELL_SECONDS), cwd=Path(empty))
    after = installed(python)
    if "mbrl-edu" not in after:
        return ["the setup cell did not install mbrl-edu"]
    return [
        f"{name} {version} became {after.get(name)}"
        for name, version in before.items()
        if after.get(name) != version
    ]


def main(folder: str, *names: str) -> int:
    os.chdir(ROOT)
    pages = [p for p in inputs.toc_pages() if p.suffix == ".ipynb"]
    if names:
        pages = [p for p in pages if p.stem in names]
    if not pages:
        sys.exit(f"no notebook of the table of contents is called {' or '.join(names)}")
    python, failed = make_environment(Path(folder)), False
    for page in pages:
        began = time.monotonic()
        changed = run(python, page)
        said = f"changed what was there: {changed}" if changed else "runs"
        print(f"  {page.stem} {said} ({time.monotonic() - began:.0f} s)", flush=True)
        failed = failed or bool(changed)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
