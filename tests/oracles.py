"""What the recurrent layers are held against: torch.nn, its tests, ONNX's.

Everything is float64 and starts from a random state. Gradients are pulled with
random tensors: a sum cannot see a wrong order in time.
"""

import copy
import importlib
import io
import itertools
import pickle
import warnings

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.testing import assert_close

F64 = {"dtype": torch.float64}
FLAGS = ("bidirectional", "bias", "batch_first")
OPTIONS = [
    {"num_layers": K, **dict(zip(FLAGS, flags, strict=True))}
    for K, *flags in itertools.product([1, 3], *[[False, True]] * 3)
]
LAYOUTS = ["padded", "strided", "unbatched", "packed", "unsorted"]
SIZES = [(1, 1, 1, 1), (5, 2, 3, 4), (2, 6, 1, 3), (4, 1, 5, 2)]  # T, B, I, H


def torchs(ours: nn.Module) -> nn.Module:
    """torch's layer of the same class, options and weights; a cell's own are left."""
    names = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
    options = {name: getattr(ours, name) for name in names}
    cls = next(c for c in type(ours).__mro__ if hasattr(nn, c.__name__))
    for name in ("nonlinearity", "proj_size"):
        if getattr(ours, name, 0):
            options[name] = getattr(ours, name)
    weight = ours.weight_ih_l0
    theirs = getattr(nn, cls.__name__)(
        ours.input_size, ours.hidden_size, dtype=weight.dtype, **options
    )
    own = theirs.state_dict()
    theirs.load_state_dict({k: v for k, v in ours.state_dict().items() if k in own})
    return theirs.train(ours.training)


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
    state = hx if len(hx) > 1 else hx[0]
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
    T, B, I, H = sizes  # noqa: E741, the field's letter
    for options in OPTIONS:
        ours = cls(I, H, **options, **extra, **F64)
        theirs = torchs(ours)
        leaf, x, hx = input_of(ours, layout, T, B)
        assert_same(ours, theirs, leaf, x, hx)
        assert_close(tensors(ours(x)), tensors(theirs(x)))


# ----------------------------------------------------- what a module must do


