"""What a program may do with a recurrent layer besides calling it, and who can.

    a trial runs, and gives the right numbers, for torch.nn's layer or for ours

Shapes: none of its own; the layers tried have I = 3, H = 4, one layer, on the CPU
Page:   docs/reference/limits.md
Test:   tests/recurrence/test_limits.py
Source: torch 2.13 itself, by running it; each trial names the public thread

A trial is a function of a layer that raises where a tool refuses the layer, or
gives other numbers than a loop would. Its outcome is "", or the error:

>>> import torch
>>> from rnn_examples.recurrence.layers import RNN
>>> from rnn_examples.recurrence.limits import outcome, vmap_over_sequences
>>> outcome(vmap_over_sequences, RNN(3, 4))
''
>>> outcome(vmap_over_sequences, torch.nn.RNN(3, 4))
'RuntimeError: Batching rule not implemented for aten::rnn_tanh.input...'

TRIALS holds them all, with what each kind of layer says today:

>>> from rnn_examples.recurrence.limits import TRIALS, works_for
>>> trial = TRIALS["vmap over the sequences of a batch"]
>>> works_for(trial.torchs), works_for(trial.ours)
('none', 'all')
"""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jvp, stack_module_state
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

KINDS = "RNN", "LSTM", "GRU"
Layer: TypeAlias = Any  # an nn.RNNBase, torch's or ours


@dataclass(frozen=True)
class Trial:
    """A thing to do with a layer, and what refuses it today."""

    run: Callable[[Layer], None]  # raises unless it works
    torchs: Mapping[str, str] = field(default_factory=dict)  # kind -> its error
    ours: Mapping[str, str] = field(default_factory=dict)
    thread: str = ""  # owner/name#number at GitHub
    slow: bool = False  # it starts a compiler or an exporter
    onednn: bool = False  # with oneDNN, which computes nn.LSTM on some CPUs


def outcome(run: Callable[[Layer], None], layer: Layer) -> str:
    """ "" where it works, else the error: its type and words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of slow fallbacks and of deprecation
        try:
            run(layer)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def as_said(trial: Trial, layer: Layer, errors: Mapping[str, str]) -> bool:
    """Whether a trial ends today as the table says."""
    kind = layer.mode[:4].strip("_")
    return agrees(trial, outcome(trial.run, layer), errors.get(kind, ""))


def agrees(trial: Trial, got: str, said: str) -> bool:
    """Whether an outcome is the one that the table says."""
    if trial.onednn and not torch.backends.mkldnn.is_available():
        return True
    return said in got if said else got == ""


def works_for(errors: Mapping[str, str]) -> str:
    """The kinds that no error is known of, in words."""
    kinds = [kind for kind in KINDS if kind not in errors]
    return {len(KINDS): "all", 0: "none"}.get(len(kinds), ", ".join(kinds))


def all_say(error: str) -> dict[str, str]:
    """One error of all three kinds."""
    return dict.fromkeys(KINDS, error)


def batch(T: int = 5, dtype: torch.dtype | None = None) -> Tensor:
    """A random input (T, 2, 3)."""
    return torch.randn(T, 2, 3, dtype=dtype)


def packed_batch(features: int = 3) -> PackedSequence:
    """Two random sequences, of 5 steps and of 3."""
    return pack_padded_sequence(torch.randn(5, 2, features), torch.tensor([5, 3]))


# ------------------------------------------------------- derivatives and batches


def vmap_over_sequences(layer: Layer) -> None:
    """Each sequence of a batch alone, in one call."""
    x = batch()
    each = torch.vmap(lambda x: layer(x)[0], in_dims=1, out_dims=1)
    assert_close(each(x), layer(x)[0])


def vmap_over_models(layer: Layer) -> None:
    """Several models of one kind, in one call."""
    layers, x = [layer, type(layer)(3, 4)], batch()
    weights, _ = stack_module_state(layers)  # a leading axis of 2
    all_of = torch.vmap(lambda w: functional_call(layer, w, (x,))[0])
    assert_close(all_of(weights), torch.stack([one(x)[0] for one in layers]))


def gradient_of_each(layer: Layer) -> None:
    """The gradient of each sequence's loss, not of their sum."""
    x = batch(dtype=layer.weight_hh_l0.dtype)
    weights = dict(layer.named_parameters())

    def loss(weights: Mapping[str, Tensor], x: Tensor) -> Any:
        output, _ = functional_call(layer, dict(weights), (x,))
        return output.square().sum()

    each = torch.vmap(grad(loss), in_dims=(None, 1))(weights, x)
    for b in range(2):
        alone = grad(loss)(weights, x[:, b])
        assert_close({name: g[b] for name, g in each.items()}, alone)


def gradient_of_each_in_float64(layer: Layer) -> None:
    """The same in float64."""
    gradient_of_each(layer.double())


def forward_mode(layer: Layer) -> None:
    """The derivative in one direction, with no backward pass."""
    dtype = layer.weight_hh_l0.dtype
    x, v = batch(dtype=dtype), batch(dtype=dtype)
    slope = jvp(lambda x: layer(x)[0], (x,), (v,))[1]
    rows = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x)
    assert_close(slope, torch.tensordot(rows, v, dims=3))


