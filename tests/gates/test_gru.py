"""rnn_examples.gates.gru against torch.nn, its tests, ONNX's, and itself by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from rnn_examples.gates.gru import GRU, gru_bptt, gru_step, reset_before_step
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import Params
from tests import oracles


@pytest.mark.parametrize("step", [gru_step, reset_before_step])
def test_a_step_works_on_the_last_axis_whatever_stands_before_it(step):
    torch.manual_seed(0)
    p = weights_of(GRU(3, 5, **oracles.F64))
    x, h = torch.randn(2, 4, 3, **oracles.F64), torch.randn(2, 4, 5, **oracles.F64)
    (rows,) = step(x.flatten(0, 1), (h.flatten(0, 1),), p)
    assert_close(step(x, (h,), p)[0].flatten(0, 1), rows)


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
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reset_after", [True, False])
def test_the_gradient_by_hand(sizes, bias, reset_after):
    T, B, I, H = sizes
    torch.manual_seed(0)
    layer = GRU(I, H, bias=bias, reset_after=reset_after, **oracles.F64)
    _, x, (h_0,) = oracles.input_of(layer, "padded", T, B)
    p = weights_of(layer)
    (hs,) = gru_bptt(x, (h_0[0],), p, reset_after=reset_after)
    auto = oracles.torch_twin(layer) if reset_after else layer
    output, _ = auto(x, h_0)
    assert_close(hs, output)
    pull = torch.randn_like(hs)
    ours = torch.autograd.grad(hs, [x, h_0, *layer.parameters()], pull)
    theirs = torch.autograd.grad(output, [x, h_0, *auto.parameters()], pull)
    assert_close(ours, theirs)


def test_the_comparison_can_fail():
    oracles.assert_a_wrong_weight_is_seen(GRU)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reset_after", [True, False])
def test_the_gradient_by_hand_equals_finite_differences(bias, reset_after):
    torch.manual_seed(0)
    layer = GRU(2, 3, bias=bias, **oracles.F64)
    _, x, (h_0,) = oracles.input_of(layer, "padded", 4, 2)

    def f(x, h_0, *weights):
        return gru_bptt(x, (h_0,), Params(*weights), reset_after=reset_after)

    inputs = (x, h_0[0], *layer.parameters())
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_gradient_by_hand_under_torch_func(reset_after):
    layer = GRU(3, 4, reset_after=reset_after, **oracles.F64)

    def ours(x, h_0, weights):
        return gru_bptt(x, (h_0,), Params(*weights), reset_after=reset_after)[0]

    oracles.assert_bptt_works_under_torch_func(ours, layer)


def test_onnx_and_the_papers_variant():
    def make(attributes, I, H, **options):
        after = bool(attributes.get("linear_before_reset", 0))
        return GRU(I, H, **options, reset_after=after)

    order = [1, 0, 2]  # ONNX has z r h
    assert oracles.assert_passes_onnx("GRU", make, order) > 0


def test_dropout():
    oracles.assert_dropout_is_torchs(GRU)


def test_dtypes_and_devices():
    oracles.assert_dtypes_are_torchs(GRU)


def test_torchs_own_cases():
    assert oracles.assert_passes_torchs_own_cases(GRU) > 0


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
