"""The loop over time: any step, over a padded or a packed batch, in either order.

    state_t = step(x_t, state_{t-1}, p),   output_t = the first tensor of state_t

Shapes: x_t (B, I), state a tuple of (B, H), the output h first; data (T, B, I)
        padded, or packed (N, I), the steps of all sequences one after another
Page:   docs/recurrence/layers.md
Test:   tests/recurrence/test_sweep.py
Source: sizes as batch_sizes in the torch.nn.utils.rnn.PackedSequence reference

A step of our own, a running sum, over the inputs 1 and 10, then backwards:

>>> import torch
>>> from rnn_examples.recurrence.sweep import sweep
>>> def add(x_t, state, p):
...     return (state[0] + x_t,)
>>> x, zero = torch.tensor([[[1.0]], [[10.0]]]), (torch.zeros(1, 1),)
>>> for reverse in (False, True):
...     hs, (h_T,) = sweep(add, x, None, zero, None, reverse)
...     print(hs.flatten().tolist(), h_T.item())
[1.0, 11.0] 11.0
[11.0, 10.0] 11.0

A cell of torch, wrapped, is a step too; it has its weights, so p is not used:

>>> import torch
>>> from rnn_examples.recurrence.sweep import sweep
>>> cell, gru = torch.nn.GRUCell(3, 4), torch.nn.GRU(3, 4)
>>> names = {f"{name}_l0": v for name, v in cell.state_dict().items()}
>>> gru.load_state_dict(names)
<All keys matched successfully>
>>> def step(x_t, state, p):
...     return (cell(x_t, *state),)
>>> x, h_0 = torch.randn(5, 2, 3), torch.randn(2, 4)  # (T, B, I), (B, H)
>>> hs, (h_T,) = sweep(step, x, None, (h_0,), None)
>>> torch.testing.assert_close((hs, h_T[None]), gru(x, h_0[None]))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

State: TypeAlias = tuple[Tensor, ...]  # (B, H) each, the output h first
P = TypeVar("P")  # whatever a step calls its parameters
Step: TypeAlias = Callable[[Tensor, State, P], State]


@dataclass(frozen=True)
class Params:
    """One layer's tensors in one direction, as equations call them."""

    W_ih: Tensor  # (G*H, I): G blocks of H rows, 1 RNN, 4 LSTM, 3 GRU
    W_hh: Tensor  # (G*H, H), with a projection (G*H, P)
    b_ih: Tensor | None = None  # (G*H,), None without bias
    b_hh: Tensor | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)  # a cell's own

    def __getattr__(self, name: str) -> Tensor:
        """A cell's own tensors by their names: p.W_hr. Raises AttributeError."""
        extras = self.__dict__.get("extras", {})
        if name not in extras:
            own = ", ".join(["W_ih", "W_hh", "b_ih", "b_hh", *extras])
            raise AttributeError(f"p has no {name}; it has {own}")
        tensor: Tensor = extras[name]
        return tensor


def sweep(
    step: Step[P],
    data: Tensor,
    sizes: Tensor | None,
    state: State,
    p: P,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """Run a step through time -> the output of each step, the last state.

    With sizes None, data is padded (T, B, I), and the outputs are (T, B, H).
    Else data is packed (N, I), the outputs are (N, H), and sizes (T,) says how
    many sequences take each step. The longest stand first: those that have
    ended, or in reverse not begun, are the last rows of the state, and wait.
    Raises TypeError or ValueError for a state of another batch or kind, for no
    time step, and when the first step returns no such state.
    """
    check_state(data, sizes, state)
    steps = data.unbind() if sizes is None else data.split(sizes.tolist())
    outputs: list[Tensor] = []
    for x_t in reversed(steps) if reverse else steps:
        b = x_t.shape[0]
        h, *_ = state
        all_run = b == h.shape[0]
        old = state if all_run else tuple(s[:b] for s in state)
        new = step(x_t, old, p)
        if not outputs:
            check_new_state(step, new, old)
        outputs.append(new[0])
        state = new if all_run else with_waiting(new, state, b)
    if reverse:
        outputs.reverse()
    return (torch.stack if sizes is None else torch.cat)(outputs), state


def with_waiting(new: State, state: State, b: int) -> State:
    """The new states of the first b sequences, the old ones of those that wait."""
    pairs = zip(new, state, strict=True)
    return tuple(torch.cat([n, s[b:].to(n.dtype)]) for n, s in pairs)


def every_state(
    step: Step[P],
    data: Tensor,
    sizes: Tensor | None,
    state: State,
    p: P,
    reverse: bool = False,
) -> State:
    """As sweep, but each tensor of the state at every step: (T, B, H) or (N, H).

    They come in one dtype.
    """

    def record(x_t: Tensor, state: State, p: P) -> State:
        old = state[1:]
        new = step(x_t, old, p)
        check_new_state(step, new, old)
        return torch.cat(new, dim=-1), *new

    check_state(data, sizes, state)
    first = torch.cat(state, dim=-1)
    states, _ = sweep(record, data, sizes, (first, *state), p, reverse)
    parts: State = states.split([s.shape[-1] for s in state], dim=-1)
    return parts


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """What autocast computes products of x in; None where it leaves them alone."""
    device = x.device.type
    if x.dtype == torch.float64 or not x.is_floating_point():
        return None
    available = torch.amp.is_autocast_available(device)
    if not available or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def check_state(data: Tensor, sizes: Tensor | None, state: State) -> None:
    """Raises TypeError or ValueError unless a sweep over data can start from state."""
    if not isinstance(state, (tuple, list)) or not state:
        kind = type(state).__name__
        raise TypeError(f"state is a {kind}; need a tuple of Tensors, h first")
    if not isinstance(sizes, (Tensor, type(None))):
        kind = type(sizes).__name__
        raise TypeError(f"sizes is a {kind}; need a Tensor (T,), or None if padded")
    if len(data) == 0:
        raise ValueError("data has no time step; need T >= 1")
    B = data.shape[1] if sizes is None else int(sizes[0])
    for i, s in enumerate(state):
        if s.shape[:1] != (B,):
            got = f"tensor {i} of state has shape {tuple(s.shape)}"
            raise ValueError(f"{got}; data holds B = {B} sequences")


def check_new_state(step: Step[P], new: object, old: State) -> None:
    """Raises TypeError or ValueError unless new has the form of old."""
    name = getattr(step, "__qualname__", type(step).__name__)
    tensors = "1 Tensor" if len(old) == 1 else f"{len(old)} Tensors"
    if not isinstance(new, tuple):
        hint = {"NoneType": "; is there a return?"}.get(type(new).__name__, "")
        if isinstance(new, Tensor) and len(old) == 1:
            hint = "; is it (h,) with the comma?"
        got = f"{name} returned a {type(new).__name__}"
        raise TypeError(f"{got}; need a tuple of {tensors}, h first{hint}")
    if len(new) != len(old):
        raise ValueError(
            f"{name} returned {len(new)} tensors; need {tensors}, as in its state"
        )
    for i, (n, s) in enumerate(zip(new, old, strict=True)):
        what = f"tensor {i} of the state that {name} returned"
        if not isinstance(n, Tensor):
            raise TypeError(f"{what} is a {type(n).__name__}; need a Tensor")
        if n.shape != s.shape:
            need = f"need {tuple(s.shape)}, as before the step"
            raise ValueError(f"{what} has shape {tuple(n.shape)}; {need}")
