"""The errors page: each call alone says what its heading says, and its cure runs."""

import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.gates.gru import GRU
from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import RNN

PAGE = Path(__file__).parents[2] / "docs" / "recurrence" / "errors.md"
ENTRY = re.compile(
    r"((?:^\([\w-]+\)=\n)+)^### (.*)\n((?:(?!^##|^\([\w-]+\)=$).*\n)*)", re.M
)
OPTIONS = r":tags: \[([\w-]+)(?:, linux)?\]\n(?::gives:[^\n]*\n)?"
CELL = re.compile(r"^```\{code-cell\}\n" + OPTIONS + r"(.*?)^```$", re.M | re.S)
BEFORE = "import torch\nfrom torch import nn\n"


class Entry(NamedTuple):
    ids: list[str]  # its address, and those that it had before
    message: str  # in the heading's backticks
    applies: str  # the bold words that it begins with
    cells: list[tuple[str, str]]  # (tag, code)


def entries() -> list[Entry]:
    found = []
    for ids, heading, body in ENTRY.findall(PAGE.read_text()):
        code = re.match(r"(`+) ?(.*?) ?\1", heading)
        names = re.findall(r"\(([\w-]+)\)=", ids)[::-1]
        applies = re.match(r"\n\*\*(.*?)\*\*", body)[1]
        found.append(Entry(names, code[2] if code else "", applies, CELL.findall(body)))
    return found


ENTRIES = entries()
PAIRS = [
    pytest.param(entry, *entry.cells[i : i + 2], id=entry.ids[0])
    for entry in ENTRIES
    for i in range(0, len(entry.cells), 2)
]
# What people have linked to. An address may be added, none may go.
ADDRESSES = [
    "backward-cudnn",
    "backward-inplace",
    "backward-inplace-states",
    "backward-no-grad",
    "backward-numpy",
    "backward-scalar",
    "backward-second-time",
    "cell-batch",
    "cell-dimensions",
    "cell-hidden-size",
    "cell-input-size",
    "cell-lstm-tensor",
    "cell-state-dimensions",
    "cudnn-contiguous",
    "dropout-one-layer",
    "hidden-size-batch-first",
    "hidden-size-last-batch",
    "hidden-size-layers",
    "hidden-size-state-batch-first",
    "input-device",
    "input-dimensions",
    "input-dtype",
    "input-no-step",
    "input-numpy",
    "input-size",
    "input-token-ids",
    "lengths-batch",
    "lengths-cpu",
    "lengths-sorted",
    "lengths-too-long",
    "lengths-zero",
    "load-layers",
    "load-prefix",
    "load-size",
    "loss-cross-entropy",
    "loss-mse",
    "option-bidirectional",
    "option-nonlinearity",
    "option-proj-size",
    "option-size-float",
    "option-unknown",
    "output-bidirectional",
    "output-index",
    "packed-features",
    "packed-linear",
    "packed-tuple",
    "sequential-layers",
    "sequential-linear",
    "silent-batch-first",
    "silent-bidirectional",
    "silent-cell-state",
    "silent-padding",
    "silent-strict",
    "silent-unbatched",
    "silent-view",
    "stack-lengths",
    "state-2d",
    "state-2d-lstm",
    "state-3d",
    "state-3d-lstm",
    "state-device",
    "state-dtype",
    "state-dtype-lstm",
    "state-positional",
    "state-tensor",
    "state-tuple",
]
# Those that the page had before it was a look-up.
OLD = [
    "does-not-match-weight-dtype-torch-float32",
    "dropout-option-adds-dropout-after-all",
    "expected-hidden-size",
    "expected-hidden-size-1-2-4",
    "input-size-1-must-be-equal-to-input-size",
    "lengths-array-must-be-sorted",
    "tensors-are-not-at-the-same-device",
    "tuple-object-has-no-attribute-dim",
]


