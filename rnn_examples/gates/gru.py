"""GRU by hand, a drop-in for torch.nn.GRU, the paper's variant, its gradient.

    r = sigmoid(x_t W_ir^T + b_ir + h W_hr^T + b_hr), z likewise, h = h_{t-1}
    n = tanh(x_t W_in^T + b_in + r (h W_hn^T + b_hn))      torch: reset after
    n = tanh(x_t W_in^T + b_in + (r h) W_hn^T + b_hn)      paper: reset before
    h_t = (1 - z) n + z h

Shapes: x (T, B, I), h (B, H), W_ih (3*H, I), W_hh (3*H, H), b (3*H,)
Page:   docs/gates/gru.md, docs/gates/which_gru.md,
        docs/gates/backward.md
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

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnn_examples.recurrence.layers import Recurrent
from rnn_examples.recurrence.sweep import Params, State, sweep


def gru_step(x_t: Tensor, state: State, p: Params) -> State:
    """One time step, reset after, as torch: (B, I), ((B, H),) -> ((B, H),)."""
    (h,) = state
    x_r, x_z, x_n = linear(x_t, p.W_ih, p.b_ih).chunk(3, dim=-1)
    h_r, h_z, h_n = linear(h, p.W_hh, p.b_hh).chunk(3, dim=-1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    h = (1 - z) * n + z * h
    return (h,)


def reset_before_step(x_t: Tensor, state: State, p: Params) -> State:
    """One time step of the paper's variant: (B, I), ((B, H),) -> ((B, H),)."""
    (h,) = state
    H = h.shape[-1]
    x_r, x_z, x_n = linear(x_t, p.W_ih, p.b_ih).chunk(3, dim=-1)
    W_rz, W_n = p.W_hh[: 2 * H], p.W_hh[2 * H :]
    b_rz, b_n = (None, None) if p.b_hh is None else (p.b_hh[: 2 * H], p.b_hh[2 * H :])
    h_r, h_z = linear(h, W_rz, b_rz).chunk(2, dim=-1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + linear(r * h, W_n, b_n)).tanh()
    h = (1 - z) * n + z * h
    return (h,)


class GRU(Recurrent[Tensor]):
    """Gated recurrent unit, a drop-in for torch.nn.GRU that can be read.

    r = sigmoid(x_t W_ir^T + b_ir + h W_hr^T + b_hr), z likewise, h = h_{t-1}
    n = tanh(x_t W_in^T + b_in + r (h W_hn^T + b_hn)),  h_t = (1 - z) n + z h

    Args:
        input_size, hidden_size: I and H, the features of x_t and of h_t.
        num_layers: K layers, each reading the outputs of the one below.
        bias: False leaves both biases out.
        batch_first: True takes and gives (B, T, ...), not (T, B, ...); the
            state is (K*D, B, H) all the same.
        dropout: share of what one layer hands to the next that is set to 0 in
            training.
        bidirectional: True adds a second direction, from the last step to the
            first; D is then 2, else 1.
        proj_size: must be 0; it is here for torch's order of arguments.
        device, dtype: of the parameters.
        reset_after: False is the variant of Cho et al. (2014): the reset gate
            acts on h before the product, n = tanh(... + (r h) W_hn^T + b_hn).
            It has the same parameters and is another function.

    Inputs, with T steps, B sequences:
        input: (T, B, I), or (B, T, I), or one sequence (T, I), or packed.
        hx: h_0 (K*D, B, H), for one sequence (K*D, H); None for zeros.

    Outputs:
        output: h_t of the last layer, (T, B, D*H), in the input's layout.
        h_n: each layer's and direction's last state, as hx.

    Raises:
        TypeError, ValueError: for an invalid option; RuntimeError, torch's own, for
            a device or a dtype that cannot be had.
        TypeError, ValueError, RuntimeError: in a call, as torch would; the
            message says what does not fit.

    Page: docs/gates/gru.md
    """

    blocks = 3
    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )
        self.reset_after = reset_after

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        """One time step: (B, I), ((B, H),) -> ((B, H),)."""
        if self.reset_after:
            return gru_step(x_t, state, p)
        return reset_before_step(x_t, state, p)

    def extra_repr(self) -> str:
        variant = "" if self.reset_after else ", reset_after=False"
        return super().extra_repr() + variant


