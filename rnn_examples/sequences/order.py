"""Data whose order matters: a sticky coin, and which of two symbols came first.

    p(x_1, ..., x_T) = p(x_1) p(x_2 | x_1) ... p(x_T | x_1, ..., x_{T-1})

Shapes: x (T, B) symbols 0 .. V-1, bag (B, V) counts, label (B,)
        T time steps, B batch, V vocabulary
Page:   docs/sequences/order.md
Test:   tests/sequences/test_order.py
Source: chain rule of probability; entropy in bits as in Shannon (1948),
        doi:10.1002/j.1538-7305.1948.tb01338.x

Four tosses of a coin that shows the same side again three times out of four.
The first costs 1 bit, a repeat log2(4/3) = 0.415 bits, a change log2(4) = 2:

>>> import torch
>>> from rnn_examples.sequences.order import bits
>>> tosses = torch.tensor([0, 0, 1, 1])
>>> round(bits(tosses, stay=0.75), 4)  # (1 + 0.415 + 2 + 0.415) / 4
0.9575
>>> bits(tosses, stay=0.5)  # a fair coin: no memory, 1 bit a toss
1.0

Symbol 0 before symbol 1 is class 1. Swapping the two gives the other class,
and the same bag of symbols:

>>> import torch
>>> from rnn_examples.sequences.order import a_before_b, bag_of_symbols
>>> x, label = a_before_b(pairs=3, T=6, V=4, generator=torch.manual_seed(0))
>>> label.tolist()
[1, 1, 1, 0, 0, 0]
>>> bag = bag_of_symbols(x, V=4)
>>> torch.testing.assert_close(bag[:3], bag[3:])
>>> one_hot = torch.nn.functional.one_hot(x, num_classes=4)  # (T, B, V)
>>> torch.testing.assert_close(bag, one_hot.sum(dim=0))
"""

from math import log2

import torch
from torch import Generator, Tensor


def sticky_coin(T: int, stay: float, generator: Generator) -> Tensor:
    """T tosses (T,) of 0 or 1: a fair one, then each repeats the last with p = stay.

    Raises ValueError for fewer than one toss or stay outside of (0, 1).
    """
    if T < 1:
        raise ValueError(f"T is {T}; need at least 1 toss")
    if not 0 < stay < 1:
        raise ValueError(f"stay is {stay}; need a probability between 0 and 1")
    first = torch.randint(2, (1,), generator=generator)
    change = torch.rand(T - 1, generator=generator) >= stay
    return torch.cat([first, change]).cumsum(0) % 2


def bits(x: Tensor, stay: float) -> float:
    """Surprise -log2 p(x) / T, by the chain rule: (T,) -> bits a toss.

    Raises ValueError for fewer than one toss or stay outside of (0, 1).
    """
    if x.dim() != 1 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; need (T,), T >= 1")
    if not 0 < stay < 1:
        raise ValueError(f"stay is {stay}; need a probability between 0 and 1")
    repeats = int((x[1:] == x[:-1]).sum())
    changes = len(x) - 1 - repeats
    return (1 - repeats * log2(stay) - changes * log2(1 - stay)) / len(x)


def a_before_b(
    pairs: int, T: int, V: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Sequences (T, 2*pairs) with one 0 and one 1 each, label 1 if 0 is first.

    Sequence k + pairs is sequence k with 0 and 1 swapped.
    Raises ValueError unless pairs >= 1, T >= 2 and V >= 3.
    """
    if pairs < 1 or T < 2 or V < 3:
        raise ValueError(f"{pairs=}, {T=}, {V=}; need pairs >= 1, T >= 2, V >= 3")
    x = torch.randint(2, V, (T, pairs), generator=generator)
    places = torch.rand(T, pairs, generator=generator).topk(2, dim=0).indices
    first, second = places.sort(dim=0).values  # (pairs,), (pairs,)
    columns = torch.arange(pairs)
    x[first, columns], x[second, columns] = 0, 1
    swapped = x.clone()
    swapped[first, columns], swapped[second, columns] = 1, 0
    label = torch.tensor([1, 0]).repeat_interleave(pairs)
    return torch.cat([x, swapped], dim=1), label


def bag_of_symbols(x: Tensor, V: int) -> Tensor:
    """How often each symbol occurs: (T, B) -> (B, V); the order is gone."""
    return torch.stack([(x == v).sum(dim=0) for v in range(V)], dim=1)
