"""The project's own Python environment in ``.venv``: made once, kept in step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from driver import inputs
from driver.say import BUILD, ROOT, Failed, quiet, run, step

VENV = ROOT / ".venv"
STAMP = VENV / "mbrl-edu.stamp"
NEEDED_GB = 4.0  # measured: 2.1 GB installed, and as much again while unpacking

NO_NETWORK = (
    "Failed to establish a new connection",
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "ProxyError",
    "Connection refused",
)


def ensure() -> str:
    """The path of a Python that has the project and its tools installed."""
    if os.environ.get("VENV") == "none":
        return sys.executable
    python = _python()
    if STAMP.exists() and STAMP.read_text() == _key() and _works(python):
        return str(python)
    _check_disk()
    if not _works(python):
        step(f"Making an environment in .venv with Python {_version()}")
        _make()
    step("Installing the project and its tools (the first time takes minutes)")
    _install(python)
    STAMP.write_text(_key())
    return str(python)


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _version() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _constraints() -> Path | None:
    """The file of tried versions; None when the newest ones are asked for."""
    name = os.environ.get("CONSTRAINTS") or "constraints.txt"
    if name == "none":
        return None
    if not (ROOT / name).is_file():
        raise Failed(f"CONSTRAINTS names no file: {name}; it may also be 'none'.")
    return ROOT / name


def _key() -> str:
    """Changes when the install has to be done again.

    The root belongs to it: an editable install points at it, and so do the scripts.
    """
    constraints = _constraints()
    paths = [ROOT / "pyproject.toml"] + ([constraints] if constraints else [])
    return inputs.digest(paths, str(ROOT), _version(), str(constraints))


def _works(python: Path) -> bool:
    """Whether ``.venv`` is whole and of the Python that we run on."""
    if not python.exists():
        return False
    ask = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        status, said = quiet([str(python), "-c", ask])
    except OSError:
        return False
    return status == 0 and said == _version()


def _check_disk() -> None:
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        raise Failed(
            f"Not enough disk space: the environment needs about {NEEDED_GB:.0f} GB, "
            f"and {free:.1f} GB are free in {ROOT}."
        )


def _make() -> None:
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        raise Failed(
            "This Python cannot make environments: install its venv module "
            f"(Debian and Ubuntu: apt install python{_version()}-venv)."
        )


def _install(python: Path) -> None:
    STAMP.unlink(missing_ok=True)  # so that an interrupted install is done again
    BUILD.mkdir(exist_ok=True)
    log = BUILD / "install.log"
    log.unlink(missing_ok=True)
    command = [str(python), "-m", "pip", "install", "--log", str(log)]
    constraints = _constraints()
    if constraints:
        command += ["--constraint", str(constraints)]
    else:
        command += ["--upgrade", "--upgrade-strategy", "eager"]
    if run([*command, "--editable", ".[book,test]"]) != 0:
        raise Failed(_reason(log))


def _reason(log: Path) -> str:
    """One sentence for why pip failed."""
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if "No space left on device" in said:
        free = shutil.disk_usage(ROOT).free / 1e9
        return f"The disk is full: {free:.1f} GB are free in {ROOT}."
    if any(sign in said for sign in NO_NETWORK):
        return (
            "No package index could be reached: connect to the network and run the "
            "same command again."
        )
    return f"The install failed: pip says why above, and in full in {log}."
