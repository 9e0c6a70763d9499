"""What the recurrent layers are held against: torch.nn, option by option.

Everything is float64 and starts from a random state. Gradients are pulled with
random tensors: a sum cannot see a wrong order in time.
"""

import copy
import io
import itertools
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.testing import assert_close

from rnn_examples.gates.gru import GRU
from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import RNN

F64 = {"dtype": torch.float64}
FLAGS = ("bidirectional", "bias", "batch_first")
OPTIONS = [
    {"num_layers": K, **dict(zip(FLAGS, flags, strict=True))}
    for K, *flags in itertools.product([1, 3], *[[False, True]] * 3)
]
LAYOUTS = ["padded", "strided", "unbatched", "packed", "unsorted"]
SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (2, 6, 1, 3), (4, 1, 5, 2)]  # T, B, I, H


# The readable layer -> torch's. A cell without a line here has no twin.
TORCH_CLASS = {RNN: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU}


def torch_class(cls: type) -> type:
    """The class of torch.nn that cls, or the class that it extends, stands for."""
    for ours, theirs in TORCH_CLASS.items():
        if issubclass(cls, ours):
            return theirs
    names = ", ".join(ours.__name__ for ours in TORCH_CLASS)
    raise TypeError(f"{cls.__name__} has no twin in torch.nn; needs one of {names}")


