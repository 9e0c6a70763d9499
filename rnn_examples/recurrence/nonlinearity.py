"""An RNN with any activation, and the weighted sum that is left without one.

    h_t = phi(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)
    and for phi(z) = z, with A = W_hh^T and ** for a matrix power,
    h_T = h_0 A**T + sum over t of (x_t W_ih^T + b_ih + b_hh) A**(T - t)

Shapes: x (T, B, I), h_t (B, H), W_ih (H, I), W_hh (H, H), b (H,)
        T time steps, B batch, I input size, H hidden size
Page:   docs/recurrence/nonlinearity.md, docs/gradients/tanh_or_relu.md
Test:   tests/recurrence/test_nonlinearity.py
Source: Elman (1990), doi:10.1207/s15516709cog1402_1;
        tanh and relu as in the torch.nn.RNN reference

Three steps with W_ih = 1, W_hh = 0.5 and no bias. Without an activation the
last state is 3 + 2/2 + 1/4, with the tanh it is tanh(3 + 0.9830/2):

>>> import torch
>>> from rnn_examples.recurrence.elman import ElmanParams
>>> from rnn_examples.recurrence.nonlinearity import forward, weighted_sum
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = ElmanParams(W_ih=one, W_hh=one / 2, b_ih=zero[0], b_hh=zero[0])
>>> x = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)  # (T, B, I)
>>> hs, h_T = forward(x, zero, p, activation=lambda z: z)
>>> hs.flatten().tolist(), weighted_sum(x, zero, p).item()
([1.0, 2.5, 4.25], 4.25)
>>> hs, h_T = forward(x, zero, p, activation=torch.tanh)
>>> [round(h, 4) for h in hs.flatten().tolist()]
[0.7616, 0.9830, 0.9981]

Any size, against PyTorch, which offers tanh and relu:

>>> import torch
>>> from rnn_examples.recurrence.elman import ElmanParams
>>> from rnn_examples.recurrence.nonlinearity import forward
>>> x, h_0 = torch.randn(5, 2, 3), torch.randn(2, 4)  # (T, B, I), (B, H)
>>> for name in ("tanh", "relu"):
...     rnn = torch.nn.RNN(3, 4, nonlinearity=name)
...     p = ElmanParams(*rnn.parameters())  # torch's order is the same
...     hs, h_T = forward(x, h_0, p, getattr(torch, name))
...     output, h_n = rnn(x, h_0[None])  # nn.RNN wants a layer axis: (1, B, H)
...     torch.testing.assert_close((hs, h_T), (output, h_n[0]))
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rnn_examples.recurrence.elman import ElmanParams, check_shapes, rnn_forward
from rnn_examples.recurrence.sweep import State

Activation = Callable[[Tensor], Tensor]


def forward(
    x: Tensor, h_0: Tensor, p: ElmanParams, activation: Activation
) -> tuple[Tensor, Tensor]:
    """All h_t and h_T: (T, B, I), (B, H) -> (T, B, H), (B, H)."""

    def step(x_t: Tensor, state: State, p: ElmanParams) -> State:
        (h,) = state
        h = activation(x_t @ p.W_ih.T + p.b_ih + h @ p.W_hh.T + p.b_hh)
        return (h,)

    return rnn_forward(x, h_0, p, step)


def weighted_sum(x: Tensor, h_0: Tensor, p: ElmanParams) -> Tensor:
    """h_T without activation or loop: (T, B, I), (B, H) -> (B, H)."""
    check_shapes(x, h_0, p)
    T, A = len(x), p.W_hh.T
    shares = x @ p.W_ih.T + p.b_ih + p.b_hh  # (T, B, H)
    powers = torch.stack([A.matrix_power(T - t) for t in range(1, T + 1)])
    return h_0 @ A.matrix_power(T) + (shares @ powers).sum(dim=0)


def superposition_gap(f: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """How far f is from affine: |f(x + y) - f(0) - (f(x) - f(0)) - (f(y) - f(0))|.

    Raises ValueError when x and y differ in shape.
    """
    if x.shape != y.shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; need that of x, {tuple(x.shape)}"
        )
    f_0 = f(torch.zeros_like(x))
    gap = (f(x + y) - f_0) - (f(x) - f_0) - (f(y) - f_0)
    return gap.abs().max().item()
