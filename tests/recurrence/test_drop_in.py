"""rnn_examples.recurrence.layers in torch's place: options, names, layouts."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import RNN
from tests import oracles


def test_every_argument_by_position():
    options = 3, 4, 2, False, True, 0.5, True, 2, "cpu", torch.float64
    layers = LSTM(*options), nn.LSTM(*options)
    assert repr(layers[0]) == repr(layers[1])
    states = [dict(layer.state_dict()) for layer in layers]
    described = [[(k, v.shape, v.dtype) for k, v in s.items()] for s in states]
    assert described[0] == described[1]
    assert repr(LSTM(3, 4)) == repr(nn.LSTM(3, 4))


def test_draws_lie_within_the_bound():
    weight = RNN(1, 100).weight_hh_l0  # U(-1/10, 1/10)
    assert 0.0999 < weight.abs().max() <= 0.1 and weight.min() < 0 < weight.max()


def test_an_empty_batch_has_an_empty_result():
    layers = RNN(3, 4, num_layers=2), nn.RNN(3, 4, num_layers=2)
    shapes = [[v.shape for v in layer(torch.zeros(5, 0, 3))] for layer in layers]
    assert shapes[0] == shapes[1]


def test_a_packed_result_unpacks_in_the_callers_order():
    torch.manual_seed(0)
    layer, xs = RNN(3, 4), [torch.randn(n, 3) for n in (2, 5, 3)]
    for given in (None, torch.randn(1, 3, 4)):
        packed, h_n = layer(pack_sequence(xs, enforce_sorted=False), given)
        outputs = nn.utils.rnn.unpack_sequence(packed)
        for b, x in enumerate(xs):
            alone = layer(x, None if given is None else given[:, b])
            assert_close((outputs[b], h_n[:, b]), alone)


def test_the_comparison_can_fail():
    torch.manual_seed(0)
    ours = RNN(3, 4, batch_first=True, **oracles.F64)
    leaf, x, hx = oracles.input_of(ours, "padded", 2, 2)
    theirs = oracles.torch_twin(ours)
    theirs.batch_first = False  # reads the batch as time
    with pytest.raises(AssertionError, match="not close"):
        oracles.assert_same(ours, theirs, leaf, x, hx)


def test_dtypes_and_devices():
    oracles.assert_dtypes_are_torchs(RNN)


def test_it_is_a_module_as_torchs():
    oracles.assert_module_is_torchs(RNN)


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@pytest.mark.parametrize("cls", [RNN, LSTM])
def test_every_layout_equals_torch(cls, layout):
    torch.manual_seed(0)
    oracles.assert_same_everywhere(cls, layout, (5, 4, 3, 2))
