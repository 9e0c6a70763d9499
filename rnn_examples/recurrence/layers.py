"""Any step through time, layers and directions; RNN is a drop-in for nn.RNN.

    h^k_t = step(h^{k-1}_t, h^k_{t-1}),  h^0_t = x_t

Shapes: data (N, I), the steps of all sequences one after another, (T*B, I) for
        a padded batch; state, a tuple of (B, H), the output h first
Page:   docs/recurrence/layers.md
Test:   tests/recurrence/test_layers.py
Source: Schuster and Paliwal (1997), doi:10.1109/78.650093, for two directions;
        options, names and order as in the torch.nn.RNN reference

A step of our own, a running sum, over the inputs 1 and 10, then backwards:

>>> import torch
>>> from rnn_examples.recurrence.layers import run
>>> def add(x_t, state, p):
...     return (state[0] + x_t,)
>>> x, zero = torch.tensor([[1.0], [10.0]]), (torch.zeros(1, 1),)
>>> for reverse in (False, True):
...     hs, (h_T,) = run(add, x, [1, 1], zero, None, reverse)
...     print(hs.flatten().tolist(), h_T.item())
[1.0, 11.0] 11.0
[11.0, 10.0] 11.0

Any options, against PyTorch; the weights load as they are:

>>> import torch
>>> from rnn_examples.recurrence.layers import RNN
>>> options = dict(num_layers=2, bidirectional=True, batch_first=True)
>>> ours, theirs = RNN(3, 4, **options), torch.nn.RNN(3, 4, **options)
>>> ours.load_state_dict(theirs.state_dict())
<All keys matched successfully>
>>> x = torch.randn(2, 5, 3)  # (B, T, I)
>>> h_0 = torch.randn(4, 2, 4)  # (K*D, B, H)
>>> torch.testing.assert_close(ours(x, h_0), theirs(x, h_0))
"""

import torch
from torch import Tensor
from torch.nn.functional import dropout, linear

from rnn_examples.recurrence.drop_in import TORCHS, DropIn


def run(step, data, sizes, state, p, reverse=False):
    """One layer, one direction: (N, I), state -> outputs (N, H), last state.

    sizes says how many sequences take each step. The longest stand first,
    so those that have ended, or in reverse not begun, are the last rows.
    """
    steps, outputs = data.split(sizes), []
    for x_t in reversed(steps) if reverse else steps:
        b = x_t.shape[0]
        new = step(x_t, tuple(s[:b] for s in state), p)
        pairs = zip(new, (s[b:] for s in state), strict=True)
        state = tuple(torch.cat(pair) for pair in pairs)
        outputs.append(new[0])
    return torch.cat(outputs[::-1] if reverse else outputs), state


class Params:
    """One layer's tensors in one direction, as equations call them."""

    def __init__(self, **tensors: Tensor | None):
        for name, value in tensors.items():
            setattr(self, name, value)


class Recurrent(DropIn):
    """Any ``step`` in layers and directions; arguments as torch.nn.RNN.

    A cell is a subclass with ``step(x_t, state, p)``: x_t (B, I), state a tuple
    of (B, H), p the parameters W_ih, W_hh, b_ih, b_hh -> the next state, h first.
    ``gates`` says how many H rows a weight has. Where needed, it extends ``shapes``
    (what it learns), ``state_sizes``, and ``begin`` (once, before the first step).
    """

    def begin(self, state):
        """The state before the first step; it may get entries for one pass."""
        return state

    def params(self, end: str) -> Params:
        """The parameters whose names end so; a bias that is left out is None."""
        names = self.shapes(self.input_size)
        own = {n: getattr(self, TORCHS.get(n, n) + end) for n in names}
        return Params(**({"b_ih": None, "b_hh": None} | own))

    def stack(self, data, sizes, state):
        """All layers: (N, I), (K*D, B, H) each -> outputs (N, D*H), last state."""
        last = []
        for k in range(self.num_layers):
            if k > 0:
                data = dropout(data, self.dropout, self.training)
            outputs = []
            for d, end in enumerate(self.ends(k)):
                first = self.begin(tuple(s[len(last)] for s in state))
                p, reverse = self.params(end), d == 1
                hs, h_T = run(self.step, data, sizes, first, p, reverse)
                outputs.append(hs)
                last.append(h_T[: len(state)])
            data = torch.cat(outputs, dim=1)  # (N, D*H)
        return data, [torch.stack(rows) for rows in zip(*last, strict=True)]


class RNN(Recurrent):
    """Elman RNN, a drop-in for torch.nn.RNN."""

    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *a, **kw
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is {nonlinearity!r}; need 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, num_layers, *a, **kw)
        self.nonlinearity = nonlinearity

    def step(self, x_t, state, p):
        """One time step: (B, I), ((B, H),) -> ((B, H),)."""
        (h,) = state
        a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)
        return (a.tanh() if self.nonlinearity == "tanh" else a.relu(),)
