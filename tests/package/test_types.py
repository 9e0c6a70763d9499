"""What an editor and a type checker tell the user of the package.

pyright, which editors run, is asked by hand: pipx run pyright tests/package.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "user_program.py"
ROOT = PROGRAM.parents[2]


def mypy(path: Path) -> str:
    """What mypy --strict says of a file, without the summary."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    cache = ["--cache-dir", str(Path(sys.prefix) / "mypy")]
    done = subprocess.run(
        [*command, *cache, "--config-file=", str(path)],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    return done.stdout + done.stderr


def test_a_users_program_runs():
    command = [sys.executable, str(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+ torch.Size\(\[\d+, 4\]\)\n", done.stdout), done


def test_a_users_program_has_no_type_error():
    assert mypy(PROGRAM) == ""


CALLS = """
import torch
from rnn_examples import GRU, LSTM
from torch.nn.utils.rnn import PackedSequence

def f(x: torch.Tensor, packed: PackedSequence) -> None:
"""
STATE = "tuple[torch._tensor.Tensor, torch._tensor.Tensor]"
SAID = {
    "reveal_type(LSTM(3, 4)(x))": f"tuple[torch._tensor.Tensor, {STATE}]",
    "reveal_type(LSTM(3, 4)(packed))": f"rnn.PackedSequence], {STATE}]",
    "reveal_type(GRU(3, 4)(x))": f'"{STATE}"',
    'LSTM("3", 4)': 'Argument 1 to "LSTM" has incompatible type "str"',
    "GRU(3, 4, layers=2)": 'Unexpected keyword argument "layers"',
    "LSTM(3, 4)(3)": 'No overload variant of "__call__" of "Recurrent" matches',
    "GRU(3, 4)(x, (x, x))": 'No overload variant of "__call__" of "Recurrent"',
    "LSTM(3, 4)(x)[1][2]": "Tuple index out of range",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What mypy says of each line of a program full of mistakes."""
    path = tmp_path_factory.mktemp("types") / "calls.py"
    path.write_text(CALLS + "".join(f"    {call}\n" for call in SAID))
    lines = re.findall(r"calls\.py:(\d+): (?:error|note): (.*)", mypy(path))
    first = CALLS.count("\n")
    found = dict.fromkeys(SAID, "")
    for number, text in lines:
        found[list(SAID)[int(number) - 1 - first]] += text
    return found


@pytest.mark.parametrize("call", SAID)
def test_the_types_of_a_call_are_known(said, call):
    assert SAID[call] in said[call]
