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


REVEALED = """
import torch
from rnn_examples import GRU, LSTM
from torch.nn.utils.rnn import PackedSequence

def f(x: torch.Tensor, packed: PackedSequence) -> None:
    reveal_type(LSTM(3, 4)(x))
    reveal_type(LSTM(3, 4)(packed))
    reveal_type(GRU(3, 4)(x))
"""
WRONG = {
    'LSTM("3", 4)': 'Argument 1 to "LSTM" has incompatible type "str"',
    "GRU(3, 4, layers=2)": 'Unexpected keyword argument "layers"',
    "LSTM(3, 4)(3)": 'No overload variant of "__call__" of "Recurrent" matches',
    "GRU(3, 4)(x, (x, x))": 'No overload variant of "__call__" of "Recurrent"',
    "LSTM(3, 4)(x)[1][2]": "Tuple index out of range",
}


def test_the_types_of_a_call(tmp_path):
    path = tmp_path / "revealed.py"
    path.write_text(REVEALED)
    found = [
        re.sub(r"torch\.\w+\.|torch\.nn\.utils\.rnn\.", "", s)
        for s in re.findall(r'Revealed type is "(.*)"', mypy(path))
    ]
    state = "tuple[Tensor, Tensor]"
    assert [s.replace("builtins.", "").replace("_tensor.", "") for s in found] == [
        f"tuple[Tensor, {state}]",
        f"tuple[PackedSequence, {state}]",
        "tuple[Tensor, Tensor]",
    ]


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_is_found(call, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(
        "import torch\nfrom rnn_examples import GRU, LSTM\n\n"
        f"x = torch.zeros(5, 2, 3)\n{call}\n"
    )
    assert WRONG[call] in mypy(path)
