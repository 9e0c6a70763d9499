"""rnn_examples.recurrence.sweep against plain loops and torch's cells."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.gates.lstm import lstm_step
from rnn_examples.recurrence.layers import weights_of
from rnn_examples.recurrence.sweep import (
    Params,
    autocast_dtype,
    check_new_state,
    every_state,
    sweep,
)
from tests.oracles import F64


def leak(x_t, state, p):
    return (p * state[0] + x_t,)


@pytest.mark.parametrize("reverse", [False, True])
def test_it_takes_any_step_over_sequences_of_different_length(reverse):
    torch.manual_seed(0)
    lengths = [4, 2, 2, 1]
    xs = [torch.randn(n, 3, **F64) for n in lengths]
    packed = nn.utils.rnn.pack_sequence(xs)
    first = torch.randn(4, 3, **F64)
    data, sizes = packed.data, packed.batch_sizes
    data, (last,) = sweep(leak, data, sizes, (first,), 0.5, reverse)
    padded, _ = nn.utils.rnn.pad_packed_sequence(packed._replace(data=data))
    for b, x in enumerate(xs):
        h, hs = first[b], []
        for x_t in x.flip(0) if reverse else x:
            h = 0.5 * h + x_t
            hs.append(h)
        hs = torch.stack(hs[::-1] if reverse else hs)
        assert_close(padded[: len(x), b], hs)
        assert_close(last[b], h)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_padded_batch_is_a_packed_one_without_ends(reverse):
    torch.manual_seed(0)
    x, state = torch.randn(5, 2, 3, **F64), (torch.randn(2, 3, **F64),)
    hs, last = sweep(leak, x, None, state, 0.5, reverse)
    sizes = torch.full((5,), 2)
    packed, packed_last = sweep(leak, x.flatten(0, 1), sizes, state, 0.5, reverse)
    assert_close((hs.flatten(0, 1), last), (packed, packed_last), rtol=0, atol=0)


def test_what_waits_keeps_the_numbers_and_takes_the_dtype():
    seen = []

    def lower(x_t, state, p):
        seen.append(state[0])
        return (x_t.bfloat16(),)

    first, sizes = torch.tensor([[1.0], [1.1]]), torch.tensor([2, 1])
    sweep(lower, torch.ones(3, 1), sizes, (first,), None, reverse=True)
    assert seen[1].dtype == torch.bfloat16  # the second began later, and waited
    assert_close(seen[1][1], first[1].bfloat16(), rtol=0, atol=0)


ZERO = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("data", "sizes", "state", "error", "message"),
    [
        ((5, 2, 3), None, ZERO, TypeError, "state is a Tensor; need a tuple of Tens"),
        ((5, 2, 3), None, (), TypeError, "state is a tuple; need a tuple of Tensors"),
        ((5, 7, 3), None, (ZERO,), ValueError, r"tensor 0 of state .*\(2, 3\); data h"),
        ((5, 2, 3), None, (ZERO, ZERO[:1]), ValueError, "tensor 1 .* B = 2 sequences$"),
        ((3, 3), torch.tensor([1, 1, 1]), (ZERO,), ValueError, "holds B = 1 sequences"),
        ((2, 3), [1, 1], (ZERO[:1],), TypeError, "sizes is a list; need a Tensor"),
        ((0, 2, 3), None, (ZERO,), ValueError, "no time step; need T >= 1"),
    ],
)
@pytest.mark.parametrize("tool", [sweep, every_state])
def test_what_does_not_fit_is_named(tool, data, sizes, state, error, message):
    with pytest.raises(error, match=message):
        tool(leak, torch.zeros(data), sizes, state, 0.5)


@pytest.mark.parametrize("reverse", [False, True])
def test_every_state_ends_in_the_last_and_has_torchs_h(reverse):
    torch.manual_seed(0)
    lstm, x = nn.LSTM(3, 4, **F64), torch.randn(5, 2, 3, **F64)
    h_0, c_0 = torch.randn(2, 2, 4, **F64)
    p = weights_of(lstm)
    hs, cs = every_state(lstm_step, x, None, (h_0, c_0), p, reverse)
    seen = x.flip(0) if reverse else x
    output, (h_n, c_n) = lstm(seen, (h_0[None], c_0[None]))
    assert_close(hs.flip(0) if reverse else hs, output)
    cell = nn.LSTMCell(3, 4, **F64)
    cell.load_state_dict({k[:-3]: v for k, v in lstm.state_dict().items()})
    state = (h_0, c_0)
    for t in reversed(range(5)) if reverse else range(5):
        state = cell(x[t], state)
        assert_close((hs[t], cs[t]), state)
    assert_close(state, (h_n[0], c_n[0]))


def test_every_state_keeps_what_stands_between_batch_and_features():
    torch.manual_seed(0)
    p = weights_of(nn.LSTM(3, 4, **F64))
    x, h_0, c_0 = torch.randn(5, 2, 6, 3), *torch.randn(2, 2, 6, 4)
    given = [v.double() for v in (x, h_0, c_0)]
    hs, cs = every_state(lstm_step, given[0], None, tuple(given[1:]), p)
    rows = [given[0].flatten(1, 2), *(v.flatten(0, 1) for v in given[1:])]
    want = every_state(lstm_step, rows[0], None, tuple(rows[1:]), p)
    assert_close((hs.flatten(1, 2), cs.flatten(1, 2)), want)


def test_params_have_four_names_and_a_cells_own():
    W = torch.ones(1, 1)
    p = Params(W, 2 * W, extras={"leak": 3 * W})
    assert (p.W_ih, p.W_hh, p.leak) == (W, 2 * W, 3 * W)
    assert p.b_ih is p.b_hh is None
    message = r"^p has no leek; it has W_ih, W_hh, b_ih, b_hh, leak$"
    with pytest.raises(AttributeError, match=message):
        _ = p.leek
    with pytest.raises(AttributeError, match="cannot assign to field 'W_ih'"):
        p.W_ih = W


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        (
            lambda h: h,
            TypeError,
            r"a Tensor; need a tuple of 1 Tensor, h first; is it \(h,\) with",
        ),
        (
            lambda h: None,
            TypeError,
            r"a NoneType; need a tuple of 1 Tensor, h first; is there a return\?",
        ),
        (
            lambda h: (h, h),
            ValueError,
            "returned 2 tensors; need 1 Tensor, as in its state",
        ),
        (lambda h: (1.0,), TypeError, "returned is a float; need a Tensor"),
        (lambda h: [h], TypeError, "a list; need a tuple of 1 Tensor, h first$"),
        (
            lambda h: (h[:, :2],),
            ValueError,
            r"returned has shape \(2, 2\); need \(2, 3\), as before the step",
        ),
    ],
)
def test_a_step_that_returns_no_state_is_named(new, error, message):
    def wrong(x_t, state, p):
        return new(state[0])

    state = (torch.zeros(2, 3),)
    with pytest.raises(error, match=f"<locals>.wrong.*{message}"):
        sweep(wrong, torch.zeros(5, 2, 3), None, state, None)


def test_two_tensors_are_not_asked_for_a_comma():
    zero = torch.zeros(1, 1)
    with pytest.raises(TypeError, match=r"need a tuple of 2 Tensors, h first$"):
        check_new_state(leak, zero, (zero, zero))


def test_autocast_dtype():
    x = torch.zeros(1)
    assert autocast_dtype(x) is autocast_dtype(x.to("meta")) is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert autocast_dtype(x) == torch.bfloat16
        assert autocast_dtype(x.double()) is autocast_dtype(x.long()) is None
