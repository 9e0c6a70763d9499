"""rnn_examples.recurrence.elman against torch.nn, values and gradients."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.recurrence.elman import params_of, rnn_forward, rnn_step
from tests.oracles import rnn_case

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_forward_equals_torch(sizes):
    rnn, x, h_0, _ = rnn_case(*sizes)
    output, h_n = rnn(x, h_0[None])
    assert_close(rnn_forward(x, h_0, params_of(rnn)), (output, h_n[0]))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_step_equals_rnn_cell(sizes):
    rnn, x, h_0, _ = rnn_case(*sizes)
    cell = nn.RNNCell(rnn.input_size, rnn.hidden_size, dtype=torch.float64)
    cell.load_state_dict({k[:-3]: v for k, v in rnn.state_dict().items()})
    assert_close(rnn_step(x[0], (h_0,), params_of(rnn)), (cell(x[0], h_0),))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_gradients_equal_torch(sizes):
    rnn, x, h_0, _ = rnn_case(*sizes)
    leaves = [x, h_0, *rnn.parameters()]
    hs, h_T = rnn_forward(x, h_0, params_of(rnn))
    output, h_n = rnn(x, h_0[None])
    pull, pull_T = torch.randn_like(hs), torch.randn_like(h_T)
    ours = torch.autograd.grad((hs, h_T), leaves, (pull, pull_T))
    theirs = torch.autograd.grad((output, h_n), leaves, (pull, pull_T[None]))
    assert_close(ours, theirs)


def test_the_comparison_can_fail():
    rnn, x, h_0, _ = rnn_case(5, 2, 3, 4)
    p = params_of(rnn)
    wrong = p._replace(W_hh=p.W_hh.T)
    output, _ = rnn(x, h_0[None])
    with pytest.raises(AssertionError, match="not close"):
        assert_close(rnn_forward(x, h_0, wrong)[0], output)


@pytest.mark.parametrize(
    "options", [{"num_layers": 2}, {"bidirectional": True}, {"nonlinearity": "relu"}]
)
def test_params_of_refuses_other_layers(options):
    with pytest.raises(ValueError, match="need 1 layer, 1 direction, tanh"):
        params_of(nn.RNN(3, 4, **options))


def test_params_of_refuses_no_bias():
    with pytest.raises(ValueError, match="need bias=True"):
        params_of(nn.RNN(3, 4, bias=False))


@pytest.mark.parametrize(
    ("x", "h_0", "message"),
    [
        ((5, 2, 9), (2, 4), r"x has shape \(5, 2, 9\); need \(T, B, 3\)"),
        ((5, 3), (2, 4), r"x has shape \(5, 3\); need \(T, B, 3\)"),
        ((0, 2, 3), (2, 4), r"x has shape \(0, 2, 3\).*T >= 1"),
        ((5, 2, 3), (1, 4), r"h_0 has shape \(1, 4\); need \(B, H\) = \(2, 4\)"),
    ],
)
def test_forward_names_what_does_not_fit(x, h_0, message):
    p = params_of(nn.RNN(3, 4))
    with pytest.raises(ValueError, match=message):
        rnn_forward(torch.zeros(x), torch.zeros(h_0), p)
