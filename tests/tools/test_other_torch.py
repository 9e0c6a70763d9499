"""tools/other_torch.py: what it leaves out is there, and only under an older torch."""

import re
from pathlib import Path

import other_torch

ROOT = Path(__file__).parents[2]


def test_what_is_left_out_is_a_test():
    for test in other_torch.SINCE:
        file, name = re.match(r"(.+)::(\w+)", test).groups()
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_the_pinned_torch_runs_every_test():
    (pin,) = re.findall(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert all(
        other_torch.release(since) <= other_torch.release(pin)
        for since in other_torch.SINCE.values()
    )
    assert other_torch.release("2.9.1") < other_torch.release("2.11.0")


def test_its_tests_and_needs_are_there():
    assert all((ROOT / folder).is_dir() for folder in other_torch.TESTS)
    pins = (ROOT / "constraints.txt").read_text()
    assert all(f"\n{name}==" in pins for name in other_torch.NEEDS)
