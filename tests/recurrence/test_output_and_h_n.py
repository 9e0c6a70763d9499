"""rnn_examples.recurrence.output_and_h_n against h_n as torch.nn computes it."""

import itertools
import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.recurrence.output_and_h_n import by_layer, h_n_row, summary

KINDS = ["RNN", "GRU", "LSTM", "LSTM with proj_size"]
SIZES = {1: (1, 1, 1, 2), 2: (6, 3, 2, 4), 3: (4, 2, 5, 3)}  # K: T, B, I, H
GRID = list(itertools.product(KINDS, SIZES, [1, 2], [False, True], [False, True]))


def case(kind, K, D, batch_first=False, batched=True):
    """A layer, its input and a random start, as the layer wants them."""
    T, B, I, H = SIZES[K]
    torch.manual_seed(100 * K + 10 * D + KINDS.index(kind))
    projection = {"proj_size": H - 1} if "proj" in kind else {}
    layer = getattr(nn, kind[:4].strip())(
        *(I, H, K), bidirectional=D == 2, batch_first=batch_first, **projection
    ).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    h_0 = torch.randn(K * D, B, H - len(projection), dtype=torch.float64)
    c_0 = torch.randn(K * D, B, H, dtype=torch.float64)
    if not batched:
        x, h_0, c_0 = x[:, 0], h_0[:, 0], c_0[:, 0]
    elif batch_first:
        x = x.transpose(0, 1)
    return layer, x, (h_0, c_0) if "LSTM" in kind else h_0


def run(layer, x, hx):
    """output, h_n of any kind of layer."""
    output, h_n = layer(x, hx)
    return output, h_n[0] if isinstance(h_n, tuple) else h_n


def alone(layer, k, d):
    """Layer k, direction d of a stack as a one-way layer with the same weights."""
    ends = {f"_l{k}": 0, f"_l{k}_reverse": 1}
    weights = {
        name.partition("_l")[0] + "_l0": value
        for name, value in layer.state_dict().items()
        if ends.get(name[name.index("_l") :]) == d
    }
    inputs = weights["weight_ih_l0"].shape[1]
    projection = {"proj_size": layer.proj_size} if layer.proj_size else {}
    one = type(layer)(inputs, layer.hidden_size, **projection).double()
    one.load_state_dict(weights)
    return one


@pytest.mark.parametrize(("kind", "K", "D", "batch_first", "batched"), GRID)
def test_summary_is_the_last_layers_part_of_h_n(kind, K, D, batch_first, batched):
    output, h_n = run(*case(kind, K, D, batch_first, batched))
    both = torch.cat(list(by_layer(h_n, D)[K - 1]), dim=-1)
    assert_close(summary(output, h_n.shape[-1], D, batch_first), both)
    rows = [h_n[h_n_row(K - 1, d, D)] for d in range(D)]
    assert_close(both, torch.cat(rows, dim=-1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("K", SIZES)
@pytest.mark.parametrize("D", [1, 2])
def test_every_row_is_a_one_way_layer_run_alone(kind, K, D):
    layer, x, hx = case(kind, K, D)
    output, h_n = layer(x, hx)
    for k in range(K):
        halves = []
        for d in range(D):
            row = h_n_row(k, d, D)
            start = tuple(s[[row]] for s in hx) if "LSTM" in kind else hx[[row]]
            hs, end = alone(layer, k, d)(x.flip(0) if d else x, start)
            halves.append(hs.flip(0) if d else hs)
            if "LSTM" in kind:  # c_n has the same order
                assert_close(end[1][0], h_n[1][row])
                assert_close(end[1][0], by_layer(h_n[1], D)[k, d])
                end, h = end[0], h_n[0]
            else:
                h = h_n
            assert_close(end[0], h[row])
            assert_close(end[0], by_layer(h, D)[k, d])
        x = torch.cat(halves, dim=-1)  # what layer k + 1 reads
    assert_close(x, output)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_flow_through_either_return_value(kind):
    layer, x, hx = case(kind, K=2, D=2)
    output, h_n = run(layer, x.requires_grad_(), hx)
    ours = summary(output, h_n.shape[-1], D=2)
    theirs = torch.cat([h_n[-2], h_n[-1]], dim=1)
    pull, leaves = torch.randn_like(ours), [x, *layer.parameters()]
    grads = [torch.autograd.grad(s, leaves, pull, True) for s in (ours, theirs)]
    assert_close(*grads)


def test_by_layer_is_a_view():
    h_n = torch.randn(6, 3, 4)
    by_layer(h_n, D=2)[2, 0] = 0
    assert not h_n[4].any() and h_n[[0, 1, 2, 3, 5]].all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_comparison_can_fail(kind):
    output, h_n = run(*case(kind, K=2, D=2))
    both = torch.cat([h_n[-2], h_n[-1]], dim=1)
    with pytest.raises(AssertionError, match="not close"):
        assert_close(output[-1], both)  # the backward half is of its first step


@pytest.mark.parametrize(
    ("k", "d", "D", "message"),
    [
        (0, 0, 3, "D is 3; need 1 direction or 2"),
        (0, 1, 1, "d is 1; need 0, or 1 if D = 2; D is 1"),
        (0, -1, 2, "d is -1; need 0"),
        (-1, 0, 1, "k is -1; layers count from 0"),
    ],
)
def test_h_n_row_names_what_is_wrong(k, d, D, message):
    with pytest.raises(ValueError, match=message):
        h_n_row(k, d, D)


@pytest.mark.parametrize(("rows", "D"), [(3, 2), (6, 3), (6, 0)])
def test_by_layer_names_what_is_wrong(rows, D):
    message = f"h_n has {rows} rows; need K * D; D is {D}"
    with pytest.raises(ValueError, match=re.escape(message)):
        by_layer(torch.zeros(rows, 2, 4), D)


@pytest.mark.parametrize(
    ("shape", "H", "D", "message"),
    [
        ((5, 3, 12), 4, 3, "D is 3; need 1 direction or 2"),
        ((5, 3, 4), 4, 2, r"output has shape \(5, 3, 4\).*D\*H = 8"),
        ((5, 3, 8), 4, 1, r"output has shape \(5, 3, 8\).*D\*H = 4"),
        ((8,), 4, 2, r"output has shape \(8,\); need 2 or 3 axes"),
        ((2, 5, 3, 8), 4, 2, r"output has shape \(2, 5, 3, 8\)"),
    ],
)
def test_summary_names_what_does_not_fit(shape, H, D, message):
    with pytest.raises(ValueError, match=message):
        summary(torch.zeros(shape), H, D)
