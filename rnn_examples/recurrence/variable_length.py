"""Sequences of different length in one batch: pad them, mask them, pack them.

    m_t = [t <= T_b for each sequence b]
    h_t = where(m_t, step(x_t, h_{t-1}), h_{t-1})
    n_t = sum of m_t over the batch, torch's batch_sizes

Shapes: x (T, B, ...), lengths (B,) of the T_b, mask (T, B), batch_sizes (T,)
        T the longest of the T_b, B batch
Page:   docs/recurrence/variable_length.md
Test:   tests/recurrence/test_variable_length.py
Source: the torch.nn.utils.rnn references of pad_sequence,
        pack_padded_sequence and PackedSequence

A network with h_t = tanh(x_t + h_{t-1} / 2) reads 1, 0 and, beside it, 1:

>>> import torch
>>> from rnn_examples.recurrence.variable_length import mask, masked_forward, pad
>>> long, short = torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0]])
>>> x, lengths = pad([long, short])
>>> x[..., 0].tolist()  # one row a time step, one column a sequence
[[1.0, 1.0], [0.0, 0.0]]
>>> mask(lengths, T=2).tolist()
[[True, True], [True, False]]
>>> def step(x_t, state, p):
...     return (torch.tanh(x_t + state[0] / 2),)
>>> hs, (h_T,) = masked_forward(step, x, lengths, (torch.zeros(2, 1),), None)
>>> [round(h, 4) for h in h_T[:, 0].tolist()]  # tanh(tanh(1)/2), tanh(1)
[0.3634, 0.7616]

Any size, against a packed torch.nn.GRU; a GRUCell is one step:

>>> import torch
>>> from torch.nn.utils.rnn import pack_padded_sequence
>>> from rnn_examples.recurrence.variable_length import masked_forward, pad
>>> gru, cell = torch.nn.GRU(3, 4), torch.nn.GRUCell(3, 4)
>>> weights = gru.state_dict().items()
>>> _ = cell.load_state_dict({k.removesuffix("_l0"): v for k, v in weights})
>>> x, lengths = pad([torch.randn(T_b, 3) for T_b in (2, 5, 4)])
>>> def step(x_t, state, p):
...     return (cell(x_t, *state),)
>>> hs, (h_T,) = masked_forward(step, x, lengths, (torch.zeros(3, 4),), None)
>>> _, h_n = gru(pack_padded_sequence(x, lengths, enforce_sorted=False))
>>> torch.testing.assert_close(h_T, h_n[0])
"""

import torch
from torch import Tensor

from rnn_examples.recurrence.sweep import P, State, Step, check_new_state, sweep


def pad(sequences: list[Tensor], value: float = 0.0) -> tuple[Tensor, Tensor]:
    """Fill up with value: B of (T_b, ...) -> (T, B, ...), lengths (B,).

    Raises ValueError for no sequence, an empty one, or unlike features.
    """
    sizes = [len(s) for s in sequences]
    if min(sizes, default=0) == 0:
        raise ValueError(f"sequences have lengths {sizes}; need 1 or more")
    kinds = {(s.dtype, tuple(s.shape[1:])) for s in sequences}
    if len(kinds) > 1:
        raise ValueError(f"sequences have features {kinds}; need one kind")
    first, *_ = sequences
    shape = (max(sizes), len(sizes), *first.shape[1:])  # (T, B, ...)
    padded = first.new_full(shape, value)
    for b, s in enumerate(sequences):
        padded[: len(s), b] = s
    return padded, torch.tensor(sizes)


def mask(lengths: Tensor, T: int) -> Tensor:
    """True where a sequence still runs: (B,) -> (T, B).

    Raises ValueError unless all lengths are from 1 to T.
    """
    if lengths.min() < 1 or lengths.max() > T:
        raise ValueError(f"lengths are {lengths.tolist()}; need 1 to T = {T}")
    return torch.arange(T, device=lengths.device)[:, None] < lengths


def mask_of(x: Tensor, lengths: Tensor) -> Tensor:
    """The same for a padded batch: (T, B, ...), (B,) -> (T, B).

    Raises ValueError, also in what follows, if lengths do not fit x.
    """
    if lengths.shape != x.shape[1:2]:
        raise ValueError(f"lengths has shape {tuple(lengths.shape)}; need (B,)")
    return mask(lengths, len(x))


def masked_forward(
    step: Step[P], x: Tensor, lengths: Tensor, state: State, p: P
) -> tuple[Tensor, State]:
    """All h_t (T, B, H), 0 in the padding, and each sequence's last state."""
    running = mask_of(x, lengths)[..., None]  # (T, B, 1)

    def masked(x_t: Tensor, state: State, p: P) -> State:
        *old, left = state  # left (B, 1): how many steps are left
        new = step(x_t, tuple(old), p)
        check_new_state(step, new, tuple(old))
        pairs = zip(new, old, strict=True)  # finished: keep the state
        return *(torch.where(left > 0, n, s) for n, s in pairs), left - 1

    hs, (*last, _) = sweep(masked, x, None, (*state, lengths[:, None]), p)
    return torch.where(running, hs, 0), tuple(last)


def batch_sizes(lengths: Tensor) -> Tensor:
    """How many sequences still run at each time step: (B,) -> (T,)."""
    return mask(lengths, int(lengths.max())).sum(dim=1)


def pack(x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Steps that are not padding, batch sizes, order: longest first."""
    order = lengths.argsort(descending=True)  # (B,)
    running = mask_of(x, lengths)[:, order]  # (T, B)
    return x[:, order][running], batch_sizes(lengths), order


def last_valid(output: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence's own last step: (T, B, H), (B,) -> (B, H)."""
    last = mask_of(output, lengths).sum(dim=0) - 1  # (B,)
    index = last[None, :, None].expand(1, -1, output.shape[2])  # (1, B, H)
    return output.gather(0, index).squeeze(0)


def masked_mean(values: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the steps that are not padding: (T, B, ...) -> ()."""
    return values[mask_of(values, lengths)].mean()
