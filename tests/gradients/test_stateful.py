"""rnn_examples.gradients.stateful against numpy and torch's layers on whole series."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.gradients.stateful import detach_state, reset_state, streams

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]
LAYERS = [nn.RNN, nn.LSTM, nn.GRU]


def case(layer, T, B, I, H):
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    rnn = layer(I, H, num_layers=2, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    h_0 = torch.randn(2, B, H, dtype=torch.float64, requires_grad=True)
    return rnn, x, (h_0, h_0 / 2) if layer is nn.LSTM else h_0


def tensors(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("shape", [(12,), (13, 3), (5, 2, 2)], ids=str)
@pytest.mark.parametrize("B", [1, 2, 5])
def test_streams_equal_numpy(shape, B):
    series = np.arange(np.prod(shape)).reshape(shape)
    T = shape[0] // B
    theirs = series[: T * B].reshape(B, T, *shape[1:]).swapaxes(0, 1)
    assert_close(streams(torch.from_numpy(series), B), torch.from_numpy(theirs.copy()))


@pytest.mark.parametrize("B", [0, -2, 6])
def test_streams_must_fit_the_series(B):
    with pytest.raises(ValueError, match=f"B is {B}; need 1 to 5"):
        streams(torch.arange(5), B)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_carried_state_gives_the_whole_series(layer, sizes):
    rnn, x, state = case(layer, *sizes)
    whole, end = rnn(x, state)
    for tau in (1, 2, 3, 9):
        h, outputs = state, []
        for chunk in x.split(tau):
            output, h = rnn(chunk, detach_state(h))
            outputs.append(output)
        assert_close((torch.cat(outputs), h), (whole, end))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_detached_state_has_the_same_numbers_and_no_history(layer):
    rnn, x, state = case(layer, 5, 2, 3, 4)
    _, state = rnn(x, state)
    cut = detach_state(state)
    assert type(cut) is type(state)
    for before, after in zip(tensors(state), tensors(cut), strict=True):
        assert torch.equal(before, after)
        assert before.requires_grad and not after.requires_grad


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_reset_sequence_starts_as_torch_starts_it(layer, sizes):
    rnn, x, state = case(layer, *sizes)
    new = torch.arange(x.shape[1]) % 2 == 0
    output, end = rnn(x, reset_state(state, new))
    assert_close(output[:, new], rnn(x[:, new])[0])
    assert_close(output[:, ~new], rnn(x, state)[0][:, ~new])
    assert type(end) is type(state)


def test_the_comparison_can_fail():
    rnn, x, state = case(nn.GRU, 5, 2, 3, 4)
    new = torch.tensor([True, False])
    output, _ = rnn(x, reset_state(state, ~new))  # the wrong one
    with pytest.raises(AssertionError, match="not close"):
        assert_close(output[:, new], rnn(x[:, new])[0])


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (torch.tensor([True]), r"new has shape \(1,\) .*need \(B,\) = \(2,\)"),
        (torch.tensor([[True, False]]), r"new has shape \(1, 2\)"),
        (torch.tensor([1, 0]), "new .* torch.int64; need .* torch.bool"),
    ],
)
def test_reset_names_what_does_not_fit(new, message):
    with pytest.raises(ValueError, match=message):
        reset_state(torch.zeros(1, 2, 4), new)


def test_reset_is_not_fooled_by_an_infinite_state():
    state = torch.tensor([[[1.0], [float("inf")], [float("nan")]]])
    new = torch.tensor([False, True, True])
    assert_close(reset_state(state, new), torch.tensor([[[1.0], [0.0], [0.0]]]))


def test_no_state_stays_no_state():
    assert detach_state(None) is None
    assert reset_state(None, torch.tensor([True])) is None