def run(code: str, names: dict[str, object] | None = None) -> str:
    """What a block says, run alone as one who copied it would: "Type: words"."""
    space: dict[str, object] = {}
    exec(BEFORE, space)
    for name, value in (names or {}).items():
        code = code.replace(f"nn.{name}(", f"{name}(")
        space[name] = value
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(code, space)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "".join(f"{w.category.__name__}: {w.message}" for w in caught)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_every_entry_has_one_address_that_stays():
    ids = [entry.ids[0] for entry in ENTRIES]
    assert len(set(ids)) == len(ids)
    assert set(ADDRESSES) <= set(ids), "an address is gone: leave it as a second one"
    assert set(ids) <= set(ADDRESSES), "add the new address to the list above"
    assert set(OLD) <= {name for entry in ENTRIES for name in entry.ids[1:]}


@pytest.mark.parametrize(("entry", "wrong", "right"), PAIRS)
def test_the_wrong_call_says_the_heading_and_the_right_one_runs(entry, wrong, right):
    if entry.ids[0] == "state-dtype-lstm" and sys.platform != "linux":
        pytest.skip("oneDNN's words, which torch has on Linux")
    said = run(wrong[1])
    if wrong[0] == "silent":
        assert said == ""
    else:
        kind, _, words = said.partition(": ")
        assert kind.endswith("Warning" if wrong[0] == "warns" else "Error")
        assert squeezed(words).startswith(squeezed(entry.message)), said
    assert right[0] == "works" and run(right[1]) == ""


def test_what_a_silent_mistake_and_its_cure_show_is_held():
    """By the build, see :gives: in blocks.py."""
    text = PAGE.read_text()
    silent = [entry for entry in ENTRIES if entry.cells[:1] and is_silent(entry)]
    assert len(silent) >= 7
    for entry in silent:
        section = text.partition(f"({entry.ids[0]})=")[2].partition("\n### ")[2]
        section = re.split(r"\n\([\w-]+\)=\n", section)[0]
        assert section.count("\n:gives: ") == 2, entry.ids[0]


def is_silent(entry: Entry) -> bool:
    return entry.cells[0][0] == "silent"


# Calls that our layers take, or that are none of theirs.
TAKEN = "packed-linear packed-tuple sequential-linear output-index output-bidirectional"
OURS = [
    param
    for param in PAIRS
    if re.search(r"nn\.(RNN|LSTM|GRU)\(", param.values[1][1])
    and param.values[1][0] == "raises-exception"
    and not param.id.startswith(("backward-", "load-"))
    and param.id not in TAKEN.split()
]


@pytest.mark.parametrize(("entry", "wrong", "right"), OURS)
def test_our_layers_refuse_what_torchs_refuse(entry, wrong, right):
    ours = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
    theirs, kind = (run(wrong[1], n).partition(":")[0] for n in ({}, ours))
    stumbled = theirs in ("AttributeError", "IndexError")
    assert kind == ("TypeError" if stumbled else theirs)
    assert run(right[1], ours) == ""


# What the page's sentences say beside its calls: a block, and what it says.
GRU_ = "gru, x = nn.GRU(3, 4), torch.zeros(5, 2, 3)\n"
PACK = "from torch.nn.utils.rnn import *\n" + GRU_
PROSE = [
    ("input-numpy", GRU_ + "gru(x.tolist())", "'list' object has no attribute 'dim'"),
    (
        "state",
        "h = torch.zeros(1, 2, 4)\nnn.LSTM(3, 4)(torch.ones(5, 2, 3), (h, h[..., :2]))",
        "Expected hidden[1] size (1, 2, 4), got [1, 2, 2]",
    ),
    (
        "option-bidirectional",
        "nn.GRU(3, 4, bidirectional=2)(torch.zeros(5, 2, 3))",
        "gru() received an invalid combination of arguments",
    ),
    (
        "option-bidirectional",
        "nn.RNN(3, 4, bidirectional=2)(torch.zeros(5, 2, 3))",
        "rnn_tanh() received an invalid combination of arguments",
    ),
    (
        "packed-features",
        PACK + "gru(pack_padded_sequence(torch.zeros(5, 2, 9), [5, 3]))",
        "input.size(-1) must be equal to input_size. Expected 3, got 9",
    ),
    (
        "packed-tuple",
        PACK + "pad_packed_sequence(gru(x)[0])",
        "'Tensor' object has no attribute 'batch_sizes'",
    ),
    (
        "lengths-zero",
        PACK + "pack_sequence([x[:, 0], x[:0, 0]])",
        "Length of all samples has to be greater than 0",
    ),
    (
        "sequential-linear",
        GRU_ + "nn.Dropout()(gru(x))",
        "dropout(): argument 'input' (position 1) must be Tensor, not tuple",
    ),
    (
        "sequential-linear",
        GRU_ + "nn.ReLU()(gru(x))",
        "relu(): argument 'input' (position 1) must be Tensor, not tuple",
    ),
    *(
        (
            "state-dtype",
            f"nn.{cell}(3, 4)(torch.zeros(2, 3).double())",
            "mat1 and mat2 must have the same dtype, but got Double and Float",
        )
        for cell in ("RNNCell", "LSTMCell", "GRUCell")
    ),
]


