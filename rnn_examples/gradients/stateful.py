"""Stateful training: carry the state from chunk to chunk, cut, and reset it.

    chunk c starts from  stop(h_tau of chunk c - 1),
    or from 0 where a new sequence begins;  stop(h) = h, d stop(h)/dh = 0

Shapes: series (N, ...), streams (T, B, ...); a state as torch's layers give it:
        (K, B, H), or a pair of them from an LSTM; new (B,), True or False
Page:   docs/gradients/stateful.md
Test:   tests/gradients/test_stateful.py
Source: batches of streams as in PyTorch's word-level language model,
        github.com/pytorch/examples/tree/main/word_language_model

A series of nine numbers, folded into two streams side by side; one is left
over and dropped. A stream runs down a column, and chunks are rows:

>>> import torch
>>> from rnn_examples.gradients.stateful import streams
>>> x = streams(torch.arange(9), B=2)  # (T, B) = (4, 2)
>>> [chunk.tolist() for chunk in x.split(2)]
[[[0, 4], [1, 5]], [[2, 6], [3, 7]]]

Any size, against PyTorch: with a carried state, chunks give the outputs of the
whole series:

>>> import torch
>>> from rnn_examples.gradients.stateful import detach_state, streams
>>> lstm = torch.nn.LSTM(input_size=3, hidden_size=4)
>>> x = streams(torch.randn(50, 3), B=2)  # (T, B, I)
>>> state, outputs = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)), []
>>> for chunk in x.split(7):
...     output, state = lstm(chunk, detach_state(state))
...     outputs.append(output)
>>> torch.testing.assert_close(torch.cat(outputs), lstm(x)[0])
"""

from typing import TypeVar

import torch
from torch import Tensor

# A state as torch's layers give it: h_n alone, or (h_n, c_n); None before the first.
Hx = TypeVar("Hx", Tensor, tuple[Tensor, Tensor], None)


def streams(series: Tensor, B: int) -> Tensor:
    """Fold one long series into B streams: (N, ...) -> (N // B, B, ...).

    Raises ValueError unless 1 <= B <= N.
    """
    if not 1 <= B <= len(series):
        raise ValueError(f"B is {B}; need 1 to {len(series)} streams")
    T = len(series) // B
    rows: Tensor = series[: T * B].unflatten(0, (B, T))
    return rows.transpose(0, 1)


def detach_state(state: Hx) -> Hx:
    """The same numbers without their history; a pair stays a pair, None stays None."""
    if state is None:
        return state
    if isinstance(state, tuple):
        h, c = state
        return detach_state(h), detach_state(c)
    return state.detach()


def reset_state(state: Hx, new: Tensor) -> Hx:
    """Zero for the sequences that are new, the rest as it was; None stays None.

    Raises ValueError unless new is (B,) and holds True and False.
    """
    if state is None:
        return state
    if isinstance(state, tuple):
        h, c = state
        return reset_state(h, new), reset_state(c, new)
    need = f"(B,) = {(state.shape[-2],)} of torch.bool"
    if new.shape != state.shape[-2:-1] or new.dtype != torch.bool:
        got = f"{tuple(new.shape)} of {new.dtype}"
        raise ValueError(f"new has shape {got}; need {need}")
    return torch.where(new[:, None], 0.0, state)
