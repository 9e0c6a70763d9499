"""The ONNX standard's recurrent nodes, run on a layer of ours."""

import importlib
import itertools
from typing import NamedTuple

import torch
from onnx import TensorProto, helper
from onnx.backend.test.case import node as node_cases
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.testing import assert_close

from tests.oracles.layers import F64, as_given

BLOCKS = {"RNN": 1, "LSTM": 4, "GRU": 3}  # times H rows in a weight


class Node(NamedTuple):
    """One node: what the standard calls its parts, and what must come out."""

    name: str
    attributes: dict
    inputs: dict[str, Tensor]
    wanted: dict[str, Tensor]

    @property
    def hidden_size(self) -> int:
        return self.attributes["hidden_size"]

    @property
    def direction(self) -> str:
        return self.attributes.get("direction", b"forward").decode()

    @property
    def batch_first(self) -> bool:
        return bool(self.attributes.get("layout"))


def arrays(values) -> list[Tensor]:
    return [torch.from_numpy(value) for value in values]


def node_tests(op: str):
    """The standard's own node tests of one operator."""
    importlib.import_module(f"{node_cases.__name__}.{op.lower()}")
    for case in {case.name: case for case in node_cases._NodeTestCases}.values():
        (n,) = case.model.graph.node
        if n.op_type == op:
            attributes = {a.name: helper.get_attribute_value(a) for a in n.attribute}
            ((values, outputs),) = case.data_sets
            inputs = dict(zip(filter(None, n.input), arrays(values), strict=True))
            wanted = dict(zip(filter(None, n.output), arrays(outputs), strict=True))
            yield Node(case.name, attributes, inputs, wanted)


def random_nodes(op: str, peepholes: bool):
    """Random nodes that the standard's own evaluator has run."""
    orders = [{"linear_before_reset": k} for k in (0, 1)] if op == "GRU" else [{}]
    directions = ("forward", "reverse", "bidirectional")
    for direction, order in itertools.product(directions, orders):
        yield random_node(op, direction, order, peepholes)


def random_node(op: str, direction: str, order: dict, peepholes: bool) -> Node:
    G, (T, B, I, H) = BLOCKS[op], (5, 2, 3, 4)
    D = 2 if direction == "bidirectional" else 1
    shapes = {
        "X": (T, B, I),
        "W": (D, G * H, I),
        "R": (D, G * H, H),
        "B": (D, 2 * G * H),
        "": None,  # lengths, which we leave out
        "initial_h": (D, B, H),
    }
    outputs = ["Y", "Y_h"]
    if op == "LSTM":
        shapes["initial_c"] = (D, B, H)
        outputs.append("Y_c")
    if peepholes:
        shapes["P"] = (D, 3 * H)
    attributes = {"hidden_size": H, "direction": direction} | order
    node = helper.make_node(op, list(shapes), outputs, **attributes)
    named = [
        [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in names]
        for names in (filter(None, shapes), outputs)
    ]
    model = helper.make_model(helper.make_graph([node], "one", *named))
    torch.manual_seed(D)
    inputs = {k: torch.randn(v, **F64) for k, v in shapes.items() if k}
    given = {k: v.numpy() for k, v in inputs.items()}
    wanted = arrays(ReferenceEvaluator(model).run(None, given))
    attributes["direction"] = direction.encode()
    name = f"random {direction} {order}"
    return Node(name, attributes, inputs, dict(zip(outputs, wanted, strict=True)))


def load_weights(layer: nn.Module, node: Node, order: list[int]) -> None:
    """Copy a node's weights; order: for each of our gates, which of ONNX's it is."""

    def ours(rows):
        gates = rows.split(node.hidden_size)
        return torch.cat([gates[k] for k in order])

    W, R = node.inputs["W"], node.inputs["R"]
    B = node.inputs.get("B", torch.zeros(W.shape[0], 2 * W.shape[1]))
    suffixes = ["_l0", "_l0_reverse"] if layer.bidirectional else ["_l0"]
    # A node that only goes backward has one direction: both of ours get it.
    for d, suffix in zip((0, -1), suffixes, strict=False):
        b_ih, b_hh = B[d].chunk(2)
        own = {"weight_ih": W[d], "weight_hh": R[d], "bias_ih": b_ih, "bias_hh": b_hh}
        own = {name: ours(rows) for name, rows in own.items()}
        if "P" in node.inputs:  # in ONNX's order, i o f
            names = ("p_i", "p_o", "p_f")
            own |= zip(names, node.inputs["P"][d].chunk(3), strict=True)
        for name, value in own.items():
            getattr(layer, name + suffix).data.copy_(value)


def start_state(node: Node):
    """The node's initial state for our layer, or None."""
    names = ("initial_h", "initial_c")
    starts = tuple(node.inputs[k] for k in names if k in node.inputs)
    if node.direction == "reverse":
        starts = tuple(torch.cat([torch.zeros_like(s), s]) for s in starts)
    return as_given(starts) if starts else None


def compare(node: Node, output: Tensor, last: tuple[Tensor, ...]) -> None:
    """Our results, in the shapes that the standard gives them, are the node's."""
    D = 1 if node.direction == "forward" else 2
    Y = output.unflatten(2, (D, node.hidden_size)).transpose(1, 2)  # (T, D, B, H)
    if node.direction == "reverse":
        Y = Y[:, -1:]
        last = tuple(value[-1:] for value in last)
    if node.batch_first:
        Y = Y.permute(2, 0, 1, 3)
        last = tuple(value.transpose(0, 1) for value in last)
    got = {"Y": Y} | dict(zip(("Y_h", "Y_c"), last, strict=False))
    for name, value in node.wanted.items():
        where = f"{node.name}, {name}: "
        assert_close(got[name], value, msg=lambda m, where=where: where + m)


def assert_passes_onnx(op: str, make, order: list[int], peepholes=False) -> int:
    """Node tests and random nodes; make(attributes, I, H, **options) -> a layer.

    order lists, for each of our gates, which of ONNX's it is. How many passed.
    """
    count = 0
    for node in itertools.chain(node_tests(op), random_nodes(op, peepholes)):
        if "P" in node.inputs and not peepholes:
            continue
        X, I = node.inputs["X"], node.inputs["W"].shape[2]
        # torch has no layer that only goes backward: run both ways, keep that half.
        both = node.direction != "forward"
        layer = make(node.attributes, I, node.hidden_size, bidirectional=both)
        layer.to(X.dtype)
        load_weights(layer, node, order)
        x = X.transpose(0, 1) if node.batch_first else X
        output, last = layer(x, start_state(node))
        compare(node, output, last if isinstance(last, tuple) else (last,))
        count += 1
    return count