@pytest.mark.parametrize(("address", "code", "words"), PROSE)
def test_what_the_sentences_say_is_said(address, code, words):
    assert run(code).partition(": ")[2].startswith(words)


def test_what_else_the_sentences_say():
    torch.manual_seed(0)
    x, lengths = torch.randn(5, 2, 3), [2, 5]

    # Cross entropy with the batch for classes: no word, another number.
    scores, target = torch.randn(5, 7, 7), torch.randint(7, (5, 7))
    loss = nn.CrossEntropyLoss()
    right = loss(scores.flatten(0, 1), target.flatten())
    assert (loss(scores, target) - right).abs() > 0.01

    # What torch sorts to pack comes back in the caller's order.
    gru = nn.GRU(3, 4)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, h_n = gru(packed)
    for b, n in enumerate(lengths):
        assert_close(h_n[0, b], gru(x[:n, b])[1][0])
    padded, back = nn.utils.rnn.pad_packed_sequence(output)
    assert back.tolist() == lengths and not padded[2:, 0].any()

    # One layer drops nothing.
    with pytest.warns(UserWarning, match="dropout option"):
        lstm = nn.LSTM(3, 4, dropout=0.5)
    assert torch.equal(lstm(x)[0], lstm(x)[0])

    # An LSTM's state is detached in two halves.
    output, state = lstm(x)
    output.sum().backward()
    output, _ = lstm(x, tuple(s.detach() for s in state))
    output.sum().backward()

    # A linear layer over what was packed is one over the steps.
    linear = nn.Linear(4, 1)
    output, _ = gru(packed)
    assert linear(output.data).shape == (sum(lengths), 1)


SAME = [
    param
    for param in PAIRS
    if param.values[1][0] != "silent"
    and param.id != "load-size"  # two layers: the file's is another than ours
    and {"RNN", "GRU"} <= set(re.findall(r"\w+", param.values[0].applies))
]


@pytest.mark.parametrize(("entry", "wrong", "right"), SAME)
def test_what_is_said_of_several_layers_is_true_of_each(entry, wrong, right):
    code = re.sub(r"nn\.(RNN|LSTM|GRU)\(", "nn.LAYER(", wrong[1])
    names = ["RNN", "GRU"]
    if "LSTM" in entry.applies and not re.search(r"\bh(_0)?\b(?!, c_0\))", code):
        code = re.sub(r"output, \(h_n, c_n\) =", "output, _ =", code)
        names.append("LSTM")
    own = re.search(r"nn\.(RNN|LSTM|GRU)\(", wrong[1])[1]
    for name in names:
        call = code.replace("nn.LAYER(", f"nn.{name}(")
        if own == "LSTM" and name != "LSTM":
            call = call.replace("(h_0, c_0)", "h_0")
        words = run(call).partition(": ")[2]
        heading = entry.message.replace(f"{own}:", f"{name}:")
        hidden = "hidden[0]" if name == "LSTM" else "hidden"
        heading = re.sub(r"hidden(\[0\])?(?= size)", hidden, heading)
        assert squeezed(words).startswith(squeezed(heading)), name
