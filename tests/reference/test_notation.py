"""docs/reference/notation.md against the words of torch's own reference."""

import re
from pathlib import Path

import pytest
from torch import nn

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "notation.md"


def torch_name(letter: str) -> str:
    """What the page's table of sizes says torch calls this letter."""
    return re.search(rf"^\| `{letter}` \|.*\| (.*) \|$", PAGE.read_text(), re.M)[1]


@pytest.mark.parametrize(
    ("letter", "symbol", "meaning"),
    [
        ("T", "$L$", "L ={} & \\text{sequence length}"),
        ("B", "$N$", "N ={} & \\text{batch size}"),
        ("I", "$H_{in}$", "H_{in} ={} & \\text{input\\_size}"),
        ("H", "$H_{out}$", "H_{out} ={} & \\text{hidden\\_size}"),
        ("D", "$D$", "D ={} & 2 \\text{ if bidirectional=True otherwise } 1"),
    ],
)
def test_letters_are_those_of_torch(letter, symbol, meaning):
    assert meaning in nn.RNN.__doc__
    assert torch_name(letter).split(",")[0] == symbol


@pytest.mark.parametrize(("letter", "argument"), [("I", "input_size"), ("K", None)])
def test_arguments_are_those_of_torch(letter, argument):
    name = re.search(r"`(\w+)`", torch_name(letter))[1]
    assert hasattr(nn.RNN(2, 3), name)
    assert argument in (None, name)
