"""Between two episodes, the position of the random stream is all that is left."""

import numpy as np
import pytest

from mbrl_edu.envs.state import Between
from mbrl_edu.envs.tasks import TASKS
from mbrl_edu.experiment.checkpoint import pack, unpack


def episode(env, steps=8):
    """States and rewards of the first steps of an episode with fixed actions."""
    rows = [env.reset()[0]]
    for t in range(steps):
        a = np.sin(np.arange(env.action_space.shape[0]) + t)
        s, r, d, cut, _ = env.step(a)
        rows.append(np.append(s, r))
        if d or cut:
            break
    return np.concatenate(rows)


@pytest.mark.parametrize("name", TASKS)
def test_the_next_episode_is_the_same_in_another_environment(name):
    env, other = TASKS[name].make(), TASKS[name].make()
    env.reset(seed=3)
    first = episode(env)
    state = unpack(pack(Between(env).state_dict()))
    second = episode(env)
    other.reset(seed=4)
    episode(other, steps=2)  # in the middle of another episode
    Between(other).load_state_dict(state)
    assert np.array_equal(episode(other), second)
    assert np.array_equal(episode(other), episode(env))
    if "Probe" not in name:
        assert not np.array_equal(first, second)
    env.close()
    other.close()
