"""tools/other_torch.py: what it leaves out is there, and only under an older torch."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "other_torch.py"
    spec = importlib.util.spec_from_file_location("other_torch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_left_out_is_a_test(tool):
    for test in tool.SINCE:
        file, name = re.match(r"(.+)::(\w+)", test).groups()
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_the_pinned_torch_runs_every_test(tool):
    (pin,) = re.findall(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert all(
        tool.release(since) <= tool.release(pin) for since in tool.SINCE.values()
    )
    assert tool.release("2.9.1") < tool.release("2.11.0")


def test_its_tests_and_needs_are_there(tool):
    assert all((ROOT / folder).is_dir() for folder in tool.TESTS)
    pins = (ROOT / "constraints.txt").read_text()
    assert all(f"\n{name}==" in pins for name in tool.NEEDS)
