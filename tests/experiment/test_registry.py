import dataclasses
import inspect
import subprocess
import sys

import gymnasium
import pytest

from mbrl_edu.envs import tasks
from mbrl_edu.experiment import registry
from mbrl_edu.experiment.nearest import nearest


@pytest.mark.parametrize("name", list(registry.METHODS))
def test_every_method_has_a_config_with_defaults_and_a_train_function(name):
    method = registry.find_method(name)
    assert method.config() == method.config()
    names = list(inspect.signature(method.train).parameters)
    assert names[1:4] == ["cfg", "rng", "log"]
    assert method.kind == "tabular" or "checkpoint" in names
    assert method.page in registry.PAGES.values()


@pytest.mark.parametrize("name", list(registry.TASKS))
def test_every_task_can_be_made_with_and_without_prefix(name):
    assert registry.find_task(name) == registry.find_task(name.split("/")[-1])
    task = registry.find_task(name)
    learner = {"tabular": "dyna_q", "continuous": "pets"}[task.kinds[0]]
    env = registry.make_env(registry.METHODS[learner], task)
    env.reset(seed=0)
    env.close()


def test_a_task_of_the_table_is_found_by_itself_and_another_is_the_callers_own():
    known = tasks.task("Line-v0")
    assert registry.find_task(known) == registry.find_task("Line-v0")
    assert registry.find_task(tasks.task("Swimmer-v5")).name == "Swimmer-v5"
    other = dataclasses.replace(known, horizon=5)
    info = registry.find_task(other)
    assert info.task is other and info.kinds == ("continuous",)
    with pytest.raises(ValueError, match="dyna_q is tabular and cannot learn"):
        registry.make_env(registry.METHODS["dyna_q"], info)
    with pytest.raises(ValueError, match="task is 3, but must be a name or a Task"):
        registry.find_task(3)


@pytest.mark.parametrize(
    ("typed", "meant"), [("dynaq", "dyna_q"), ("q_lerning", "q_learning")]
)
def test_unknown_method_names_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"unknown method '{typed}'.*{meant}"):
        registry.find_method(typed)


def test_spelling_with_hyphens_and_capitals_is_forgiven():
    assert registry.find_method("Dyna-Q-plus").name == "dyna_q_plus"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("DynMaze", "DynaMaze-v0"), ("mbrl_edu/ShortMaze-v0", "ShortcutMaze-v0")]
    + [("FrozenLke-v1", "FrozenLake-v1")],
)
def test_unknown_task_names_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"unknown task.*{meant}"):
        registry.find_task(typed)


def test_something_far_from_every_name_lists_what_there_is():
    with pytest.raises(ValueError, match="unknown method 'xyzzy': (it|none of)"):
        registry.find_method("xyzzy")
    known = ["dyna_q", "q_planning"]
    assert nearest("xyzzy", known) == "it must be one of dyna_q, q_planning."
    many = [f"name{i}" for i in range(99)]
    assert nearest("xyzzy", many) == "none of the 99 known names is near it."


def test_any_discrete_gymnasium_environment_is_a_tabular_task():
    task = registry.find_task("FrozenLake-v1")
    registry.make_env(registry.METHODS["dyna_q"], task).close()


@pytest.mark.parametrize("name", ["CartPole-v1", "Blackjack-v1"])
def test_spaces_that_are_not_discrete_are_refused(name):
    task = registry.find_task(name)
    with pytest.raises(ValueError, match=f"{name} has observations .*Discrete"):
        registry.make_env(registry.METHODS["dyna_q"], task)


def test_discrete_from_one_is_refused():
    class Odd(gymnasium.Env):
        observation_space = gymnasium.spaces.Discrete(3)
        action_space = gymnasium.spaces.Discrete(2, start=1)

    gymnasium.register("OddEnv-v0", Odd)
    try:
        with pytest.raises(ValueError, match="OddEnv-v0 has actions .*from 0"):
            registry.make_env(
                registry.METHODS["dyna_q"], registry.find_task("OddEnv-v0")
            )
    finally:
        del gymnasium.registry["OddEnv-v0"]


def test_kinds_must_agree(fake):
    deep = registry.TaskInfo("FrozenLake-v1", "", ("deep",))
    with pytest.raises(ValueError, match="fake is tabular .* for deep methods"):
        registry.make_env(fake, deep)


def test_importing_the_room_and_its_listing_stays_light():
    code = (
        "import sys, mbrl_edu.experiment, mbrl_edu.experiment.registry as r\n"
        "import mbrl_edu.experiment.run, mbrl_edu.experiment.sweep\n"
        "import mbrl_edu.experiment.stats, mbrl_edu.experiment.plots\n"
        "import mbrl_edu.experiment.studies, mbrl_edu.experiment.claims\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'joblib', 'scipy', 'tqdm'}\n"
        "heavy |= {'tensorboard', 'distributed', 'ray'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
