"""rnn_examples.recurrence.variable_length against torch.nn.utils.rnn and torch.nn."""

import re

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from torch.testing import assert_close

from rnn_examples.gates.custom_cells import (
    MinimalGatedUnit,
    PeepholeLSTM,
    ZoneoutLSTM,
)
from rnn_examples.gates.memory import ablate
from rnn_examples.gradients.bptt import sweep_backward
from rnn_examples.gradients.truncation import truncated_sweep
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import every_state
from rnn_examples.recurrence.variable_length import (
    batch_sizes,
    last_valid,
    mask,
    mask_of,
    masked_forward,
    masked_mean,
    pack,
    pad,
)

KINDS = ["RNN", "GRU", "LSTM"]
SIZES = [  # lengths, I, H
    ([1], 1, 1),
    ([2, 6, 1, 4], 3, 5),
    ([3, 3, 5], 1, 2),
    ([4, 1], 2, 1),
]


def batch(lengths, *features):
    """Random sequences of these lengths, each a leaf."""
    torch.manual_seed(sum(lengths) + 10 * sum(features))
    options = {"dtype": torch.float64, "requires_grad": True}
    return [torch.randn(n, *features, **options) for n in lengths]


def layer_and_step(kind, I, H):
    """A layer of torch, and its cell as a step(x_t, state, p)."""
    layer = getattr(nn, kind)(I, H, dtype=torch.float64)
    cell = getattr(nn, f"{kind}Cell")(I, H, dtype=torch.float64)
    for name, value in layer.named_parameters():
        setattr(cell, name.removesuffix("_l0"), value)  # shared, for gradients
    if kind == "LSTM":
        return layer, lambda x_t, state, p: cell(x_t, state)
    return layer, lambda x_t, state, p: (cell(x_t, *state),)


def state_for(kind, B, H):
    """Random h, or h and c, (B, H) each."""
    options = {"dtype": torch.float64, "requires_grad": True}
    return tuple(torch.randn(B, H, **options) for _ in range(1 + (kind == "LSTM")))


def given(state):
    """(B, H) each -> what a layer takes as hx."""
    hx = tuple(s[None] for s in state)
    return hx if len(hx) > 1 else hx[0]


