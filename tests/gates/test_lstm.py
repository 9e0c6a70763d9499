"""rnn_examples.gates.lstm against torch.nn, its tests, ONNX's, and itself by hand."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from rnn_examples.gates.lstm import LSTM, lstm_bptt, lstm_step
from tests import oracles


def test_a_step_works_on_the_last_axis_whatever_stands_before_it():
    torch.manual_seed(0)
    p = LSTM(3, 5, **oracles.F64).params("_l0")
    x, h, c = (torch.randn(2, 4, size, **oracles.F64) for size in (3, 5, 5))
    rows = lstm_step(*(v.flatten(0, 1) for v in (x, h, c)), p)
    assert_close([v.flatten(0, 1) for v in lstm_step(x, h, c, p)], list(rows))


@pytest.mark.parametrize("sizes", [*oracles.SIZES, (3, 2, 1, 6)], ids=str)
def test_the_gradient_by_hand(sizes):
    T, B, I, H = sizes  # noqa: E741, the field's letter
    torch.manual_seed(0)
    layer = LSTM(I, H, **oracles.F64)
    leaf, x, (h_0, c_0) = oracles.input_of(layer, "padded", T, B)
    leaves = [x, h_0, c_0, *layer.parameters()]
    hs, cs = lstm_bptt(x, h_0[0], c_0[0], layer.params("_l0"))
    output, (_, c_n) = oracles.torch_twin(layer)(x, (h_0, c_0))
    assert_close((hs, cs[-1]), (output, c_n[0]))
    pulls = [torch.randn_like(hs), torch.randn_like(cs[-1])]
    ours = torch.autograd.grad([hs, cs[-1]], leaves, pulls)
    result = layer(x, (h_0, c_0))
    pulls = [pulls[0], pulls[1][None]]
    auto = torch.autograd.grad([result[0], result[1][1]], leaves, pulls)
    assert_close(ours, auto)


def test_the_comparison_can_fail():
    torch.manual_seed(0)
    ours = LSTM(3, 4, **oracles.F64)
    theirs = oracles.torch_twin(ours)
    case = oracles.input_of(ours, "packed", 5, 3)
    oracles.assert_same(ours, theirs, *case)
    ours.bias_hh_l0.data[5] += 1e-4
    with pytest.raises(AssertionError, match="not close"):
        oracles.assert_same(ours, theirs, *case)


def test_the_gradient_by_hand_equals_finite_differences():
    torch.manual_seed(0)
    layer = LSTM(2, 3, **oracles.F64)
    _, x, (h_0, c_0) = oracles.input_of(layer, "padded", 4, 2)
    inputs = (x, h_0[0], c_0[0], *layer.parameters())

    def f(x, h_0, c_0, W_ih, W_hh, b_ih, b_hh):
        p = layer.params("_l0")
        p.W_ih, p.W_hh, p.b_ih, p.b_hh = W_ih, W_hh, b_ih, b_hh
        return lstm_bptt(x, h_0, c_0, p)

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


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
    def make(attributes, I, H, **options):  # noqa: E741
        return LSTM(I, H, **options)

    order = [0, 2, 3, 1]  # ONNX has i o f c
    assert oracles.assert_passes_onnx("LSTM", make, order) == 5 + 3


@pytest.mark.parametrize("P", [0, 2])
def test_dropout(P):
    oracles.assert_dropout_is_torchs(LSTM, proj_size=P)


@pytest.mark.parametrize("P", [0, 2])
def test_dtypes_and_devices(P):
    oracles.assert_dtypes_are_torchs(LSTM, proj_size=P)


def test_torchs_own_cases():
    assert oracles.assert_passes_torchs_own_cases(LSTM) == 64


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
    for T, B, I, H in oracles.SIZES:  # noqa: E741, the field's letter
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
    I, H, P = sizes  # noqa: E741, the field's letter
    torch.manual_seed(I)
    ours = LSTM(I, H + P, **options, proj_size=P, **oracles.F64)
    case = oracles.input_of(ours, layout, max(lengths), len(lengths), lengths)
    oracles.assert_same(ours, oracles.torch_twin(ours), *case)


@pytest.mark.parametrize("P", [0, 2])
def test_transforms(P):
    oracles.assert_transforms_work(LSTM, proj_size=P)
