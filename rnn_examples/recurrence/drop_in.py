"""What makes a layer a drop-in for torch's: its options, names and layouts.

    output, h_n = layer(input, hx)

Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one
        sequence, or packed; hx and h_n (K*D, B, H), for one sequence (K*D, H)
Page:   docs/recurrence/drop_in.md
Test:   tests/recurrence/test_drop_in.py
Source: torch/nn/modules/rnn.py of torch 2.13

The names of the parameters are torch's, and so is their order:

>>> from rnn_examples.recurrence.layers import RNN
>>> list(RNN(input_size=3, hidden_size=4).state_dict())
['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']

The same seed draws the same weights, and the layer prints the same:

>>> import torch
>>> from rnn_examples.recurrence.layers import RNN
>>> layers = []
>>> for cls in (RNN, torch.nn.RNN):
...     _ = torch.manual_seed(0)
...     layers.append(cls(3, 4, num_layers=2, bidirectional=True))
>>> torch.testing.assert_close(*(dict(layer.state_dict()) for layer in layers))
>>> print(*layers, sep="\\n")
RNN(3, 4, num_layers=2, bidirectional=True)
RNN(3, 4, num_layers=2, bidirectional=True)
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rnn_examples.recurrence.errors import check_hx, check_input, check_options

# What equations call a parameter -> what torch does; other names are our own.
TORCHS = {"W_ih": "weight_ih", "W_hh": "weight_hh", "W_hr": "weight_hr"}
TORCHS |= {"b_ih": "bias_ih", "b_hh": "bias_hh"}


class DropIn(nn.Module):
    """Constructor, parameters and call of torch.nn.RNN, LSTM and GRU.

    A subclass sets ``gates``, how many times H rows a weight has, and computes
    ``stack(data, sizes, state)``: data (N, I), the steps of all sequences one
    after another; sizes, how many sequences take each step; state, a list of
    (K*D, B, H) -> outputs (N, D*H), last state. Raises what errors.py says.
    """

    gates, can_project = 1, False

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
        dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        self.proj_size = proj_size
        check_options(self)
        self.dropout = float(dropout)
        for k in range(num_layers):
            inputs = input_size if k == 0 else len(self.ends(k)) * self.state_sizes[0]
            for end in self.ends(k):
                for name, shape in self.shapes(inputs).items():
                    value = torch.empty(shape, device=device, dtype=dtype)
                    setattr(self, TORCHS.get(name, name) + end, nn.Parameter(value))
        self.reset_parameters()

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each tensor of the state; the first is the output's."""
        return (self.hidden_size,)

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """What one layer learns in one direction, in torch's order."""
        rows = self.gates * self.hidden_size
        weights = {"W_ih": (rows, inputs), "W_hh": (rows, self.state_sizes[0])}
        biases = {"b_ih": (rows,), "b_hh": (rows,)} if self.bias else {}
        return weights | biases

    def ends(self, k: int) -> list[str]:
        """How the parameter names of layer k end, one for each direction."""
        return [f"_l{k}", f"_l{k}_reverse"][: 1 + self.bidirectional]

    def reset_parameters(self) -> None:
        """Draw every parameter from U(-1/sqrt(H), 1/sqrt(H)), in order."""
        for value in self.parameters():
            nn.init.uniform_(value, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def flatten_parameters(self) -> None:
        """Nothing to do; torch lays out its weights for cuDNN with it."""

    def extra_repr(self) -> str:
        """What torch prints: the sizes, then what is not at its default."""
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True}
        defaults |= {"batch_first": False, "dropout": 0, "bidirectional": False}
        own = {k: v for k in defaults if (v := getattr(self, k)) != defaults[k]}
        sizes = [str(self.input_size), str(self.hidden_size)]
        return ", ".join(sizes + [f"{k}={v}" for k, v in own.items()])

    def forward(self, input, hx=None):
        """input, initial state or None -> output, last state, as torch.nn.RNN."""
        check_input(self, input)
        packed = isinstance(input, PackedSequence)
        single = not packed and input.dim() == 2
        swap = self.batch_first and not packed and not single
        order = back = None
        if packed:
            data, sizes, order, back = input
            sizes = sizes.tolist()
        else:
            x = input[:, None] if single else input.transpose(0, 1) if swap else input
            data, sizes = x.flatten(0, 1), [x.shape[1]] * x.shape[0]
        if hx is None:
            rows = sum(len(self.ends(k)) for k in range(self.num_layers))
            state = [data.new_zeros(rows, sizes[0], size) for size in self.state_sizes]
        else:
            B, T = None if single else sizes[0], None if packed else len(sizes)
            check_hx(self, hx, B, data.dtype, T)
            state = [hx] if isinstance(hx, Tensor) else hx
            state = [s[:, None] if single else s for s in state]
        if order is not None:
            state = [s.index_select(1, order) for s in state]

        data, state = self.stack(data, sizes, state)

        if back is not None:
            state = [s.index_select(1, back) for s in state]
        if packed:
            output = PackedSequence(data, *input[1:])
        elif single:
            output, state = data, [s.squeeze(1) for s in state]
        else:
            output = data.unflatten(0, x.shape[:2])
            output = output.transpose(0, 1) if swap else output
        h_n, *c_n = state
        return output, (h_n, *c_n) if c_n else h_n