def second_derivatives(layer: Layer) -> None:
    """All second derivatives of a number, forward over reverse."""
    x = batch(T=3)
    found = hessian(lambda x: layer(x)[0].square().sum())(x)
    want = torch.autograd.functional.hessian(lambda x: layer(x)[0].square().sum(), x)
    assert_close(found, want)


# ------------------------------------------------------------------ looking inside


def every_state(layer: Layer) -> None:
    """See each step's whole state, by a subclass with a step of its own."""
    seen = []

    class Watched(type(layer)):  # type: ignore[misc]
        def step(self, x_t, state, p):  # type: ignore[no-untyped-def]
            seen.append(super().step(x_t, state, p))
            return seen[-1]

    output, _ = Watched(3, 4)(batch())
    assert len(seen) == 5, "step is not called"
    assert_close(torch.stack([state[0] for state in seen]), output)


def products_counted(layer: Layer) -> None:
    """torch counts 2 n m operations for each product with a (n, m) matrix."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        layer(batch())
    weights = layer.weight_ih_l0.numel() + layer.weight_hh_l0.numel()
    assert counter.get_total_flops() == 5 * 2 * 2 * weights, "not all are counted"


def wrong_width_named(layer: Layer) -> None:
    """A packed batch of the wrong width is refused in words that say so."""
    error = outcome(lambda layer: layer(packed_batch(8)), layer)
    assert "input" in error and "3" in error and "8" in error, error


def half_precision_packed(layer: Layer) -> None:
    """Under autocast, a packed batch comes out in the lower precision."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, _ = layer(packed_batch())
    assert output.data.dtype == torch.bfloat16, f"it comes out in {output.data.dtype}"


def made_without_a_draw(layer: Layer) -> None:
    """The layer's memory, with no time spent on random weights."""
    made = torch.nn.utils.skip_init(type(layer), 3, 4)
    assert list(made.state_dict()) == list(layer.state_dict())


# ---------------------------------------------------------- compilers, exporters


def compiled_whole(layer: Layer) -> None:
    """One graph of the whole layer."""
    torch._dynamo.reset()
    compiled, x = torch.compile(layer, fullgraph=True, backend="eager"), batch()
    assert_close(compiled(x), layer(x))


def compiled_to_train(layer: Layer) -> None:
    """One graph, with torch's switch for recurrent layers on, and its gradient."""
    torch._dynamo.reset()
    x = batch()
    want = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    with torch._dynamo.config.patch(allow_rnn=True):
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        output, _ = compiled(x)
    assert_close(torch.autograd.grad(output.sum(), list(layer.parameters())), want)


def compiled_once(layer: Layer) -> None:
    """A compiled model does not compile anew for another length."""
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(nn.Sequential(layer), backend=counter)
    for T in (5, 6, 7):
        compiled(batch(T))
    assert counter.frame_count <= 1, f"compiled {counter.frame_count} times"


def traced_for_any_length(layer: Layer) -> None:
    """torch.jit.trace with 5 steps, run with 7."""
    traced, x = torch.jit.trace(layer, (batch(),)), batch(T=7)
    assert_close(traced(x), layer(x))


def scripted(layer: Layer) -> None:
    """torch.jit.script of a model that holds the layer."""
    model, x = nn.Sequential(layer), batch()
    assert_close(torch.jit.script(model)(x), model(x))


def traced_by_fx(layer: Layer) -> None:
    """torch.fx.symbolic_trace of a model that holds the layer."""
    model, x = nn.Sequential(layer), batch(T=7)
    assert_close(torch.fx.symbolic_trace(model)(x), model(x))


def quantized(layer: Layer) -> None:
    """torch.ao.quantization.quantize_dynamic of a model that holds the layer."""
    kinds = {nn.RNN, nn.LSTM, nn.GRU}
    quantize = torch.ao.quantization.quantize_dynamic
    (made,) = quantize(nn.Sequential(layer), kinds)  # type: ignore[no-untyped-call]
    assert "quantized" in type(made).__module__, "passed by, without a word"


def is_one_of_torchs(layer: Layer) -> None:
    """isinstance(layer, nn.LSTM), and the same of nn.RNN and nn.GRU."""
    assert isinstance(layer, (nn.RNN, nn.LSTM, nn.GRU)), "it is an nn.RNNBase"


def one_onnx_node(layer: Layer) -> None:
    """An ONNX file with one node RNN, LSTM or GRU, by torch's older exporter."""
    import onnx

    file = io.BytesIO()
    export: Any = torch.onnx.export  # the older exporter takes a file too
    export(layer, (batch(),), file, dynamo=False)
    nodes = onnx.load_from_string(file.getvalue()).graph.node
    assert set(KINDS) & {node.op_type for node in nodes}, f"{len(nodes)} other nodes"


def exported_for_any_length(layer: Layer) -> None:
    """torch.export with a symbol for T."""
    any_T = {"input": {0: torch.export.Dim("T", min=2, max=50)}}
    program, x = torch.export.export(layer, (batch(),), dynamic_shapes=any_T), batch(7)
    assert_close(program.module()(x), layer(x))


