"""rnn_examples.gates.lstm against torch.nn, its tests, ONNX's, and itself by hand."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from rnn_examples.gates.custom_cells import PeepholeLSTM
from rnn_examples.gates.lstm import LSTM, lstm_bptt, lstm_step
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import Params
from tests import oracles


def params(W_ih, W_hh, *more):
    """Params from a layer's parameters in their order, with what is there."""
    biases = [v for v in more if v.dim() == 1] or [None, None]
    W_hr = [v for v in more if v.dim() == 2]
    return Params(W_ih, W_hh, *biases, dict(zip(["W_hr"], W_hr, strict=False)))


def test_a_step_works_on_the_last_axis_whatever_stands_before_it():
    torch.manual_seed(0)
    p = weights_of(LSTM(3, 5, **oracles.F64))
    x, h, c = (torch.randn(2, 4, size, **oracles.F64) for size in (3, 5, 5))
    x_rows, h_rows, c_rows = (v.flatten(0, 1) for v in (x, h, c))
    rows = lstm_step(x_rows, (h_rows, c_rows), p)
    assert_close([v.flatten(0, 1) for v in lstm_step(x, (h, c), p)], list(rows))


@pytest.mark.parametrize("sizes", [*oracles.SIZES, (3, 2, 1, 6)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("P", [0, 1])
def test_the_gradient_by_hand(sizes, bias, P):
    T, B, I, H = sizes
    torch.manual_seed(0)
    layer = LSTM(I, H + P, bias=bias, proj_size=P, **oracles.F64)
    _, x, (h_0, c_0) = oracles.input_of(layer, "padded", T, B)
    hs, cs = lstm_bptt(x, (h_0[0], c_0[0]), weights_of(layer))
    theirs = oracles.torch_twin(layer)
    output, (_, c_n) = theirs(x, (h_0, c_0))
    assert_close((hs, cs[-1]), (output, c_n[0]))
    pulls = [torch.randn_like(hs), torch.randn_like(cs[-1])]
    leaves = [x, h_0, c_0]
    ours = torch.autograd.grad([hs, cs[-1]], [*leaves, *layer.parameters()], pulls)
    auto = torch.autograd.grad([output, c_n[0]], [*leaves, *theirs.parameters()], pulls)
    assert_close(ours, auto)


def test_the_comparison_can_fail():
    oracles.assert_a_wrong_weight_is_seen(LSTM)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("P", [0, 2])
def test_the_gradient_by_hand_equals_finite_differences(bias, P):
    torch.manual_seed(0)
    layer = LSTM(2, 3, bias=bias, proj_size=P, **oracles.F64)
    _, x, (h_0, c_0) = oracles.input_of(layer, "padded", 4, 2)
    inputs = (x, h_0[0], c_0[0], *layer.parameters())

    def f(x, h_0, c_0, *weights):
        return lstm_bptt(x, (h_0, c_0), params(*weights))

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.parametrize("P", [0, 2])
def test_the_gradient_by_hand_under_torch_func(P):
    layer = LSTM(3, 4, proj_size=P, **oracles.F64)

    def ours(x, h_0, c_0, weights):
        return lstm_bptt(x, (h_0, c_0), params(*weights))[0]

    oracles.assert_bptt_works_under_torch_func(ours, layer)


def test_the_gradient_by_hand_refuses_another_cells_weights():
    p, zero = weights_of(PeepholeLSTM(3, 4)), torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"^p has p_f, p_i, p_o; this is"):
        lstm_bptt(torch.zeros(5, 2, 3), (zero, zero), p)


def test_under_autocast_the_state_has_the_dtype_of_the_gates():
    layer, zero = LSTM(3, 4), torch.zeros(2, 4)
    assert layer.begin((zero, zero)) == (zero, zero)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = layer.begin((zero, zero))
        assert [s.dtype for s in state] == [torch.bfloat16] * 2
        double = zero.double(), zero.double()  # autocast leaves float64 alone
        assert layer.begin(double) == double


def test_every_other_gate_order_is_wrong():
    torch.manual_seed(0)
    ours = LSTM(3, 4, **oracles.F64)
    theirs = oracles.torch_twin(ours)
    _, x, hx = oracles.input_of(ours, "padded", 5, 2)
    for order in list(itertools.permutations(range(4)))[1:]:
        mixed = {
            name: torch.cat([value.split(4)[k] for k in order])
            for name, value in theirs.state_dict().items()
        }
        ours.load_state_dict(mixed)
        assert (ours(x, hx)[0] - theirs(x, hx)[0]).abs().max() > 1e-3


def test_onnx():
    def make(attributes, I, H, **options):
        return LSTM(I, H, **options)

    order = [0, 2, 3, 1]  # ONNX has i o f c
    assert oracles.assert_passes_onnx("LSTM", make, order) > 0


@pytest.mark.parametrize("P", [0, 2])
def test_dropout(P):
    oracles.assert_dropout_is_torchs(LSTM, proj_size=P)


@pytest.mark.parametrize("P", [0, 2])
def test_dtypes_and_devices(P):
    oracles.assert_dtypes_are_torchs(LSTM, proj_size=P)


def test_torchs_own_cases():
    assert oracles.assert_passes_torchs_own_cases(LSTM) > 0


@pytest.mark.parametrize("P", [0, 2])
def test_it_is_a_module_as_torchs(P):
    oracles.assert_module_is_torchs(LSTM, proj_size=P)
    assert repr(LSTM(3, 4, 2, True, True, 0.5, False, 2)) == repr(
        nn.LSTM(3, 4, 2, True, True, 0.5, False, 2)
    )


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@pytest.mark.parametrize("P", [0, 2])
def test_every_option_equals_torch(layout, P):
    torch.manual_seed(0)
    for T, B, I, H in oracles.SIZES:
        sizes = T, B, I, H + P  # proj_size has to be smaller than H
        oracles.assert_same_everywhere(LSTM, layout, sizes, proj_size=P)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3)),
    st.sampled_from(oracles.OPTIONS),
    st.sampled_from(["padded", "packed", "unsorted"]),
)
def test_any_size_length_and_option_equals_torch(lengths, sizes, options, layout):
    I, H, P = sizes
    torch.manual_seed(I)
    ours = LSTM(I, H + P, **options, proj_size=P, **oracles.F64)
    case = oracles.input_of(ours, layout, max(lengths), len(lengths), lengths)
    oracles.assert_same(ours, oracles.torch_twin(ours), *case)


@pytest.mark.parametrize("P", [0, 2])
def test_transforms(P):
    oracles.assert_transforms_work(LSTM, proj_size=P)
