"""Random transitions of the tasks, among them many near the ends of episodes."""

import numpy as np

from mbrl_edu.envs.tasks import TASKS, task

# name -> (component of qpos, where an episode ends); states are put around it
LIMITS = {
    "InvertedPendulum-v5": [(1, -0.2), (1, 0.2)],
    "Hopper-v5": [(1, 0.7), (2, -0.2), (2, 0.2)],
    "Walker2d-v5": [(1, 0.8), (1, 2.0), (2, -1.0), (2, 1.0)],
    "Ant-v5": [(2, 0.2), (2, 1.0)],
    "AntTruncated-v5": [(2, 0.2), (2, 1.0)],
    "Humanoid-v5": [(2, 1.0), (2, 2.0)],
    "HumanoidTruncated-v5": [(2, 1.0), (2, 2.0)],
    "CartPoleSwingUp-v0": [(0, -2.5), (0, 2.5)],  # no end, but where the rail stops
}
# the same for environments that keep their state in ``s``
SMALL_LIMITS = {
    "ContinuousCartPole-v0": [(0, -2.4), (0, 2.4), (2, -0.2094), (2, 0.2094)],
    "Line-v0": [(0, -3.0), (0, 3.0)],
}


def push(name, env, g):
    """Put the environment into a random state, most often near a limit; its s."""
    inner = env.unwrapped
    if name == "InvertedDoublePendulum-v5":  # ends when the tip is 1 m high
        theta = g.choice([-1, 1]) * np.arccos(1 / 1.2) + g.normal(0, 0.05)
        bend = g.normal(0, 0.3)
        qpos = np.array([g.uniform(-1, 1), theta - bend / 2, bend])
        inner.set_state(qpos, g.normal(0, 1, 3))
    elif hasattr(inner, "set_state"):
        qpos, qvel = inner.data.qpos.copy(), inner.data.qvel.copy()
        qvel = qvel + g.normal(0, 1, qvel.shape)
        if name in LIMITS:
            i, limit = LIMITS[name][g.integers(len(LIMITS[name]))]
            qpos[i] = limit + g.normal(0, 0.02)
        inner.set_state(qpos, qvel)
    elif name in SMALL_LIMITS:
        i, limit = SMALL_LIMITS[name][g.integers(len(SMALL_LIMITS[name]))]
        inner.s = g.normal(0, 1, inner.s.shape) * [0.1] * len(inner.s)
        inner.s[i] = limit + g.normal(0, 0.02)
        return inner.s.astype(np.float32)
    elif name == "PilcoCartPole-v0":
        inner.s = g.normal(0, [1, 3, 2, 5])
        return inner.s.astype(np.float32)
    elif name == "Pendulum-v1":
        inner.state = g.uniform([-np.pi, -8], [np.pi, 8])
    else:
        return None
    see = getattr(inner, "_get_obs", None) or inner._observe
    return see().astype(np.float32)


def transitions(name, n, seed):
    """n transitions with uniform actions: s, a, r, s_next, d as float32 arrays, and the
    infos. Every second episode starts in a pushed state and is one step long."""
    env, g = task(name).make(), np.random.default_rng(seed)
    rows, infos = [], []
    s, _ = env.reset(seed=seed)
    pushed, short = False, name in LIMITS or name in SMALL_LIMITS
    while len(rows) < n:
        a = g.uniform(-1, 1, TASKS[name].da).astype(np.float32)
        s_next, r, d, cut, info = env.step(a)
        rows.append((s, a, r, s_next, d))
        infos.append(info)
        s, stop = s_next, d or cut
        if stop or pushed or g.random() < (0.5 if short else 0.05):
            pushed = not pushed
            s, _ = env.reset()
            if pushed:
                at = push(name, env, g)
                s = s if at is None else at
    env.close()
    return *(np.array(x, np.float32) for x in zip(*rows)), infos
