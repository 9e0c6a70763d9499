"""rnn_examples.gates.gru against torch.nn, its tests, ONNX's, and itself by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from rnn_examples.gates.gru import GRU, gru_bptt, gru_step
from tests import oracles


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_step_works_on_the_last_axis_whatever_stands_before_it(reset_after):
    torch.manual_seed(0)
    p = GRU(3, 5, **oracles.F64).params("_l0")
    x, h = torch.randn(2, 4, 3, **oracles.F64), torch.randn(2, 4, 5, **oracles.F64)
    rows = gru_step(x.flatten(0, 1), h.flatten(0, 1), p, reset_after)
    assert_close(gru_step(x, h, p, reset_after).flatten(0, 1), rows)


@pytest.mark.parametrize("bias", [True, False])
def test_the_papers_variant_as_its_equation(bias):
    torch.manual_seed(0)
    layer = GRU(3, 4, bias=bias, reset_after=False, **oracles.F64)
    _, x, (h_0,) = oracles.input_of(layer, "padded", 5, 2)
    W = layer.weight_ih_l0.split(4), layer.weight_hh_l0.split(4)
    zero = torch.zeros(12, **oracles.F64)
    b_ih = (layer.bias_ih_l0 if bias else zero).split(4)
    b_hh = (layer.bias_hh_l0 if bias else zero).split(4)
    h, hs = h_0[0], []
    for x_t in x:
        a = [x_t @ W[0][k].T + b_ih[k] for k in range(3)]
        r, z = (torch.sigmoid(a[k] + h @ W[1][k].T + b_hh[k]) for k in range(2))
        n = torch.tanh(a[2] + (r * h) @ W[1][2].T + b_hh[2])
        h = (1 - z) * n + z * h
        hs.append(h)
    assert_close(layer(x, h_0)[0], torch.stack(hs))
    gap = oracles.torch_twin(layer)(x, h_0)[0] - layer(x, h_0)[0]
    assert gap.abs().max() > 1e-3


@pytest.mark.parametrize("sizes", oracles.SIZES, ids=str)
def test_the_gradient_by_hand(sizes):
    T, B, I, H = sizes  # noqa: E741, the field's letter
    torch.manual_seed(0)
    layer = GRU(I, H, **oracles.F64)
    leaf, x, (h_0,) = oracles.input_of(layer, "padded", T, B)
    theirs = oracles.torch_twin(layer)
    hs, (output, _) = gru_bptt(x, h_0[0], layer.params("_l0")), theirs(x, h_0)
    assert_close(hs, output)
    pull = torch.randn_like(hs)
    ours = torch.autograd.grad(hs, [x, h_0, *layer.parameters()], pull)
    auto = torch.autograd.grad(output, [x, h_0, *theirs.parameters()], pull)
    assert_close(ours, auto)


def test_the_comparison_can_fail():
    torch.manual_seed(0)
    ours = GRU(3, 4, **oracles.F64)
    theirs = oracles.torch_twin(ours)
    case = oracles.input_of(ours, "packed", 5, 3)
    oracles.assert_same(ours, theirs, *case)
    ours.bias_hh_l0.data[5] += 1e-4
    with pytest.raises(AssertionError, match="not close"):
        oracles.assert_same(ours, theirs, *case)


def test_the_gradient_by_hand_equals_finite_differences():
    torch.manual_seed(0)
    layer = GRU(2, 3, **oracles.F64)
    _, x, (h_0,) = oracles.input_of(layer, "padded", 4, 2)

    def f(x, h_0, W_ih, W_hh, b_ih, b_hh):
        p = layer.params("_l0")
        p.W_ih, p.W_hh, p.b_ih, p.b_hh = W_ih, W_hh, b_ih, b_hh
        return gru_bptt(x, h_0, p)

    inputs = (x, h_0[0], *layer.parameters())
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


def test_onnx_and_the_papers_variant():
    def make(attributes, I, H, **options):  # noqa: E741
        after = bool(attributes.get("linear_before_reset", 0))
        return GRU(I, H, **options, reset_after=after)

    order = [1, 0, 2]  # ONNX has z r h
    assert oracles.assert_passes_onnx("GRU", make, order) == 6 + 6


def test_dropout():
    oracles.assert_dropout_is_torchs(GRU)


def test_dtypes_and_devices():
    oracles.assert_dtypes_are_torchs(GRU)


def test_torchs_own_cases():
    assert oracles.assert_passes_torchs_own_cases(GRU) == 32


def test_it_is_a_module_as_torchs():
    oracles.assert_module_is_torchs(GRU)


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
def test_every_option_equals_torch(layout):
    torch.manual_seed(0)
    for sizes in oracles.SIZES:
        oracles.assert_same_everywhere(GRU, layout, sizes)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.tuples(*[st.integers(1, 4)] * 2),
    st.sampled_from(oracles.OPTIONS),
    st.sampled_from(["padded", "packed", "unsorted"]),
)
def test_any_size_length_and_option_equals_torch(lengths, sizes, options, layout):
    torch.manual_seed(sum(sizes))
    ours = GRU(*sizes, **options, **oracles.F64)
    case = oracles.input_of(ours, layout, max(lengths), len(lengths), lengths)
    oracles.assert_same(ours, oracles.torch_twin(ours), *case)


@pytest.mark.parametrize("reset_after", [True, False])
def test_transforms(reset_after):
    oracles.assert_transforms_work(GRU, reset_after=reset_after)
