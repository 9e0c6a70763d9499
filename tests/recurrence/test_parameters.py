"""rnn_examples.recurrence.parameters against torch.nn's own state_dict."""

import itertools

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.recurrence.elman import params_of, rnn_forward
from rnn_examples.recurrence.parameters import (
    GATES,
    merge_biases,
    parameter_count,
    parameter_shapes,
)

GRID = list(itertools.product(GATES, [(1, 1), (5, 2), (3, 4)], [1, 3], [1, 2], [0, 1]))


@pytest.mark.parametrize(("name", "sizes", "K", "D", "bias"), GRID)
def test_shapes_and_count_equal_torch(name, sizes, K, D, bias):
    layer = getattr(nn, name)(
        *sizes, num_layers=K, bidirectional=D == 2, bias=bool(bias)
    )
    theirs = {k: tuple(v.shape) for k, v in layer.state_dict().items()}
    ours = parameter_shapes(GATES[name], *sizes, K, D, bool(bias))
    assert list(ours.items()) == list(theirs.items())  # the order too
    count = sum(p.numel() for p in layer.parameters())
    assert parameter_count(GATES[name], *sizes, K, D, bool(bias)) == count


def test_defaults_are_one_layer_one_direction_with_bias():
    layer = nn.GRU(5, 2)
    assert list(parameter_shapes(3, 5, 2)) == list(layer.state_dict())


def test_the_comparison_can_fail():
    layer = nn.RNN(5, 2)
    theirs = {k: tuple(v.shape) for k, v in layer.state_dict().items()}
    assert parameter_shapes(1, 2, 5) != theirs


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"G": 2}, r"G is 2; need 1 \(RNN\), 3 \(GRU\) or 4 \(LSTM\)"),
        ({"D": 3}, "D is 3; need 1 direction or 2"),
        ({"D": 0}, "D is 0; need 1 direction or 2"),
        ({"I": 0}, "I is 0; need at least 1"),
        ({"H": -1}, "H is -1; need at least 1"),
        ({"K": 0}, "K is 0; need at least 1"),
    ],
)
def test_errors_name_what_is_wrong(sizes, message):
    with pytest.raises(ValueError, match=message):
        parameter_shapes(**({"G": 1, "I": 3, "H": 4} | sizes))


def test_merged_biases_give_the_same_outputs():
    torch.manual_seed(0)
    p = params_of(nn.RNN(3, 4, dtype=torch.float64))
    merged = merge_biases(p)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    h_0 = torch.randn(2, 4, dtype=torch.float64)
    assert_close(rnn_forward(x, h_0, merged), rnn_forward(x, h_0, p))
    assert not merged.b_hh.any() and p.b_hh.any()
