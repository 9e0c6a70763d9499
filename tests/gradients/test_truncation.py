"""rnn_examples.gradients.truncation against torch.nn, chunk by chunk."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples import LSTM
from rnn_examples.gates.custom_cells import MinimalGatedUnit, PeepholeLSTM
from rnn_examples.gradients.stateful import detach_state
from rnn_examples.gradients.truncation import (
    recall_task,
    truncated_forward,
    truncated_sweep,
)
from rnn_examples.recurrence.elman import params_of, rnn_forward
from rnn_examples.recurrence.layers import weights_of
from tests.oracles import F64, as_given, input_of, rnn_case

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]
CUTS = [(*sizes, tau) for sizes in SIZES for tau in (1, 2, 3, 7, 9)]


def gradients(outputs, leaves, pull):
    """Of each leaf; zero where no path leads to it."""
    keep = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
    return torch.autograd.grad(outputs, leaves, pull, **keep)


@pytest.mark.parametrize("sizes", CUTS, ids=str)
def test_a_cut_changes_no_value(sizes):
    *sizes, tau = sizes
    rnn, x, h_0, _ = rnn_case(*sizes)
    p = params_of(rnn)
    hs, h_T = truncated_forward(x, h_0, p, tau)
    whole = rnn_forward(x, h_0, p)
    assert torch.equal(hs, whole[0]) and torch.equal(h_T, whole[1])
    output, h_n = rnn(x, h_0[None])
    assert_close((hs, h_T), (output, h_n[0]))


@pytest.mark.parametrize("sizes", CUTS, ids=str)
def test_gradients_are_those_of_each_chunk_alone(sizes):
    """nn.RNN on each chunk, started from a constant; the gradients added up."""
    *sizes, tau = sizes
    rnn, x, h_0, pull = rnn_case(*sizes)
    leaves = [x, h_0, *rnn.parameters()]
    theirs = [torch.zeros_like(v) for v in leaves]
    start = h_0[None]
    for t in range(0, len(x), tau):
        output, h_n = rnn(x[t : t + tau], start)
        found = gradients(output, leaves, pull[t : t + tau])
        theirs = tuple(a + b for a, b in zip(theirs, found, strict=True))
        start = h_n.detach()
    hs, _ = truncated_forward(x, h_0, params_of(rnn), tau)
    assert_close(gradients(hs, leaves, pull), theirs)


@pytest.mark.parametrize("sizes", CUTS, ids=str)
def test_the_last_state_sends_gradients_through_the_last_chunk(sizes):
    *sizes, tau = sizes
    rnn, x, h_0, pull = rnn_case(*sizes)
    leaves = [x, h_0, *rnn.parameters()]
    hs, h_T = truncated_forward(x, h_0, params_of(rnn), tau)
    ours = gradients(h_T, leaves, pull[0])
    assert_close(ours, gradients(hs[-1], leaves, pull[0]))
    first = (len(x) - 1) // tau * tau  # of the last chunk
    assert not ours[0][:first].any() and ours[0][first:].any()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_without_a_cut_the_gradient_is_exact(sizes):
    rnn, x, h_0, pull = rnn_case(*sizes)
    leaves = [x, h_0, *rnn.parameters()]
    output, _ = rnn(x, h_0[None])
    for tau in (len(x), len(x) + 1):
        hs, _ = truncated_forward(x, h_0, params_of(rnn), tau)
        assert_close(gradients(hs, leaves, pull), gradients(output, leaves, pull))


def test_the_comparison_can_fail():
    rnn, x, h_0, pull = rnn_case(5, 2, 3, 4)
    output, _ = rnn(x, h_0[None])
    hs, _ = truncated_forward(x, h_0, params_of(rnn), tau=4)
    for leaf in (h_0, *rnn.parameters()):
        with pytest.raises(AssertionError, match="not close"):
            assert_close(gradients(hs, leaf, pull), gradients(output, leaf, pull))


@pytest.mark.parametrize("tau", [0, -1])
def test_a_chunk_has_at_least_one_step(tau):
    with pytest.raises(ValueError, match=f"tau is {tau}; need at least 1 step"):
        truncated_forward(
            torch.zeros(5, 2, 3), torch.zeros(2, 4), params_of(nn.RNN(3, 4)), tau
        )


def test_other_arguments_are_checked_as_rnn_forward_does():
    p = params_of(nn.RNN(3, 4))
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 4\)"):
        truncated_forward(torch.zeros(5, 2, 3), torch.zeros(1, 4), p, tau=2)
    with pytest.raises(ValueError, match="T >= 1"):
        truncated_forward(torch.zeros(0, 2, 3), torch.zeros(2, 4), p, tau=2)


@pytest.mark.parametrize(("B", "T"), [(1, 1), (6, 4), (200, 9)])
def test_recall_asks_for_the_first_symbol_among_noise(B, T):
    x, label = recall_task(B, T, torch.Generator().manual_seed(0))
    assert x.shape == (T, B, 4) and x.dtype == torch.float64
    assert_close(x.sum(2), torch.ones(T, B, dtype=torch.float64))
    symbols = x.argmax(2)
    assert torch.equal(symbols[0], label)
    assert label.sum() == B // 2 and set(label.tolist()) <= {0, 1}
    noise = set(symbols[1:].flatten().tolist())
    assert noise == ({2, 3} if T > 1 else set())
    again, _ = recall_task(B, T, torch.Generator().manual_seed(0))
    other, _ = recall_task(B, T, torch.Generator().manual_seed(1))
    assert torch.equal(again, x) and torch.equal(other, x) == (T == 1)


@pytest.mark.parametrize("cls", [LSTM, PeepholeLSTM, MinimalGatedUnit])
def test_any_step_is_cut_as_a_layer_on_each_chunk(cls):
    torch.manual_seed(0)
    layer = cls(3, 4, **F64)
    _, x, hx = input_of(layer, "padded", 7, 2)
    state = tuple(s[0] for s in hx)
    hs, last = truncated_sweep(layer.step, x, state, weights_of(layer), tau=3)
    start, parts = as_given(hx), []
    for chunk in x.split(3):
        output, end = layer(chunk, start)
        parts.append(output)
        start = detach_state(end)
    want = torch.cat(parts)
    assert_close(hs, want)
    assert_close(as_given(tuple(s[None] for s in last)), end)
    pull, leaves = torch.randn_like(hs), [x, *hx, *layer.parameters()]
    assert_close(gradients(hs, leaves, pull), gradients(want, leaves, pull))
