"""Names, shapes and number of the parameters of torch's recurrent layers.

    n = D (sum over layers k of G H (I_k + H + 2)),  I_0 = I, I_k = D H above

Shapes: weight_ih (G*H, I_k), weight_hh (G*H, H), bias_ih and bias_hh (G*H,)
        G gates: 1 RNN, 3 GRU, 4 LSTM; I input size, H hidden size,
        K layers, D directions
Page:   docs/recurrence/parameters.md
Test:   tests/recurrence/test_parameters.py
Source: the "Variables" of the torch.nn.RNN, GRU and LSTM references

An RNN from 5 features to 2 hidden units: 2 * 5 + 2 * 2 + 2 + 2 numbers:

>>> from rnn_examples.recurrence.parameters import parameter_shapes
>>> parameter_shapes(G=1, I=5, H=2)["weight_ih_l0"]
(2, 5)
>>> from rnn_examples.recurrence.parameters import parameter_count
>>> parameter_count(G=1, I=5, H=2)
18

Any layer, against PyTorch:

>>> import torch
>>> from rnn_examples.recurrence.parameters import parameter_shapes
>>> lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
>>> shapes = parameter_shapes(G=4, I=3, H=4, K=2, D=2)
>>> shapes == {k: tuple(v.shape) for k, v in lstm.state_dict().items()}
True
"""

from math import prod

import torch

from rnn_examples.recurrence.elman import ElmanParams

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def parameter_shapes(
    G: int, I: int, H: int, K: int = 1, D: int = 1, bias: bool = True
) -> dict[str, tuple[int, ...]]:
    """Name -> shape, in the order of the layer's state_dict.

    Raises ValueError unless G is 1, 3 or 4, D is 1 or 2, and I, H, K >= 1.
    """
    if G not in GATES.values():
        raise ValueError(f"G is {G}; need 1 (RNN), 3 (GRU) or 4 (LSTM)")
    if D not in (1, 2):
        raise ValueError(f"D is {D}; need 1 direction or 2")
    for name, size in {"I": I, "H": H, "K": K}.items():
        if size < 1:
            raise ValueError(f"{name} is {size}; need at least 1")
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(K):
        inputs = I if k == 0 else D * H  # layer k reads both directions below
        for end in (f"_l{k}", f"_l{k}_reverse")[:D]:
            shapes[f"weight_ih{end}"] = (G * H, inputs)
            shapes[f"weight_hh{end}"] = (G * H, H)
            if bias:
                shapes[f"bias_ih{end}"] = shapes[f"bias_hh{end}"] = (G * H,)
    return shapes


def parameter_count(
    G: int, I: int, H: int, K: int = 1, D: int = 1, bias: bool = True
) -> int:
    """How many numbers a layer learns; arguments as for parameter_shapes."""
    return sum(prod(s) for s in parameter_shapes(G, I, H, K, D, bias).values())


def merge_biases(p: ElmanParams) -> ElmanParams:
    """The same RNN with its two biases in one; the other is zero."""
    return p._replace(b_ih=p.b_ih + p.b_hh, b_hh=torch.zeros_like(p.b_hh))
