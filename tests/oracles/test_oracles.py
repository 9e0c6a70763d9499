"""The oracles themselves: each finds what is wrong, and says what it needs."""

import pytest
import torch
from torch import nn

from rnn_examples.gates.custom_cells import MinimalGatedUnit, PeepholeLSTM
from rnn_examples.gates.lstm import LSTM
from tests import oracles


def make(attributes, I, H, **options):
    return LSTM(I, H, **options)


class Late(LSTM):
    """An LSTM whose last state is off."""

    def forward(self, input, hx=None):
        output, (h_n, c_n) = super().forward(input, hx)
        return output, (h_n, c_n + 1e-3)


def test_a_layer_without_a_twin_is_refused():
    with pytest.raises(TypeError, match="MinimalGatedUnit has no twin"):
        oracles.torch_twin(MinimalGatedUnit(2, 3))


def test_a_cell_that_extends_a_layer_has_that_ones_twin():
    assert oracles.torch_class(PeepholeLSTM) is nn.LSTM


def test_onnx_finds_another_order_of_the_gates():
    with pytest.raises(AssertionError, match=r"random forward .*, Y: "):
        oracles.assert_passes_onnx("LSTM", make, order=[0, 1, 2, 3])


def test_onnx_looks_at_the_last_states():
    def late(attributes, I, H, **options):
        return Late(I, H, **options)

    with pytest.raises(AssertionError, match=", Y_c: "):
        oracles.assert_passes_onnx("LSTM", late, order=[0, 2, 3, 1])


@pytest.mark.parametrize(
    "check",
    [
        oracles.assert_passes_torchs_own_cases,
        oracles.assert_module_is_torchs,
        oracles.assert_dropout_is_torchs,
        oracles.assert_dtypes_are_torchs,
    ],
)
def test_each_check_sees_a_last_state_that_is_off(check):
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        check(Late)
