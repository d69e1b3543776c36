"""Moments of maps of Gaussians, against a million draws and finite differences."""

import math

import numpy as np
import pytest
import torch

from mbrl_edu.models.gp import GP
from mbrl_edu.models.layout import Angles, Layout, no_reward
from mbrl_edu.models.moments import Gaussian, radial, saturating
from mbrl_edu.models.moments_chain import joint, moved
from mbrl_edu.models.moments_process import Process
from mbrl_edu.models.moments_waves import sine, squash, squashed, with_angles

DRAWS = 1_000_000
DS, DX, N = 2, 3, 15


def normal(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def gaussian(d, scale=0.4, seed=1):
    root = scale * normal(d, d, seed=seed)
    return Gaussian(0.3 * normal(d, seed=seed + 1), root @ root.T + 0.02 * torch.eye(d))


def draws(x, seed=2):
    return x.m + normal(DRAWS, len(x.m), seed=seed) @ torch.linalg.cholesky(x.S).T


def process(noise=0.1):
    """A GP with three outputs; its data are noise, so that no moment is simple."""
    model = GP(Layout(DS, DX - DS, reward=no_reward))
    theta = 0.2 * normal(DS, DX + 2, seed=5)
    theta[:, -1] = math.log(noise)
    model.condition(normal(N, DX, seed=3), normal(N, DS, seed=4), theta)
    return model


def agree(x, out, z, y, sd=6.0):
    """Mean, covariance and cov(x, y) = S J of ``out`` are those of the draws, within
    ``sd`` standard errors."""
    f, J = out
    n = len(z)
    zc, yc = z - z.mean(0), y - y.mean(0)
    se = yc.std(0) / n**0.5
    assert ((f.m - y.mean(0)).abs() < sd * se).all()
    for found, a, b in ((f.S, yc, yc), (x.S @ J, zc, yc)):
        for i in range(a.shape[1]):
            products = a[:, i : i + 1] * b
            se = products.std(0) / n**0.5
            assert ((found[i] - products.mean(0)).abs() < sd * se + 1e-12).all()


def test_the_gaussian_process_against_a_million_draws():
    x, model = gaussian(DX), process()
    z = draws(x)
    mean, var = model.latent(z)
    sn2 = (2 * model.theta[:, -1]).exp()
    y = mean + (var + sn2).sqrt() * normal(DRAWS, DS, seed=6)
    out = Process(model)(x)
    agree(x, out, z, y)
    wide = out[0].S.diagonal() - sn2  # the uncertainty of the function counts ...
    assert (wide > var.mean(0) * 1.05).all()  # ... and so does that of x


def test_without_uncertainty_it_is_the_posterior():
    model, m = process(), normal(DX, seed=8)
    f, J = Process(model)(Gaussian(m, torch.zeros(DX, DX, dtype=torch.float64)))
    at = m[None].requires_grad_()
    mean, var = model.latent(at)
    assert torch.allclose(f.m, mean[0], atol=1e-10)
    sn2 = (2 * model.theta[:, -1]).exp()
    # given x, outputs are independent
    assert torch.allclose(f.S, torch.diag(var[0] + sn2), atol=1e-8)
    slopes = [torch.autograd.grad(y, at, retain_graph=True)[0][0] for y in mean[0]]
    assert torch.allclose(J, torch.stack(slopes, 1), atol=1e-10)


def test_a_little_uncertainty_is_linearisation():
    model, m, tiny = process(), normal(DX, seed=8), 1e-6
    S = tiny * gaussian(DX).S
    run = Process(model)
    f, J = run(Gaussian(m, S))
    still, _ = run(Gaussian(m, torch.zeros_like(S)))
    change = f.S - still.S
    off = ~torch.eye(DS, dtype=torch.bool)
    assert torch.allclose(change[off], (J.T @ S @ J)[off], atol=0.02 * tiny)


def test_far_from_the_data_it_is_the_prior():
    model = process()
    far = Gaussian(torch.full((DX,), 100.0).double(), torch.eye(DX).double())
    f, J = Process(model)(far)
    prior = (2 * model.theta[:, -2]).exp() + (2 * model.theta[:, -1]).exp()
    assert torch.allclose(f.m, torch.zeros(DS).double())
    assert torch.allclose(f.S, torch.diag(prior)) and torch.allclose(J, 0 * J)


def of_all(function, make):
    """``function`` of everything that must be differentiable: mean and a root of S."""

    def call(m, root, *others):
        S = root @ root.T + 0.1 * torch.eye(len(m), dtype=torch.float64)
        f, J = function(Gaussian(m, S), *others)
        return f.m, f.S, J

    return torch.autograd.gradcheck(call, [x.clone().requires_grad_() for x in make])


def test_gradients_against_finite_differences():
    m, root = normal(DX, seed=1), 0.4 * normal(DX, DX, seed=2)
    assert of_all(Process(process()), (m, root))
    assert of_all(squash, (m, root)) and of_all(sine, (m, root))
    assert of_all(lambda x: with_angles(x, (0, 2)), (m, root))
    c, w = normal(6, DX, seed=3), normal(2, 6, seed=4)
    assert of_all(radial, (m, root, c, normal(DX, seed=5).abs() + 0.5, w))

    A, b = normal(2, DX, seed=6).numpy(), normal(2, seed=7).numpy()

    def worth(m, root):
        x = Gaussian(m, root @ root.T)
        return saturating(x, 0.7), saturating(x, 1.5, A, b)

    assert torch.autograd.gradcheck(worth, [m.requires_grad_(), root.requires_grad_()])


def test_the_chain_of_a_linear_step():
    """s -> f -> a and (f, a) -> y, all of them linear, against plain products."""
    d, df, da = 3, 4, 2
    s = gaussian(d)
    to_f, to_a, to_y = normal(d, df), normal(df, da, seed=1), normal(df + da, d, seed=2)
    f = Gaussian(s.m @ to_f, to_f.T @ s.S @ to_f)
    a = Gaussian(f.m @ to_a, to_a.T @ f.S @ to_a)
    x = joint(f, a, to_a)
    all_x = torch.cat([to_f, to_f @ to_a], 1)
    assert torch.allclose(x.m, s.m @ all_x)
    assert torch.allclose(x.S, all_x.T @ s.S @ all_x)
    y = Gaussian(x.m @ to_y, to_y.T @ x.S @ to_y)
    s_next = moved(s, to_f, to_a, y, to_y)
    step = torch.eye(d) + all_x @ to_y
    assert torch.allclose(s_next.m, s.m @ step)
    assert torch.allclose(s_next.S, step.T @ s.S @ step)

    def whole(m, root, to_f, to_a, to_y):
        s, f, a = (Gaussian(m[:k], root[:k] @ root[:k].T) for k in (d, df, da))
        return *joint(f, a, to_a), *moved(s, to_f, to_a, s, to_y)

    given = normal(df, seed=3), normal(df, df, seed=4), to_f, to_a, to_y
    assert torch.autograd.gradcheck(whole, [x.requires_grad_() for x in given])


def test_angles_and_squashing_against_a_million_draws():
    x = gaussian(4, scale=0.6)
    z = draws(x)
    agree(x, with_angles(x, (1, 3)), z, Angles((1, 3))(z))
    agree(x, with_angles(x, ()), z, z)
    agree(x, squash(x), z, squashed(z))
    agree(x, sine(x), z, z.sin())


def test_squashing_stays_within_its_bounds():
    x = torch.linspace(-50, 50, 10_001, dtype=torch.float64)
    assert squashed(x).abs().max() <= 1.0
    assert squashed(torch.tensor([torch.pi / 2])).item() == pytest.approx(1.0)
    wide = Gaussian(torch.tensor([0.3]).double(), torch.tensor([[1e6]]).double())
    f, slope = squash(wide)  # uniform on the circle: variance (81 + 1) / 128
    assert f.m.abs() < 1e-12 and slope.abs() < 1e-12
    assert f.S.item() == pytest.approx(82 / 128)


def test_radial_basis_functions_against_a_million_draws():
    x = gaussian(2, scale=0.5)
    c, w, l = normal(5, 2, seed=3), normal(2, 5, seed=4), torch.tensor([0.7, 1.2])  # noqa: E741
    z = draws(x)
    y = sum(
        w[:, i] * (-0.5 * ((z - c[i]) / l).square().sum(1)).exp()[:, None]
        for i in range(5)
    )
    agree(x, radial(x, c, l.double(), w), z, y)


def test_saturating_reward_against_a_million_draws():
    x = gaussian(3, scale=0.6)
    r = (-draws(x).square().sum(1) / (2 * 0.5**2)).exp()
    assert abs(saturating(x, 0.5) - r.mean()) < 6 * r.std() / DRAWS**0.5
    sure = Gaussian(x.m, 0 * x.S)
    expected = math.exp(-x.m.square().sum() / (2 * 0.5**2))
    assert saturating(sure, 0.5).item() == pytest.approx(expected)


def test_a_singular_covariance_is_no_problem_and_a_broken_one_is_refused():
    run, m = Process(process()), normal(DX)
    v = normal(DX, 1, seed=9)
    f, _ = run(Gaussian(m, v @ v.T))  # one direction only
    assert np.linalg.eigvalsh(f.S.numpy()).min() > 0
    with pytest.raises(FloatingPointError, match="lost its positive eigenvalues"):
        run(Gaussian(m, -100 * torch.eye(DX).double()))


def test_a_process_without_data_is_refused():
    with pytest.raises(ValueError, match="has no data yet: call fit"):
        Process(GP(Layout(DS, 1)))
