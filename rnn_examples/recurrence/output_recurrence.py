"""A Jordan network: the output is fed back, the network's own or the true one.

    h_t = tanh(x_t W_ih^T + y_{t-1} W_yh^T + b_h)
    y_t = h_t W_hy^T + b_y
    teacher forcing puts the target of step t - 1 in the place of y_{t-1}

Shapes: x (T, B, I), y_t (B, O), W_ih (H, I), W_yh (H, O), W_hy (O, H),
        b_h (H,), b_y (O,)
        T time steps, B batch, I input, H hidden and O output size
Page:   docs/recurrence/output_recurrence.md, docs/recurrence/teacher_forcing.md
Test:   tests/recurrence/test_output_recurrence.py
Source: Jordan (1986), Institute for Cognitive Science report 8604, DTIC
        ADA173989, here without the decaying trace of outputs; teacher forcing:
        Williams and Zipser (1989), doi:10.1162/neco.1989.1.2.270

Two steps with W_ih = 1, W_yh = 0.5, W_hy = 2 and no bias, on the inputs 1, 0.
The network's own first output, 2 tanh(1) = 1.5232, is fed back:

>>> import torch
>>> from rnn_examples.recurrence.output_recurrence import (
...     JordanParams, jordan_forward)
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = JordanParams(one, one / 2, zero[0], W_hy=2 * one, b_y=zero[0])
>>> x = torch.stack([one, zero])  # (T, B, I)
>>> ys = jordan_forward(x, y_0=zero, p=p)
>>> [round(y, 4) for y in ys.flatten().tolist()]  # ..., 2 tanh(1.5232 / 2)
[1.5232, 1.2840]

The same network, whose teacher feeds back 1 whatever the output was:

>>> import torch
>>> from rnn_examples.recurrence.output_recurrence import (
...     JordanParams, jordan_forward)
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = JordanParams(one, one / 2, zero[0], W_hy=2 * one, b_y=zero[0])
>>> x, targets = torch.stack([one, zero]), torch.stack([one, one])
>>> ys = jordan_forward(x, y_0=zero, p=p, targets=targets)
>>> [round(y, 4) for y in ys.flatten().tolist()]  # ..., 2 tanh(1 / 2)
[1.5232, 0.9242]

Any size, against PyTorch's cell, which gets the output as part of its input and
never a state:

>>> import torch
>>> from rnn_examples.recurrence.output_recurrence import (
...     JordanParams, jordan_forward)
>>> cell, head = torch.nn.RNNCell(3 + 2, 4), torch.nn.Linear(4, 2)
>>> W_ih, W_yh = cell.weight_ih.split([3, 2], dim=1)
>>> b_h = cell.bias_ih + cell.bias_hh
>>> p = JordanParams(W_ih, W_yh, b_h, head.weight, head.bias)
>>> x, y = torch.randn(5, 6, 3), torch.randn(6, 2)  # (T, B, I), (B, O)
>>> for x_t, y_t in zip(x, jordan_forward(x, y, p)):
...     y = head(cell(torch.cat([x_t, y], dim=1)))
...     torch.testing.assert_close(y_t, y)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rnn_examples.recurrence.elman import ElmanParams
from rnn_examples.recurrence.sweep import State, sweep


class JordanParams(NamedTuple):
    """One network's five tensors, under the names in the equations."""

    W_ih: Tensor  # (H, I)
    W_yh: Tensor  # (H, O), the way back
    b_h: Tensor  # (H,)
    W_hy: Tensor  # (O, H)
    b_y: Tensor  # (O,)


def check(x: Tensor, y_0: Tensor, p: JordanParams, targets: Tensor | None) -> None:
    """Raises ValueError when x, y_0 or targets do not fit p or each other."""
    I, O = p.W_ih.shape[1], len(p.b_y)
    if x.dim() != 3 or x.shape[0] == 0 or x.shape[2] != I:
        raise ValueError(f"x has shape {tuple(x.shape)}; need (T, B, {I}), T >= 1")
    T, B, _ = x.shape
    if y_0.shape != (B, O):
        raise ValueError(f"y_0 has shape {tuple(y_0.shape)}; need (B, O) = {(B, O)}")
    if targets is not None and targets.shape != (T, B, O):
        raise ValueError(
            f"targets has shape {tuple(targets.shape)}; need (T, B, O) = {(T, B, O)}"
        )


def jordan_step(x_t: Tensor, state: State, p: JordanParams) -> State:
    """One time step: (B, I), ((B, O),) -> ((B, O),)."""
    (y_prev,) = state
    h = torch.tanh(x_t @ p.W_ih.T + y_prev @ p.W_yh.T + p.b_h)  # (B, H)
    y = h @ p.W_hy.T + p.b_y
    return (y,)


def jordan_forward(
    x: Tensor, y_0: Tensor, p: JordanParams, targets: Tensor | None = None
) -> Tensor:
    """All outputs: (T, B, I), (B, O), maybe (T, B, O) -> (T, B, O)."""
    check(x, y_0, p, targets)
    if targets is None:
        ys, _ = sweep(jordan_step, x, None, (y_0,), p)
        return ys
    I = x.shape[-1]
    taught = torch.cat([y_0[None], targets[:-1]])  # y_{t-1}, as the teacher says

    def forced(both: Tensor, state: State, p: JordanParams) -> State:
        x_t, y_prev = both[:, :I], both[:, I:]
        return jordan_step(x_t, (y_prev,), p)

    ys, _ = sweep(forced, torch.cat([x, taught], dim=2), None, (y_0,), p)
    return ys


def as_elman(p: JordanParams) -> ElmanParams:
    """The Elman recurrence with the same hidden states when it runs free."""
    return ElmanParams(
        W_ih=p.W_ih, W_hh=p.W_yh @ p.W_hy, b_ih=p.b_h, b_hh=p.W_yh @ p.b_y
    )
