"""rnn_examples.recurrence.errors against what torch.nn raises, says and accepts."""

import ast
import inspect
import linecache
import re
import warnings

import numpy as np
import pytest
import torch
from torch import nn, zeros
from torch.nn.utils.rnn import pack_padded_sequence
from torch.testing import assert_close

from rnn_examples.gates.gru import GRU
from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence import errors
from rnn_examples.recurrence.layers import RNN
from tests.oracles import tensors

LAYERS = {"RNN": (nn.RNN, RNN), "LSTM": (nn.LSTM, LSTM), "GRU": (nn.GRU, GRU)}
F64 = {"dtype": torch.float64}
x = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))  # (T, B, I)
h_0 = torch.randn(1, 2, 4, generator=torch.Generator().manual_seed(1))


def state(c, *shape, **options):
    """What c takes as hx: a tensor, or two for an LSTM."""
    pair = zeros(*shape, **options), zeros(*shape, **options)
    return pair if c.__name__ == "LSTM" else pair[0]


def packed(x, *lengths):
    return pack_padded_sequence(x, lengths)


def growing(sizes):
    return nn.utils.rnn.PackedSequence(zeros(sum(sizes), 3), torch.tensor(sizes))


def raised(call, c) -> Exception:
    """The exception of call(c); AssertionError when there is none."""
    try:
        call(c)
    except Exception as error:
        return error
    raise AssertionError(f"{c.__name__} raises nothing")


def assert_raises_as_torch(name, call, message) -> None:
    """The same type, and ours in full; it calls an LSTM's h hx[0]."""
    theirs, ours = (raised(call, c) for c in LAYERS[name])
    assert type(ours) is type(theirs), (ours, theirs)
    message = re.sub("^hx ", "hx[0] " if name == "LSTM" else "hx ", message)
    assert str(ours) == message


NINE = "input has 9 features; this layer takes 3"
DOUBLE = (
    "input is torch.float64, the weights are torch.float32; "
    "call input.to(torch.float32) or layer.to(torch.float64)"
)
NO_STEP = "input has no time step; need T >= 1"
NEED = "need (K*D, B, H) ="
INT, BOOL, LEAST = "need an int", "need True or False", "need at least"
RATE = "need a probability from 0 to 1"

