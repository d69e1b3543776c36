"""Pictures from MuJoCo on machines without a screen."""

import os
import subprocess
import sys

NO_PICTURES = (
    "MuJoCo cannot draw here: neither EGL nor OSMesa could be loaded. Install one of "
    "them (on Debian or Ubuntu: libegl1 or libosmesa6), or use render_mode=None."
)


def can_draw(backend: str) -> bool:
    """Whether MuJoCo can open an offscreen context with ``backend``.

    Asked in a process of its own: a failed attempt would spoil the next one.
    """
    ask = f"from mujoco.{backend} import GLContext; GLContext(8, 8).make_current()"
    world = {k: v for k, v in os.environ.items() if k != "PYOPENGL_PLATFORM"}
    world["MUJOCO_GL"] = backend
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, env=world)
    return done.returncode == 0


def prepare() -> None:
    """Choose how MuJoCo draws, once per process, where nobody has chosen.

    Without a screen Linux gets EGL, else OSMesa, as the environment variable
    ``MUJOCO_GL`` then says. Raises RuntimeError where neither loads.
    """
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if os.environ.get("MUJOCO_GL") or screen or not sys.platform.startswith("linux"):
        return
    for backend in ("egl", "osmesa"):
        if can_draw(backend):
            os.environ["MUJOCO_GL"] = backend
            return
    raise RuntimeError(NO_PICTURES)
