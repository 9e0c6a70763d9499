"""Backpropagation through time (BPTT) of an Elman RNN, derived by hand.

    delta_t = (g_t + delta_{t+1} W_hh) * (1 - h_t^2),   delta_{T+1} = 0
    dW_ih = sum_t delta_t^T x_t,   dW_hh = sum_t delta_t^T h_{t-1}
    db    = sum_t delta_t,         dx_t  = delta_t W_ih,   dh_0 = delta_1 W_hh

Shapes: g_t = dL/dh_t as seen from outside the layer, delta_t (B, H);
        each gradient has the shape of what it belongs to
Page:   docs/gradients/bptt.md, docs/gates/backward.md
Test:   tests/gradients/test_bptt.py
Source: Werbos (1990), doi:10.1109/5.58337

Two steps small enough for a pocket calculator, W_ih = 1, W_hh = 0.5, L = h_2:

>>> import torch
>>> from rnn_examples.gradients.bptt import rnn_backward
>>> from rnn_examples.recurrence.elman import ElmanParams, rnn_forward
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = ElmanParams(W_ih=one, W_hh=one / 2, b_ih=zero[0], b_hh=zero[0])
>>> x = torch.stack([one, zero])  # (T, B, I) = (2, 1, 1)
>>> hs, _ = rnn_forward(x, zero, p)  # 0.7616, 0.3634
>>> g = torch.stack([zero, one])  # L = h_2: dL/dh_1 = 0, dL/dh_2 = 1
>>> dx, dh_0, dp = rnn_backward(g, x, zero, hs, p)
>>> [round(d, 4) for d in dx.flatten().tolist()]  # delta_1, delta_2
[0.1823, 0.8679]
>>> {k: round(d.item(), 4) for k, d in dp._asdict().items()}
{'W_ih': 0.1823, 'W_hh': 0.661, 'b_ih': 1.0502, 'b_hh': 1.0502}

Any size, as a differentiable function, against PyTorch:

>>> import torch
>>> from rnn_examples.gradients.bptt import rnn_bptt
>>> from rnn_examples.recurrence.elman import params_of
>>> rnn = torch.nn.RNN(input_size=3, hidden_size=4, dtype=torch.float64)
>>> x = torch.randn(5, 2, 3, dtype=torch.float64)  # (T, B, I)
>>> h_0 = torch.randn(2, 4, dtype=torch.float64)  # (B, H)
>>> pull = torch.randn(5, 2, 4, dtype=torch.float64)  # weighs each h_t
>>> hs = rnn_bptt(x, h_0, params_of(rnn))
>>> output, h_n = rnn(x, h_0[None])
>>> weights = list(rnn.parameters())
>>> ours = torch.autograd.grad((hs * pull).sum(), weights)
>>> theirs = torch.autograd.grad((output * pull).sum(), weights)
>>> torch.testing.assert_close((hs, *ours), (output, *theirs))
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from rnn_examples.recurrence.elman import ElmanParams, rnn_forward
from rnn_examples.recurrence.sweep import P, State, Step, every_state


def rnn_backward(
    g: Tensor, x: Tensor, h_0: Tensor, hs: Tensor, p: ElmanParams
) -> tuple[Tensor, Tensor, ElmanParams]:
    """From g = dL/dhs (T, B, H) the gradients dx, dh_0 and one for each of p.

    Raises ValueError when g or x does not fit hs.
    """
    if g.shape != hs.shape:
        need = f"{tuple(hs.shape)}, as hs"
        raise ValueError(f"g has shape {tuple(g.shape)}; need {need}")
    if x.shape[:2] != hs.shape[:2]:
        need = f"(T, B, I) = {(*hs.shape[:2], p.W_ih.shape[1])}"
        raise ValueError(f"x has shape {tuple(x.shape)}; need {need}")
    delta, from_the_last = torch.zeros_like(h_0), []
    for t in reversed(range(len(hs))):
        delta = (g[t] + delta @ p.W_hh) * (1 - hs[t] ** 2)  # (B, H)
        from_the_last.append(delta)
    deltas = torch.stack(from_the_last[::-1])  # (T, B, H)
    h_prevs = torch.cat([h_0[None], hs[:-1]])  # h_{t-1} beside delta_t
    rows = deltas.flatten(0, 1)  # (T*B, H), to sum over both at once
    dW_ih = rows.T @ x.flatten(0, 1)  # (H, I)
    dW_hh = rows.T @ h_prevs.flatten(0, 1)  # (H, H)
    db = rows.sum(dim=0)  # (H,)
    return deltas @ p.W_ih, delta @ p.W_hh, ElmanParams(dW_ih, dW_hh, db, db)


class ElmanFunction(torch.autograd.Function):
    """rnn_forward with rnn_backward as its derivative; the output is hs."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, h_0: Tensor, *weights: Tensor) -> Tensor:
        hs, _ = rnn_forward(x, h_0, ElmanParams(*weights))
        return hs

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Inputs and outputs only: then a second derivative is right too.
        x, h_0, *weights = inputs
        ctx.save_for_backward(x, h_0, output, *weights)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        x, h_0, hs, *weights = ctx.saved_tensors
        dx, dh_0, dp = rnn_backward(g, x, h_0, hs, ElmanParams(*weights))
        return dx, dh_0, *dp


def rnn_bptt(x: Tensor, h_0: Tensor, p: ElmanParams) -> Tensor:
    """All h_t as rnn_forward, differentiated by hand: -> (T, B, H)."""
    hs: Tensor = ElmanFunction.apply(x, h_0, *p)  # type: ignore[no-untyped-call]
    return hs


def sweep_backward(
    step: Step[P], g: Tensor, x: Tensor, state: State, p: P, weights: Iterable[Tensor]
) -> tuple[Tensor, State, list[Tensor]]:
    """BPTT of any step: one vector-Jacobian product a step, the last step first.

    From g = dL/dhs (T, B, H) the gradients dx, one for each tensor of the state
    before the first step, and one for each of the weights that p holds. A step
    that draws at random, such as dropout in training, would draw anew.
    Raises ValueError when g does not fit x and state, and what sweep raises.
    """
    weights = list(weights)
    with torch.no_grad():
        after = every_state(step, x, None, state, p)  # (T, B, H) each
    hs, *_ = after
    need = tuple(hs.shape)
    if g.shape != need:
        raise ValueError(f"g has shape {tuple(g.shape)}; need that of hs, {need}")
    pairs = zip(state, after, strict=True)
    before = [[s, *s_t] for s, s_t in pairs]  # before[i][t]: tensor i, step t
    dx = torch.zeros_like(x)
    d_state = [torch.zeros_like(s) for s in state]
    d_weights = [torch.zeros_like(w) for w in weights]
    for t in reversed(range(len(x))):
        now = [x[t], *(s[t] for s in before)]
        x_t, *old = [v.detach().requires_grad_() for v in now]
        new = step(x_t, tuple(old), p)
        pull = [d_state[0] + g[t], *d_state[1:]]  # from outside, from the next step
        dx[t], *grads = torch.autograd.grad(
            new, [x_t, *old, *weights], pull, materialize_grads=True
        )
        d_state = grads[: len(state)]
        for d_weight, grad in zip(d_weights, grads[len(state) :], strict=True):
            d_weight.add_(grad)
    return dx, tuple(d_state), d_weights
