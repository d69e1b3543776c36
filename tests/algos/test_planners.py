"""Random shooting, CEM and MPPI against exact plans, exact moments and by hand."""

import numpy as np
import pytest
import torch
from scipy import stats

from mbrl_edu.algos import cem, mppi, random_shooting
from mbrl_edu.algos.cem import CEM, coloured, shifted, truncated
from mbrl_edu.algos.mppi import MPPI, weights
from mbrl_edu.algos.random_shooting import RandomShooting
from mbrl_edu.envs import lqr
from mbrl_edu.imagine.plan import Config, Imagination
from mbrl_edu.models.oracle import Oracle

H, CALLS = 15, 2000
PLANNERS = {
    "random_shooting": lambda: RandomShooting(random_shooting.Config(CALLS)),
    "cem": lambda: CEM(cem.Config(CALLS // 5, iterations=5)),
    "icem": lambda: CEM(cem.icem(cem.Config(CALLS // 5, iterations=5))),
    "mppi": lambda: MPPI(mppi.Config(CALLS // 5, iterations=5)),
}


def g(seed=0):
    return torch.Generator().manual_seed(seed)


# Against the exact optimum of a linear-quadratic problem


class Exact:
    """n point masses with the true dynamics as model, and what is best from s."""

    def __init__(self, n):
        self.n, self.system = n, lqr.point_masses(n)
        model = Oracle(2 * n, n, self.system.dynamics, self.system.reward)
        self.imagine = Imagination(model, Config("E", gamma=self.system.gamma))
        self.calls = 0

    def starts(self, seeds):
        """Corners of the box in which episodes begin."""
        for seed in range(seeds):
            signs = np.random.default_rng(seed).choice([-1, 1], 2 * self.n)
            yield seed, torch.tensor(signs * np.repeat([0.8, 0.2], self.n))

    def evaluate(self, s):
        def worth(plans):
            self.calls += len(plans)
            return self.imagine(s, plans.double(), g())

        return worth

    def gap(self, planner, s, seed):
        """How far the plan is from the best of its length, as a share of its worth."""
        plan = planner(self.evaluate(s), H, self.n, g(seed))
        best = -(s @ torch.tensor(self.system.finite(H)[1]) @ s)
        found = self.imagine(s, plan[None].double(), g())[0]
        assert plan.shape == (H, self.n) and plan.abs().max() <= 1
        assert found <= best + 1e-9  # nothing is better than the exact optimum
        return ((best - found) / best.abs()).item()

    def gaps(self, name, seeds=10):
        return np.array(
            [self.gap(PLANNERS[name](), s, seed) for seed, s in self.starts(seeds)]
        )


@pytest.mark.parametrize(
    ("name", "n", "margin"),
    [
        # shares of the optimum; about twice the worst of 10 seeds when written
        ("cem", 1, 0.005),
        ("cem", 3, 0.04),
        ("icem", 1, 0.03),
        ("icem", 3, 0.07),
        ("mppi", 1, 0.015),
        ("mppi", 3, 0.06),
    ],
)
def test_planners_come_close_to_the_exact_plan(name, n, margin):
    assert Exact(n).gaps(name).max() < margin


@pytest.mark.parametrize("n", [1, 3])
def test_at_equal_model_calls_random_shooting_is_far_worse_than_cem(n):
    exact = Exact(n)
    shooting, calls = exact.gaps("random_shooting"), exact.calls
    refined = exact.gaps("cem")
    assert exact.calls - calls <= calls == 10 * CALLS
    assert (shooting > 10 * refined).all()


def test_more_rounds_come_closer():
    exact = Exact(1)
    for seed, s in exact.starts(3):
        few, many = (exact.gap(CEM(cem.Config(iterations=i)), s, seed) for i in (2, 12))
        assert many < few / 5 and many < 2e-4


def test_replanning_at_every_step_is_nearly_optimal_for_ever():
    """MPC with CEM against the exact policy without end: V(s0), discounted."""
    exact = Exact(1)
    system = exact.system
    K = system.optimal_gain()
    for seed, s in exact.starts(2):
        best, planner, generator = system.V(s, K), CEM(cem.Config(100, 10, 10)), g(seed)
        total = 0.0
        for t in range(100):
            a = planner(exact.evaluate(s), 20, 1, generator)[0].double()
            s_next = system.dynamics(s, a)
            total += system.gamma**t * system.reward(s, a, s_next).item()
            s = s_next
        assert total <= best + 1e-9
        assert (best - total) / abs(best) < 0.03


# Sampling


def test_truncated_draws_have_the_moments_of_the_cut_normal_law():
    mean, var = torch.tensor([[0.0], [0.5], [-0.9]]), torch.full((3, 1), 0.09)
    x = truncated(40_000, mean, var, g())
    assert x.shape == (40_000, 3, 1)
    for i, sd in enumerate([0.3, 0.25, 0.05]):  # the middle of both limits, see below
        law = stats.truncnorm(-2, 2, loc=mean[i, 0].item(), scale=sd)
        drawn = x[:, i, 0].numpy()
        assert abs(drawn - mean[i].item()).max() <= 2 * sd + 1e-6
        assert stats.kstest(drawn, law.cdf).pvalue > 1e-3
        assert drawn.var() == pytest.approx(0.7737 * sd**2, rel=0.03)


@pytest.mark.parametrize("at", [-1.0, -0.99, 0.0, 0.999, 1.0])
def test_truncated_draws_stay_inside_and_off_the_bounds(at):
    mean, var = torch.full((4, 2), at), torch.full((4, 2), 0.25)
    x = truncated(5000, mean, var, g())
    assert x.abs().max() <= 1
    if abs(at) < 1:
        assert (x.abs() == 1).double().mean() < 0.01  # nothing piles up there
    else:
        assert (x == at).all()  # no room on one side leaves none on the other


@pytest.mark.parametrize("length", [1, 2, 15, 30])
@pytest.mark.parametrize("beta", [0.0, 2.0, 4.0])
def test_coloured_noise_has_unit_variance_at_every_step(beta, length):
    x = coloured(20_000, length, 2, beta, g())
    assert x.shape == (20_000, length, 2)
    assert x.mean((0, 2)).abs().max() < 5 / 40_000**0.5
    assert (x.var((0, 2)) - 1).abs().max() < 5 * (2 / 40_000) ** 0.5


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.5])
def test_coloured_noise_has_its_colour(beta):
    x = coloured(20_000, 64, 1, beta, g())[..., 0]
    power = torch.fft.rfft(x).abs().square().mean(0)[1:-1].log().numpy()
    slope = stats.linregress(np.log(np.arange(1, 32)), power).slope
    assert slope == pytest.approx(-beta, abs=0.03)


# CEM by hand


def rounds(planner, evaluate, horizon=3, seed=0):
    seen = []
    plan = planner(evaluate, horizon, 1, g(seed), watch=lambda *x: seen.append(x))
    return plan, seen


def toy(plans):
    return -(plans - 0.4).square().sum((1, 2))


def test_cem_smooths_towards_the_elites_and_returns_the_mean():
    planner = CEM(cem.Config(50, 7, 3, alpha=0.3))
    plan, seen = rounds(planner, toy)
    mean, var = torch.zeros(3, 1), torch.full((3, 1), 0.25)
    for i, (number, plans, worth, new_mean, new_var) in enumerate(seen):
        assert number == i and plans.shape == (50, 3, 1)
        elites = plans[worth.argsort(descending=True)[:7]]
        mean = 0.3 * mean + 0.7 * elites.mean(0)
        var = 0.3 * var + 0.7 * elites.var(0, correction=0)
        assert torch.allclose(mean, new_mean) and torch.allclose(var, new_var)
    assert len(seen) == 3 and (plan == seen[-1][3]).all()


def test_cem_starts_at_the_last_plan_one_step_later_with_a_zero():
    planner = CEM(cem.Config(tol=0.25))  # the start variance is small enough: no round
    planner.mean = torch.tensor([[0.1], [0.2], [0.3]])
    planner.kept = torch.zeros(0, 3, 1)
    assert planner(toy, 3, 1, g()).flatten().tolist() == pytest.approx([0.2, 0.3, 0.0])
    planner.reset()
    assert planner(toy, 3, 1, g()).flatten().tolist() == [0.0, 0.0, 0.0]
    assert shifted(torch.arange(6.0).view(2, 3, 1))[1].flatten().tolist() == [4, 5, 0]


def test_cem_resets_the_variance_at_every_call():
    planner = CEM(cem.Config(2000, 20, 6))
    rounds(planner, lambda plans: -plans.square().sum((1, 2)))  # stays in the middle
    _, seen = rounds(planner, toy, seed=1)
    assert seen[0][1].var() == pytest.approx(0.7737 * 0.25, rel=0.05)


def test_cem_stops_when_nothing_varies_any_more():
    planner = CEM(cem.Config(400, 40, 50, tol=1e-3))
    _, seen = rounds(planner, toy)
    assert 2 < len(seen) < 50
    assert seen[-1][4].max() <= 1e-3 < seen[-2][4].max()


def test_icem_keeps_elites_draws_fewer_and_returns_the_best():
    cfg = cem.icem(cem.Config(100, 10, 4))
    plan, seen = rounds(CEM(cfg), toy)
    assert [len(x[1]) for x in seen] == [100, 80 + 3, 64 + 3, 51 + 3 + 1]
    for before, now in zip(seen, seen[1:]):
        best = before[1][before[2].argsort(descending=True)[:3]]
        assert all((now[1] == kept).all((1, 2)).any() for kept in best)
    assert (seen[-1][1][-1] == seen[-2][3]).all()  # the mean is a candidate at the end
    assert toy(plan[None])[0] == max(x[2].max() for x in seen)


def test_a_kept_plan_comes_back_one_step_later():
    planner = CEM(cem.icem(cem.Config(50, 10, 2)))
    _, seen = rounds(planner, toy)
    top = seen[-1][1][seen[-1][2].argsort(descending=True)[:3]]
    _, seen = rounds(planner, toy, seed=1)
    assert all((seen[0][1] == kept).all((1, 2)).any() for kept in shifted(top))


def test_a_new_horizon_forgets_the_last_plan():
    for name in ("cem", "icem", "mppi"):
        planner = PLANNERS[name]()
        planner(toy, 3, 1, g())
        fresh = PLANNERS[name]()(toy, 5, 1, g(1))
        assert (planner(toy, 5, 1, g(1)) == fresh).all()


# The others by hand


def test_random_shooting_returns_the_best_of_uniform_plans():
    seen = []

    def watched(plans):
        seen.append(plans)
        return toy(plans)

    plan = RandomShooting(random_shooting.Config(5000))(watched, 2, 1, g())
    (plans,) = seen
    assert plans.shape == (5000, 2, 1)
    assert stats.kstest(plans.flatten(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert (plan == plans[toy(plans).argmax()]).all()


def test_mppi_weights_by_hand():
    values = torch.tensor([1.0, 3.0, -torch.inf, 2.0], dtype=torch.float64)
    spread = (2 / 3) ** 0.5
    raw = torch.tensor([1.0, 3.0, 0.0, 2.0]).double().div(0.5 * spread).exp()
    raw[2] = 0
    assert torch.allclose(weights(values, 0.5), raw / raw.sum())
    assert weights(values, 1e-3).tolist() == pytest.approx([0, 1, 0, 0])
    moved = weights(100 + 7 * values, 0.5)  # neither unit nor offset matters
    assert torch.allclose(moved, weights(values, 0.5))


@pytest.mark.parametrize("value", [5.0, -torch.inf])
def test_mppi_takes_the_mean_where_all_are_worth_the_same(value):
    assert weights(torch.full((4,), value), 0.2).tolist() == [0.25] * 4


def test_mppi_moves_the_mean_by_weighted_plans():
    seen = []

    def watched(plans):
        seen.append(plans)
        return toy(plans)

    planner = MPPI(mppi.Config(3000, 1, sigma=0.3, smooth=0.6))
    plan = planner(watched, 4, 1, g())
    w = weights(toy(seen[0]), 0.2)
    assert torch.allclose(plan, (w[:, None, None] * seen[0]).sum(0), atol=1e-6)
    x = seen[0][..., 0]
    assert x.std(0).sub(0.3).abs().max() < 0.02  # clipped at 3.3 deviations
    step = np.corrcoef(x[:, 0], x[:, 1])[0, 1]
    assert step == pytest.approx(0.6, abs=5 * (1 - 0.36) / 3000**0.5)
    planner(watched, 4, 1, g(1))
    assert seen[1].mean(0).sub(shifted(plan)).abs().max() < 5 * 0.3 / 3000**0.5


# All of them


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_plans_that_are_worth_no_number_lose(name, bad):
    """Half of all plans are broken, among them those that would be best."""
    seen = []

    def worth(plans):
        broken = plans[:, 0, 0] > 0
        seen.append(plans)
        return torch.where(broken, bad, plans[:, 0, 0] - 5)

    plan = PLANNERS[name]()(worth, 2, 1, g())
    assert plan.isfinite().all() and -0.5 < plan[0, 0] <= 0


@pytest.mark.parametrize("refine", [lambda c: c, cem.icem], ids=["cem", "icem"])
def test_elites_are_plans_with_a_worth_even_if_these_are_few(refine):
    """Fewer plans have a worth than there are elites: 4 % of the first round, all of
    them below -0.8, the larger the better. The others would pull the mean to 0."""
    for seed in range(10):
        planner, found = CEM(refine(cem.Config(200, 40, 5, tol=0.0))), []

        def worth(plans, found=found):
            fine = plans[:, 0, 0] < -0.8
            found.append(fine.sum())
            return torch.where(fine, plans[:, 0, 0], torch.nan)

        plan = planner(worth, 1, 1, g(seed))
        assert 0 < found[0] < 40 and plan[0, 0] < -0.8, seed


def test_a_round_without_a_worth_changes_nothing():
    planner, seen = CEM(cem.Config(20, 5, 3)), []
    planner(
        lambda p: torch.full((len(p),), torch.nan),
        3,
        1,
        g(),
        lambda i, plans, values, mean, var: seen.append((mean, var)),
    )
    assert len(seen) == 3
    for mean, var in seen:
        assert (mean == 0).all() and (var == cem.START).all()
    assert planner.kept.shape == (0, 3, 1)


@pytest.mark.parametrize("name", PLANNERS)
def test_where_all_plans_are_broken_there_is_still_an_action(name):
    planner = PLANNERS[name]()
    for seed in range(2):
        plan = planner(lambda p: torch.full((len(p),), torch.nan), 3, 2, g(seed))
        assert plan.isfinite().all() and plan.abs().max() <= 1


@pytest.mark.parametrize("name", PLANNERS)
def test_same_generator_same_plans_and_reset_forgets(name):
    planner = PLANNERS[name]()
    first = [planner(toy, 4, 1, stream) for stream in [g()] * 2]
    planner.reset()
    again = [planner(toy, 4, 1, stream) for stream in [g()] * 2]
    assert all((a == b).all() for a, b in zip(first, again))
    assert (first[0] != PLANNERS[name]()(toy, 4, 1, g(5))).any()


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("horizon", "da", "bad"), [(0, 1, "H is 0"), (2, 0, "da is 0")]
)
def test_an_empty_plan_is_refused(name, horizon, da, bad):
    with pytest.raises(ValueError, match=bad):
        PLANNERS[name]()(toy, horizon, da, g())


@pytest.mark.parametrize(
    ("module", "values", "sentence"),
    [
        (random_shooting, {"N": 0}, "N is 0"),
        (cem, {"N": 0}, "N is 0"),
        (cem, {"N": 5, "top": 6}, "top is 6"),
        (cem, {"top": 0}, "top is 0"),
        (cem, {"iterations": 0}, "iterations is 0"),
        (cem, {"alpha": 1.0}, "alpha is 1.0"),
        (cem, {"colour": -1.0}, "colour is -1.0"),
        (cem, {"keep": 1.5}, "keep is 1.5"),
        (cem, {"decay": 0.9}, "decay is 0.9"),
        (cem, {"tol": float("nan")}, "tol is nan"),
        (mppi, {"N": 0}, "N is 0"),
        (mppi, {"iterations": 0}, "iterations is 0"),
        (mppi, {"sigma": 0.0}, "sigma is 0.0"),
        (mppi, {"smooth": 1.0}, "smooth is 1.0"),
        (mppi, {"temperature": 0.0}, "temperature is 0.0"),
    ],
)
def test_bad_settings_are_refused(module, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        module.Config(**values)
