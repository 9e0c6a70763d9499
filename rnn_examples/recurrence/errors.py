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

The type is the one that torch raises, so code that catches it still does:

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

import warnings
from numbers import Real

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def check_options(layer) -> None:
    """Raises TypeError or ValueError for an option that makes no layer."""
    smallest = {"input_size": 1, "hidden_size": 1, "num_layers": 1, "proj_size": 0}
    for name, least in smallest.items():
        value = getattr(layer, name)
        if not isinstance(value, int):
            raise TypeError(f"{name} is {value!r}; need an int")
        if value < least:
            raise ValueError(f"{name} is {value}; need at least {least}")
    for name in ("bias", "batch_first", "bidirectional"):
        value = getattr(layer, name)
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; need True or False")
    p, K, P = layer.dropout, layer.num_layers, layer.proj_size
    if isinstance(p, bool) or not isinstance(p, Real) or not 0 <= p <= 1:
        raise ValueError(f"dropout is {p!r}; need a probability from 0 to 1")
    if P and not layer.can_project:
        raise ValueError(f"proj_size is {P}; only an LSTM has a projection")
    if P >= layer.hidden_size:
        raise ValueError(f"proj_size is {P}; need less than H = {layer.hidden_size}")
    if p > 0 and K == 1:  # torch's words, for those who filter them
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so "
            "non-zero dropout expects num_layers greater than 1, but got "
            f"dropout={p} and num_layers={K}",
            stacklevel=3,
        )


def check_input(layer, input) -> None:
    """Raises TypeError, ValueError (rank, dtype) or RuntimeError (sizes, device)."""
    if not isinstance(input, Tensor | PackedSequence):
        kind = type(input).__name__
        raise TypeError(f"input is a {kind}; need a Tensor or a PackedSequence")
    packed = isinstance(input, PackedSequence)
    x = input.data if packed else input
    weight = layer.weight_ih_l0
    if not packed and x.dim() not in (2, 3):
        layout = "(B, T, I)" if layer.batch_first else "(T, B, I)"
        raise ValueError(f"input is {x.dim()}-D; need {layout}, or (T, I) unbatched")
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"input is {x.dtype}, the weights are {weight.dtype}; "
            f"call input.to({weight.dtype}) or layer.to({x.dtype})"
        )
    if packed and x.dim() != 2:
        raise RuntimeError(f"input is packed from {x.dim()}-D data; need (N, I)")
    if x.shape[-1] != layer.input_size:
        takes = f"this layer takes {layer.input_size}"
        raise RuntimeError(f"input has {x.shape[-1]} features; {takes}")
    if packed and len(x) != input.batch_sizes.sum():
        N = input.batch_sizes.sum()
        raise RuntimeError(f"input holds {len(x)} steps, its lengths add up to {N}")
    if x.shape[1 if x.dim() == 3 and layer.batch_first else 0] == 0:
        raise RuntimeError("input has no time step; need T >= 1")
    if x.device != weight.device:
        move = f"call input.to({str(weight.device)!r})"
        raise RuntimeError(f"input is on {x.device}, the weights are not; {move}")


def check_hx(layer, hx, B: int | None, dtype: torch.dtype, T: int | None) -> None:
    """Raises TypeError (kind) or RuntimeError (rank, shape, dtype, device).

    B is None for an unbatched input, T for a packed one.
    """
    sizes, rows = layer.state_sizes, layer.num_layers * (1 + layer.bidirectional)
    axes = "(K*D, H)" if B is None else "(K*D, B, H)"
    values = {"hx": hx}
    if len(sizes) > 1:
        several = isinstance(hx, tuple | list)
        if not several or len(hx) != len(sizes):
            got = type(hx).__name__ + (f" of {len(hx)}" if several else "")
            raise TypeError(f"hx is a {got}; need a tuple of {len(sizes)} Tensors")
        values = {f"hx[{i}]": value for i, value in enumerate(hx)}
    for (name, value), size in zip(values.items(), sizes, strict=True):
        if not isinstance(value, Tensor):
            got = type(value).__name__
            raise TypeError(f"{name} is a {got}; need a Tensor {axes}")
        need, hint = (rows, size) if B is None else (rows, B, size), ""
        if value.shape != need:
            shape = tuple(value.shape)
            if B is None:
                hint = "; a 2-D input is one sequence (T, I)"
            elif shape == (rows, T, size):
                other = "(T, B, I)" if layer.batch_first else "(B, T, I)"
                hint = f".\nIs input {other}? Set batch_first={not layer.batch_first}"
            raise RuntimeError(f"{name} has shape {shape}; need {axes} = {need}{hint}")
        if value.dtype != dtype and not torch.is_autocast_enabled(value.device.type):
            raise RuntimeError(f"{name} is {value.dtype}; input is {dtype}")
        if value.device != layer.weight_ih_l0.device:
            raise RuntimeError(f"{name} is on {value.device}, the weights are not")
