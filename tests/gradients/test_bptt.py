"""rnn_examples.gradients.bptt against autograd, torch.nn and finite differences."""

import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples import GRU, LSTM, RNN
from rnn_examples.gates import custom_cells
from rnn_examples.gradients.bptt import (
    rnn_backward,
    rnn_bptt,
    sweep_backward,
)
from rnn_examples.recurrence.elman import ElmanParams, params_of, rnn_forward, rnn_step
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import sweep
from tests.oracles import (
    F64,
    assert_bptt_works_under_torch_func,
    input_of,
    rnn_case,
)

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_backward_by_hand_equals_torch(sizes):
    rnn, x, h_0, pull = rnn_case(*sizes)
    output, _ = rnn(x, h_0[None])
    leaves = [x, h_0, *rnn.parameters()]
    theirs = torch.autograd.grad(output, leaves, pull)
    with torch.no_grad():
        dx, dh_0, dp = rnn_backward(pull, x, h_0, output, params_of(rnn))
    assert_close((dx, dh_0, *dp), theirs)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_function_equals_torch(sizes):
    rnn, x, h_0, pull = rnn_case(*sizes)
    leaves = [x, h_0, *rnn.parameters()]
    hs, (output, _) = rnn_bptt(x, h_0, params_of(rnn)), rnn(x, h_0[None])
    assert_close(hs, output)
    ours = torch.autograd.grad(hs, leaves, pull)
    assert_close(ours, torch.autograd.grad(output, leaves, pull))


@pytest.mark.parametrize("check", ["gradcheck", "gradgradcheck"])
def test_function_equals_finite_differences(check):
    rnn, x, h_0, _ = rnn_case(4, 2, 3, 2)
    inputs = [x, h_0, *rnn.parameters()]
    assert getattr(torch.autograd, check)(
        lambda x, h_0, *p: rnn_bptt(x, h_0, ElmanParams(*p)), inputs
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_second_derivatives_equal_torch(sizes):
    """A loss linear in hs: its incoming gradient is a constant."""
    rnn, x, h_0, pull = rnn_case(*sizes)
    found = []
    for hs in (rnn_bptt(x, h_0, params_of(rnn)), rnn(x, h_0[None])[0]):
        (dx,) = torch.autograd.grad(hs, x, pull, create_graph=True)
        loss = dx.square().sum() + (hs * pull).sum()
        found.append(torch.autograd.grad(loss, [x, h_0, *rnn.parameters()]))
    assert_close(*found)


def test_the_comparison_can_fail():
    rnn, x, h_0, pull = rnn_case(5, 2, 3, 4)
    p = params_of(rnn)
    output, _ = rnn(x, h_0[None])
    theirs = torch.autograd.grad(output, [x, h_0, *p], pull)
    wrong = p._replace(W_hh=p.W_hh.T)
    dx, dh_0, dp = rnn_backward(pull, x, h_0, output, wrong)
    for ours, right in zip((dx, dh_0, *dp), theirs, strict=True):
        with pytest.raises(AssertionError, match="not close"):
            assert_close(ours, right)


@pytest.mark.parametrize(
    ("g", "x", "message"),
    [
        ((5, 1, 4), (5, 2, 3), r"g has shape \(5, 1, 4\); need \(5, 2, 4\), as hs"),
        ((5, 2, 4), (2, 5, 3), r"x has shape \(2, 5, 3\); need .* = \(5, 2, 3\)"),
    ],
)
def test_backward_names_what_does_not_fit(g, x, message):
    p, hs = params_of(nn.RNN(3, 4)), torch.zeros(5, 2, 4)
    with pytest.raises(ValueError, match=message):
        rnn_backward(torch.zeros(g), torch.zeros(x), torch.zeros(2, 4), hs, p)


def test_function_checks_its_arguments_as_rnn_forward_does():
    with pytest.raises(ValueError, match=r"need \(T, B, 3\)"):
        rnn_bptt(torch.zeros(5, 2, 9), torch.zeros(2, 4), params_of(nn.RNN(3, 4)))


# ------------------------------------------------------------------- any step


CELLS = [
    RNN,
    LSTM,
    GRU,
    custom_cells.LayerNormLSTM,
    custom_cells.PeepholeLSTM,
    custom_cells.VariationalLSTM,
    custom_cells.MinimalGatedUnit,
]


@pytest.mark.parametrize("cls", CELLS)
@pytest.mark.parametrize("sizes", [(1, 1, 1, 2), (5, 2, 3, 4)], ids=str)
def test_backward_of_any_step_equals_autograd(cls, sizes):
    T, B, I, H = sizes
    torch.manual_seed(0)
    layer = cls(I, H, **F64)
    _, x, hx = input_of(layer, "padded", T, B)
    state, p = layer.begin(tuple(s[0] for s in hx)), weights_of(layer)
    hs, _ = sweep(layer.step, x, None, state, p)
    pull = torch.randn_like(hs)
    leaves = [x, *hx, *layer.parameters()]
    want = torch.autograd.grad(hs, leaves, pull)
    dx, d_state, d_weights = sweep_backward(
        layer.step, pull, x, state, p, layer.parameters()
    )
    d_state = [d[None] for d in d_state[: len(hx)]]  # without what begin added
    assert_close([dx, *d_state, *d_weights], list(want))
    assert not dx.requires_grad


def test_backward_of_a_step_and_by_hand_are_the_same():
    rnn, x, h_0, pull = rnn_case(5, 2, 3, 4)
    p = params_of(rnn)
    hs, _ = rnn_forward(x, h_0, p)
    dx, dh_0, dp = rnn_backward(pull, x, h_0, hs, p)
    any_dx, (any_dh_0,), any_dp = sweep_backward(rnn_step, pull, x, (h_0,), p, p)
    assert_close((dx, dh_0, list(dp)), (any_dx, any_dh_0, any_dp))
    wrong = sweep_backward(rnn_step, pull.flip(0), x, (h_0,), p, p)
    with pytest.raises(AssertionError, match="not close"):
        assert_close(wrong[0], dx)


@pytest.mark.parametrize("shape", [(6, 2, 4), (5, 1, 4), (5, 4), (5, 2, 3)])
def test_backward_of_any_step_names_a_wrong_pull(shape):
    rnn, x, h_0, _ = rnn_case(5, 2, 3, 4)
    p = params_of(rnn)
    message = re.escape(f"g has shape {shape}; need that of hs, (5, 2, 4)")
    with pytest.raises(ValueError, match=message):
        sweep_backward(rnn_step, torch.zeros(shape), x, (h_0,), p, p)


def test_the_function_works_under_torch_func():
    def by_hand(x, h_0, weights):
        return rnn_bptt(x, h_0, ElmanParams(*weights))

    assert_bptt_works_under_torch_func(by_hand, RNN(3, 4, **F64))
