"""Elman RNN by hand, one time step after another, the same as torch.nn.RNN.

    h_t = tanh(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)

Shapes: x (T, B, I), h_t (B, H), W_ih (H, I), W_hh (H, H), b (H,)
        T time steps, B batch, I input size, H hidden size
Page:   docs/recurrence/elman.md, docs/recurrence/seeds.md
Test:   tests/recurrence/test_elman.py
Source: Elman (1990), doi:10.1207/s15516709cog1402_1;
        equation as in the torch.nn.RNN reference

Two steps small enough for a pocket calculator, with W_ih = 1, W_hh = 0.5:

>>> import torch
>>> from rnn_examples.recurrence.elman import ElmanParams, rnn_forward
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = ElmanParams(W_ih=one, W_hh=one / 2, b_ih=zero[0], b_hh=zero[0])
>>> x = torch.stack([one, zero])  # (T, B, I) = (2, 1, 1)
>>> hs, h_T = rnn_forward(x, h_0=zero, p=p)
>>> [round(h, 4) for h in hs.flatten().tolist()]  # tanh(1), tanh(tanh(1)/2)
[0.7616, 0.3634]

Any size, against PyTorch; assert_close is silent when the numbers agree:

>>> import torch
>>> from rnn_examples.recurrence.elman import params_of, rnn_forward
>>> rnn = torch.nn.RNN(input_size=3, hidden_size=4)
>>> x, h_0 = torch.randn(5, 2, 3), torch.randn(2, 4)  # (T, B, I), (B, H)
>>> hs, h_T = rnn_forward(x, h_0, params_of(rnn))
>>> output, h_n = rnn(x, h_0[None])  # nn.RNN wants a layer axis: (1, B, H)
>>> torch.testing.assert_close((hs, h_T), (output, h_n[0]))
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rnn_examples.recurrence.sweep import State, Step


class ElmanParams(NamedTuple):
    """One layer's four tensors, under the names in the equation."""

    W_ih: Tensor  # (H, I)
    W_hh: Tensor  # (H, H), square: a wrong transpose still runs
    b_ih: Tensor  # (H,)
    b_hh: Tensor  # (H,)


def params_of(rnn: nn.RNN) -> ElmanParams:
    """Parameters of a one-layer, one-way tanh RNN, shared, not copied.

    Raises ValueError for any other layer.
    """
    if rnn.num_layers != 1 or rnn.bidirectional or rnn.nonlinearity != "tanh":
        raise ValueError(f"rnn is {rnn}; need 1 layer, 1 direction, tanh")
    if not rnn.bias:
        raise ValueError(f"rnn is {rnn}; need bias=True")
    ((W_ih, W_hh, b_ih, b_hh),) = rnn.all_weights
    return ElmanParams(W_ih, W_hh, b_ih, b_hh)


def rnn_step(x_t: Tensor, state: State, p: ElmanParams) -> State:
    """One time step: (B, I), ((B, H),) -> ((B, H),)."""
    (h_prev,) = state
    h = torch.tanh(x_t @ p.W_ih.T + p.b_ih + h_prev @ p.W_hh.T + p.b_hh)
    return (h,)


def check_shapes(x: Tensor, h_0: Tensor, p: ElmanParams) -> None:
    """Raises ValueError when x or h_0 does not fit p or T is 0."""
    H, I = p.W_ih.shape
    if x.dim() != 3 or x.shape[0] == 0 or x.shape[2] != I:
        raise ValueError(f"x has shape {tuple(x.shape)}; need (T, B, {I}), T >= 1")
    if h_0.shape != (x.shape[1], H):
        raise ValueError(
            f"h_0 has shape {tuple(h_0.shape)}; need (B, H) = {(x.shape[1], H)}"
        )


def rnn_forward(
    x: Tensor,
    h_0: Tensor,
    p: ElmanParams,
    step: Step[ElmanParams] = rnn_step,
) -> tuple[Tensor, Tensor]:
    """(T, B, I), (B, H) -> all h_t (T, B, H), last h_T (B, H).

    Raises what check_shapes raises.
    """
    check_shapes(x, h_0, p)
    state: State = (h_0,)
    hs = []
    for x_t in x:  # (B, I)
        (h,) = state = step(x_t, state, p)
        hs.append(h)  # (B, H)
    return torch.stack(hs), h