# (call, our message): torch raises the same type, for each of the three layers.
TENSORS = {
    "features": (lambda c: c(3, 4)(zeros(5, 2, 9)), NINE),
    "features, unbatched": (lambda c: c(3, 4)(zeros(5, 9)), NINE),
    "4-D": (
        lambda c: c(3, 4)(x[None]),
        "input is 4-D; need (T, B, I), or (T, I) unbatched",
    ),
    "1-D": (
        lambda c: c(3, 4, batch_first=True)(x[0, 0]),
        "input is 1-D; need (B, T, I), or (T, I) unbatched",
    ),
    "float64": (lambda c: c(3, 4)(x.double()), DOUBLE),
    "token ids": (
        lambda c: c(3, 4)(x.long()),
        "input is torch.int64, the weights are torch.float32; "
        "call input.to(torch.float32), or nn.Embedding if it holds token ids",
    ),
    "no step": (lambda c: c(3, 4)(x[:0]), NO_STEP),
    "no step, swapped": (lambda c: c(3, 4, batch_first=True)(x[:, :0]), NO_STEP),
    "no step, unbatched": (lambda c: c(3, 4, batch_first=True)(x[:0, 0]), NO_STEP),
    "device": (
        lambda c: c(3, 4)(x.to("meta")),
        "input is on meta, the weights are not; call input.to('cpu')",
    ),
    "batch and time": (
        lambda c: c(3, 4)(x, state(c, 1, 5, 4)),
        f"hx has shape (1, 5, 4); {NEED} (1, 2, 4).\n"
        "Is input (B, T, I)? Set batch_first=True",
    ),
    "time and batch": (
        lambda c: c(3, 4, batch_first=True)(x, state(c, 1, 2, 4)),
        f"hx has shape (1, 2, 4); {NEED} (1, 5, 4).\n"
        "Is input (T, B, I)? Set batch_first=False",
    ),
    "hidden": (
        lambda c: c(3, 4)(x, state(c, 1, 2, 9)),
        f"hx has shape (1, 2, 9); {NEED} (1, 2, 4)",
    ),
    "layers and directions": (
        lambda c: c(3, 4, 3, bidirectional=True)(x, state(c, 3, 2, 4)),
        f"hx has shape (3, 2, 4); {NEED} (6, 2, 4)",
    ),
    "state with the batch first": (
        lambda c: c(3, 4, batch_first=True)(x, state(c, 5, 1, 4)),
        f"hx has shape (5, 1, 4); {NEED} (1, 5, 4)",
    ),
    "no layer axis": (
        lambda c: c(3, 4)(x, state(c, 2, 4)),
        f"hx has shape (2, 4); {NEED} (1, 2, 4)",
    ),
    "2-D taken for a batch": (
        lambda c: c(3, 4)(x[:, 0], state(c, 1, 5, 4)),
        "hx has shape (1, 5, 4); need (K*D, H) = (1, 4); "
        "a 2-D input is one sequence (T, I)",
    ),
    "float64 state": (
        lambda c: c(3, 4)(x, state(c, 1, 2, 4, **F64)),
        "hx is torch.float64; input is torch.float32",
    ),
    "device of the state": (
        lambda c: c(3, 4)(x, state(c, 1, 2, 4, device="meta")),
        "hx is on meta, the weights are not",
    ),
}
OPTIONS = {
    "no input": (lambda c: c(0, 4), f"input_size is 0; {LEAST} 1"),
    "no hidden unit": (lambda c: c(3, 0), f"hidden_size is 0; {LEAST} 1"),
    "no layer": (lambda c: c(3, 4, 0), f"num_layers is 0; {LEAST} 1"),
    "negative": (lambda c: c(3, 4, proj_size=-1), f"proj_size is -1; {LEAST} 0"),
    "half a layer": (lambda c: c(3, 4, 1.5), f"num_layers is 1.5; {INT}"),
    "NumPy's int": (lambda c: c(np.int64(3), 4), f"input_size is np.int64(3); {INT}"),
    "float size": (lambda c: c(3, 4.0), f"hidden_size is 4.0; {INT}"),
    "bias": (lambda c: c(3, 4, bias=1), f"bias is 1; {BOOL}"),
    "layout": (lambda c: c(3, 4, batch_first=1), f"batch_first is 1; {BOOL}"),
    "word": (lambda c: c(3, 4, 2, dropout="a"), f"dropout is 'a'; {RATE}"),
    "true": (lambda c: c(3, 4, 2, dropout=True), f"dropout is True; {RATE}"),
    "above": (lambda c: c(3, 4, 2, dropout=1.5), f"dropout is 1.5; {RATE}"),
    "below": (lambda c: c(3, 4, 2, dropout=-0.5), f"dropout is -0.5; {RATE}"),
}
PACKED = {
    "features": (lambda c: c(3, 4)(packed(zeros(5, 2, 9), 5, 3)), NINE),
    "1-D": (
        lambda c: c(3, 4)(packed(zeros(5, 2), 5, 3)),
        "input is packed from 1-D data; need (N, I)",
    ),
    "3-D": (
        lambda c: c(3, 4)(packed(zeros(5, 2, 3, 1), 5, 3)),
        "input is packed from 3-D data; need (N, I)",
    ),
    "float64": (lambda c: c(3, 4)(packed(x.double(), 5, 3)), DOUBLE),
    "lengths above T": (
        lambda c: c(3, 4)(packed(x, 9, 3)),
        "input holds 8 steps, its lengths add up to 12",
    ),
    "batch": (
        lambda c: c(3, 4, batch_first=True)(packed(x, 5, 1), state(c, 1, 5, 4)),
        f"hx has shape (1, 5, 4); {NEED} (1, 2, 4)",
    ),
}

