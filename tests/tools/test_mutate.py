"""tools/mutate.py finds a weak test, and only a weak one."""

import subprocess
import sys
from pathlib import Path

import mutate
import pytest

TOOL = Path(__file__).parents[2] / "tools" / "mutate.py"
MODULE = '''"""Half of a sum.

>>> from rnn_examples.part.half import half
>>> half(1, 2)
1.5
"""


def half(a: int, b: int = 0) -> float:
    if a < 0 and b < 0:
        raise ValueError(f"a is {a - 0}")
    return (a + b) / 2
'''
STRONG = """
import pytest
from rnn_examples.part.half import half


def test_half():
    assert half(4) == 2 and half(0, 0) == 0 and half(-1, 0) == -0.5
    assert half(1, -1) == 0 and half(0, -1) == -0.5
    with pytest.raises(ValueError):
        half(-1, -1)
    with pytest.raises(ValueError):
        half(-0.5, -0.5)
"""
WEAK = "def test_nothing():\n    pass\n"


@pytest.fixture
def project(tmp_path):
    def make(test, module=MODULE, equivalent=None):
        files = {
            "rnn_examples/__init__.py": "",
            "rnn_examples/part/__init__.py": "",
            "rnn_examples/part/half.py": module,
            "tests/part/test_half.py": test,
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n",
        }
        if equivalent:
            files["tests/equivalent_mutants.toml"] = equivalent
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


def check(root, *options):
    return subprocess.run(
        [sys.executable, str(TOOL), "--root", str(root), *options],
        capture_output=True,
        text=True,
    )


def test_each_kind_of_mutant_stands_in_its_place(project):
    module = MODULE.replace(
        "return (a + b) / 2", "return -a.T[1:, 0] @ (b.transpose(0, 1)) + 3"
    )
    root = project(STRONG, module)
    made = mutate.mutants_of(root / "rnn_examples" / "part" / "half.py")
    after = {(m.kind, m.lines()[1]) for m in made if m.line > 7}
    end = "@ (b.transpose(0, 1)) + 3"
    assert {
        ("sign", f"return a.T[1:, 0] {end}"),
        ("transposition", f"return -a[1:, 0] {end}"),
        ("transposition", "return -a.T[1:, 0] @ (b) + 3"),
        ("index", f"return -a.T[:, 0] {end}"),
        ("index", f"return -a.T[2:, 0] {end}"),
        ("index", f"return -a.T[1:, 1] {end}"),
        ("operator", "return -a.T[1:, 0] * (b.transpose(0, 1)) + 3"),
        ("operator", "return -a.T[1:, 0] @ (b.transpose(0, 1)) - 3"),
        ("number", "return -a.T[1:, 0] @ (b.transpose(0, 1)) + 4"),
        ("operator", "if a <= 0 and b < 0:"),
        ("operator", "if a < 0 or b < 0:"),
        ("number", "def half(a: int, b: int = 1) -> float:"),
    } <= after
    assert not any("a - 1" in line or "a + 0" in line for _, line in after)
    digits = [m.lines()[1] for m in made if m.kind == "digit"]
    assert digits == ["6.5", "1.0"]


def test_a_strong_test_kills_all_but_what_is_listed_as_equivalent(project):
    done = check(project(STRONG))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 11 of 11; 0 equivalent" in done.stdout


def test_a_weak_test_is_found_with_file_and_line(project):
    done = check(project(WEAK))
    assert done.returncode == 1
    assert "survives: rnn_examples/part/half.py:9 (number)" in done.stdout
    assert "def half(a: int, b: int = 1) -> float:" in done.stdout


def test_the_same_seed_draws_the_same_sample(project):
    root = project(WEAK)
    runs = [check(root, "--sample", "5", "--seed", "3").stdout for _ in range(2)]
    survivors = [sorted(x for x in r.splitlines() if "survives" in x) for r in runs]
    assert survivors[0] == survivors[1] and "of 5;" in runs[0]


ENTRY = """
[[mutant]]
file = "rnn_examples/part/half.py"
before = "{}"
after = "{}"
reason = "for the test"
"""


def test_a_listed_survivor_passes_and_a_stale_or_killed_entry_does_not(project):
    before, after = "if a < 0 and b < 0:", "if a < 0 and b <= 0:"
    entry = ENTRY.format(before, after)
    weak = STRONG.replace("and half(-1, 0) == -0.5", "")
    assert "and b <= 0" in check(project(weak)).stdout
    other = ENTRY.format(before, "if a < 0 and b < 1:")
    listed = check(project(weak, equivalent=entry + other))
    assert listed.returncode == 0 and "2 equivalent" in listed.stdout
    killed = check(project(STRONG, equivalent=entry))
    assert killed.returncode == 1 and "lists a mutant that is killed" in killed.stdout
    stale = check(project(STRONG, equivalent=ENTRY.format("x", "y")))
    assert stale.returncode == 1 and "lists what is no mutant" in stale.stdout


def test_a_module_that_fails_without_a_mutation_stops_the_check(project):
    done = check(project(STRONG.replace("== 2", "== 3")))
    assert done.returncode == 1
    assert "half.py fail without a mutation" in done.stderr


def test_a_mutant_that_never_ends_is_killed(project):
    module = MODULE + "\n\ndef down(n):\n    while n > 0:\n        n = n - 1\n"
    strong = STRONG + "\n\ndef test_down():\n    from rnn_examples.part import half\n"
    strong += "    assert half.down(2) is None\n"
    root = project(strong, module)
    code = f"import sys; sys.argv = ['x', '--root', {str(root)!r}]\n"
    code += f"sys.path.insert(0, {str(TOOL.parent)!r}); import mutate\n"
    code += "mutate.LIMIT = 3; mutate.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "n = n + 1" not in done.stdout and "killed" in done.stdout


def test_a_module_is_held_by_the_tests_that_it_names(tmp_path):
    path = tmp_path / "rnn_examples" / "part" / "half.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        '"""Halve.\n\nTests:  tests/a/test_b.py,\n        tests/a/test_c.py\n"""'
    )
    assert mutate.tests_of(tmp_path, path) == ["tests/a/test_b.py", "tests/a/test_c.py"]
    path.write_text('"""Halve."""')
    assert mutate.tests_of(tmp_path, path) == ["tests/part/test_half.py"]
