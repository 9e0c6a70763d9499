"""GRU by hand, a drop-in for torch.nn.GRU, the paper's variant, its gradient.

    r = sigmoid(x_t W_ir^T + b_ir + h W_hr^T + b_hr), z likewise, h = h_{t-1}
    n = tanh(x_t W_in^T + b_in + r (h W_hn^T + b_hn))      torch: reset after
    n = tanh(x_t W_in^T + b_in + (r h) W_hn^T + b_hn)      paper: reset before
    h_t = (1 - z) n + z h

Shapes: x (T, B, I), h (B, H), W_ih (3*H, I), W_hh (3*H, H), b (3*H,)
Page:   docs/gates/gru.md
Test:   tests/gates/test_gru.py
Source: Cho et al. (2014), arXiv:1406.1078v3, reset before (v1 has it after);
        torch's as in the torch.nn.GRU reference

One step from h = 1 with every weight 0 but W_hn = 1: both gates are half open,
n = tanh(1/2 * 1), and h_t is half n, half h:

>>> import torch
>>> from rnn_examples.gates.gru import GRU
>>> gru = GRU(input_size=1, hidden_size=1)
>>> with torch.no_grad():
...     for value in gru.parameters():
...         _ = value.zero_()
...     _ = gru.weight_hh_l0[2].fill_(1.0)  # W_hn
>>> h_0 = torch.ones(1, 1, 1)
>>> _, h_n = gru(torch.zeros(1, 1, 1), h_0)
>>> round(h_n.item(), 4)  # (tanh(1/2) + 1) / 2
0.7311

Any size, against PyTorch:

>>> import torch
>>> from rnn_examples.gates.gru import GRU
>>> ours, theirs = GRU(3, 4), torch.nn.GRU(3, 4)
>>> ours.load_state_dict(theirs.state_dict())
<All keys matched successfully>
>>> x, h_0 = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
>>> torch.testing.assert_close(ours(x, h_0), theirs(x, h_0))
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnn_examples.recurrence.layers import Params, Recurrent


def gru_step(x_t: Tensor, h: Tensor, p: Params, reset_after=True) -> Tensor:
    """One time step: (B, I), (B, H) -> (B, H)."""
    x_r, x_z, x_n = linear(x_t, p.W_ih, p.b_ih).chunk(3, dim=-1)
    h_r, h_z, h_n = linear(h, p.W_hh, p.b_hh).chunk(3, dim=-1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    if reset_after:
        n = (x_n + r * h_n).tanh()
    else:
        n = (x_n + linear(r * h, p.W_hh, p.b_hh).chunk(3, dim=-1)[2]).tanh()
    return (1 - z) * n + z * h


class GRU(Recurrent):
    """Gated recurrent unit, a drop-in for torch.nn.GRU.

    reset_after=False is the paper's variant: the reset gate acts on h before
    the product with W_hn. It has the same parameters and is another function.
    """

    gates = 3

    def __init__(self, *args, reset_after: bool = True, **kwargs):
        super().__init__(*args, **kwargs)
        self.reset_after = reset_after

    def step(self, x_t, state, p):
        """One time step: (B, I), ((B, H),) -> ((B, H),)."""
        return (gru_step(x_t, *state, p, self.reset_after),)


class GRUFunction(torch.autograd.Function):
    """All steps of one layer (reset after), and their gradient derived by hand."""

    @staticmethod
    def forward(ctx, x, h_0, W_ih, W_hh, b_ih, b_hh):
        """-> all h_t (T, B, H)."""
        p = Params(W_ih=W_ih, W_hh=W_hh, b_ih=b_ih, b_hh=b_hh)
        h, hs = h_0, []
        for x_t in x:
            h = gru_step(x_t, h, p)
            hs.append(h)
        hs = torch.stack(hs)
        ctx.save_for_backward(x, h_0, W_ih, W_hh, b_ih, b_hh, hs)
        return hs

    @staticmethod
    def backward(ctx, g_hs):
        """From the last step to the first, then one product for each weight."""
        x, h_0, W_ih, W_hh, b_ih, b_hh, hs = ctx.saved_tensors
        h_prev = torch.cat([h_0[None], hs[:-1]])  # (T, B, H)
        x_r, x_z, x_n = linear(x, W_ih, b_ih).chunk(3, dim=-1)
        h_r, h_z, h_n = linear(h_prev, W_hh, b_hh).chunk(3, dim=-1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        dh, da, dn = torch.zeros_like(h_0), [], []
        for t in reversed(range(len(x))):
            dh = dh + g_hs[t]  # what the next step sends, and the outside
            dn.append(dh * (1 - z[t]) * (1 - n[t] ** 2))
            dz = dh * (h_prev[t] - n[t]) * z[t] * (1 - z[t])
            dr = dn[-1] * h_n[t] * r[t] * (1 - r[t])
            da.append(torch.cat([dr, dz, dn[-1] * r[t]], dim=1))  # (B, 3*H)
            dh = dh * z[t] + da[-1] @ W_hh
        dh_side = torch.stack(da[::-1])  # (T, B, 3*H), reaches h_{t-1} and b_hh
        dr, dz, _ = dh_side.chunk(3, dim=-1)
        dx_side = torch.cat([dr, dz, torch.stack(dn[::-1])], dim=-1)  # x_t, b_ih
        x_rows, h_rows = dx_side.flatten(0, 1), dh_side.flatten(0, 1)  # (T*B, 3*H)
        dW_ih, dW_hh = x_rows.T @ x.flatten(0, 1), h_rows.T @ h_prev.flatten(0, 1)
        return dx_side @ W_ih, dh, dW_ih, dW_hh, x_rows.sum(0), h_rows.sum(0)


def gru_bptt(x: Tensor, h_0: Tensor, p) -> Tensor:
    """(T, B, I), (B, H) -> all h_t (T, B, H); p as GRU.params gives it."""
    return GRUFunction.apply(x, h_0, p.W_ih, p.W_hh, p.b_ih, p.b_hh)