# (call, torch's types, our messages), for RNN, LSTM and GRU. The kind is wrong and
# torch stumbles over it by accident; ours is a TypeError.
TENSOR = "need a Tensor or a PackedSequence"
ONE, TWO = "need a Tensor (K*D, B, H)", "need a tuple of 2 Tensors"
ATTRIBUTE = [AttributeError] * 3
KINDS = {
    "list": (
        lambda c: c(3, 4)(x.tolist()),
        ATTRIBUTE,
        [f"input is a list; {TENSOR}"] * 3,
    ),
    "NumPy array": (
        lambda c: c(3, 4)(x.numpy()),
        ATTRIBUTE,
        [f"input is a ndarray; {TENSOR}"] * 3,
    ),
    "the other layer's state": (
        lambda c: c(3, 4)(x, h_0 if "LSTM" in str(c) else (h_0, h_0)),
        [AttributeError, IndexError, AttributeError],
        [f"hx is a {a}" for a in (f"tuple; {ONE}", f"Tensor; {TWO}", f"tuple; {ONE}")],
    ),
    "three": (
        lambda c: c(3, 4)(x, [h_0, h_0, h_0]),
        [AttributeError, RuntimeError, AttributeError],
        [f"hx is a list{a}" for a in (f"; {ONE}", f" of 3; {TWO}", f"; {ONE}")],
    ),
    "NumPy state": (
        lambda c: c(3, 4)(x, [h_0.numpy()] * 2),
        ATTRIBUTE,
        [f"hx is a list; {ONE}", f"hx[0] is a ndarray; {ONE}", f"hx is a list; {ONE}"],
    ),
    "None, unbatched": (
        lambda c: c(3, 4)(x[:, 0], (None, None)),
        ATTRIBUTE,
        [
            "hx is a tuple; need a Tensor (K*D, H)",
            "hx[0] is a NoneType; need a Tensor (K*D, H)",
            "hx is a tuple; need a Tensor (K*D, H)",
        ],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", TENSORS)
def test_wrong_tensors_raise_as_in_torch(case, name):
    assert_raises_as_torch(name, *TENSORS[case])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options_raise_as_in_torch(case, name):
    assert_raises_as_torch(name, *OPTIONS[case])


@pytest.mark.parametrize("name", ["RNN", "GRU"])
@pytest.mark.parametrize("case", PACKED)
def test_wrong_packed_inputs_raise_as_in_torch(case, name):
    assert_raises_as_torch(name, *PACKED[case])


@pytest.mark.parametrize("case", PACKED)
def test_a_packed_lstm_is_checked_where_torchs_is_not(case):
    call, message = PACKED[case]  # torch's LSTM goes on, into undefined results
    ours = raised(call, LSTM)
    assert type(ours) is (ValueError if case == "float64" else RuntimeError)
    assert str(ours) == re.sub("^hx ", "hx[0] ", message)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("case", KINDS)
def test_a_wrong_kind_is_a_type_error_where_torch_stumbles(case, number):
    call, types, messages = KINDS[case]
    theirs, ours = (raised(call, c) for c in [*LAYERS.values()][number])
    assert type(theirs) is types[number] is not TypeError
    assert type(ours) is TypeError and str(ours) == messages[number]


def test_the_cell_of_an_lstm_has_a_name_of_its_own():
    for c_0, message in [
        (zeros(1, 2, 5), rf"^hx\[1\] has shape \(1, 2, 5\); {re.escape(NEED)}"),
        (h_0.double(), r"^hx\[1\] is torch.float64; input is torch.float32$"),
    ]:
        for layer in (nn.LSTM(3, 4), LSTM(3, 4)):
            with pytest.raises(RuntimeError) as caught:
                layer(x, (h_0, c_0))
        assert re.match(message, str(caught.value))


def test_the_projection_has_a_size_of_its_own():
    calls = [
        (lambda c: c(3, 4, proj_size=4), "proj_size is 4; need less than H = 4"),
        (
            lambda c: c(3, 4, proj_size=2)(x, state(c, 1, 2, 4)),
            f"hx has shape (1, 2, 4); {NEED} (1, 2, 2)",
        ),
    ]
    for call, message in calls:
        assert_raises_as_torch("LSTM", call, message)
    for name in ("RNN", "GRU"):
        message = f"proj_size is 2; {name} has no projection"
        assert_raises_as_torch(name, lambda c: c(3, 4, proj_size=2), message)


def test_what_torch_notices_later_or_by_accident():
    for theirs, ours in LAYERS.values():
        layer = theirs(3, 4, bidirectional=2)  # it has the weights of both ways
        with pytest.raises(TypeError, match="received an invalid combination of arg"):
            layer(x)
        with pytest.raises(TypeError, match=f"^bidirectional is 2; {BOOL}$"):
            ours(3, 4, bidirectional=2)
        for p in (None, 1j):
            with pytest.raises(TypeError, match=r"^float\(\) argument must be"):
                theirs(3, 4, dropout=p)
            with pytest.raises(ValueError, match=f"^dropout is {p}; {RATE}$"):
                ours(3, 4, dropout=p)


RIGHT = [
    ({}, (5, 2, 3), (1, 2, 4)),
    ({"batch_first": True}, (2, 5, 3), (1, 2, 4)),
    ({"batch_first": True}, (5, 3), (1, 4)),  # batch_first is for batches
    ({"num_layers": 2, "bidirectional": True}, (1, 1, 3), (4, 1, 4)),
    ({"bias": False}, (5, 0, 3), (1, 0, 4)),
    ({"num_layers": 2, "dropout": 1}, (5, 2, 3), (2, 2, 4)),
    ({"dropout": 0}, (1, 3), (1, 4)),
    ({"dtype": torch.float64}, (5, 2, 3), (1, 2, 4)),
]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("options", "shape", "hidden"), RIGHT)
def test_right_calls_pass(name, options, shape, hidden):
    torch.manual_seed(0)
    theirs, ours = (c(3, 4, **options) for c in LAYERS[name])
    ours.load_state_dict(theirs.state_dict())
    dtype = ours.weight_ih_l0.dtype
    value, hx = torch.randn(shape, dtype=dtype), torch.randn(hidden, dtype=dtype)
    hx = (hx, hx.clone()) if name == "LSTM" else hx
    assert_close(ours(value, hx), theirs(value, hx))
    assert_close(ours(value), theirs(value))


@pytest.mark.parametrize("name", LAYERS)
def test_the_smallest_sizes_and_a_list_as_state_pass(name):
    torch.manual_seed(0)
    theirs, ours = (c(1, 1, 1) for c in LAYERS[name])
    ours.load_state_dict(theirs.state_dict())
    value, h, c = torch.randn(3, 1, 1, 1)
    state = [h, c] if name == "LSTM" else h
    assert_close(ours(value, state), theirs(value, state))


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_mixes_dtypes(name):
    torch.manual_seed(0)
    theirs, ours = (c(3, 4) for c in LAYERS[name])
    ours.load_state_dict(theirs.state_dict())
    hx = (h_0, h_0) if name == "LSTM" else h_0
    for value, state in [(x, None), (x, hx), (x[:, 0], None), (x.bfloat16(), hx)]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got, want = (tensors(layer(value, state)) for layer in (ours, theirs))
        # bfloat16 keeps 8 bits; ours and torch's round at other places.
        assert_close(got, want, rtol=0.05, atol=0.05)  # and the dtypes are the same


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_gives_a_packed_output_and_its_state_one_dtype(name):
    theirs, ours = (c(3, 4) for c in LAYERS[name])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, want = (
            {v.dtype for v in tensors(c(packed(x, 5, 3))) if v.is_floating_point()}
            for c in (ours, theirs)
        )
    assert len(got) == len(want) == 1
    # torch's packed LSTM alone is float32, on the CPU, where its padded one is not.
    assert got == want or (name == "LSTM" and want == {torch.float32})


@pytest.mark.parametrize("dropout", [0.5, 1])
@pytest.mark.parametrize("name", LAYERS)
def test_the_warning_has_torchs_words(name, dropout):
    said = []
    for c in LAYERS[name]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            c(3, 4, dropout=dropout)
        said.append([(w.category, str(w.message)) for w in caught])
    assert said[0] == said[1] and len(said[0]) == 1


class Mine(GRU):
    def __init__(self):
        super().__init__(3, 4, dropout=0.5)


@pytest.mark.parametrize("make", [*(c for _, c in LAYERS.values()), Mine])
def test_the_warning_points_at_the_caller(make):
    with pytest.warns(UserWarning, match="dropout option") as caught:
        make() if make is Mine else make(3, 4, dropout=0.5)
    line = linecache.getline(caught[0].filename, caught[0].lineno)
    assert caught[0].filename == __file__ and "make()" in line


def test_the_warning_does_not_compare_what_is_called_layer():
    layer = np.zeros(3)  # == would ask for the truth of an array
    with pytest.warns(UserWarning, match="dropout option"):
        LSTM(3, 4, dropout=0.5)
    assert not layer.any()


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("cls", [RNN, LSTM, GRU])
def test_true_is_no_size(cls, name):  # torch's LSTM and GRU take it for 1
    with pytest.raises(TypeError, match=f"^{name} is True; {INT}$"):
        cls(**{"input_size": 3, "hidden_size": 4, name: True})


@pytest.mark.parametrize("sizes", [[1, 2], [2, 1, 2]])
@pytest.mark.parametrize("name", LAYERS)
def test_sizes_that_grow_are_refused_as_in_torch(name, sizes):
    for layer in (c(3, 4) for c in LAYERS[name]):
        with pytest.raises(RuntimeError) as caught:
            layer(growing(sizes))
    said = f"input has batch_sizes {sizes}; they must never grow"
    assert str(caught.value) == said


@pytest.mark.parametrize("name", LAYERS)
def test_what_torch_takes_is_taken(name):
    theirs, ours = LAYERS[name]
    theirs(3, 4, bidirectional=1)  # it is made; called, it raises
    for given, meant in [
        ({"num_layers": np.int64(2)}, {"num_layers": 2}),
        ({"bidirectional": 1}, {"bidirectional": True}),
    ]:
        a, b = theirs(3, 4, **meant), ours(3, 4, **given)
        b.load_state_dict(a.state_dict())
        assert_close(b(x), a(x))
    options = {"proj_size": np.int64(2)} if name == "LSTM" else {}
    assert type(ours(3, 4, num_layers=np.int64(2), **options).num_layers) is int


def test_every_raise_is_reached():
    calls = [(call, c) for call, _ in TENSORS.values() for c in (RNN, LSTM)]
    calls += [(call, LSTM) for call, _ in (OPTIONS | PACKED).values()]
    calls += [(call, c) for call, *_ in KINDS.values() for c in (RNN, LSTM)]
    calls += [(lambda c: c(3, 4, proj_size=2), RNN)]
    calls += [(lambda c: c(3, 4, bidirectional=2), RNN)]
    calls += [(lambda c: c(3, 4)(growing([1, 2])), RNN)]
    calls += [(lambda c: c(3, 4, proj_size=4), LSTM)]
    reached = set()
    for call, c in calls:
        trace = raised(call, c).__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        assert trace.tb_frame.f_code.co_filename == errors.__file__
        reached.add(trace.tb_lineno)
    tree = ast.parse(inspect.getsource(errors))
    raises = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    assert raises
    for node in raises:
        assert reached & set(range(node.lineno, node.end_lineno + 1)), node.lineno


def test_the_comparison_can_fail():
    with pytest.raises(AssertionError, match="RNN raises nothing"):
        assert_raises_as_torch("RNN", lambda c: c(3, 4, proj_size=0), "")
    with pytest.raises(AssertionError, match="has no attribute"):
        assert_raises_as_torch("RNN", KINDS["list"][0], "")
