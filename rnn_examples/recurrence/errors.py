"""Check a recurrent layer's arguments: torch's exception types, plainer words.

    input (T, B, I), (B, T, I), (T, I) or packed (N, I); h_0 (K*D, B, H)

Shapes: T time steps, B batch, I input size, H hidden size, K layers,
        D directions, N steps of all sequences together
Page:   docs/recurrence/errors.md
Test:   tests/recurrence/test_errors.py
Source: the checks in torch/nn/modules/rnn.py of torch 2.13

What is said says which argument, what it got and what it needs:

>>> import torch
>>> from rnn_examples.recurrence.layers import RNN
>>> try:
...     RNN(3, 4)(torch.zeros(5, 2, 9))
... except RuntimeError as error:
...     print(error)
input has 9 features; this layer takes 3

Where torch checks an argument, the type is as a rule the one that it raises, so code
that catches it still does; where it stumbles over a wrong kind, ours is a TypeError:

>>> import torch
>>> from rnn_examples.recurrence.layers import RNN
>>> x, h_0 = torch.zeros(5, 2, 3), torch.zeros(1, 5, 4)
>>> for layer in (torch.nn.RNN(3, 4), RNN(3, 4)):
...     try:
...         layer(x, h_0)
...     except RuntimeError as error:
...         print(error)
Expected hidden size (1, 2, 4), got [1, 5, 4]
hx has shape (1, 5, 4); need (K*D, B, H) = (1, 2, 4).
Is input (B, T, I)? Set batch_first=True
"""

import sys
import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from rnn_examples.recurrence.sweep import autocast_dtype

if TYPE_CHECKING:
    from rnn_examples.recurrence.layers import Recurrent


def check_options(layer: "Recurrent[Any]") -> None:
    """Raises TypeError or ValueError for an option that makes no layer."""
    for name in ("input_size", "hidden_size"):
        if not isinstance(getattr(layer, name), int):
            raise TypeError(f"{name} is {getattr(layer, name)!r}; need an int")
    for name, least in SMALLEST.items():
        check_at_least(least, name, getattr(layer, name))
    for name in ("bias", "batch_first"):
        if not isinstance(getattr(layer, name), bool):
            raise TypeError(f"{name} is {getattr(layer, name)!r}; need True or False")
    if layer.bidirectional not in (0, 1):  # torch's constructor takes 1 as well
        raise TypeError(f"bidirectional is {layer.bidirectional!r}; need True or False")
    P = layer.proj_size
    if P and not layer.can_project:
        raise ValueError(f"proj_size is {P}; {type(layer).__name__} has no projection")
    if layer.hidden_size <= P:
        raise ValueError(f"proj_size is {P}; need less than H = {layer.hidden_size}")
    check_dropout(layer)


SMALLEST = {"input_size": 1, "hidden_size": 1, "num_layers": 1, "proj_size": 0}


