"""tools/doctest_checker.py: pytest's comparison, and what it says when that moves."""

import importlib
import tomllib
from pathlib import Path

import _pytest.doctest
import doctest_checker
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("0.7616\n", "0.76159", True),
        ("0.7616\n", "0.7611", False),
        ("[0.76, 0.36]\n", "[0.76, 0.37]", False),
        ("True\n", "False", False),
        ("", "1", False),
        ("1\n", "", False),
    ],
)
def test_it_can_fail(want, got, same):
    assert doctest_checker.agrees(want, got) == same


def test_the_flags_are_those_of_the_doctests():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    options = config["tool"]["pytest"]["ini_options"]
    assert options["doctest_optionflags"].split() == list(doctest_checker.FLAGS)


@pytest.mark.parametrize("name", doctest_checker.NEEDS)
def test_a_moved_name_is_reported(monkeypatch, name):
    monkeypatch.delattr(_pytest.doctest, name)
    with pytest.raises(ImportError, match=f"_pytest.doctest has no {name} any more"):
        importlib.reload(doctest_checker)