def assert_module_is_torchs(cls, **extra) -> None:
    """Names, order, draws, repr, copies, pickles, saved files: as torch's own."""
    theirs_cls = getattr(nn, cls.__name__)
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
    theirs = torchs(ours)
    for layout in LAYOUTS:
        _, x, hx = input_of(ours, layout, 6, 3)
        state = hx if len(hx) > 1 else hx[0]
        results = {}
        for training in (True, False):
            for layer in (ours.train(training), theirs.train(training)):
                torch.manual_seed(5)
                results[layer, training] = tensors(layer(x, state))
            assert_close(results[ours, training], results[theirs, training])
        gap = results[ours, True][0] - results[ours, False][0]
        assert gap.abs().max() > 1e-3  # it does something
    for layer in (cls, getattr(nn, cls.__name__)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            layer(3, 4, dropout=0.5, **extra)
        (said,) = caught
        assert said.category is UserWarning
        assert "dropout=0.5 and num_layers=1" in str(said.message)


def assert_dtypes_are_torchs(cls, **extra) -> None:
    """float32, and bfloat16 as closely as torch agrees with itself there."""
    for dtype, tolerance in [(torch.float32, {}), (torch.bfloat16, {"atol": 0.05})]:
        ours = cls(3, 4, num_layers=2, dtype=dtype, **extra)
        leaf, x, hx = input_of(ours, "padded", 5, 2)
        tolerance = tolerance and tolerance | {"rtol": 0.05}
        with warnings.catch_warnings():  # proj_size: oneDNN says it cannot
            warnings.filterwarnings("ignore", "LSTM with projections")
            assert_same(ours, torchs(ours), leaf, x, hx, **tolerance)
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
    state = hx if len(hx) > 1 else hx[0]
    # aot_eager captures forward and backward as inductor does, without a compiler.
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_same(compiled, layer, leaf, x, hx)
    B = torch.export.Dim("B", min=2)
    state_axes = ({1: B}, {1: B}) if len(hx) > 1 else {1: B}
    shapes = {"input": {1: B}, "hx": state_axes}
    program = torch.export.export(layer, (x, state), dynamic_shapes=shapes).module()
    _, x, hx = input_of(layer, "padded", 2, 5)
    state = hx if len(hx) > 1 else hx[0]
    assert_close(tensors(program(x, state)), tensors(layer(x, state)))


# ------------------------------------------------------- other people's tests


def torchs_own_cases(name: str):
    """(constructor arguments, call arguments, reference) of torch's module tests."""
    from torch.testing._internal.common_modules import module_db

    (info,) = [m for m in module_db if m.module_cls is getattr(nn, name)]
    for training in (True, False):
        options = {"requires_grad": True, "training": training}
        cases = info.module_inputs_func(info, "cpu", torch.float64, **options)
        for case in cases:
            yield case.constructor_input, case.forward_input, training


def assert_passes_torchs_own_cases(cls) -> int:
    """Build and call as torch's own tests do; how many cases there were."""
    count = 0
    for built, called, training in torchs_own_cases(cls.__name__):
        ours = cls(*built.args, **built.kwargs, **F64).train(training)
        theirs = getattr(nn, cls.__name__)(*built.args, **built.kwargs, **F64)
        theirs.train(training).load_state_dict(ours.state_dict())
        results = [tensors(m(*called.args, **called.kwargs)) for m in (ours, theirs)]
        assert_close(*results)
        count += 1
    return count


def node_tests(op: str):
    """(name, attributes, inputs by name, outputs by name) of ONNX's node tests."""
    from onnx import helper
    from onnx.backend.test.case import node

    importlib.import_module(f"{node.__name__}.{op.lower()}")
    for case in {case.name: case for case in node._NodeTestCases}.values():
        (n,) = case.model.graph.node
        if n.op_type == op:
            attributes = {a.name: helper.get_attribute_value(a) for a in n.attribute}
            ((values, outputs),) = case.data_sets
            inputs = dict(zip(filter(None, n.input), values, strict=True))
            wanted = dict(zip(filter(None, n.output), outputs, strict=True))
            yield case.name, attributes, inputs, wanted


def random_nodes(op: str, peepholes: bool):
    """The same, of random nodes that the standard's own evaluator has run."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    G, (T, B, I, H) = {"RNN": 1, "LSTM": 4, "GRU": 3}[op], (5, 2, 3, 4)  # noqa: E741
    orders = [{"linear_before_reset": k} for k in (0, 1)] if op == "GRU" else [{}]
    directions = ("forward", "reverse", "bidirectional")
    for direction, order in itertools.product(directions, orders):
        D = 1 + (direction == "bidirectional")
        shapes = {"X": (T, B, I), "W": (D, G * H, I), "R": (D, G * H, H)}
        shapes |= {"B": (D, 2 * G * H), "": None, "initial_h": (D, B, H)}
        if op == "LSTM":
            shapes["initial_c"] = (D, B, H)
            shapes |= {"P": (D, 3 * H)} if peepholes else {}
        outputs = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
        attributes = {"hidden_size": H, "direction": direction} | order
        node = helper.make_node(op, list(shapes), outputs, **attributes)
        named = [
            [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in names]
            for names in (filter(None, shapes), outputs)
        ]
        model = helper.make_model(helper.make_graph([node], "one", *named))
        torch.manual_seed(D)
        inputs = {k: torch.randn(v, **F64).numpy() for k, v in shapes.items() if k}
        wanted = ReferenceEvaluator(model).run(None, inputs)
        attributes["direction"] = direction.encode()
        name = f"random {direction} {order}"
        yield name, attributes, inputs, dict(zip(outputs, wanted, strict=True))


def assert_passes_onnx(op: str, make, order, peepholes: bool = False) -> int:
    """Node tests and random nodes; make(attributes, I, H, **options) -> a layer.

    order lists, for each of our gates, which of ONNX's it is. How many passed.
    """
    count = 0
    for name, attributes, inputs, wanted in itertools.chain(
        node_tests(op), random_nodes(op, peepholes)
    ):
        if "P" in inputs and not peepholes:
            continue
        inputs = {k: torch.from_numpy(v) for k, v in inputs.items()}
        X, W, H = inputs["X"], inputs["W"], attributes["hidden_size"]
        direction = attributes.get("direction", b"forward").decode()
        # torch has no layer that only goes backward: run both ways, keep that half.
        both, last_only = direction != "forward", direction == "reverse"
        layer = make(attributes, W.shape[2], H, bidirectional=both).to(X.dtype)

        def ours(rows, H=H):  # all gates, in ONNX's order -> in ours
            return torch.cat([rows.split(H)[k] for k in order])

        for end, d in (("_l0", 0), ("_l0_reverse", -1))[: 1 + both]:
            own = {"weight_ih": ours(W[d]), "weight_hh": ours(inputs["R"][d])}
            B = inputs.get("B", torch.zeros(W.shape[0], 2 * W.shape[1]))[d]
            own |= {"bias_ih": ours(B.chunk(2)[0]), "bias_hh": ours(B.chunk(2)[1])}
            if "P" in inputs:  # in ONNX's order, i o f
                p_i, p_o, p_f = inputs["P"][d].split(H)
                own |= {"p_i": p_i, "p_o": p_o, "p_f": p_f}
            for key, value in own.items():
                getattr(layer, key + end).data.copy_(value)
        starts = [inputs[k] for k in ("initial_h", "initial_c") if k in inputs]
        if last_only:
            starts = [torch.cat([torch.zeros_like(s), s]) for s in starts]
        state = tuple(starts) if len(starts) > 1 else (starts or [None])[0]
        batch_first = bool(attributes.get("layout"))
        output, last = layer(X.transpose(0, 1) if batch_first else X, state)
        last = last if isinstance(last, tuple) else (last,)
        Y = output.unflatten(2, (1 + both, H)).transpose(1, 2)  # (T, D, B, H)
        got = {"Y": Y[:, -1:] if last_only else Y}
        for key, value in zip(("Y_h", "Y_c"), last, strict=False):
            got[key] = value[-1:] if last_only else value
        if batch_first:
            got = {"Y": got["Y"].permute(2, 0, 1, 3), "Y_h": last[0].transpose(0, 1)}
        for key, value in wanted.items():
            where = f"{name}, {key}: "
            wanted_value = torch.from_numpy(value)
            assert_close(got[key], wanted_value, msg=where.__add__)
        count += 1
    return count