def check_at_least(least: int, name: str, value: Any) -> None:
    """Raises TypeError for what is no whole number, ValueError below the least."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r}; need an int")
    if value < least:
        raise ValueError(f"{name} is {value}; need at least {least}")


def check_dropout(layer: "Recurrent[Any]") -> None:
    """Raises ValueError for no probability; warns where it does nothing."""
    p, K = layer.dropout, layer.num_layers
    if isinstance(p, bool) or not isinstance(p, Real) or not 0 <= p <= 1:
        raise ValueError(f"dropout is {p!r}; need a probability from 0 to 1")
    if p > 0 and K == 1:  # torch's words, for those who filter them
        level = 1
        frame = sys._getframe()
        while frame.f_back and any(
            frame.f_locals.get(name) is layer for name in ("layer", "self")
        ):
            level += 1
            frame = frame.f_back
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so "
            "non-zero dropout expects num_layers greater than 1, but got "
            f"dropout={p} and num_layers={K}",
            stacklevel=level,  # the line that asked for the layer
        )


def check_input(
    layer: "Recurrent[Any]", input: Tensor | PackedSequence, weight: Tensor
) -> None:
    """Raises TypeError, ValueError (rank, dtype) or RuntimeError (sizes, device).

    weight is one of the layer's, for its dtype and device.
    """
    if not isinstance(input, (Tensor, PackedSequence)):  # | : not for torch 2.4
        kind = type(input).__name__
        raise TypeError(f"input is a {kind}; need a Tensor or a PackedSequence")
    packed = isinstance(input, PackedSequence)
    x = input.data if isinstance(input, PackedSequence) else input
    if not packed and x.dim() not in (2, 3):
        layout = "(B, T, I)" if layer.batch_first else "(T, B, I)"
        raise ValueError(f"input is {x.dim()}-D; need {layout}, or (T, I) unbatched")
    check_input_dtype(x, weight)
    if packed and x.dim() != 2:
        raise RuntimeError(f"input is packed from {x.dim()}-D data; need (N, I)")
    if x.shape[-1] != layer.input_size:
        takes = f"this layer takes {layer.input_size}"
        raise RuntimeError(f"input has {x.shape[-1]} features; {takes}")
    check_steps(layer, input)
    if x.device != weight.device:
        move = f"call input.to({str(weight.device)!r})"
        raise RuntimeError(f"input is on {x.device}, the weights are not; {move}")


def check_input_dtype(x: Tensor, weight: Tensor) -> None:
    """Raises ValueError, except where autocast will choose the dtype."""
    if x.dtype == weight.dtype or autocast_dtype(x):
        return
    mend = f"call input.to({weight.dtype}) or layer.to({x.dtype})"
    if not (x.is_floating_point() or x.is_complex()):
        mend = f"call input.to({weight.dtype}), or nn.Embedding if it holds token ids"
    raise ValueError(f"input is {x.dtype}, the weights are {weight.dtype}; {mend}")


def check_steps(layer: "Recurrent[Any]", input: Tensor | PackedSequence) -> None:
    """Raises RuntimeError for no time step, or lengths that do not fit the data."""
    if isinstance(input, PackedSequence):
        n, N = len(input.data), input.batch_sizes.sum()
        if n != N:
            raise RuntimeError(f"input holds {n} steps, its lengths add up to {N}")
        if (input.batch_sizes.diff() > 0).any():
            sizes = input.batch_sizes.tolist()
            raise RuntimeError(f"input has batch_sizes {sizes}; they must never grow")
        return
    time_axis = 1 if layer.batch_first and input.dim() == 3 else 0
    if input.shape[time_axis] == 0:
        raise RuntimeError("input has no time step; need T >= 1")


def check_hx(
    layer: "Recurrent[Any]",
    hx: Any,
    input: Tensor | PackedSequence,
    weight: Tensor,
) -> None:
    """Raises TypeError (kind) or RuntimeError (rank, shape, dtype, device)."""
    x = input.data if isinstance(input, PackedSequence) else input
    values = named_states(hx, len(layer.state_sizes))
    for (name, value), size in zip(values, layer.state_sizes, strict=True):
        check_shape(layer, name, value, input, size)
        if value.dtype != x.dtype and not autocast_dtype(value):
            raise RuntimeError(f"{name} is {value.dtype}; input is {x.dtype}")
        if value.device != weight.device:
            raise RuntimeError(f"{name} is on {value.device}, the weights are not")


def named_states(hx: Any, n: int) -> list[tuple[str, Any]]:
    """(name, value) of each of n tensors of a state. Raises TypeError."""
    if n == 1:
        return [("hx", hx)]
    several = isinstance(hx, (tuple, list))
    if not several or len(hx) != n:
        got = type(hx).__name__ + (f" of {len(hx)}" if several else "")
        raise TypeError(f"hx is a {got}; need a tuple of {n} Tensors")
    return [(f"hx[{i}]", value) for i, value in enumerate(hx)]


def check_shape(
    layer: "Recurrent[Any]",
    name: str,
    value: Any,
    input: Tensor | PackedSequence,
    size: int,
) -> None:
    """Raises TypeError or RuntimeError unless value is (K*D, B, size)."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    axes, hint = "(K*D, B, H)", ""
    if isinstance(input, PackedSequence):
        need: tuple[int, ...] = (rows, int(input.batch_sizes[0]), size)
        mistaken = None
    elif input.dim() == 2:
        axes, need, mistaken = "(K*D, H)", (rows, size), None
        hint = "; a 2-D input is one sequence (T, I)"
    else:
        T, B = input.shape[:2]
        if layer.batch_first:
            T, B = B, T
        need, mistaken = (rows, B, size), (rows, T, size)
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}; need a Tensor {axes}")
    if value.shape == need:
        return
    shape = tuple(value.shape)
    if shape == mistaken:
        other = "(T, B, I)" if layer.batch_first else "(B, T, I)"
        hint = f".\nIs input {other}? Set batch_first={not layer.batch_first}"
    raise RuntimeError(f"{name} has shape {shape}; need {axes} = {need}{hint}")
