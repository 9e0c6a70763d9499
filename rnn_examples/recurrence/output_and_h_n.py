"""Index maps between the two return values of torch's recurrent layers.

    output[t] = [forward h_t | backward h_t] of the last layer
    h_n[k D + d] = the state of layer k, direction d, after its last step:
                   time T forward (d = 0), time 1 backward (d = 1)

Shapes: output (T, B, D*H), or (B, T, D*H) with batch_first, or (T, D*H)
        h_n (K*D, B, H), whatever batch_first says, or (K*D, H)
        K layers, D directions; an LSTM with proj_size P has P for H
Page:   docs/recurrence/output_and_h_n.md
Test:   tests/recurrence/test_output_and_h_n.py
Source: "Outputs" and the notes of the torch.nn.RNN and LSTM references;
        both directions: Schuster and Paliwal (1997), doi:10.1109/78.650093

With all weights 1, no bias and relu, a layer adds up what it reads. The input
is 1, 2, 4, read forward and backward:

>>> import torch
>>> from torch import nn
>>> from rnn_examples.recurrence.output_and_h_n import summary
>>> adder = nn.RNN(1, 1, nonlinearity="relu", bias=False, bidirectional=True)
>>> for weight in adder.parameters():
...     _ = nn.init.ones_(weight)
>>> output, h_n = adder(torch.tensor([[1.0], [2.0], [4.0]]))  # (T, I)
>>> output.tolist()  # sums so far: forward, backward
[[1.0, 7.0], [3.0, 6.0], [7.0, 4.0]]
>>> h_n.tolist()  # row 0 forward, row 1 backward
[[7.0], [7.0]]
>>> summary(output, H=1, D=2).tolist()
[7.0, 7.0]

Any size, from both return values; assert_close is silent when they agree:

>>> import torch
>>> from rnn_examples.recurrence.output_and_h_n import summary
>>> gru = torch.nn.GRU(3, 4, num_layers=2, bidirectional=True)
>>> output, h_n = gru(torch.randn(5, 2, 3))  # (T, B, I)
>>> both = torch.cat([h_n[-2], h_n[-1]], dim=1)  # (B, D*H)
>>> torch.testing.assert_close(summary(output, H=4, D=2), both)
"""

import torch
from torch import Tensor


def h_n_row(k: int, d: int, D: int) -> int:
    """Row of h_n (and of hx and c_n) that holds layer k, direction d.

    Raises ValueError unless D is 1 or 2, 0 <= d < D and k >= 0.
    """
    if D not in (1, 2):
        raise ValueError(f"D is {D}; need 1 direction or 2")
    if d not in range(D):
        raise ValueError(f"d is {d}; need 0, or 1 if D = 2; D is {D}")
    if k < 0:
        raise ValueError(f"k is {k}; layers count from 0")
    return k * D + d


def by_layer(h_n: Tensor, D: int) -> Tensor:
    """An axis for layers, one for directions: (K*D, ...) -> (K, D, ...).

    The result is a view. Raises ValueError unless D is 1 or 2 and divides
    the number of rows.
    """
    if D not in (1, 2) or len(h_n) % D:
        raise ValueError(f"h_n has {len(h_n)} rows; need K * D; D is {D}")
    rows: Tensor = h_n.unflatten(0, (-1, D))
    return rows


def summary(output: Tensor, H: int, D: int, batch_first: bool = False) -> Tensor:
    """The state where each direction ends: output -> (B, D*H) or (D*H,).

    Raises ValueError unless output is 2-D or 3-D and D * H features wide.
    """
    if D not in (1, 2):
        raise ValueError(f"D is {D}; need 1 direction or 2")
    if output.dim() not in (2, 3) or output.shape[-1] != D * H:
        raise ValueError(
            f"output has shape {tuple(output.shape)}; "
            f"need 2 or 3 axes, the last with D*H = {D * H} features"
        )
    if batch_first and output.dim() == 3:  # torch ignores it for 2-D
        output = output.transpose(0, 1)  # (T, B, D*H)
    forward = output[-1, ..., :H]
    backward = output[0, ..., H:]  # no features if D = 1
    return torch.cat([forward, backward], dim=-1)
