"""LSTM by hand, a drop-in for torch.nn.LSTM, and its gradient by hand.

    i, f, g, o = the four quarters of x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh
    c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
    h_t = sigmoid(o) tanh(c_t), and times W_hr^T with proj_size

Shapes: x (T, B, I), h (B, H), or (B, P) with proj_size P, c (B, H),
        W_ih (4*H, I), W_hh (4*H, H), b (4*H,), W_hr (P, H)
Page:   docs/gates/lstm.md
Test:   tests/gates/test_lstm.py
Source: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735;
        forget gate: Gers et al. (2000), doi:10.1162/089976600300015015;
        projection: Sak et al. (2014), arXiv:1402.1128

A cell that adds: i and f wide open (40), g = atanh(1/2), so c grows by 1/2;
o wide open, so h = tanh(c):

>>> import math, torch
>>> from rnn_examples.gates.lstm import LSTM
>>> lstm = LSTM(input_size=1, hidden_size=1)
>>> with torch.no_grad():
...     for value in lstm.parameters():
...         _ = value.zero_()
...     _ = lstm.bias_ih_l0.copy_(torch.tensor([40, 40, math.atanh(0.5), 40]))
>>> output, (h_n, c_n) = lstm(torch.zeros(3, 1, 1))  # T = 3
>>> round(c_n.item(), 4), round(h_n.item(), 4)  # 3/2, tanh(3/2)
(1.5, 0.9051)

Any size, against PyTorch:

>>> import torch
>>> from rnn_examples.gates.lstm import LSTM
>>> ours, theirs = LSTM(3, 4, num_layers=2), torch.nn.LSTM(3, 4, 2)
>>> ours.load_state_dict(theirs.state_dict())
<All keys matched successfully>
>>> x, hx = torch.randn(5, 2, 3), tuple(torch.randn(2, 2, 2, 4))  # (h_0, c_0)
>>> torch.testing.assert_close(ours(x, hx), theirs(x, hx))
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnn_examples.recurrence.layers import Params, Recurrent


def lstm_step(x_t: Tensor, h: Tensor, c: Tensor, p: Params):
    """One time step, without projection: (B, I), (B, H), (B, H) -> h, c."""
    a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)  # (B, 4*H)
    i, f, g, o = a.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


class LSTM(Recurrent):
    """Long short-term memory, a drop-in for torch.nn.LSTM."""

    gates = 4
    can_project = True

    @property
    def state_sizes(self):
        """Features of h and of c."""
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def shapes(self, inputs):
        """The projection W_hr comes last."""
        W_hr = {"W_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {}
        return super().shapes(inputs) | W_hr

    def step(self, x_t, state, p):
        """One time step: (B, I), (h, c) -> (h, c)."""
        h, c = lstm_step(x_t, *state, p)
        return linear(h, p.W_hr) if self.proj_size else h, c


class LSTMFunction(torch.autograd.Function):
    """All steps of one layer, and their gradient derived by hand."""

    @staticmethod
    def forward(ctx, x, h_0, c_0, W_ih, W_hh, b_ih, b_hh):
        """-> all h_t, all c_t, each (T, B, H)."""
        p = Params(W_ih=W_ih, W_hh=W_hh, b_ih=b_ih, b_hh=b_hh)
        h, c, hs, cs = h_0, c_0, [], []
        for x_t in x:
            h, c = lstm_step(x_t, h, c, p)
            hs.append(h)
            cs.append(c)
        hs, cs = torch.stack(hs), torch.stack(cs)
        ctx.save_for_backward(x, h_0, c_0, W_ih, W_hh, b_ih, b_hh, hs, cs)
        return hs, cs

    @staticmethod
    def backward(ctx, g_hs, g_cs):
        """From the last step to the first, then one product for each weight."""
        x, h_0, c_0, W_ih, W_hh, b_ih, b_hh, hs, cs = ctx.saved_tensors
        h_prev = torch.cat([h_0[None], hs[:-1]])  # (T, B, H)
        c_prev = [c_0, *cs]
        a = linear(x, W_ih, b_ih) + linear(h_prev, W_hh, b_hh)  # (T, B, 4*H)
        i, f, g, o = a.chunk(4, dim=-1)
        i, f, g, o, m = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid(), cs.tanh()
        dh, dc, da = torch.zeros_like(h_0), torch.zeros_like(c_0), []
        for t in reversed(range(len(x))):
            dh = dh + g_hs[t]  # what the next step sends, and the outside
            dc = dc + g_cs[t] + dh * o[t] * (1 - m[t] ** 2)
            di = dc * g[t] * i[t] * (1 - i[t])
            df = dc * c_prev[t] * f[t] * (1 - f[t])
            dg = dc * i[t] * (1 - g[t] ** 2)
            do = dh * m[t] * o[t] * (1 - o[t])
            da.append(torch.cat([di, df, dg, do], dim=1))  # (B, 4*H)
            dh, dc = da[-1] @ W_hh, dc * f[t]
        da = torch.stack(da[::-1])  # (T, B, 4*H)
        rows = da.flatten(0, 1)  # (T*B, 4*H)
        dW_ih, dW_hh = rows.T @ x.flatten(0, 1), rows.T @ h_prev.flatten(0, 1)
        return da @ W_ih, dh, dc, dW_ih, dW_hh, rows.sum(0), rows.sum(0)


def lstm_bptt(x: Tensor, h_0: Tensor, c_0: Tensor, p) -> tuple[Tensor, Tensor]:
    """(T, B, I), (B, H), (B, H) -> all h_t, all c_t; p as LSTM.params gives it."""
    return LSTMFunction.apply(x, h_0, c_0, p.W_ih, p.W_hh, p.b_ih, p.b_hh)