def torch_twin(layer: nn.Module) -> nn.Module:
    """torch's layer with the same options and weights; a cell's own are left out."""
    cls = torch_class(type(layer))
    names = ["num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    if cls is nn.RNN:
        names.append("nonlinearity")
    if cls is nn.LSTM:
        names.append("proj_size")
    options = {name: getattr(layer, name) for name in names}
    dtype = layer.weight_ih_l0.dtype
    twin = cls(layer.input_size, layer.hidden_size, dtype=dtype, **options)
    own = twin.state_dict()
    twin.load_state_dict({k: v for k, v in layer.state_dict().items() if k in own})
    return twin.train(layer.training)


def input_of(layer: nn.Module, layout: str, T: int, B: int, lengths=None):
    """A random input in one of LAYOUTS, and a random initial state for it."""
    leaf = torch.randn(T, B, layer.input_size, dtype=layer.weight_ih_l0.dtype)
    leaf.requires_grad_()
    swap = layer.batch_first and layout != "unbatched"
    x = leaf.transpose(0, 1) if swap else leaf
    if layout == "strided":
        x = torch.stack([x, x], dim=-1)[..., 0]
        assert not x.is_contiguous() or x.numel() == 1 or layer.input_size == 1
    elif layout == "unbatched":
        x = x[:, 0]
    elif layout in ("packed", "unsorted"):
        lengths = lengths or torch.randint(1, T + 1, (B,)).tolist()
        if layout == "packed":
            lengths = sorted(lengths, reverse=True)
        sort = layout == "packed"
        x = pack_padded_sequence(x, torch.tensor(lengths), swap, enforce_sorted=sort)
    rows = layer.num_layers * (1 + layer.bidirectional)
    batch = () if layout == "unbatched" else (B,)
    hx = tuple(
        torch.randn(rows, *batch, size, dtype=leaf.dtype, requires_grad=True)
        for size in layer.state_sizes
    )
    return leaf, x, hx


def as_given(hx: tuple) -> torch.Tensor | tuple:
    """A state as a layer takes it: one tensor, or a tuple of several."""
    return hx if len(hx) > 1 else hx[0]


def tensors(result) -> list[torch.Tensor]:
    """Every tensor of a layer's result, a packed output's data and order too."""
    flat = []
    for part in result:
        if isinstance(part, PackedSequence):
            flat += [value for value in part if value is not None]
        else:
            flat += [part] if isinstance(part, torch.Tensor) else list(part)
    return flat


def assert_same(ours, theirs, leaf, x, hx, **tolerance) -> None:
    """Outputs, last states and every gradient under a random pull are equal."""
    state = as_given(hx)
    results = [tensors(layer(x, state)) for layer in (ours, theirs)]
    assert_close(*results, **tolerance)
    pulls = [torch.randn_like(v) for v in results[0] if v.is_floating_point()]
    grads = []
    for layer, result in zip((ours, theirs), results, strict=True):
        values = [v for v in result if v.is_floating_point()]
        leaves = [leaf, *hx, *layer.parameters()]
        grads.append(torch.autograd.grad(values, leaves, pulls, retain_graph=True))
    assert_close(*grads, **tolerance)


def assert_same_everywhere(cls, layout: str, sizes, **extra) -> None:
    """The whole option matrix in one layout, with and without a state given."""
    T, B, I, H = sizes
    for options in OPTIONS:
        ours = cls(I, H, **options, **extra, **F64)
        theirs = torch_twin(ours)
        leaf, x, hx = input_of(ours, layout, T, B)
        assert_same(ours, theirs, leaf, x, hx)
        assert_close(tensors(ours(x)), tensors(theirs(x)))


def assert_a_wrong_weight_is_seen(cls, **extra) -> None:
    """assert_same can fail: one weight that is off by 1e-4 is enough."""
    torch.manual_seed(0)
    ours = cls(3, 4, **extra, **F64)
    twin = torch_twin(ours)
    case = input_of(ours, "packed", 5, 3)
    assert_same(ours, twin, *case)
    with torch.no_grad():
        ours.bias_hh_l0[-1] += 1e-4
    with pytest.raises(AssertionError, match="not close"):
        assert_same(ours, twin, *case)


def assert_bptt_works_under_torch_func(by_hand, layer) -> None:
    """vmap, grad, per-sample gradients and jacrev of by_hand are autograd's.

    by_hand(x, *state, weights) -> hs for one layer, one direction; state (B, H).
    """
    torch.manual_seed(0)
    x = torch.randn(5, 2, layer.input_size, **F64)
    state = [torch.randn(2, size, **F64) for size in layer.state_sizes]
    weights = list(layer.parameters())
    names = [name for name, _ in layer.named_parameters()]
    pull = torch.randn(5, 2, layer.state_sizes[0], **F64)

    def through_autograd(x, *state_and_weights):
        *state, weights = state_and_weights
        hx = as_given(tuple(s[None] for s in state))
        params = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(layer, params, (x, hx))[0]

    def loss(f):
        return lambda *inputs: (f(*inputs) * pull).sum()

    last = len(state) + 1
    inputs = (x, *state, weights)
    for transform in (
        lambda f: torch.func.grad(loss(f), argnums=(0, last)),
        lambda f: torch.func.jacrev(f, argnums=(0, 1)),
        lambda f: torch.func.vmap(  # per sample: each sequence a batch of one
            torch.func.grad(
                lambda *one: (
                    f(one[0][:, None], *[s[None] for s in one[1:-1]], one[-1])
                    .square()
                    .sum()
                ),
                argnums=last,
            ),
            in_dims=(1, *[0] * len(state), None),
        ),
    ):
        assert_close(transform(by_hand)(*inputs), transform(through_autograd)(*inputs))


def rnn_case(T: int, B: int, I: int, H: int):
    """torch's RNN of one layer, x (T, B, I), h_0 (B, H), and a pull (T, B, H)."""
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    rnn = nn.RNN(I, H, **F64)
    x = torch.randn(T, B, I, **F64, requires_grad=True)
    h_0 = torch.randn(B, H, **F64, requires_grad=True)
    return rnn, x, h_0, torch.randn(T, B, H, **F64)


# ----------------------------------------------------- what a module must do


def assert_module_is_torchs(cls, **extra) -> None:
    """Names, order, draws, repr, copies, pickles, saved files: as torch's own."""
    theirs_cls = torch_class(cls)
    for options in (o | extra for o in OPTIONS):
        layers = []
        for kind in (cls, theirs_cls):
            torch.manual_seed(7)
            layers.append(kind(3, 4, **options))
        ours, theirs = layers
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)
        assert [n for n, _ in ours.named_parameters()] == list(theirs.state_dict())
        assert repr(ours) == repr(theirs)
        ours.load_state_dict(theirs.state_dict(), strict=True)
        theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(5, 2, 3)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert_close(tensors(twin(x)), tensors(ours(x)), rtol=0, atol=0)
    file = io.BytesIO()
    torch.save(ours.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    assert_close(dict(saved), dict(theirs.state_dict()), rtol=0, atol=0)
    assert ours.flatten_parameters() is None
    torch.manual_seed(3)
    ours.reset_parameters()
    torch.manual_seed(3)
    theirs.reset_parameters()
    assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)