class GRUFunction(torch.autograd.Function):
    """All steps of one layer, either variant, and their gradient by hand."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        h_0: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        reset_after: bool,
    ) -> Tensor:
        """-> all h_t (T, B, H)."""
        step = gru_step if reset_after else reset_before_step
        hs, _ = sweep(step, x, None, (h_0,), Params(W_ih, W_hh, b_ih, b_hh))
        return hs

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        # Inputs and outputs only: then a second derivative is right too.
        *tensors, ctx.reset_after = inputs
        ctx.save_for_backward(*tensors, output)

    @staticmethod
    def backward(ctx: Any, g_hs: Tensor) -> tuple[Tensor | None, ...]:
        """From the last step to the first, then one product for each weight."""
        x, h_0, W_ih, W_hh, b_ih, b_hh, hs = ctx.saved_tensors
        _, H = h_0.shape
        h_prev = torch.cat([h_0[None], hs[:-1]])  # (T, B, H)
        W_rz, W_hn = W_hh[: 2 * H], W_hh[2 * H :]
        x_r, x_z, x_n = linear(x, W_ih, b_ih).chunk(3, dim=-1)
        h_r, h_z, h_n = linear(h_prev, W_hh, b_hh).chunk(3, dim=-1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        if not ctx.reset_after:
            h_n = linear(r * h_prev, W_hn, None if b_hh is None else b_hh[2 * H :])
        n = (x_n + (r * h_n if ctx.reset_after else h_n)).tanh()
        dh, d_rz, d_n = torch.zeros_like(h_0), [], []
        for t in reversed(range(len(x))):
            dh = dh + g_hs[t]  # what the next step sends, and the outside
            dn = dh * (1 - z[t]) * (1 - n[t] ** 2)
            dz = dh * (h_prev[t] - n[t]) * z[t] * (1 - z[t])
            if ctx.reset_after:  # r acts on the product h W_hn^T
                dr, back = dn * h_n[t], (dn * r[t]) @ W_hn
            else:  # r acts on h
                dr, back = (dn @ W_hn) * h_prev[t], (dn @ W_hn) * r[t]
            drz = torch.cat([dr * r[t] * (1 - r[t]), dz], dim=1)  # (B, 2*H)
            dh = dh * z[t] + drz @ W_rz + back
            d_rz.append(drz)
            d_n.append(dn)
        dx_side = torch.cat([torch.stack(d_rz[::-1]), torch.stack(d_n[::-1])], dim=-1)
        drz, dn = dx_side[..., : 2 * H], dx_side[..., 2 * H :]
        to_n, from_h = (dn * r, h_prev) if ctx.reset_after else (dn, r * h_prev)
        x_rows, rz_rows, n_rows = (d.flatten(0, 1) for d in (dx_side, drz, to_n))
        dW_rz = rz_rows.T @ h_prev.flatten(0, 1)
        dW_hh = torch.cat([dW_rz, n_rows.T @ from_h.flatten(0, 1)])
        db_ih = None if b_ih is None else x_rows.sum(0)
        db_hh = None if b_hh is None else torch.cat([rz_rows.sum(0), n_rows.sum(0)])
        dW_ih = x_rows.T @ x.flatten(0, 1)
        return dx_side @ W_ih, dh, dW_ih, dW_hh, db_ih, db_hh, None


def gru_bptt(x: Tensor, state: State, p: Params, *, reset_after: bool) -> State:
    """All h_t, differentiated by hand: (T, B, I), ((B, H),) -> ((T, B, H),).

    p as weights_of(layer) gives it, with or without biases; it is the same for
    both variants, so reset_after has to say which. For reverse mode, vmap too.
    """
    weights = p.W_ih, p.W_hh, p.b_ih, p.b_hh
    hs = GRUFunction.apply(  # type: ignore[no-untyped-call]
        x, *state, *weights, reset_after
    )
    return (hs,)
