"""Agent videos that live inside the page."""

from __future__ import annotations

import base64
import html
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.viz.figure import StaticFigure, asset, check_alt, check_size, markup
from mbrl_edu.viz.frames import check_picture, webp

MISSING = (
    "Video left out: no H.264 encoder was found "
    "(<code>pip install imageio-ffmpeg</code>)."
)


def video(
    frames: Sequence[Any] | np.ndarray,
    fps: float = 30,
    *,
    alt: str,
    crf: int = 26,
    title: str = "",
    caption: str = "",
) -> StaticFigure:
    """Frames as an H.264 film inside the page; it plays when the reader starts it.

    frames : bytes (n, height, width, 3 or 4); 200 frames of 320 x 240 take about 50 kB.
    fps : frames per second. crf : of the encoder, 0 (fine) to 51 (small).
    alt : what the film shows, for readers who cannot see it.

    Where no encoder is found (package ``imageio-ffmpeg``) the figure is one line that
    says so; nothing fails. Raises ValueError for frames of another kind.
    """
    alt = check_alt(alt)
    check.number("fps", fps, low=1, high=120)
    check.integer("crf", crf, low=0, high=51)
    pictures = [np.asarray(f) for f in frames]
    if not pictures:
        raise ValueError("frames is empty, but must have at least one picture.")
    for i, picture in enumerate(pictures):
        check_picture(f"frames[{i}]", picture)
        if picture.shape[:2] != pictures[0].shape[:2]:
            raise ValueError(
                f"frames[{i}] has shape {picture.shape}, but must have the size of the "
                f"first, {pictures[0].shape[:2]}."
            )
    encoder = _encoder()
    if encoder is None:
        return _figure(f"<p>{MISSING}</p>", alt, title, caption)
    raw = _encode(encoder, _even(np.stack([p[..., :3] for p in pictures])), fps, crf)
    check_size(len(raw), "the film")
    height, width = pictures[0].shape[:2]
    return _figure(
        f'<video class="mbrl-img" controls loop muted playsinline preload="auto" '
        f'poster="data:image/webp;base64,{webp(pictures[0], 80)}" '
        f'width="{width}" height="{height}" aria-label="{html.escape(alt)}" '
        f'src="data:video/mp4;base64,{base64.b64encode(raw).decode()}">'
        f"{html.escape(alt)}</video>",
        alt,
        title,
        caption,
    )


def _figure(drawing: str, alt: str, title: str, caption: str) -> StaticFigure:
    parts = [
        f"<style>{asset('base.css', 'players.css')}</style>",
        '<div class="mbrl-film">',
        f'<div class="mbrl-title">{markup(title)}</div>' if title else "",
        f'<div class="mbrl-out">{drawing}</div>',
        f'<div class="mbrl-caption">{markup(caption)}</div>' if caption else "",
        "</div>",
    ]
    return StaticFigure("video", "\n".join(p for p in parts if p), alt)


def _encoder() -> str | None:
    """The ffmpeg program that imageio-ffmpeg brings, or finds; None without one."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


def _even(frames: np.ndarray) -> np.ndarray:
    """H.264 wants even sides: repeat the last row or column where one is odd."""
    _, height, width, _ = frames.shape
    return np.pad(frames, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)], "edge")


def _encode(encoder: str, frames: np.ndarray, fps: float, crf: int) -> bytes:
    _, height, width, _ = frames.shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {fps:g} -i -"
        # One thread and no date: the same frames give the same bytes.
        target = f"-an -c:v libx264 -crf {crf} -preset slow -pix_fmt yuv420p -threads 1"
        flags = "-fflags +bitexact -flags:v +bitexact -movflags +faststart"
        command = [encoder, "-y", "-v", "error", *source.split(), *target.split()]
        done = subprocess.run(
            [*command, *flags.split(), str(path)],
            input=frames.tobytes(),
            capture_output=True,
        )
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"the encoder failed: {reason}")
        return path.read_bytes()
