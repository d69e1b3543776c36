"""A finished run acts: in states that it is asked about, and in a film."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mbrl_edu.core import check
from mbrl_edu.experiment import learned
from mbrl_edu.experiment.registry import METHODS, find_task

if TYPE_CHECKING:
    from mbrl_edu.experiment.record import Run

LONGEST = 1_000  # steps of a film where nobody says


def action(run: Run, s: Any) -> Any:
    """See `Run.policy`."""
    if METHODS[run.method].kind == "tabular":
        return _best(run.result.Q, s)
    import torch

    task = run.own or find_task(run.task).task
    given = np.asarray(s, np.float32)
    if given.ndim not in (1, 2) or given.shape[-1] != task.ds:
        raise ValueError(
            f"s has shape {given.shape}, but must have ({task.ds},) or (n, {task.ds})."
        )
    policy = run.learned.policy
    here = learned.of_result(run.result) is not None  # where the run was made
    device = run.manifest["device"] if here else "cpu"
    rows = torch.as_tensor(given.reshape(-1, task.ds), device=device)
    with torch.no_grad():
        found = policy(rows).float().clamp(-1, 1).cpu().numpy()
    return found.reshape(*given.shape[:-1], task.da)


def _best(Q: np.ndarray, s: Any) -> Any:
    """The first of the best actions in the state s, or in each of s (n,)."""
    given = np.asarray(s)
    whole = given.ndim <= 1 and given.dtype.kind in "iu"
    if not whole or np.any((given < 0) | (given >= len(Q))):
        raise ValueError(
            f"s is {s!r}, but must be a state from 0 to {len(Q) - 1}, or a list of "
            "states."
        )
    found = Q[given].argmax(-1)
    return found if given.ndim else int(found)


def film(run: Run, seed: int, steps: int | None, fps: float) -> Any:
    """See `Run.video`."""
    from gymnasium.error import DependencyNotInstalled

    from mbrl_edu.viz import video

    seed = check.integer("seed", seed, low=0)
    most = LONGEST if steps is None else check.integer("steps", steps, low=1)
    env = _with_pictures(run)
    hold = getattr(run.config, "hold", 1)  # steps that an action is kept (PILCO)
    try:
        s, total, done = env.reset(seed=seed)[0], 0.0, False
        frames = [_shot(env)]
        while not done and len(frames) <= most:
            if (len(frames) - 1) % hold == 0:
                a = run.policy(s)
            s, r, d, cut, _ = env.step(a)
            frames.append(_shot(env))
            total, done = total + float(r), bool(d or cut)
    except DependencyNotInstalled as error:
        raise RuntimeError(f"task {run.task} cannot be drawn here: {error}.") from None
    finally:
        env.close()
    title, n = METHODS[run.method].title, len(frames) - 1
    words = f"{title} on {run.task}, seed {run.seed}: {n} steps, return {total:.4g}."
    alt = f"Film of {n} steps of {title}'s greedy policy on {run.task}."
    return video(frames, fps, alt=alt, caption=words)


def _with_pictures(run: Run) -> Any:
    """The run's environment, which draws itself; ValueError where it cannot."""
    import gymnasium

    info = find_task(run.own or run.task)
    plain = info.make(METHODS[run.method].kind)
    plain.close()
    if "rgb_array" not in plain.metadata.get("render_modes", ()):
        raise ValueError(f"task {run.task} has no pictures, so there is no film of it.")
    if METHODS[run.method].kind == "continuous":
        return info.task.make("rgb_array")
    return gymnasium.make(info.name, render_mode="rgb_array")


def _shot(env: Any) -> np.ndarray:
    """The picture of now, at half its size where it is large."""
    shot = env.render()
    return shot[::2, ::2] if min(shot.shape[:2]) >= 400 else shot
