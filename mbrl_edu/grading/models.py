"""Contracts of chapter 3, Learning a model."""

import numpy as np

from mbrl_edu.grading.contract import Wrong, call, compare, contract


def _is(answer, value) -> bool:
    """Whether ``answer`` is this number, a typical mistake."""
    try:
        return bool(np.isclose(float(answer), value, rtol=0, atol=1e-3))
    except (TypeError, ValueError):
        return False


@contract("models.best-variance")
def best_variance(answer):
    """By hand: the constant variance of highest likelihood for errors 1, -1, 2, 0."""
    if _is(answer, 2.0):
        raise Wrong("that divides by 3; maximum likelihood divides by all 4 errors.")
    if _is(answer, 1.5**0.5):
        raise Wrong("that is the standard deviation; the variance is asked for.")
    compare(answer, 1.5, "the errors 1, -1, 2, 0", atol=1e-3)
    return "the mean squared error: (1 + 1 + 4 + 0) / 4."


@contract("models.total-variance")
def total_variance(answer):
    """By hand: Var[y] where one of N(0, 1), N(2, 9) is drawn, each equally often."""
    for value, why in (
        (5.0, "that is the mean of the variances; how far are the means apart?"),
        (1.0, "that is the variance of the means; where is the noise?"),
        (7.0, "the variance of 0 and 2 is 1: divide by 2 members, not by 1."),
        (4.0, "standard deviations were averaged, then squared."),
    ):
        if _is(answer, value):
            raise Wrong(why)
    compare(answer, 6.0, "members N(0, 1) and N(2, 9)", atol=1e-3)
    return "aleatoric (1 + 9) / 2 = 5, epistemic 1."


@contract("models.loss")
def gaussian_loss(answer):
    """loss(mu, raw, y, lmin, lmax) -> mean of (mu - y)^2 exp(-lv) + lv, where lv is raw
    between the soft bounds: first the upper one, then the lower one."""

    def softplus(x):
        return np.logaddexp(0, x)

    def nll(mu, lv, y):
        return float(((mu - y) ** 2 * np.exp(-lv) + lv).mean())

    g = np.random.default_rng(3)
    for scale in (1.0, 8.0):
        mu, y = g.normal(size=(2, 5, 3))
        raw, lmin, lmax = scale * g.normal(size=(5, 3)), -6.0, 0.5
        lv = lmax - softplus(lmax - raw)
        lv = lmin + softplus(lv - lmin)
        right, of = nll(mu, lv, y), f"raw log-variances of size {scale:g}"
        got = call(answer, mu.copy(), raw.copy(), y.copy(), lmin, lmax)
        for value, why in (
            (nll(mu, raw, y), "uses the raw log-variance, without bounds"),
            (nll(mu, np.clip(raw, lmin, lmax), y), "clamps; use two softplus instead"),
            (nll(mu, -lv, y), "has the sign of the log-variance the wrong way round"),
            (right / 2, "is half: this chapter's loss has no factor 1/2"),
            (right * y.size, "is a sum; the mean over all entries is asked for"),
        ):
            if _is(got, value) and abs(value - right) > 1e-2:
                raise Wrong(f"for {of} the result {why}.")
        compare(got, right, of)
    return "the negative log-likelihood, twice, without the constant ln(2 pi)."


@contract("models.posterior")
def gp_posterior(answer):
    """posterior(x, y, x_new, l, sf, sn) -> mean (m,) and variance (m,) of the function
    without noise, kernel sf^2 exp(-(x - x')^2 / (2 l^2)), noise deviation sn."""
    g = np.random.default_rng(4)
    for n, sn in ((3, 0.3), (20, 0.1)):
        x, x_new = np.sort(g.uniform(-2, 2, n)), np.linspace(-3, 3, 7)
        y, l, sf = np.sin(2 * x) + sn * g.normal(size=n), 0.8, 1.3  # noqa: E741

        def kernel(u, v, l=l, sf=sf):  # noqa: E741
            return sf**2 * np.exp(-0.5 * ((u[:, None] - v) / l) ** 2)

        K, k = kernel(x, x) + sn**2 * np.eye(n), kernel(x, x_new)
        mean = k.T @ np.linalg.solve(K, y)
        var = sf**2 - (k * np.linalg.solve(K, k)).sum(0)
        got = call(answer, x.copy(), y.copy(), x_new.copy(), l, sf, sn)
        of = f"{n} points, sn = {sn}"
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Wrong(f"for {of} the result must be a pair: mean and variance.")
        compare(got[0], mean, f"{of}, the mean", atol=1e-6)
        if np.shape(got[1]) == var.shape:
            for value, why in (
                (var + sn**2, "holds the noise; the function itself is asked for"),
                (np.sqrt(np.abs(var)), "is a standard deviation"),
            ):
                if np.allclose(got[1], value, rtol=0, atol=1e-6):
                    raise Wrong(f"for {of} the variance {why}.")
        compare(got[1], var, f"{of}, the variance", atol=1e-6)
    return "far from the data the variance is that of the prior, sf^2."
