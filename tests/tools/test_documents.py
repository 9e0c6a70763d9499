"""README, CONTRIBUTING and the hooks name only what there is."""

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import check
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
MADE = ("docs/_build/", ".venv")  # by the targets themselves
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.(?:md|toml|txt|py|yaml|cff)")


def code_of(text: str) -> list[str]:
    """What stands between backticks or in a fence, and what a link leads to."""
    fences = re.findall(r"^( *)(`{3,})\w*\n(.*?)^\1\2$", text, re.M | re.S)
    rest = re.sub(r"^( *)(`{3,})\w*\n(.*?)^\1\2$", "", text, flags=re.M | re.S)
    links = re.findall(r"\]\((?!http)([^)]+)\)", rest)
    return [fence[2] for fence in fences] + re.findall(r"`([^`]+)`", rest) + links


def files_named(text: str) -> set[str]:
    """Paths of the project; PART and NAME stand for a reader's own."""
    codes = [re.sub(r"-k \S+", "", code) for code in code_of(text)]
    found = {path for code in codes for path in FILE.findall(code)}
    mine = {p for p in found if not re.search(r"\b(PART|(test_)?NAME)\b", p)}
    return {path for path in mine if not path.startswith(MADE)}


def missing(text: str) -> set[str]:
    return {path for path in files_named(text) if not (ROOT / path).exists()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_named_exists(name):
    text = (ROOT / name).read_text()
    assert len(files_named(text)) > 2
    assert missing(text) == set()


def test_a_file_that_is_gone_is_found():
    text = (
        "See `tests/gone.toml`, [it](GONE.md) and:\n\n```sh\nrun tools/gone.py\n```\n"
    )
    assert missing(text) == {"tests/gone.toml", "GONE.md", "tools/gone.py"}


def pytest_commands() -> list[list[str]]:
    """The arguments of each pytest command that CONTRIBUTING shows."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    lines = re.findall(r"^\.venv/bin/pytest (.*)$", text, re.M)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_target_named_exists(name):
    words = " ".join(code_of((ROOT / name).read_text()))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", words))
    assert named and named <= targets


@pytest.mark.parametrize("command", pytest_commands())
def test_the_commands_for_one_thing_find_it(command):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def hooks() -> list[dict]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repo,) = config["repos"]
    assert repo["repo"] == "local"  # so nothing is fetched
    return repo["hooks"]


def test_the_hooks_run_the_tools_of_the_checks():
    entries = [shlex.split(h["entry"]) for h in hooks() if h["language"] == "system"]
    for program, *_ in entries:
        assert (ROOT / program).exists(), program
    steps = ("lint", "types")
    tools = {command[1] for step in steps for command in check.STEPS[step]}
    assert {Path(e[0]).name for e in entries} == {
        tool.removesuffix("_lib") for tool in tools
    }
    said = [" ".join(c[1:]) for step in steps for c in check.STEPS[step]]
    for entry in entries:
        assert any(line.startswith(entry[0][10:]) for line in said)


@pytest.mark.parametrize(("length", "found"), [(72, False), (73, True)])
def test_a_long_subject_is_found(length, found):
    (hook,) = [h for h in hooks() if h["language"] == "pygrep"]
    message = "x" * length + "\n\n" + "a body may be wider " * 9
    assert bool(re.search(hook["entry"], message, re.M | re.S)) == found


def test_the_readmes_program_runs():
    text = (ROOT / "README.md").read_text()
    (program,) = re.findall(r"^ *```python\n(.*?)^ *```$", text, re.M | re.S)
    exec(textwrap.dedent(program), {})
