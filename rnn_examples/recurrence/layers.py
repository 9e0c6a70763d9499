"""Any step through layers and directions, in all that torch.nn.RNN takes.

    h^k_t = step(h^{k-1}_t, h^k_{t-1}),  h^0_t = x_t

Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one
        sequence, or packed; hx and h_n (K*D, B, H), for one sequence (K*D, H)
Pages:  docs/recurrence/layers.md, docs/recurrence/drop_in.md
Tests:  tests/recurrence/test_layers.py, tests/recurrence/test_drop_in.py,
        tests/recurrence/test_other_programs.py, tests/recurrence/test_seam.py
Source: Schuster and Paliwal (1997), doi:10.1109/78.650093, for two directions;
        options, names and order as in torch/nn/modules/rnn.py of torch 2.13

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

import functools
import operator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear
from torch.nn.utils.rnn import PackedSequence

from rnn_examples.recurrence.errors import check_hx, check_input, check_options
from rnn_examples.recurrence.sweep import Params, State, sweep

Hx = TypeVar("Hx")  # a state as torch passes it: h_0, or a tuple (h_0, c_0)

# What equations call a parameter -> what torch does; other names are a cell's own.
TORCH_NAMES = {
    "W_ih": "weight_ih",
    "W_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "W_hr": "weight_hr",
}
EQUATION_NAMES = {torchs: ours for ours, torchs in TORCH_NAMES.items()}
TAKEN = {"W_ih", "W_hh", "b_ih", "b_hh", "extras", *EQUATION_NAMES}


def weights_of(layer: nn.RNNBase, k: int = 0, d: int = 0) -> Params:
    """What layer k learns in direction d, shared, not copied; ours or torch's.

    Raises ValueError when there is no such layer or direction.
    """
    D = 1 + bool(layer.bidirectional)
    if k not in range(layer.num_layers) or d not in range(D):
        need = f"k < {layer.num_layers} and d < {D}"
        raise ValueError(f"there is no layer k = {k}, direction d = {d}; need {need}")
    own: dict[str, Tensor] = {}
    for name in layer._all_weights[k * D + d]:
        stem = name.removesuffix(f"_l{k}" + "_reverse" * d)
        own[EQUATION_NAMES.get(stem, stem)] = getattr(layer, name)
    b_ih, b_hh = own.pop("b_ih", None), own.pop("b_hh", None)
    return Params(own.pop("W_ih"), own.pop("W_hh"), b_ih, b_hh, extras=own)


class Recurrent(nn.RNNBase, Generic[Hx]):
    """Any ``step`` in layers and directions; options and call as torch.nn.RNN.

    A cell is a subclass with ``step(x_t, state, p) -> state``. Where needed, it
    also sets ``blocks`` (a weight has blocks * H rows) and ``state_sizes`` (the
    features of each tensor of its state), and defines ``extras`` (what it learns
    besides) and ``begin`` (its state before the first step). A faster layer
    overrides ``sweep``, one layer in one direction, and nothing else.

    It is an nn.RNNBase, so what asks for one, or reads ``all_weights``, works. It
    is no nn.LSTM: torch.compile refuses those.
    """

    blocks = 1
    can_project = False

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
    ) -> None:
        """Options as torch.nn.RNN's, LSTM's and GRU's.

        Raises TypeError or ValueError for an invalid option.
        """
        # Past RNNBase's own, which would make and draw a torch layer's weights.
        super(nn.RNNBase, self).__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.proj_size = num_layers, proj_size
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        check_options(self)
        self.num_layers = operator.index(num_layers)  # NumPy's int too, as torch
        self.proj_size = operator.index(proj_size)
        self.dropout, self.bidirectional = float(dropout), bool(bidirectional)
        self.mode = getattr(type(self), "mode", type(self).__name__)
        self._all_weights = []
        for k in range(self.num_layers):
            for suffix in [f"_l{k}", f"_l{k}_reverse"][: 1 + self.bidirectional]:
                names = []
                for name, shape in self._shapes(k).items():
                    names.append(TORCH_NAMES.get(name, name) + suffix)
                    value = torch.empty(shape, device=device, dtype=dtype)
                    setattr(self, names[-1], nn.Parameter(value))
                self._all_weights.append(names)
        self._flat_weights_names = [n for names in self._all_weights for n in names]
        self._init_flat_weights()
        self.reset_parameters()

    # ------------------------------------------------- what a cell may say

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each tensor of the state; the first is the output's."""
        return (self.hidden_size,)

    def extras(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of what is learned besides, in each layer and direction.

        It is asked while the layer is made: set a size that it reads before
        super().__init__().
        """
        return {}

    def begin(self, state: State) -> State:
        """The state before the first step; it may get entries for one pass."""
        return state

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        """The equation: (B, I), state -> the next state, h first."""
        raise NotImplementedError(f"{type(self).__name__} has no step(x_t, state, p)")

    def sweep(
        self,
        data: Tensor,
        sizes: Tensor | None,
        state: State,
        p: Params,
        reverse: bool,
    ) -> tuple[Tensor, State]:
        """One layer, one direction: all outputs, last state; see sweep.py."""
        step = self.step
        if not callable(step):  # a program's subclass that counts in self.step
            step = functools.partial(type(self).step, self)
        return sweep(step, data, sizes, state, p, reverse)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises AttributeError for a module under a name that a cell uses itself."""
        if isinstance(value, nn.Module) and hasattr(type(self), name):
            mine = f"{type(self).__name__}.{name} is the layer's own"
            raise AttributeError(f"{mine}; choose another name for this module")
        super().__setattr__(name, value)

    # --------------------------------------- the rest is the same for all cells

    if TYPE_CHECKING:  # what a call takes and gives, for editors and type checkers

        @overload
        def __call__(
            self, input: Tensor, hx: Hx | None = None
        ) -> tuple[Tensor, Hx]: ...
        @overload
        def __call__(
            self, input: PackedSequence, hx: Hx | None = None
        ) -> tuple[PackedSequence, Hx]: ...
        def __call__(self, input: Any, hx: Any = None) -> Any: ...

    def forward(self, input: Tensor | PackedSequence, hx: Hx | None = None) -> Any:
        """input, initial state or None for zeros -> output, last state.

        Raises TypeError, ValueError or RuntimeError, as torch would, for what does
        not fit the layer; see docs/recurrence/errors.md.
        """
        # Once a call: a parametrized weight is computed anew when it is read.
        D = 1 + self.bidirectional
        params = [
            weights_of(self, *divmod(row, D)) for row in range(self.num_layers * D)
        ]
        first, *_ = params
        check_input(self, input, first.W_ih)
        state = None
        if hx is not None:
            check_hx(self, hx, input, first.W_ih)
            state = (hx,) if isinstance(hx, Tensor) else tuple(hx)  # type: ignore[arg-type]
        output, last = self._layout(input)(input, state, params)
        if len(last) > 1:
            return output, last
        (h_n,) = last
        return output, h_n

    def _layout(self, input: Tensor | PackedSequence) -> Any:
        """The method for this layout: (input, state, params) -> output, last state."""
        if isinstance(input, PackedSequence):
            return self._packed
        if input.dim() == 2:
            return self._unbatched
        return self._batch_first if self.batch_first else self._time_first

    def _time_first(
        self, x: Tensor, state: State | None, params: list[Params]
    ) -> tuple[Tensor, State]:
        """(T, B, I), the layout that all others are brought to."""
        return self._stack(x, None, state or self._zeros(x, x.shape[1]), params)

    def _batch_first(
        self, x: Tensor, state: State | None, params: list[Params]
    ) -> tuple[Tensor, State]:
        """(B, T, I); the state is (K*D, B, H) all the same."""
        output, last = self._time_first(x.transpose(0, 1), state, params)
        return output.transpose(0, 1), last

    def _unbatched(
        self, x: Tensor, state: State | None, params: list[Params]
    ) -> tuple[Tensor, State]:
        """(T, I), one sequence: a batch of one."""
        state = state and tuple(s.unsqueeze(1) for s in state)
        output, last = self._time_first(x.unsqueeze(1), state, params)
        return output.squeeze(1), tuple(s.squeeze(1) for s in last)

    def _packed(
        self, packed: PackedSequence, state: State | None, params: list[Params]
    ) -> tuple[PackedSequence, State]:
        """(N, I), the longest sequence first; the state is in the caller's order."""
        data, sizes, order, back = packed
        state = state or self._zeros(data, int(sizes[0]))
        if order is not None:
            state = tuple(s.index_select(1, order) for s in state)
        output, last = self._stack(data, sizes, state, params)
        if back is not None:
            last = tuple(s.index_select(1, back) for s in last)
        return PackedSequence(output, sizes, order, back), last

    def _zeros(self, data: Tensor, B: int) -> State:
        """The state that torch starts from when none is given."""
        rows = len(self._all_weights)  # K*D
        return tuple(data.new_zeros(rows, B, size) for size in self.state_sizes)

    def _stack(
        self, data: Tensor, sizes: Tensor | None, state: State, params: list[Params]
    ) -> tuple[Tensor, State]:
        """All layers: state (K*D, B, H) each -> outputs (..., D*H), last state."""
        last: list[State] = []
        for k in range(self.num_layers):
            if k > 0:
                data = dropout(data, self.dropout, self.training)
            outputs = []
            for reverse in (False, True)[: 1 + self.bidirectional]:
                row = len(last)
                first = self.begin(tuple(s[row] for s in state))
                hs, end = self.sweep(data, sizes, first, params[row], reverse)
                outputs.append(hs)
                last.append(end[: len(state)])  # without what begin added
            if self.bidirectional:
                data = torch.cat(outputs, dim=-1)  # 2*H features
            else:
                (data,) = outputs
        return data, tuple(torch.stack(rows) for rows in zip(*last, strict=True))

    def _shapes(self, k: int) -> dict[str, tuple[int, ...]]:
        """What layer k learns in one direction, in torch's order."""
        rows, out = self.blocks * self.hidden_size, self.state_sizes[0]
        inputs = self.input_size if k == 0 else out * (1 + self.bidirectional)
        weights = {"W_ih": (rows, inputs), "W_hh": (rows, out)}
        biases = {"b_ih": (rows,), "b_hh": (rows,)} if self.bias else {}
        extras = self.extras()
        for name in TAKEN.intersection(extras):
            raise ValueError(f"extras names {name}; choose a name that is not taken")
        return {**weights, **biases, **extras}

    def flatten_parameters(self) -> None:
        """Nothing to do; torch lays out its weights for cuDNN with it."""


class RNN(Recurrent[Tensor]):
    """Elman RNN, a drop-in for torch.nn.RNN that can be read and changed.

    h_t = tanh(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)

    Args:
        input_size, hidden_size: I and H, the features of x_t and of h_t.
        num_layers: K layers, each reading the outputs of the one below.
        nonlinearity: 'tanh' or 'relu'.
        bias: False leaves both biases out.
        batch_first: True takes and gives (B, T, ...), not (T, B, ...); the
            state is (K*D, B, H) all the same.
        dropout: share of what one layer hands to the next that is set to 0 in
            training.
        bidirectional: True adds a second direction, from the last step to the
            first; D is then 2, else 1.
        proj_size: must be 0; it is here for torch's order of arguments.
        device, dtype: of the parameters.

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

    Page: docs/recurrence/layers.md
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is {nonlinearity!r}; need 'tanh' or 'relu'")
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
        self.nonlinearity = nonlinearity
        self.mode = f"RNN_{nonlinearity.upper()}"

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        """One time step: (B, I), ((B, H),) -> ((B, H),)."""
        (h,) = state
        a = linear(x_t, p.W_ih, p.b_ih) + linear(h, p.W_hh, p.b_hh)
        h = a.tanh() if self.nonlinearity == "tanh" else a.relu()
        return (h,)

    def extra_repr(self) -> str:
        relu = ", nonlinearity='relu'" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu
