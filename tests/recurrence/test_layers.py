"""rnn_examples.recurrence.layers against torch.nn, torch's tests and ONNX's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnn_examples.recurrence.layers import RNN, Recurrent
from tests import oracles


def test_a_cell_may_keep_a_state_for_one_pass():
    class Counter(Recurrent):
        """h counts the steps in tens, by a state that the caller never sees."""

        def begin(self, state):
            return *state, torch.zeros_like(state[0])

        def step(self, x_t, state, p):
            count = state[1] + 1
            return 10 * count, count

    output, h_n = Counter(3, 1)(torch.zeros(4, 2, 3))
    assert output[:, 0, 0].tolist() == [10, 20, 30, 40]
    assert h_n.tolist() == [[[40], [40]]]


def test_outputs_stay_in_the_past_unless_bidirectional():
    torch.manual_seed(0)
    for both in (False, True):
        layer = RNN(3, 4, num_layers=2, bidirectional=both, **oracles.F64)
        x = torch.randn(6, 2, 3, **oracles.F64)
        changed = x.clone()
        changed[3] += 1
        gap = (layer(changed)[0] - layer(x)[0]).abs().amax(dim=(1, 2))
        assert (gap[:3] > 1e-6).all() == both and (gap[3:] > 1e-6).all()


def test_the_nonlinearity_is_the_fourth_argument_as_torchs():
    layers = [cls(3, 4, 2, "relu", False, True, 0.5, True) for cls in (RNN, nn.RNN)]
    assert [layer.nonlinearity for layer in layers] == ["relu", "relu"]
    assert [layer.mode for layer in layers] == ["RNN_RELU", "RNN_RELU"]
    assert RNN(3, 4).nonlinearity == "tanh" and RNN(3, 4).mode == "RNN_TANH"
    shown = repr(layers[1])[:-1] + ", nonlinearity='relu')"  # torch hides it
    assert repr(layers[0]) == shown and repr(RNN(3, 4)) == repr(nn.RNN(3, 4))
    with pytest.raises(ValueError, match="nonlinearity is 'elu'; need 'tanh' or"):
        RNN(3, 4, nonlinearity="elu")


def test_the_comparison_can_fail():
    torch.manual_seed(0)
    ours = RNN(3, 4, bidirectional=True, **oracles.F64)
    theirs = oracles.torch_twin(ours)
    case = oracles.input_of(ours, "unsorted", 5, 3)
    oracles.assert_same(ours, theirs, *case)
    ours.weight_hh_l0_reverse.data[0, 1] += 1e-4
    with pytest.raises(AssertionError, match="not close"):
        oracles.assert_same(ours, theirs, *case)


def test_onnx():
    def make(attributes, I, H, **options):
        return RNN(I, H, **options)

    assert oracles.assert_passes_onnx("RNN", make, order=[0]) > 0


def test_dropout():
    oracles.assert_dropout_is_torchs(RNN)


def test_torchs_own_cases():
    assert oracles.assert_passes_torchs_own_cases(RNN) > 0


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_every_option_equals_torch(layout, nonlinearity):
    torch.manual_seed(0)
    for sizes in oracles.SIZES:
        oracles.assert_same_everywhere(RNN, layout, sizes, nonlinearity=nonlinearity)


lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    lengths,
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from(oracles.OPTIONS),
    st.sampled_from(["padded", "packed", "unsorted"]),
)
def test_any_size_length_and_option_equals_torch(lengths, sizes, options, layout):
    I, H, seed = sizes
    torch.manual_seed(seed)
    ours = RNN(I, H, **options, **oracles.F64)
    case = oracles.input_of(ours, layout, max(lengths), len(lengths), lengths)
    oracles.assert_same(ours, oracles.torch_twin(ours), *case)


def test_transforms():
    oracles.assert_transforms_work(RNN)
