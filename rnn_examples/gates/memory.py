"""What a recurrent network remembers: connectivity, a unit that counts, ablation.

    connectivity[t, k] = | dy_t/dx_k |          (Frobenius norm)
    a cell that counts:  c_t = f c_{t-1} + i g,  f = i = 1,  g = +1 on (, -1 on )

Shapes: x (T, B, I) or symbols (T, B), y (T, B, O), h and c (B, H)
        T time steps, B batch, I inputs, O outputs, H hidden size
Page:   docs/gates/memory.md
Test:   tests/gates/test_memory.py
Source: connectivity: Madsen (2019), doi:10.23915/distill.00016;
        units that follow brackets: Karpathy, Johnson and Fei-Fei (2015),
        arXiv:1506.02078; counting in c_t: Gers and Schmidhuber (2001),
        doi:10.1109/72.963769; Weiss, Goldberg and Yahav (2018), arXiv:1805.04908

Read ( ( ) b ) with a cell whose gates are open and whose candidate is +1 on an
opening and -1 on a closing bracket. Its c_t is the depth:

>>> import torch
>>> from rnn_examples.gates.lstm import lstm_step
>>> from rnn_examples.gates.memory import counting_weights
>>> from rnn_examples.recurrence.sweep import every_state
>>> symbols = torch.tensor([["()ab".index(s)] for s in "(()b)"])  # (T, B)
>>> x = torch.nn.functional.one_hot(symbols, 4).double()
>>> zero = torch.zeros(1, 1, dtype=torch.float64)
>>> p = counting_weights(big=100)
>>> hs, cs = every_state(lstm_step, x, None, (zero, zero), p)
>>> cs.flatten().tolist()
[1.0, 2.0, 1.0, 1.0, 0.0]

Any size, against PyTorch's own Jacobian of a whole layer:

>>> import torch
>>> from rnn_examples.gates.memory import connectivity
>>> lstm = torch.nn.LSTM(input_size=3, hidden_size=4)
>>> outputs = lambda x: lstm(x)[0]
>>> x = torch.randn(5, 1, 3)  # (T, 1, I)
>>> J = torch.autograd.functional.jacobian(outputs, x)  # (T, 1, H, T, 1, I)
>>> norms = J.square().sum(dim=(2, 5)).sqrt()[:, 0, :, 0]
>>> torch.testing.assert_close(connectivity(outputs, x)[:, :, 0], norms)
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from rnn_examples.recurrence.sweep import (
    P,
    Params,
    State,
    Step,
    check_new_state,
    every_state,
)


def brackets(
    T: int, B: int, generator: Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols ()ab as 0 1 2 3, depth, is the last letter b: (T, B) each.

    A ) with nothing to close becomes a (. Raises ValueError for T < 1.
    """
    if T < 1:
        raise ValueError(f"T is {T}; need at least 1 step")
    x = torch.randint(4, (T, B), generator=generator)
    depth, is_b = torch.zeros(B).long(), torch.zeros(B).bool()
    depths, last_is_b = [], []
    for t in range(T):
        x[t] = torch.where((x[t] == 1) & (depth == 0), 0, x[t])
        depth = depth + (x[t] == 0).long() - (x[t] == 1).long()
        is_b = torch.where(x[t] > 1, x[t] == 3, is_b)
        depths.append(depth)
        last_is_b.append(is_b)
    return x, torch.stack(depths), torch.stack(last_is_b)


def connectivity(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """|dy_t/dx_k| at [t, k] for y = model(x): (T, B, I) -> (T, T, B).

    The model must keep the sequences of a batch apart.
    Raises ValueError unless y is (T, B, O).
    """
    x = x.detach().requires_grad_()
    y = model(x)
    if y.dim() != 3 or y.shape[:2] != x.shape[:2]:
        raise ValueError(f"y has shape {tuple(y.shape)}; need (T, B, O)")
    squares = x.new_zeros(len(x), *x.shape[:2])
    for t, y_t in enumerate(y.sum(dim=1)):  # (O,), others add 0
        for y_to in y_t:
            (g,) = torch.autograd.grad(y_to, x, retain_graph=True)
            squares[t] += g.square().sum(dim=2)  # g is (T, B, I)
    return squares.sqrt()


def ablate(
    step: Step[P],
    x: Tensor,
    state: State,
    p: P,
    unit: int,
    at: tuple[float, ...] | None = None,
) -> State:
    """All states with one unit held still: (T, B, I) -> (T, B, H) each.

    ``at`` has the unit's number for each tensor of the state, such as its mean over
    many sequences; without it, zeros. The unit is held before the first step too.
    Raises ValueError when there is no such unit, T is 0, ``at`` has not one number
    for each tensor, or the tensors differ in size, as with a projection.
    """
    sizes = {s.shape[1] for s in state}
    if len(sizes) != 1:
        raise ValueError(f"state has sizes {sorted(sizes)}; need one, a unit's place")
    (H,) = sizes
    if unit not in range(H):
        raise ValueError(f"unit is {unit}; need one from 0 to {H - 1}")
    if len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; need (T, B, I), T >= 1")
    at = (0.0,) * len(state) if at is None else at
    if len(at) != len(state):
        raise ValueError(f"at has {len(at)} numbers; the state has {len(state)}")
    here = torch.arange(H, device=x.device) == unit

    def hold(state: State) -> State:
        pairs = zip(state, at, strict=True)
        return tuple(s.masked_fill(here, value) for s, value in pairs)

    def held_step(x_t: Tensor, state: State, p: P) -> State:
        new = step(x_t, state, p)
        check_new_state(step, new, state)
        return hold(new)

    return every_state(held_step, x, None, hold(state), p)


def count_correlation(units: Tensor, depth: Tensor) -> Tensor:
    """Correlation of each unit with the depth: (T, B, H), (T, B) -> (H,).

    Raises ValueError when the first two sizes differ.
    """
    if units.shape[:2] != depth.shape:
        raise ValueError(f"depth has shape {tuple(depth.shape)}; need (T, B) of units")
    rows = torch.cat([units, depth[:, :, None].to(units)], dim=2).flatten(0, 1).T
    return torch.corrcoef(rows)[-1, :-1]


def counting_weights(big: float) -> Params:
    """Of an LSTM of one unit over ()ab; the larger big, the better it counts."""
    W_ih, W_hh = torch.zeros(4, 4).double(), torch.zeros(4, 1).double()
    b_ih, b_hh = torch.zeros(4).double(), torch.zeros(4).double()
    b_ih[[0, 1, 3]] = big  # i, f, o
    W_ih[2] = torch.tensor([big, -big, 0, 0])  # g
    return Params(W_ih, W_hh, b_ih, b_hh)
