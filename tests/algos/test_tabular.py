"""The tabular methods against exact values, against each other, and in numbers that
the book prints (margins: four standard errors, or the range over independent sets of
seeds)."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbrl_edu.algos import dyna_q as D
from mbrl_edu.algos import dyna_q_plus as DP
from mbrl_edu.algos import prioritized_sweeping as PS
from mbrl_edu.algos import q_learning as QL
from mbrl_edu.algos import q_planning as QP
from mbrl_edu.core.rng import Streams
from mbrl_edu.envs import Maze
from mbrl_edu.models.tabular import CountModel, LastModel, TimedModel
from mbrl_edu.theory import (
    FiniteMDP,
    expected_steps,
    greedy_policy,
    policy_values,
    value_iteration,
)

GAMMA = 0.95
SMALL = ["S..", ".#.", "..G"]
METHODS = {
    "q_learning": (QL.q_learning, QL.Config),
    "dyna_q": (D.dyna_q, D.Config),
    "dyna_q_plus": (DP.dyna_q_plus, DP.Config),
    "prioritized_sweeping": (PS.prioritized_sweeping, PS.Config),
}


def exact(env):
    return value_iteration(FiniteMDP(*env.tables(), GAMMA))


def same(x, y):
    arrays = zip(vars(x).values(), vars(y).values(), strict=True)
    return all(np.array_equal(a, b) for a, b in arrays)


@pytest.fixture(scope="module")
def maze():
    return Maze()


# ---- exact values ------------------------------------------------------------------


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(["q_learning", "dyna_q", "prioritized_sweeping"]),
    st.integers(0, 999),
    st.floats(0.05, 1),
)
def test_values_stay_between_zero_and_the_optimum(name, seed, alpha):
    """In a deterministic world with r >= 0, Q = 0 grows towards Q* from below."""
    method, Config = METHODS[name]
    env = Maze()
    Q_star, _ = exact(env)
    cfg = Config(episodes=None, steps=2500, alpha=alpha)
    result = method(env, cfg, Streams(seed))
    assert (result.Q >= 0).all() and (result.Q <= Q_star + 1e-12).all()
    assert (result.Q.max() > 0) == (result.rewards.max() > 0)


@pytest.mark.parametrize("name", ["q_learning", "dyna_q", "prioritized_sweeping"])
def test_with_step_size_one_and_full_exploration_Q_is_exact(name):
    method, Config = METHODS[name]
    env = Maze(SMALL)
    cfg = Config(episodes=None, steps=6000, alpha=1.0, eps=1.0)
    Q = method(env, cfg, Streams(0)).Q
    Q_star, _ = exact(env)
    visited = [s for s in range(9) if s not in (4, 8)]  # not the wall, not the goal
    theta = 1e-4 if name == "prioritized_sweeping" else 0
    assert np.abs(Q[visited] - Q_star[visited]).max() <= theta / (1 - GAMMA) + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_q_planning_converges_to_the_exact_values(maze, seed):
    result = QP.q_planning(maze, QP.Config(experience=20_000), Streams(seed))
    assert len(result.model.pairs()) == 46 * 4  # every pair of a nonterminal state
    Q_star, _ = exact(maze)
    free = sorted({s for s, _ in result.model.pairs()})
    assert np.abs(result.Q[free] - Q_star[free]).max() < 1e-4
    assert Q_star[maze.start].max() == pytest.approx(GAMMA**13, abs=1e-12)


def test_q_planning_on_a_slippery_maze_reaches_the_optimum_of_its_model():
    env = Maze(SMALL, slip=0.3)
    cfg = QP.Config(experience=3000, updates=600_000, omega=0.7, alpha=1.0)
    result = QP.q_planning(env, cfg, Streams(1))
    P, r = result.model.tables()
    Q_hat, _ = value_iteration(FiniteMDP(P, r, env.tables()[2], GAMMA))
    free = sorted({s for s, _ in result.model.pairs()})
    learned = np.abs(result.Q[free] - Q_hat[free]).max()
    modelled = np.abs(Q_hat[free] - exact(env)[0][free]).max()
    assert learned < 0.01 < modelled < 0.15  # planning error, then model error


def test_q_planning_runs_the_lectures_three_lines(maze):
    """Replayed by hand, number by number, from the same streams."""
    cfg = QP.Config(experience=300, updates=500, alpha=0.5)
    result = QP.q_planning(maze, cfg, Streams(3))
    rng = Streams(3)
    model, _ = QP.explore(maze, 300, rng)
    u, Q = rng.random("planning").random, np.zeros((54, 4))
    for _ in range(500):
        s, a = model.pairs()[int(u() * len(model.pairs()))]
        (outcome,) = model.counts[s, a]
        r, s_next, d = outcome
        Q[s, a] += 0.5 * (r + GAMMA * (1 - d) * Q[s_next].max() - Q[s, a])
    assert np.allclose(Q, result.Q, atol=1e-15)


# ---- off is base, same seed is same run ---------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_run(maze, name):
    method, Config = METHODS[name]
    cfg = Config(episodes=5)
    assert same(method(maze, cfg, Streams(1)), method(maze, cfg, Streams(1)))
    assert not same(method(maze, cfg, Streams(1)), method(maze, cfg, Streams(2)))


def test_dyna_q_without_planning_is_q_learning(maze):
    off = D.dyna_q(maze, D.Config(n=0), Streams(4))
    assert same(off, QL.q_learning(maze, QL.Config(), Streams(4)))
    assert not same(D.dyna_q(maze, D.Config(n=1), Streams(4)), off)


@pytest.mark.parametrize("n", [0, 5, 50])
def test_dyna_q_plus_without_bonus_is_dyna_q(maze, n):
    base = D.dyna_q(maze, D.Config(n=n), Streams(4))
    off = DP.Config(n=n, kappa=0.0, untried=False)
    assert same(DP.dyna_q_plus(maze, off, Streams(4)), base)
    if n:
        for on in ({"kappa": 1e-3, "untried": False}, {"kappa": 0.0}):
            cfg = DP.Config(n=n, **on)
            assert not same(DP.dyna_q_plus(maze, cfg, Streams(4)), base)


def test_logging_and_watching_change_nothing(maze):
    bare = D.dyna_q(maze, D.Config(episodes=4), Streams(0))
    lines, seen = [], []
    watched = D.dyna_q(
        maze,
        D.Config(episodes=4),
        Streams(0),
        lambda t, m: lines.append((t, m)),
        lambda t, Q: seen.append(t),
    )
    assert same(bare, watched)
    assert [m["length"] for _, m in lines] == bare.lengths.tolist()
    assert [m["return"] for _, m in lines] == [1.0] * 4
    assert lines[-1][0] == bare.lengths.sum() == len(bare.rewards)
    assert seen == list(range(1, len(bare.rewards) + 1))
    assert bare.updates == 51 * len(bare.rewards)


def test_a_run_can_be_stopped_by_steps_and_by_watch(maze):
    full = D.dyna_q(maze, D.Config(episodes=3), Streams(0))
    T = int(full.lengths[0]) + 5
    by_steps = D.dyna_q(maze, D.Config(episodes=None, steps=T), Streams(0))
    by_watch = D.dyna_q(maze, D.Config(), Streams(0), watch=lambda t, Q: t == T)
    assert same(by_steps, by_watch) and len(by_steps.rewards) == T


@pytest.mark.parametrize("id", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_any_discrete_environment_works(id):
    env = gym.make(id, max_episode_steps=100)
    for method, Config in METHODS.values():
        result = method(env, Config(episodes=None, steps=400), Streams(0))
        assert len(result.rewards) == 400 and np.isfinite(result.Q).all()


# ---- the parts ---------------------------------------------------------------------


def test_ties_are_broken_evenly_and_exploration_is_uniform():
    u = Streams(0).random("x").random
    n = 40_000
    greedy = np.bincount([QL.eps_greedy([1, 0, 1, 1], 0, u) for _ in range(n)])
    assert greedy[1] == 0 and np.abs(greedy[[0, 2, 3]] / n - 1 / 3).max() < 0.01
    some = np.bincount([QL.eps_greedy([0, 0, 5, 0], 0.4, u) for _ in range(n)])
    assert np.abs(some / n - [0.1, 0.1, 0.7, 0.1]).max() < 0.01


def test_replay_draws_states_first_then_their_actions():
    """Not uniform over pairs: a state tried once counts as much as one tried often."""
    model = LastModel()
    for s, a in ((0, 0), (0, 1), (0, 2), (7, 3)):
        model.learn(s, a, 0.0, 1, 0.0)
    model.learn(7, 3, 1.0, 2, 1.0)  # the last outcome counts
    u = Streams(0).random("x").random
    drawn = [x[:2] for x in model.replay(30_000, u)]
    share = {pair: drawn.count(pair) / 30_000 for pair in set(drawn)}
    assert share[7, 3] == pytest.approx(1 / 2, abs=0.02)
    assert share[0, 1] == pytest.approx(1 / 6, abs=0.02)
    assert model.outcome[7][3] == (1.0, 2, 1.0) and len(model) == 4


def test_the_bonus_by_hand():
    model = TimedModel(kappa=0.1, n_actions=2)
    model.learn(0, 1, 0.5, 3, 0.0)  # t = 1; (0, 0) was never tried
    for _ in range(8):
        model.learn(3, 0, 0.0, 3, 0.0)  # t = 2 ... 9
    u = Streams(0).random("x").random
    seen = {(s, a): (r, s_next) for s, a, r, s_next, _ in model.replay(200, u)}
    assert seen == {
        (0, 1): (0.5 + 0.1 * 8**0.5, 3),
        (0, 0): (0.1 * 9**0.5, 0),
        (3, 0): (0.0, 3),
        (3, 1): (0.1 * 9**0.5, 3),
    }


def test_counts_by_hand():
    model = CountModel(3, 1)
    for _ in range(3):
        model.learn(0, 0, 1.0, 1, 0.0)
    model.learn(0, 0, 3.0, 2, 1.0)
    P, r = model.tables()
    assert P[0, 0].tolist() == [0, 0.75, 0.25] and r[0, 0] == 1.5
    assert P[1, 0].tolist() == [0, 1, 0] and r[1, 0] == 0
    u = Streams(0).random("x").random
    drawn = [model.sample(0, 0, u)[1] for _ in range(20_000)]
    assert drawn.count(2) / 20_000 == pytest.approx(0.25, abs=0.015)
    with pytest.raises(ValueError, match=r"\(s, a\) is \(2, 0\)"):
        model.sample(2, 0, u)


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ((3, 0, 0.0, 1, 0.0), "s and s_next are 3 and 1, but must be 0 to 2"),
        ((0, 0, 0.0, -1, 0.0), "s and s_next are 0 and -1"),
        ((0, 1, 0.0, 1, 0.0), "a is 1, but must be 0 to 0"),
        ((0, 0, float("nan"), 1, 0.0), "r is nan"),
    ],
)
def test_counts_of_what_the_world_does_not_have_are_refused(outcome, sentence):
    model = CountModel(3, 1)
    with pytest.raises(ValueError, match=sentence):
        model.learn(*outcome)
    assert not model.pairs()
    with pytest.raises(ValueError, match="n_actions is -2"):
        CountModel(3, -2)


def test_the_queue_pops_the_largest_and_keeps_the_higher_priority():
    queue = PS.Queue()
    for P, s in ((0.5, 1), (0.2, 2), (0.9, 2), (0.1, 1), (0.7, 3)):
        queue.push(P, s, 0)
    popped = []
    while queue:
        popped.append(queue.pop()[0])
    assert popped == [2, 3, 1]


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"alpha": 0}, "alpha is 0, but must be a number in"),
        ({"gamma": 1.1}, "gamma is 1.1"),
        ({"eps": -0.1}, "eps is -0.1"),
        ({"n": -1}, "n is -1"),
        ({"episodes": 0}, "episodes is 0"),
        ({"episodes": None}, "episodes and steps are both None"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"kappa": float("nan")}, "kappa is nan"),
    ],
)
def test_bad_settings_are_refused(bad, sentence):
    with pytest.raises(ValueError) as error:
        DP.Config(**bad)
    assert sentence in str(error.value)


def test_continuous_environments_are_refused():
    env = gym.make("MountainCarContinuous-v0")
    with pytest.raises(ValueError, match="env.observation_space is Box"):
        QL.q_learning(env, QL.Config(), Streams(0))


# ---- the numbers of the chapter -----------------------------------------------------

SEEDS = range(1000, 1100)  # not those of the stored runs


@pytest.fixture(scope="module")
def curves(maze):
    def lengths(n):
        cfg = D.Config(n=n)
        return np.array([D.dyna_q(maze, cfg, Streams(s)).lengths for s in SEEDS])

    return {n: lengths(n) for n in (0, 5, 50)}


def test_the_first_episode_is_a_random_walk_and_the_same_for_every_n(maze, curves):
    first = curves[0][:, 0]
    assert (first == curves[5][:, 0]).all() and (first == curves[50][:, 0]).all()
    free = (maze.grid != "#").ravel()
    P, r, rho0 = maze.tables()
    P, r, rho0 = P[np.ix_(free, range(4), free)], r[free], rho0[free]
    goal = (maze.grid == "G").ravel()[free]
    walk = FiniteMDP(P, r, rho0, GAMMA)
    mean = rho0 @ expected_steps(walk, np.full(r.shape, 0.25), goal)
    assert mean == pytest.approx(868.7, abs=0.05)
    assert abs(first.mean() - mean) < 4 * first.std() / len(first) ** 0.5


def test_more_planning_takes_fewer_episodes(curves):
    reached = {n: int(np.argmax(x.mean(0) <= 25)) + 1 for n, x in curves.items()}
    assert 20 <= reached[0] <= 28 and 5 <= reached[5] <= 7 and 3 <= reached[50] <= 4
    early = {n: x[:, 1:5].sum(1) for n, x in curves.items()}
    assert (early[50] < early[5]).all() and (early[5] < early[0]).all()
    assert all(x[:, 40:].mean() < 20 for x in curves.values())


def test_halfway_through_the_second_episode(maze, curves):
    """States whose four action values are not all the same (S&B Figure 8.3)."""
    unequal = {0: [], 50: []}
    for n in unequal:
        for seed, (first, second) in zip(SEEDS, curves[n][:, :2], strict=True):
            cfg = D.Config(n=n, episodes=None, steps=int(first + second // 2))
            Q = D.dyna_q(maze, cfg, Streams(seed)).Q
            unequal[n].append(int((np.ptp(Q, axis=1) > 0).sum()))
    assert set(unequal[0]) == {1}
    assert np.mean(unequal[50]) > 15 and min(unequal[50]) > 1


def test_the_best_eps_greedy_policy_takes_15_9_steps(maze):
    P, r, rho0 = maze.tables()
    mdp = FiniteMDP(P, r, rho0, GAMMA)
    Q, _ = value_iteration(mdp)
    pi = 0.9 * greedy_policy(Q, tol=1e-9) + 0.1 / 4
    free = (maze.grid != "#").ravel()
    small = FiniteMDP(P[np.ix_(free, range(4), free)], r[free], rho0[free], GAMMA)
    goal = (maze.grid == "G").ravel()[free]
    steps = rho0[free] @ expected_steps(small, pi[free], goal)
    assert steps == pytest.approx(15.878, abs=5e-4)
    assert policy_values(mdp, pi)[maze.start] < GAMMA**13


def runs(method, Config, name, seeds, **options):
    env = gym.make(f"mbrl_edu/{name}")
    cfg = Config(episodes=None, alpha=1.0, **options)
    return [method(env, cfg, Streams(s)) for s in seeds]


def test_blocking_maze():
    """Has an episode that began after the change reached the goal by step 3000?"""

    def recovered(result):
        ends = result.lengths.cumsum()
        return bool((ends - result.lengths >= 1000).any())

    both = {"n": 10, "steps": 3000, "seeds": range(20)}
    plain = runs(D.dyna_q, D.Config, "BlockingMaze-v0", **both)
    plus = runs(DP.dyna_q_plus, DP.Config, "BlockingMaze-v0", kappa=1e-4, **both)
    assert all(map(recovered, plus)) and sum(map(recovered, plain)) <= 15
    total = [np.mean([x.rewards.sum() for x in y]) for y in (plain, plus)]
    assert total[1] > 1.5 * total[0]


def test_shortcut_maze():
    both = {"n": 50, "steps": 6000, "seeds": range(6)}
    plain = runs(D.dyna_q, D.Config, "ShortcutMaze-v0", **both)
    plus = runs(DP.dyna_q_plus, DP.Config, "ShortcutMaze-v0", kappa=1e-3, **both)
    uses = [sum(x.rewards[-1000:].mean() > 1 / 13 for x in y) for y in (plain, plus)]
    assert uses == [0, 6]


def updates_until_good(method, cfg, maze, seed):
    """Planning updates until the greedy path from S takes at most 16 steps."""
    moves = maze._moves[0]

    def good(t, Q):
        s, length = maze.start, 0
        while s not in maze.goals and length <= 16 and max(Q[s]) > 0:
            s, length = moves[s][Q[s].index(max(Q[s]))], length + 1
        return s in maze.goals

    return method(maze, cfg, Streams(seed), watch=good).updates


def test_prioritized_sweeping_needs_several_times_fewer_updates(maze):
    seeds = range(20)
    swept = [
        updates_until_good(PS.prioritized_sweeping, PS.Config(alpha=0.5), maze, s)
        for s in seeds
    ]
    drawn = [
        updates_until_good(D.dyna_q, D.Config(n=5, alpha=0.5), maze, s) for s in seeds
    ]
    assert np.mean(drawn) > 3 * np.mean(swept)
