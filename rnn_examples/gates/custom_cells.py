"""Cells of one's own: a step, what it learns, and the driver does the rest.

    layer norm      LN(x_t W_ih^T) + LN(h W_hh^T), h_t = sigmoid(o) tanh(LN(c_t))
    peepholes       i and f see c_{t-1}, o sees c_t, each through a vector
    variational     h_{t-1} loses the same units at every step of a sequence
    zoneout         each unit keeps its old value with a probability
    minimal gate    h_t = (1 - f) h + f tanh(x_t W_in^T + (f h) W_hn^T + b)

Shapes: x_t (B, I), h (B, H), c (B, H), weights as in lstm.py
Page:   docs/gates/custom_cells.md
Test:   tests/gates/test_custom_cells.py
Source: Ba et al. (2016), arXiv:1607.06450; Gers and Schmidhuber (2000),
        doi:10.1109/IJCNN.2000.861302; Gal and Ghahramani (2016),
        arXiv:1512.05287; Krueger et al. (2017), arXiv:1606.01305;
        Zhou et al. (2016), arXiv:1603.09420

A minimal gated unit with every weight 0 but W_hn = 1 has its gate half open.
From h = 1 it goes to 1/2 + tanh(1/2) / 2:

>>> import torch
>>> from rnn_examples.gates.custom_cells import MinimalGatedUnit
>>> mgu = MinimalGatedUnit(input_size=1, hidden_size=1)
>>> with torch.no_grad():
...     for value in mgu.parameters():
...         _ = value.zero_()
...     _ = mgu.weight_hh_l0[1].fill_(1.0)  # W_hn
>>> _, h_n = mgu(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
>>> round(h_n.item(), 4)
0.7311

With peepholes of 0 the peephole LSTM is torch's, in any layers and directions:

>>> import torch
>>> from rnn_examples.gates.custom_cells import PeepholeLSTM
>>> opts = dict(num_layers=2, bidirectional=True)
>>> ours, theirs = PeepholeLSTM(3, 4, **opts), torch.nn.LSTM(3, 4, **opts)
>>> with torch.no_grad():
...     for name, value in ours.named_parameters():
...         _ = value.copy_(theirs.state_dict().get(name, torch.zeros(4)))
>>> x = torch.randn(5, 2, 3)
>>> torch.testing.assert_close(ours(x), theirs(x))
"""

import torch
from torch import nn
from torch.nn.functional import layer_norm, linear

from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import Recurrent


class LayerNormLSTM(LSTM):
    """LSTM with both products and the cell normalised, each with its gain."""

    can_project = False

    def shapes(self, inputs):
        H = self.hidden_size
        gains = {"g_ih": (4 * H,), "g_hh": (4 * H,), "g_c": (H,), "b_c": (H,)}
        return super().shapes(inputs) | gains

    def reset_parameters(self):
        super().reset_parameters()
        for name, value in self.named_parameters():
            if name.startswith("g_"):
                nn.init.ones_(value)  # b_c and the biases stay as drawn

    def step(self, x_t, state, p):
        h, c = state
        share = layer_norm(x_t @ p.W_ih.T, p.g_ih.shape, p.g_ih, p.b_ih)
        memory = layer_norm(h @ p.W_hh.T, p.g_hh.shape, p.g_hh, p.b_hh)
        i, f, g, o = (share + memory).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * layer_norm(c, p.g_c.shape, p.g_c, p.b_c).tanh(), c


class PeepholeLSTM(LSTM):
    """LSTM whose gates see the cell: i and f the old one, o the new one."""

    can_project = False

    def shapes(self, inputs):
        H = self.hidden_size
        return super().shapes(inputs) | {"p_i": (H,), "p_f": (H,), "p_o": (H,)}

    def step(self, x_t, state, p):
        h, c = state
        a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)
        i, f, g, o = a.chunk(4, dim=-1)
        i, f = (i + p.p_i * c).sigmoid(), (f + p.p_f * c).sigmoid()
        c = f * c + i * g.tanh()
        return (o + p.p_o * c).sigmoid() * c.tanh(), c


class VariationalLSTM(LSTM):
    """LSTM that drops the same units of h at every step of a sequence."""

    def __init__(self, *args, recurrent_dropout=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.recurrent_dropout = nn.Dropout(recurrent_dropout)

    def begin(self, state):
        return *state, self.recurrent_dropout(torch.ones_like(state[0]))

    def step(self, x_t, state, p):
        h, c, keep = state
        return *super().step(x_t, (h * keep, c), p), keep


class ZoneoutLSTM(LSTM):
    """LSTM whose units keep old values at random; in eval mode on average."""

    def __init__(self, *args, zoneout_h=0.0, zoneout_c=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.zoneout_h, self.zoneout_c = zoneout_h, zoneout_c
        for name in ("zoneout_h", "zoneout_c"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; need 0 to 1")

    def step(self, x_t, state, p):
        (h_old, c_old), (h, c) = state, super().step(x_t, state, p)
        z_h, z_c = self.mask(h, self.zoneout_h), self.mask(c, self.zoneout_c)
        return z_h * h_old + (1 - z_h) * h, z_c * c_old + (1 - z_c) * c

    def mask(self, like, rate):
        z = torch.full_like(like, rate)
        return z.bernoulli() if self.training else z


class MinimalGatedUnit(Recurrent):
    """One gate opens the memory, and resets what the candidate sees."""

    gates = 2

    def step(self, x_t, state, p):
        (h,) = state
        x_f, x_n = linear(x_t, p.W_ih, p.b_ih).chunk(2, dim=-1)
        f = (x_f + linear(h, p.W_hh, p.b_hh).chunk(2, dim=-1)[0]).sigmoid()
        n = (x_n + linear(f * h, p.W_hh, p.b_hh).chunk(2, dim=-1)[1]).tanh()
        return ((1 - f) * h + f * n,)