def returned(h_n):
    """What a layer returns -> (B, H) each."""
    return [s[0] for s in (h_n if isinstance(h_n, tuple) else (h_n,))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_masked_equals_packed_and_one_by_one_with_gradients(kind, sizes, value):
    lengths, I, H = sizes
    sequences = batch(lengths, I)
    layer, step = layer_and_step(kind, I, H)
    state = state_for(kind, len(lengths), H)
    x, sizes_ = pad(sequences, value)

    hs, ours = masked_forward(step, x, sizes_, state, None)
    packed = pack_padded_sequence(x, sizes_, enforce_sorted=False)
    output, h_n = layer(packed, given(state))
    output, _ = pad_packed_sequence(output)
    alone = [
        returned(layer(s[:, None], given([v[[b]] for v in state]))[1])
        for b, s in enumerate(sequences)
    ]
    theirs, single = returned(h_n), [torch.cat(v) for v in zip(*alone, strict=True)]

    assert_close(hs, output)
    assert_close(list(ours), theirs)
    assert_close(list(ours), single)
    leaves = [*sequences, *state, *layer.parameters()]
    pulls = [torch.randn_like(v) for v in ours]
    grads = [
        torch.autograd.grad(ends, leaves, pulls, True)
        for ends in (ours, theirs, single)
    ]
    assert_close(grads[0], grads[1])
    assert_close(grads[0], grads[2])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_all_states_equal_packed(kind):
    sequences = batch([2, 6, 1, 4], 3)
    layer, step = layer_and_step(kind, 3, 5)
    x, lengths = pad(sequences)
    zeros = tuple(torch.zeros_like(v) for v in state_for(kind, 4, 5))
    hs, _ = masked_forward(step, x, lengths, zeros, None)
    output, _ = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    output, _ = pad_packed_sequence(output)
    pull, leaves = torch.randn_like(output), [*sequences, *layer.parameters()]
    ours = torch.autograd.grad(hs, leaves, pull, retain_graph=True)
    assert_close(ours, torch.autograd.grad(output, leaves, pull))


@pytest.mark.parametrize("kind", KINDS)
def test_last_valid_of_an_unmasked_run_equals_packed(kind):
    layer, _ = layer_and_step(kind, 3, 5)
    x, lengths = pad(batch([2, 6, 1, 4], 3))
    _, h_n = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    theirs, pull = returned(h_n)[0], torch.randn(4, 5, dtype=torch.float64)
    ours = last_valid(layer(x)[0], lengths)
    assert_close(ours, theirs)
    parameters = list(layer.parameters())
    grads = [torch.autograd.grad(h, parameters, pull) for h in (ours, theirs)]
    assert_close(*grads)


def test_the_comparison_can_fail():
    layer, _ = layer_and_step("RNN", 3, 5)
    x, lengths = pad(batch([2, 6, 1, 4], 3))
    _, h_n = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    with pytest.raises(AssertionError, match="not close"):
        assert_close(layer(x)[1], h_n)  # zero padding moves the state


@pytest.mark.parametrize("lengths", [s[0] for s in SIZES], ids=str)
@pytest.mark.parametrize("features", [(), (3,), (2, 3)], ids=str)
def test_pad_equals_torch(lengths, features):
    sequences = batch(lengths, *features)
    x, sizes = pad(sequences, 7.0)
    assert_close(x, pad_sequence(sequences, padding_value=7.0))
    assert_close(pad(sequences)[0], pad_sequence(sequences))
    assert sizes.tolist() == lengths


@pytest.mark.parametrize("lengths", [s[0] for s in SIZES], ids=str)
@pytest.mark.parametrize("extra", [0, 2])
def test_pack_equals_torch(lengths, extra):
    x, sizes = pad(batch(lengths, 3))
    x = torch.cat([x, x.new_zeros(extra, *x.shape[1:])])  # longer than needed
    theirs = pack_padded_sequence(x, sizes, enforce_sorted=False)
    data, running, order = pack(x, sizes)
    assert_close(data, theirs.data)
    assert_close(running, theirs.batch_sizes)
    assert_close(order, theirs.sorted_indices)
    assert_close(batch_sizes(sizes), theirs.batch_sizes)


@pytest.mark.parametrize("lengths", [s[0] for s in SIZES], ids=str)
def test_masked_mean_equals_ignore_index(lengths):
    logits, sizes = pad(batch(lengths, 4))
    targets = torch.randint(4, logits.shape[:2])
    losses = cross_entropy(logits.movedim(2, 1), targets, reduction="none")
    ignored = targets.masked_fill(~mask(sizes, len(logits)), -100)
    theirs = cross_entropy(logits.movedim(2, 1), ignored)
    assert_close(masked_mean(losses, sizes), theirs)


def test_mask_of_takes_a_batch_longer_than_its_longest_sequence():
    m = mask_of(torch.zeros(4, 2, 3), torch.tensor([1, 3]))
    assert m.int().T.tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "sequences have lengths []; need 1 or more"),
        ([(2, 3), (0, 3)], "sequences have lengths [2, 0]; need 1 or more"),
        ([(2, 3), (4, 1)], "(torch.float32, (1,))"),
    ],
)
def test_pad_names_what_is_wrong(sequences, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pad([torch.zeros(s) for s in sequences])


def test_pad_does_not_cut_floats_to_whole_numbers():
    with pytest.raises(ValueError, match=r"features .*int64.*; need one kind"):
        pad([torch.ones(2, dtype=torch.int64), torch.full((3,), 0.5)])


@pytest.mark.parametrize("lengths", [[0, 2], [2, 6], [-1, 5]])
def test_mask_names_lengths_out_of_range(lengths):
    message = re.escape(f"lengths are {lengths}; need 1 to T = 5")
    with pytest.raises(ValueError, match=message):
        mask(torch.tensor(lengths), 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, lengths: masked_forward(None, x, lengths, (x[0],), None),
        pack,
        last_valid,
        masked_mean,
        mask_of,
    ],
)
@pytest.mark.parametrize("lengths", [[3], [3, 2, 1, 1]], ids=str)
def test_lengths_that_do_not_fit_are_named(call, lengths):
    message = re.escape(f"lengths has shape ({len(lengths)},); need (B,)")
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(5, 3, 2), torch.tensor(lengths))


@pytest.mark.parametrize("cls", [PeepholeLSTM, MinimalGatedUnit, ZoneoutLSTM])
def test_a_cell_of_ones_own_can_be_masked(cls):
    lengths, layer = [2, 6, 1, 4], cls(3, 5, dtype=torch.float64).eval()
    x, sizes = pad(batch(lengths, 3))
    state = tuple(torch.randn(4, 5, dtype=torch.float64) for _ in layer.state_sizes)
    hs, last = masked_forward(layer.step, x, sizes, state, weights_of(layer))
    packed = pack_padded_sequence(x, sizes, enforce_sorted=False)
    output, h_n = layer(packed, given(state))
    assert_close(hs, pad_packed_sequence(output)[0])
    assert_close(list(last), returned(h_n))


def no_comma(x_t, state, p):
    return x_t + state[0]


@pytest.mark.parametrize(
    "tool",
    [
        lambda x, h: masked_forward(no_comma, x, torch.tensor([5]), (h,), None),
        lambda x, h: ablate(no_comma, x, (h,), None, 0),
        lambda x, h: every_state(no_comma, x, None, (h,), None),
        lambda x, h: sweep_backward(no_comma, x, x, (h,), None, []),
        lambda x, h: truncated_sweep(no_comma, x, (h,), None, 2),
    ],
)
def test_a_forgotten_comma_is_named_by_every_tool(tool):
    with pytest.raises(TypeError, match=r"^no_comma returned a Tensor.*the comma\?$"):
        tool(torch.zeros(5, 1, 3), torch.zeros(1, 3))
