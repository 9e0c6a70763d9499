"""tools/check_wheels.py finds what two installations could disagree about."""

import re
from pathlib import Path

import check_wheels
import pytest

ROOT = Path(__file__).parents[2]
LINUX, MAC = ("3.11.0", "Linux x86_64"), ("3.14.0", "macOS arm64")


@pytest.fixture
def unpinned():
    def unpinned(where=LINUX, needs=("site",), **packages):
        wheels = {
            name: {"metadata": {"name": name, "version": "2.0", "requires_dist": lines}}
            for name, lines in packages.items()
        }
        return list(
            check_wheels.unpinned(wheels, list(needs), check_wheels.environment(*where))
        )

    return unpinned


def test_all_is_pinned(unpinned):
    assert unpinned(site=["a>=1", "b (<3)"], a=["b"], b=["a; python_version<'4'"]) == []


def test_a_dependency_without_a_pin(unpinned):
    assert unpinned(site=["a"], a=["b>1"]) == ["a needs b, which has no pin"]


def test_a_pin_out_of_range(unpinned):
    assert unpinned(site=["a<2"], a=[]) == ["site needs a<2, the pin is 2.0"]


def test_markers_are_those_of_the_other_machine(unpinned):
    site = ["appnope; platform_system=='Darwin'", "tomli; python_version<'3.12'"]
    assert unpinned(LINUX, site=site) == ["site needs tomli, which has no pin"]
    assert unpinned(MAC, site=site) == ["site needs appnope, which has no pin"]


def test_an_extra_counts_where_it_is_asked_for(unpinned):
    lines = ["b; extra=='more'"]
    assert unpinned(site=["a"], a=lines) == []
    assert unpinned(site=["a[more]"], a=lines) == ["a needs b, which has no pin"]
    both = unpinned(site=["a", "c"], a=lines, c=["a[more]"])
    assert both == ["a needs b, which has no pin"]


def test_pins_are_read_without_comments_and_options():
    assert "-c constraints.txt" not in check_wheels.lines_of("requirements.txt")
    pins = check_wheels.lines_of("constraints.txt")
    assert all(pin.count("==") == 1 and " " not in pin for pin in pins), pins
    named = {pin.partition("==")[0].lower() for pin in pins}
    assert {name.lower() for name in check_wheels.lines_of("requirements.txt")} <= named


def test_the_pythons_of_the_set_up_are_those_that_are_looked_at():
    text = (ROOT / "tools" / "setup_env.py").read_text()
    (oldest, newest) = re.search(r"= \(3, (\d+)\), \(3, (\d+)\)", text).groups()
    minors = range(int(oldest), int(newest) + 1)
    assert [f"3.{minor}.0" for minor in minors] == check_wheels.PYTHONS
    readme = (ROOT / "README.md").read_text()
    assert f"Python 3.{oldest} to 3.{newest}" in readme
