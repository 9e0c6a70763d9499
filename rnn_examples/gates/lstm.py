"""LSTM by hand, a drop-in for torch.nn.LSTM, and its gradient by hand.

    a_i, a_f, a_g, a_o = quarters of x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t), and times W_hr^T with proj_size

Shapes: x (T, B, I), h (B, H), or (B, P) with proj_size P, c (B, H),
        W_ih (4*H, I), W_hh (4*H, H or P), b (4*H,), W_hr (P, H)
Page:   docs/gates/lstm.md, docs/gates/forget_bias.md,
        docs/gates/backward.md
Test:   tests/gates/test_lstm.py
Source: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735;
        forget gate: Gers et al. (2000), doi:10.1162/089976600300015015;
        projection: Sak et al. (2014), arXiv:1402.1128

A cell that adds: i and f wide open (40), a_g = atanh(1/2), so c grows by 1/2;
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

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnn_examples.recurrence.layers import Recurrent
from rnn_examples.recurrence.sweep import Params, State, autocast_dtype, every_state


def lstm_step(x_t: Tensor, state: State, p: Params) -> State:
    """One time step: (B, I), (h, c) -> (h, c), each (B, H)."""
    h, c = state
    a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)  # (B, 4*H)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
    i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
    c = f * c + i * g
    h = o * c.tanh()
    return h, c


def projected_step(x_t: Tensor, state: State, p: Params) -> State:
    """One time step with proj_size: (B, I), (h, c) -> (h, c), (B, P) and (B, H)."""
    h, c = lstm_step(x_t, state, p)
    return linear(h, p.W_hr), c


class LSTM(Recurrent[tuple[Tensor, Tensor]]):
    """Long short-term memory, a drop-in for torch.nn.LSTM that can be read.

    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o), where the
    a are quarters of x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh
    c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)

    Args:
        input_size, hidden_size: I and H, the features of x_t and of c_t.
        num_layers: K layers, each reading the outputs of the one below.
        bias: False leaves both biases out.
        batch_first: True takes and gives (B, T, ...), not (T, B, ...); the
            state is (K*D, B, H) all the same.
        dropout: share of what one layer hands to the next that is set to 0 in
            training.
        bidirectional: True adds a second direction, from the last step to the
            first; D is then 2, else 1.
        proj_size: P > 0 shortens h_t to P features by one more weight, W_hr.
        device, dtype: of the parameters.

    Inputs, with T steps, B sequences:
        input: (T, B, I), or (B, T, I), or one sequence (T, I), or packed.
        hx: a tuple (h_0, c_0), (K*D, B, H) each, h_0 (K*D, B, P) with proj_size,
            for one sequence (K*D, H); None for zeros.

    Outputs:
        output: h_t of the last layer, (T, B, D*H), in the input's layout; D*P
            features with proj_size.
        (h_n, c_n): each layer's and direction's last state, as hx.

    Raises:
        TypeError, ValueError: for an invalid option; RuntimeError, torch's own, for
            a device or a dtype that cannot be had.
        TypeError, ValueError, RuntimeError: in a call, as torch would; the
            message says what does not fit.

    Page: docs/gates/lstm.md
    """

    blocks = 4
    can_project = True
    mode = "LSTM"

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of h and of c."""
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def extras(self) -> dict[str, tuple[int, ...]]:
        """The projection, if there is one."""
        return {"W_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {}

    def begin(self, state: State) -> State:
        """Cast the state to the dtype of autocast, as torch does."""
        h, c = state
        dtype = autocast_dtype(h)
        return state if dtype is None else (h.to(dtype), c.to(dtype))

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        """One time step: (B, I), (h, c) -> (h, c)."""
        if self.proj_size:
            return projected_step(x_t, state, p)
        return lstm_step(x_t, state, p)


class LSTMFunction(torch.autograd.Function):
    """All steps of one layer in one direction, and their gradient by hand."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        h_0: Tensor,
        c_0: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        W_hr: Tensor | None,
    ) -> State:
        """-> all h_t, all c_t, each (T, B, H)."""
        if W_hr is None:
            p = Params(W_ih, W_hh, b_ih, b_hh)
            return every_state(lstm_step, x, None, (h_0, c_0), p)
        p = Params(W_ih, W_hh, b_ih, b_hh, {"W_hr": W_hr})
        return every_state(projected_step, x, None, (h_0, c_0), p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: State) -> None:
        # Inputs and outputs only: then a second derivative is right too.
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(
        ctx: Any,
        g_hs: Tensor,
        g_cs: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """From the last step to the first, then one product for each weight."""
        x, h_0, c_0, W_ih, W_hh, b_ih, b_hh, W_hr, hs, cs = ctx.saved_tensors
        h_prev = torch.cat([h_0[None], hs[:-1]])  # (T, B, H)
        c_prev = [c_0, *cs]
        a = linear(x, W_ih, b_ih) + linear(h_prev, W_hh, b_hh)  # (T, B, 4*H)
        a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
        i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
        tanh_c = cs.tanh()
        dh, dc = torch.zeros_like(h_0), torch.zeros_like(c_0)
        dhs, das = [], []
        for t in reversed(range(len(x))):
            dh = dh + g_hs[t]  # what the next step sends, and the outside
            dhs.append(dh)
            dh = dh if W_hr is None else dh @ W_hr  # back to (B, H)
            dc = dc + g_cs[t] + dh * o[t] * (1 - tanh_c[t] ** 2)
            di = dc * g[t] * i[t] * (1 - i[t])
            df = dc * c_prev[t] * f[t] * (1 - f[t])
            dg = dc * i[t] * (1 - g[t] ** 2)
            do = dh * tanh_c[t] * o[t] * (1 - o[t])
            das.append(torch.cat([di, df, dg, do], dim=1))  # (B, 4*H)
            dh, dc = das[-1] @ W_hh, dc * f[t]
        da = torch.stack(das[::-1])  # (T, B, 4*H)
        rows = da.flatten(0, 1)  # (T*B, 4*H)
        dW_ih, dW_hh = rows.T @ x.flatten(0, 1), rows.T @ h_prev.flatten(0, 1)
        db = None if b_ih is None else rows.sum(0)
        dW_hr = None
        if W_hr is not None:
            dW_hr = torch.cat(dhs[::-1]).T @ (o * tanh_c).flatten(0, 1)
        return da @ W_ih, dh, dc, dW_ih, dW_hh, db, db, dW_hr


def lstm_bptt(x: Tensor, state: State, p: Params) -> State:
    """All h_t and c_t, differentiated by hand: (T, B, I), (h_0, c_0) -> (T, B, H).

    p as weights_of(layer) gives it, with or without biases and projection (then
    h has P features). For reverse mode, vmap too; it has no forward mode.
    Raises ValueError for the weights of another cell.
    """
    own = sorted(set(p.extras) - {"W_hr"})
    if own:
        raise ValueError(f"p has {', '.join(own)}; this is the gradient of an LSTM")
    weights = p.W_ih, p.W_hh, p.b_ih, p.b_hh, p.extras.get("W_hr")
    hs, cs = LSTMFunction.apply(x, *state, *weights)  # type: ignore[no-untyped-call]
    return hs, cs
