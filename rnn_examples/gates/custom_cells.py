"""Cells of one's own: a step, what it learns, and the driver does the rest.

    layer norm      LN(x_t W_ih^T) + LN(h W_hh^T), h_t = sigmoid(o) tanh(LN(c_t))
    peepholes       i and f see c_{t-1}, o sees c_t, each through a vector
    variational     h_{t-1} loses the same units at every step of a sequence
    zoneout         each unit keeps its old value with a probability
    minimal gate    h_t = (1 - f) h + f tanh(x_t W_in^T + (f h) W_hn^T + b)

Shapes: x_t (B, I), h (B, H), c (B, H), weights as in lstm.py
Pages:  docs/gates/custom_cells.md, docs/gates/variants.md
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

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import Recurrent
from rnn_examples.recurrence.sweep import Params, State


class LayerNormLSTM(LSTM):
    """LSTM with both products and the cell normalized, each with its gain."""

    can_project = False

    def extras(self) -> dict[str, tuple[int, ...]]:
        H = self.hidden_size
        shift = {"b_c": (H,)} if self.bias else {}
        return {"g_ih": (4 * H,), "g_hh": (4 * H,), "g_c": (H,), **shift}

    def reset_parameters(self) -> None:
        super().reset_parameters()
        for name, value in self.named_parameters():
            if name.startswith("g_"):
                nn.init.ones_(value)  # b_c and the biases stay as drawn

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        h, c = state
        share = layer_norm(x_t @ p.W_ih.T, p.g_ih.shape, p.g_ih, p.b_ih)
        memory = layer_norm(h @ p.W_hh.T, p.g_hh.shape, p.g_hh, p.b_hh)
        a_i, a_f, a_g, a_o = (share + memory).chunk(4, dim=-1)
        i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
        c = f * c + i * g
        h = o * layer_norm(c, p.g_c.shape, p.g_c, p.extras.get("b_c")).tanh()
        return h, c


class PeepholeLSTM(LSTM):
    """LSTM whose gates see the cell: i and f the old one, o the new one."""

    can_project = False

    def extras(self) -> dict[str, tuple[int, ...]]:
        H = self.hidden_size
        return {"p_i": (H,), "p_f": (H,), "p_o": (H,)}

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        h, c = state
        a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)
        a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
        i, f = (a_i + p.p_i * c).sigmoid(), (a_f + p.p_f * c).sigmoid()
        c = f * c + i * a_g.tanh()
        o = (a_o + p.p_o * c).sigmoid()
        h = o * c.tanh()
        return h, c


class VariationalLSTM(LSTM):
    """LSTM that drops the same units of h at every step of a sequence."""

    def __init__(
        self, *args: Any, recurrent_dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.recurrent_dropout = nn.Dropout(recurrent_dropout)

    def begin(self, state: State) -> State:
        h, c = super().begin(state)
        return h, c, self.recurrent_dropout(torch.ones_like(h))

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        h, c, keep = state
        h, c = super().step(x_t, (h * keep, c), p)
        return h, c, keep


class ZoneoutLSTM(LSTM):
    """LSTM whose units keep old values at random; in eval mode on average."""

    def __init__(
        self, *args: Any, zoneout_h: float = 0.0, zoneout_c: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, rate in {"zoneout_h": zoneout_h, "zoneout_c": zoneout_c}.items():
            if not 0 <= rate <= 1:
                raise ValueError(f"{name} is {rate}; need 0 to 1")
        self.zoneout_h, self.zoneout_c = zoneout_h, zoneout_c

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        h_old, c_old = state
        h, c = super().step(x_t, state, p)
        z_h, z_c = self.mask(h, self.zoneout_h), self.mask(c, self.zoneout_c)
        return z_h * h_old + (1 - z_h) * h, z_c * c_old + (1 - z_c) * c

    def mask(self, like: Tensor, rate: float) -> Tensor:
        z = torch.full_like(like, rate)
        return z.bernoulli() if self.training else z

    def extra_repr(self) -> str:
        rates = f"zoneout_h={self.zoneout_h}, zoneout_c={self.zoneout_c}"
        return f"{super().extra_repr()}, {rates}"


class MinimalGatedUnit(Recurrent[Tensor]):
    """One gate opens the memory, and resets what the candidate sees."""

    blocks = 2  # the gate f and the candidate n

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        (h,) = state
        x_f, x_n = linear(x_t, p.W_ih, p.b_ih).chunk(2, dim=-1)
        W_f, W_n = p.W_hh.chunk(2)
        b_f, b_n = (None, None) if p.b_hh is None else p.b_hh.chunk(2)
        f = (x_f + linear(h, W_f, b_f)).sigmoid()
        n = (x_n + linear(f * h, W_n, b_n)).tanh()
        h = (1 - f) * h + f * n
        return (h,)
