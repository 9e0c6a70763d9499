"""rnn_examples.gates.memory against torch.nn, finite differences and numpy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot
from torch.testing import assert_close

from rnn_examples.gates.custom_cells import MinimalGatedUnit
from rnn_examples.gates.lstm import lstm_step
from rnn_examples.gates.memory import (
    ablate,
    brackets,
    connectivity,
    count_correlation,
    counting_weights,
)
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import every_state

SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (4, 1, 5, 2), (2, 6, 1, 3), (7, 3, 4, 1)]
f64 = torch.float64


def case(T, B, I, H):
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    x = torch.randn(T, B, I, dtype=f64)
    state = torch.randn(B, H, dtype=f64), torch.randn(B, H, dtype=f64)
    return x, state, nn.LSTM(I, H, dtype=f64)


# ---------------------------------------------------------------------- the task


@pytest.mark.parametrize(("T", "B"), [(1, 1), (9, 300), (30, 2)])
def test_brackets_equal_a_reader_of_strings(T, B):
    x, depth, last_is_b = brackets(T, B, torch.Generator().manual_seed(T))
    assert x.shape == depth.shape == last_is_b.shape == (T, B)
    for column in range(B):
        text = "".join("()ab"[s] for s in x[:, column])
        for t in range(T):
            head = text[: t + 1]
            d = head.count("(") - head.count(")")
            letters = [s for s in head if s in "ab"]
            assert d >= 0 and depth[t, column] == d
            assert last_is_b[t, column] == (letters[-1:] == ["b"])


def test_brackets_draw_all_symbols_equally_often_except_where_none_can_close():
    x, depth, _ = brackets(20, 3000, torch.Generator().manual_seed(0))
    assert x.min() == 0 and x.max() == 3
    open_before = depth[:-1] > 0
    for symbol in range(4):
        share = (x[1:][open_before] == symbol).double().mean().item()
        assert share == pytest.approx(1 / 4, abs=0.01)
    share = (x[0] == 0).double().mean().item()
    assert share == pytest.approx(1 / 2, abs=0.05)  # a ( or what was a )


def test_brackets_follow_the_seed():
    torch.manual_seed(3)
    first = brackets(6, 4)
    torch.manual_seed(3)
    assert_close(first, brackets(6, 4))
    again = brackets(6, 4, torch.Generator().manual_seed(3))
    assert_close(first, again)


# ------------------------------------------------------------------ connectivity


def by_differences(model, x, eps=1e-6):
    T, B, I = x.shape
    squares = torch.zeros(T, T, B, dtype=f64)
    for k, b, i in np.ndindex(T, B, I):
        bump = torch.zeros_like(x)
        bump[k, b, i] = eps
        slope = (model(x + bump) - model(x - bump)) / (2 * eps)
        squares[:, k, b] += slope[:, b].square().sum(dim=1)
    return squares.sqrt().detach()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_connectivity_equals_finite_differences(sizes):
    x, (h_0, c_0), lstm = case(*sizes)

    def model(x):
        return lstm(x, (h_0[None], c_0[None]))[0]

    ours = connectivity(model, x)
    # Differences of step 1e-6 are good to about 1e-9.
    assert_close(ours, by_differences(model, x), rtol=1e-6, atol=1e-8)
    assert ours.shape == (len(x), len(x), x.shape[1])
    assert not x.requires_grad and x.grad is None


def test_the_comparison_can_fail():
    x, _, lstm = case(5, 2, 3, 4)
    ours = connectivity(lambda x: lstm(x)[0], x)
    wrong = by_differences(lambda x: lstm(x.flip(0))[0], x)  # reads backwards
    with pytest.raises(AssertionError, match="not close"):
        assert_close(ours, wrong, rtol=1e-6, atol=1e-8)


def test_connectivity_with_the_future_is_zero_unless_bidirectional():
    x, _, lstm = case(5, 2, 3, 4)
    future = torch.ones(5, 5, dtype=f64).triu(1) > 0
    assert (connectivity(lambda x: lstm(x)[0], x)[future] == 0).all()
    both = nn.LSTM(3, 4, bidirectional=True, dtype=f64)
    assert (connectivity(lambda x: both(x)[0], x)[future] > 0).all()


# ---------------------------------------------------------------------- ablation


@pytest.mark.parametrize("silent", range(4))
def test_a_silent_unit_is_a_unit_that_was_cut_out(silent):
    x, (h_0, c_0), lstm = case(5, 2, 3, 4)
    hs, cs = ablate(lstm_step, x, (h_0, c_0), weights_of(lstm), silent)
    assert (hs[:, :, silent] == 0).all() and (cs[:, :, silent] == 0).all()
    rest = [j for j in range(4) if j != silent]
    small = nn.LSTM(3, 3, dtype=f64)  # the network without the unit
    with torch.no_grad():
        for name, p in small.named_parameters():
            old = getattr(lstm, name).view(4, 4, -1)[:, rest]
            if name == "weight_hh_l0":
                old = old[:, :, rest]
            p.copy_(old.reshape(p.shape))
    output, (_, c_n) = small(x, (h_0[None, :, rest], c_0[None, :, rest]))
    assert_close((hs[:, :, rest], cs[-1][:, rest]), (output, c_n[0]))


def test_a_unit_held_at_a_number_is_a_bias_of_the_smaller_network():
    x, (h_0, c_0), lstm = case(5, 2, 3, 4)
    hs, cs = ablate(lstm_step, x, (h_0, c_0), weights_of(lstm), 2, at=(0.3, -0.7))
    assert (hs[:, :, 2] == 0.3).all() and (cs[:, :, 2] == -0.7).all()
    rest = [0, 1, 3]
    small = nn.LSTM(3, 3, dtype=f64)
    with torch.no_grad():
        for name, p in small.named_parameters():
            old = getattr(lstm, name).view(4, 4, -1)[:, rest]
            if name == "bias_hh_l0":  # what the held h adds at every step
                held = 0.3 * lstm.weight_hh_l0.view(4, 4, 4)[:, rest, 2]
                old = old + held[:, :, None]
            old = old[:, :, rest] if name == "weight_hh_l0" else old
            p.copy_(old.reshape(p.shape))
    output, _ = small(x, (h_0[None, :, rest], c_0[None, :, rest]))
    assert_close(hs[:, :, rest], output)


# ----------------------------------------------------------- correlation, counter


@pytest.mark.parametrize(("T", "B", "H"), [(2, 1, 1), (5, 3, 4), (7, 2, 3)])
def test_count_correlation_equals_numpy(T, B, H):
    g = torch.Generator().manual_seed(T)
    units = torch.randn(T, B, H, generator=g, dtype=f64)
    depth = torch.randint(5, (T, B), generator=g)
    depth[0, 0], depth[1, 0] = 0, 4
    ours = count_correlation(units, depth)
    for j in range(H):
        flat = units[:, :, j].numpy().ravel(), depth.numpy().ravel()
        assert ours[j].item() == pytest.approx(np.corrcoef(*flat)[0, 1])


def test_count_correlation_of_the_depth_itself_is_one():
    depth = torch.tensor([[0, 1], [2, 1], [1, 0]])
    units = torch.stack([depth, 3 - 2 * depth], dim=2).double()
    assert_close(count_correlation(units, depth), torch.tensor([1.0, -1.0]).double())


def test_the_counting_cell_counts_exactly():
    symbols, depth, _ = brackets(40, 50, torch.Generator().manual_seed(0))
    zero = torch.zeros(50, 1, dtype=f64)
    x, p = one_hot(symbols, 4).double(), counting_weights(100)
    hs, cs = every_state(lstm_step, x, None, (zero, zero), p)
    assert depth.max() > 5 and torch.equal(cs[:, :, 0], depth.double())
    assert_close(hs, depth[:, :, None].double().tanh())


@pytest.mark.parametrize("big", [0.5, 3])
def test_a_counting_cell_with_gates_not_quite_open_leaks(big):
    symbols, _, _ = brackets(9, 4, torch.Generator().manual_seed(1))
    gate, g = 1 / (1 + np.exp(-big)), np.tanh(big)
    c = start = np.array([0.0, 1.0, -2.0, 0.5])
    for s in symbols.numpy():
        c = gate * c + gate * g * ((s == 0).astype(float) - (s == 1))
    c_0 = torch.tensor(start)[:, None]
    x = one_hot(symbols, 4).double()
    state, p = (torch.randn_like(c_0), c_0), counting_weights(big)
    hs, cs = every_state(lstm_step, x, None, state, p)
    np.testing.assert_allclose(cs[-1, :, 0].detach().numpy(), c, rtol=1e-12)
    np.testing.assert_allclose(
        hs[-1, :, 0].detach().numpy(), gate * np.tanh(c), rtol=1e-12
    )


# ------------------------------------------------------------------------ errors


def errors():
    x, state, lstm = case(5, 2, 3, 4)
    p = weights_of(lstm)
    return [
        (lambda: brackets(0, 3), "T is 0; need at least 1 step"),
        (
            lambda: connectivity(lambda x: lstm(x)[0][-1], x),
            r"\(2, 4\); need \(T, B, O",
        ),
        (lambda: connectivity(lambda x: lstm(x)[0][1:], x), r"y has shape \(4, 2, 4\)"),
        (
            lambda: ablate(lstm_step, x, state, p, 4),
            "unit is 4; need one from 0 to 3",
        ),
        (
            lambda: ablate(lstm_step, x, state, p, -1),
            "unit is -1; need one from 0 to 3",
        ),
        (
            lambda: ablate(lstm_step, x, (state[0][:, :2], state[1]), p, 1),
            r"state has sizes \[2, 4\]; need one",
        ),
        (
            lambda: ablate(lstm_step, x[:0], state, p, 0),
            r"x has shape \(0, 2, 3\).*T >= 1",
        ),
        (
            lambda: ablate(lstm_step, x, state, p, 0, at=(0.5,)),
            "at has 1 numbers; the state has 2",
        ),
        (
            lambda: count_correlation(x, torch.zeros(2, 5)),
            r"depth has shape \(2, 5\); need \(T, B\)",
        ),
    ]


@pytest.mark.parametrize(("call", "message"), errors())
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_cell_of_ones_own_can_be_ablated():
    torch.manual_seed(0)
    layer = MinimalGatedUnit(3, 4, dtype=f64)
    x, h_0 = torch.randn(5, 2, 3, dtype=f64), torch.randn(2, 4, dtype=f64)
    (hs,) = ablate(layer.step, x, (h_0,), weights_of(layer), unit=1)
    rest = [0, 2, 3]
    small = MinimalGatedUnit(3, 3, dtype=f64)  # the network without the unit
    with torch.no_grad():
        for name, p in small.named_parameters():
            old = getattr(layer, name).view(2, 4, -1)[:, rest]
            p.copy_((old[:, :, rest] if name == "weight_hh_l0" else old).view(p.shape))
    assert (hs[:, :, 1] == 0).all()
    assert_close(hs[:, :, rest], small(x, h_0[None, :, rest])[0])
