"""rnn_examples.gradients.vanishing_exploding against autograd, torch and numpy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.gradients.vanishing_exploding import (
    adding_problem,
    clip_by_norm,
    jacobian_norms,
    scaled_orthogonal,
    spectral_radius,
)
from rnn_examples.recurrence.elman import params_of, rnn_forward

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]


def case(T, B, I, H):
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    rnn = nn.RNN(I, H, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    return rnn, x, torch.randn(B, H, dtype=torch.float64)


def norms_by_autograd(rnn, x, h_0):
    """sigma_max(dh_T/dh_k), each sequence and each k, through torch's layer."""
    hs = torch.cat([h_0[None], rnn(x, h_0[None])[0]])  # (T+1, B, H)
    norms = torch.ones(hs.shape[:2], dtype=torch.float64)
    for k, b in np.ndindex(len(x), len(h_0)):

        def last(h, k=k, b=b):
            return rnn(x[k:, b], h[None])[1][0]

        J = torch.autograd.functional.jacobian(last, hs[k, b])
        norms[k, b] = torch.linalg.svdvals(J)[0]
    return norms


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_jacobian_norms_equal_autograd(sizes):
    rnn, x, h_0 = case(*sizes)
    ours = jacobian_norms(x, h_0, params_of(rnn))
    assert_close(ours, norms_by_autograd(rnn, x, h_0))


def test_jacobian_norms_of_one_unit_are_a_product_of_numbers():
    rnn, x, h_0 = case(7, 3, 4, 1)
    hs, _ = rnn(x, h_0[None])
    factors = ((1 - hs.square()) * rnn.weight_hh_l0)[:, :, 0].abs().detach().numpy()
    closed = np.cumprod(factors[::-1], axis=0)[::-1]
    ours = jacobian_norms(x, h_0, params_of(rnn))
    np.testing.assert_allclose(ours[:-1].numpy(), closed, rtol=1e-12)
    assert (ours[-1] == 1).all()


def test_the_comparison_can_fail():
    rnn, x, h_0 = case(5, 2, 3, 4)
    p = params_of(rnn)
    J, norms = torch.eye(4, dtype=torch.float64).expand(2, 4, 4), []
    for h in rnn_forward(x, h_0, p)[0].flip(0):
        J = J @ ((1 - h.square())[:, :, None] * p.W_hh.T)  # as often printed
        norms.append(torch.linalg.matrix_norm(J, ord=2))
    with pytest.raises(AssertionError, match="not close"):
        assert_close(torch.stack(norms).flip(0), norms_by_autograd(rnn, x, h_0)[:-1])


def test_no_gradient_is_longer_than_the_bound():
    rnn, x, h_0 = case(7, 3, 4, 5)
    sigma_max = np.linalg.norm(rnn.weight_hh_l0.detach().numpy(), ord=2)
    norms = jacobian_norms(x, h_0, params_of(rnn)).numpy()
    assert (norms <= sigma_max ** np.arange(7, -1, -1)[:, None] * (1 + 1e-12)).all()


@pytest.mark.parametrize(
    ("W", "radius"),
    [
        ([[-3.0]], 3),
        ([[0, 4], [-9, 0]], 6),  # eigenvalues 6i and -6i
        ([[0.9, 5], [0, 0.9]], 0.9),
        ([[1, 0, 0], [0, -7, 1], [0, 0, 2]], 7),
    ],
)
def test_spectral_radius(W, radius):
    W = torch.tensor(W, dtype=torch.float64)
    assert spectral_radius(W) == pytest.approx(radius)


@pytest.mark.parametrize(("H", "gain"), [(1, 1), (2, 0.9), (5, 1.2), (9, 3)])
def test_scaled_orthogonal_equals_torch(H, gain):
    torch.manual_seed(H)
    ours = scaled_orthogonal(H, gain)
    torch.manual_seed(H)
    theirs = nn.init.orthogonal_(torch.empty(H, H, dtype=torch.float64), gain)
    assert_close(ours, theirs)
    singular = np.linalg.svd(ours.numpy(), compute_uv=False)
    np.testing.assert_allclose(singular, gain, rtol=1e-12)
    g = torch.Generator().manual_seed(H)
    assert torch.equal(scaled_orthogonal(H, gain, g), ours)


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1, 2.5, 100])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_clip_by_norm_equals_torch(sizes, max_norm):
    rnn, *_ = case(*sizes)
    weights = list(rnn.parameters())
    for w in weights:
        w.grad = torch.randn_like(w)
    before = [w.grad.clone() for w in weights]
    ours, norm = clip_by_norm(before, max_norm)
    theirs = nn.utils.clip_grad_norm_(weights, max_norm)
    assert_close(norm, theirs)
    assert_close(ours, [w.grad for w in weights])


def test_clip_by_norm_scales_even_a_tiny_gradient_as_torch_does():
    w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    w.grad = torch.full_like(w, 3e-6)
    ours, _ = clip_by_norm([w.grad.clone()], 2e-6)
    nn.utils.clip_grad_norm_([w], 2e-6)
    assert_close(ours, [w.grad], rtol=1e-9, atol=0)


@pytest.mark.parametrize(("T", "B"), [(2, 1), (3, 400), (7, 400), (10, 3)])
def test_adding_problem_is_the_sum_of_two_marked_values(T, B):
    x, y = adding_problem(T, B, torch.Generator().manual_seed(T))
    assert x.shape == (T, B, 2) and y.shape == (B,)
    assert x.dtype == y.dtype == torch.float64
    for b in range(B):
        value, mark = x[:, b].T
        early, late = mark.nonzero().flatten().tolist()
        assert early < T // 2 <= late
        assert y[b].item() == pytest.approx(value[early].item() + value[late].item())
    if B == 400:  # each step is marked in some sequence
        assert x[:, :, 1].any(dim=1).all()


def test_answering_one_costs_a_sixth():
    _, y = adding_problem(4, 50_000, torch.Generator().manual_seed(0))
    assert (y - 1).square().mean().item() == pytest.approx(1 / 6, abs=0.005)
    assert y.min() > 0 and y.max() < 2


def test_draws_without_a_generator_follow_the_global_seed():
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append((scaled_orthogonal(4, 1), *adding_problem(5, 2)))
    assert_close(draws[0], draws[1], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scaled_orthogonal(3, 0), "gain is 0; need a positive number"),
        (lambda: scaled_orthogonal(3, -1), "gain is -1; need a positive number"),
        (lambda: clip_by_norm([], 1), "grads is empty; need at least one tensor"),
        (lambda: clip_by_norm([torch.ones(1)], 0), "max_norm is 0; need a positive"),
        (lambda: adding_problem(1, 3), "T is 1; need at least 2 steps"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_jacobian_norms_names_what_does_not_fit():
    rnn, x, h_0 = case(5, 2, 3, 4)
    with pytest.raises(ValueError, match=r"x has shape \(5, 2, 2\); need"):
        jacobian_norms(x[:, :, :2], h_0, params_of(rnn))
