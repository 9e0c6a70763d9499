"""rnn_examples.recurrence.nonlinearity against torch.nn, values and gradients.

torch has no RNN without an activation, but relu leaves positive numbers as they
are: with positive weights, inputs and start nn.RNN is a linear recurrence.
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.recurrence.elman import ElmanParams
from rnn_examples.recurrence.nonlinearity import (
    forward,
    superposition_gap,
    weighted_sum,
)

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}


def case(sizes, nonlinearity="relu", positive=False):
    T, B, I, H = sizes
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    rnn = nn.RNN(I, H, nonlinearity=nonlinearity, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    h_0 = torch.randn(B, H, dtype=torch.float64)
    if positive:
        x, h_0 = x.abs(), h_0.abs()
        for parameter in rnn.parameters():
            parameter.data.abs_()
    return rnn, x.requires_grad_(), h_0.requires_grad_()


def params(rnn):
    return ElmanParams(*rnn.parameters())


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_forward_equals_torch(sizes, name):
    rnn, x, h_0 = case(sizes, name)
    ours = forward(x, h_0, params(rnn), ACTIVATIONS[name])
    output, h_n = rnn(x, h_0[None])
    assert_close(ours, (output, h_n[0]))
    leaves, pull = [x, h_0, *rnn.parameters()], torch.randn_like(output)
    assert_close(
        torch.autograd.grad(ours[0], leaves, pull),
        torch.autograd.grad(output, leaves, pull),
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_weighted_sum_equals_torch_where_relu_is_linear(sizes):
    rnn, x, h_0 = case(sizes, positive=True)
    ours = weighted_sum(x, h_0, params(rnn))
    _, h_n = rnn(x, h_0[None])
    assert_close(ours, h_n[0])
    leaves, pull = [x, h_0, *rnn.parameters()], torch.randn_like(ours)
    assert_close(
        torch.autograd.grad(ours, leaves, pull),
        torch.autograd.grad(h_n[0], leaves, pull),
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_weighted_sum_equals_the_loop_for_any_sign(sizes):
    rnn, x, h_0 = case(sizes)
    _, h_T = forward(x, h_0, params(rnn), nn.Identity())
    assert_close(weighted_sum(x, h_0, params(rnn)), h_T)


def test_the_comparison_can_fail():
    rnn, x, h_0 = case((5, 2, 3, 4), positive=True)
    p = params(rnn)
    _, h_n = rnn(x, h_0[None])
    for wrong in (p._replace(W_hh=p.W_hh.T), p._replace(b_hh=2 * p.b_hh)):
        with pytest.raises(AssertionError, match="not close"):
            assert_close(weighted_sum(x, h_0, wrong), h_n[0])
    with pytest.raises(AssertionError, match="not close"):
        assert_close(weighted_sum(-x, h_0, p), rnn(-x, h_0[None])[1][0])


def test_superposition_gap_of_a_square_is_twice_the_product():
    x = torch.tensor([[2.0, -3.0], [0.5, 1.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 4.0], [-2.0, 0.0]], dtype=torch.float64)
    assert superposition_gap(torch.square, x, y) == 24  # |2 * -3 * 4|
    assert superposition_gap(lambda z: z.square() + 7, x, y) == 24  # f(0) is 7
    assert superposition_gap(lambda z: 3 * z - 5, x, y) == 0


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_superposition_holds_without_an_activation_and_only_then(sizes):
    rnn, x, h_0 = case(sizes)
    x, y = x.detach(), torch.randn_like(x)
    gaps = [
        superposition_gap(lambda s, a=a: forward(s, h_0, params(rnn), a)[1], x, y)
        for a in (nn.Identity(), torch.tanh)
    ]
    assert gaps[0] < 1e-12 < 1e-4 < gaps[1]


@pytest.mark.parametrize("function", [weighted_sum, forward], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("x", "h_0", "message"),
    [
        ((5, 2, 9), (2, 4), r"x has shape \(5, 2, 9\); need \(T, B, 3\)"),
        ((5, 3), (2, 4), r"x has shape \(5, 3\); need \(T, B, 3\)"),
        ((0, 2, 3), (2, 4), r"x has shape \(0, 2, 3\).*T >= 1"),
        ((5, 2, 3), (1, 4), r"h_0 has shape \(1, 4\); need \(B, H\) = \(2, 4\)"),
    ],
)
def test_errors_name_what_does_not_fit(function, x, h_0, message):
    more = () if function is weighted_sum else (torch.tanh,)
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(x), torch.zeros(h_0), params(nn.RNN(3, 4)), *more)


def test_superposition_gap_names_what_does_not_fit():
    with pytest.raises(ValueError, match=r"y has shape \(2,\); need.* x, \(3,\)"):
        superposition_gap(torch.tanh, torch.zeros(3), torch.zeros(2))