class Packs(nn.Module):
    """A model that packs a padded batch, and pads what comes out."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(T, B, I), lengths (B,) -> (T, B, H)."""
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(self.layer(packed)[0])[0]


def exported_with_packing(layer: Layer) -> None:
    """torch.export of a model that packs."""
    torch.export.export(Packs(layer), (batch(), torch.tensor([3, 5])))


def packed_compiled_whole(layer: Layer) -> None:
    """One graph of a call with a packed batch."""
    torch._dynamo.reset()
    torch.compile(layer, fullgraph=True, backend="eager")(packed_batch())


# ----------------------------------------------------------------------- the table

NO_RULE = all_say("Batching rule not implemented")
NO_SHAPE = "doesn't match the broadcast shape"
ONE_GRAPH = all_say("Attempted to wrap RNN, GRU, or LSTM")
NO_FORWARD = {"LSTM": "Trying to use forward AD with mkldnn_rnn_layer"}

TRIALS = {
    # Our layers do it for more kinds than torch's.
    "vmap over the sequences of a batch": Trial(
        vmap_over_sequences, NO_RULE, thread="pytorch/pytorch#134606"
    ),
    "vmap over the weights of several models": Trial(
        vmap_over_models, NO_RULE, thread="pytorch/pytorch#105982"
    ),
    "a gradient for each sequence, `vmap(grad)`": Trial(
        gradient_of_each,
        {"RNN": NO_SHAPE, "GRU": NO_SHAPE},
        thread="pytorch/tutorials#2566",
        onednn=True,
    ),
    "the same in float64": Trial(
        gradient_of_each_in_float64, all_say(NO_SHAPE), thread="pytorch/tutorials#2566"
    ),
    "forward-mode derivative, `jvp`": Trial(forward_mode, NO_FORWARD, onednn=True),
    "second derivatives, `hessian`": Trial(second_derivatives, NO_FORWARD, onednn=True),
    "every state, seen by a subclass": Trial(
        every_state, all_say("step is not called"), thread="pytorch/pytorch#31423"
    ),
    "count the products, `FlopCounterMode`": Trial(
        products_counted,
        {"LSTM": "not all are counted"},
        thread="meta-pytorch/tnt#624",
        onednn=True,
    ),
    "a packed batch of the wrong width, named as such": Trial(
        wrong_width_named,
        {"LSTM": "mat1 and mat2 shapes"},
        thread="pytorch/pytorch#195803",
    ),
    "a packed batch in bfloat16, `autocast`": Trial(
        half_precision_packed,
        {"LSTM": "torch.float32", "GRU": "torch.float32"},
        {"GRU": "torch.float32"},
    ),
    "weights without a draw, `skip_init`": Trial(
        made_without_a_draw, all_say("Module must support a 'device' arg")
    ),
    "`torch.compile` with `fullgraph=True`": Trial(
        compiled_whole, ONE_GRAPH, thread="pytorch/pytorch#158007", slow=True
    ),
    "training with it, after `allow_rnn = True`": Trial(
        compiled_to_train,
        {"LSTM": "tensors_saved_with_vc_check"},
        thread="pytorch/pytorch#185163",
        slow=True,
        onednn=True,
    ),
    # torch's layers do it for more kinds than ours.
    "`isinstance` of the class of torch": Trial(
        is_one_of_torchs, {}, all_say("it is an nn.RNNBase")
    ),
    "`symbolic_trace` of `torch.fx`": Trial(
        traced_by_fx, {}, all_say("input is a Proxy; need a Tensor")
    ),
    "`quantize_dynamic`": Trial(
        quantized, {"RNN": "passed by"}, all_say("passed by, without a word")
    ),
    "`torch.jit.trace`, then another length": Trial(
        traced_for_any_length, {}, all_say("failed in the TorchScript interpreter")
    ),
    "`torch.jit.script` (deprecated in torch)": Trial(
        scripted, {}, all_say("Expression of type dots")
    ),
    "`torch.compile`, no new compilation for another length": Trial(
        compiled_once, {}, all_say("compiled 3 times"), slow=True
    ),
    "one ONNX node, by `dynamo=False`": Trial(
        one_onnx_node, {}, all_say("other nodes"), slow=True
    ),
    # Neither does it.
    "`torch.export` for any length": Trial(
        exported_for_any_length,
        all_say("Constraints violated (T)"),
        all_say("Constraints violated (T)"),
        thread="pytorch/pytorch#115092",
        slow=True,
    ),
    "`torch.export` of a model that packs": Trial(
        exported_with_packing,
        all_say("type must be tuple of ints"),
        all_say("Could not guard on data-dependent expression"),
        thread="pytorch/pytorch#171978",
        slow=True,
    ),
    "one graph of a packed batch": Trial(
        packed_compiled_whole,
        ONE_GRAPH,
        all_say("Data-dependent branching"),
        thread="pytorch/pytorch#112044",
        slow=True,
    ),
}