def assert_dropout_is_torchs(cls, **extra) -> None:
    """Between layers, in training, with the draws that torch makes."""
    ours = cls(3, 4, num_layers=3, bidirectional=True, dropout=0.4, **extra, **F64)
    theirs = torch_twin(ours)
    for layout in LAYOUTS:
        _, x, hx = input_of(ours, layout, 6, 3)
        state = as_given(hx)
        results = {}
        for training in (True, False):
            for layer in (ours.train(training), theirs.train(training)):
                torch.manual_seed(5)
                results[layer, training] = tensors(layer(x, state))
            assert_close(results[ours, training], results[theirs, training])
        gap = results[ours, True][0] - results[ours, False][0]
        assert gap.abs().max() > 1e-3  # it does something
    for layer in (cls, torch_class(cls)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            layer(3, 4, dropout=0.5, **extra)
        (said,) = caught
        assert said.category is UserWarning
        assert "dropout=0.5 and num_layers=1" in str(said.message)


def assert_dtypes_are_torchs(cls, **extra) -> None:
    """float32, and bfloat16 as closely as torch agrees with itself there."""
    loose = {"rtol": 0.05, "atol": 0.05}
    for dtype, tolerance in [(torch.float32, {}), (torch.bfloat16, loose)]:
        ours = cls(3, 4, num_layers=2, dtype=dtype, **extra)
        leaf, x, hx = input_of(ours, "padded", 5, 2)
        with warnings.catch_warnings():  # proj_size: oneDNN says it cannot
            warnings.filterwarnings("ignore", "LSTM with projections")
            assert_same(ours, torch_twin(ours), leaf, x, hx, **tolerance)
        assert all(v.dtype == dtype for v in tensors(ours(x)))
    meta = cls(3, 4, device="meta", **extra)
    output, _ = meta(torch.randn(5, 2, 3, device="meta"))
    assert output.device.type == "meta" and output.shape == (5, 2, meta.state_sizes[0])


def assert_transforms_work(cls, **extra) -> None:
    """gradcheck, gradgradcheck, torch.compile, torch.export with any batch size."""
    layer = cls(2, 3, bidirectional=True, **extra, **F64)
    leaf, x, hx = input_of(layer, "padded", 2, 2)
    weights = dict(layer.named_parameters())

    def f(x, *rest):
        state = rest[: len(hx)] if len(hx) > 1 else rest[0]
        params = dict(zip(weights, rest[len(hx) :], strict=True))
        return tuple(tensors(torch.func.functional_call(layer, params, (x, state))))

    inputs = (leaf, *hx, *weights.values())
    assert torch.autograd.gradcheck(f, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(f, inputs, fast_mode=True)
    state = as_given(hx)
    # aot_eager captures forward and backward as inductor does, without a compiler.
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_same(compiled, layer, leaf, x, hx)
    B = torch.export.Dim("B", min=2)
    state_axes = ({1: B}, {1: B}) if len(hx) > 1 else {1: B}
    shapes = {"input": {1: B}, "hx": state_axes}
    program = torch.export.export(layer, (x, state), dynamic_shapes=shapes).module()
    _, x, hx = input_of(layer, "padded", 2, 5)
    state = as_given(hx)
    assert_close(tensors(program(x, state)), tensors(layer(x, state)))
