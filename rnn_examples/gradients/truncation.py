"""Truncated backpropagation through time: no gradient crosses a cut.

    hs and h_T as rnn_forward computes them; every tau steps the state that
    goes on is a constant, so dh_t/dh_k = 0 when a cut lies between k and t

Shapes: x (T, B, I), h_0 (B, H), hs (T, B, H); tau steps make a chunk
Page:   docs/gradients/truncation.md
Test:   tests/gradients/test_truncation.py
Source: Williams and Peng (1990), doi:10.1162/neco.1990.2.4.490

Two steps small enough for a pocket calculator, W_ih = 1, W_hh = 0.5, L = h_2.
The states are the same; with a cut after step 1, dL/dx_1 is zero:

>>> import torch
>>> from rnn_examples.gradients.truncation import truncated_forward
>>> from rnn_examples.recurrence.elman import ElmanParams
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = ElmanParams(W_ih=one, W_hh=one / 2, b_ih=zero[0], b_hh=zero[0])
>>> x = torch.stack([one, zero]).requires_grad_()  # (T, B, I) = (2, 1, 1)
>>> for tau in (2, 1):
...     hs, h_T = truncated_forward(x, zero, p, tau)
...     (dx,) = torch.autograd.grad(h_T, x)
...     print([round(v, 4) for v in torch.cat([hs, dx]).flatten().tolist()])
[0.7616, 0.3634, 0.1823, 0.8679]
[0.7616, 0.3634, 0.0, 0.8679]

Any size, against PyTorch: the values of the whole sequence, the gradient of
the last chunk alone:

>>> import torch
>>> from rnn_examples.gradients.truncation import truncated_forward
>>> from rnn_examples.recurrence.elman import params_of
>>> rnn = torch.nn.RNN(input_size=3, hidden_size=4)
>>> x, h_0 = torch.randn(8, 2, 3), torch.randn(2, 4)  # (T, B, I), (B, H)
>>> hs, h_T = truncated_forward(x, h_0, params_of(rnn), tau=5)
>>> output, h_n = rnn(x, h_0[None])
>>> torch.testing.assert_close((hs, h_T), (output, h_n[0]))
>>> last, h_n = rnn(x[5:], output[4].detach()[None])  # from a constant
>>> weights = list(rnn.parameters())
>>> ours = torch.autograd.grad(h_T.square().sum(), weights)
>>> theirs = torch.autograd.grad(h_n.square().sum(), weights)
>>> torch.testing.assert_close(ours, theirs)
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from rnn_examples.recurrence.elman import ElmanParams, check_shapes, rnn_step
from rnn_examples.recurrence.sweep import P, State, Step, sweep


def truncated_sweep(
    step: Step[P], x: Tensor, state: State, p: P, tau: int
) -> tuple[Tensor, State]:
    """Any step through time, cut every tau steps: -> hs (T, B, H), last state.

    Raises ValueError when tau < 1.
    """
    if tau < 1:
        raise ValueError(f"tau is {tau}; need at least 1 step")
    parts: list[Tensor] = []
    for chunk in x.split(tau):  # the last one may be shorter
        start = tuple(s.detach() for s in state) if parts else state  # no way back
        hs, state = sweep(step, chunk, None, start, p)
        parts.append(hs)
    return torch.cat(parts), state


def truncated_forward(
    x: Tensor, h_0: Tensor, p: ElmanParams, tau: int
) -> tuple[Tensor, Tensor]:
    """As rnn_forward, cut every tau steps: -> hs (T, B, H), h_T (B, H).

    Raises ValueError when tau < 1, or x or h_0 does not fit p.
    """
    check_shapes(x, h_0, p)
    hs, (h_T,) = truncated_sweep(rnn_step, x, (h_0,), p, tau)
    return hs, h_T


def recall_task(
    B: int,
    T: int,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Which symbol came first? x (T, B, 4), one-hot, and the label (B,).

    The first symbol is 0 or 1, all others are 2 or 3, at random.
    """
    label = torch.arange(B) % 2
    noise = torch.randint(2, 4, (T - 1, B), generator=generator)
    symbols = torch.cat([label[None], noise])  # (T, B)
    return one_hot(symbols, num_classes=4).double(), label
