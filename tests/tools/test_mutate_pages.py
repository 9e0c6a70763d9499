"""tools/mutate_pages.py finds what a page does not notice, and only that."""

import subprocess
import sys
from pathlib import Path

import mutate_pages
import pytest

from tests.sites import HEAD

TOOL = Path(mutate_pages.__file__)
SOURCE = """import torch

T, B = 3, 2
h = torch.tanh(x[-1] + y.T).abs().sum(dim=0)
first = hs[1:].detach()
assert h == 3 - 1
assert_close(h, first + 1)
ax.plot(h + 1)
for t in range(T):
    ax.plot(h + 1)
print(f"{h + 1}")
"""


def test_the_mutants_of_a_cell():
    found = mutate_pages.mutants_of(Path("a.md"), SOURCE)
    lines = [m.lines() for m in found]
    assert {before for before, _ in lines} == {
        "h = torch.tanh(x[-1] + y.T).abs().sum(dim=0)",
        "first = hs[1:].detach()",
    }
    h, first = "h = torch.{}", "first = {}"
    for wanted in (
        h.format("sigmoid(x[-1] + y.T).abs().sum(dim=0)"),
        h.format("tanh(x[1] + y.T).abs().sum(dim=0)"),
        h.format("tanh(x[-2] + y.T).abs().sum(dim=0)"),
        h.format("tanh(x[-1] - y.T).abs().sum(dim=0)"),
        h.format("tanh(x[-1] + y).abs().sum(dim=0)"),
        h.format("tanh(x[-1] + y.T).sum(dim=0)"),
        h.format("tanh(x[-1] + y.T).abs().mean(dim=0)"),
        h.format("tanh(x[-1] + y.T).abs().sum(dim=1)"),
        first.format("hs[:].detach()"),
        first.format("hs[1:]"),
    ):
        assert wanted in [after for _, after in lines]


PAGE = """
```{code-cell}
two = 1 + 1
three = two + 1
```

```{code-cell}
assert two == 2
```

```{code-cell}
:tags: [raises-exception]
[1, 2][two]
```
"""


def run(root, *options):
    root.joinpath("docs").mkdir(exist_ok=True)
    command = [sys.executable, TOOL, "--root", root, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == "" or "mutants:" in done.stderr, done.stderr
    return done


@pytest.fixture
def root(tmp_path):
    tmp_path.joinpath("docs").mkdir()
    tmp_path.joinpath("tests").mkdir()
    tmp_path.joinpath("conf.py").write_text("claims_due = []\n")
    tmp_path.joinpath("docs", "a.md").write_text(HEAD + PAGE)
    return tmp_path


def test_what_nothing_notices_is_told_and_listed(root):
    done = run(root)
    assert done.returncode == 1
    assert "three = two - 1" in done.stdout and "two = 1 - 1" not in done.stdout
    listed = root / mutate_pages.LISTED
    entry = """[[mutant]]
file = "docs/a.md"
before = "three = two + 1"
after = "three = two - 1"
reason = "nothing reads it"
same = true
"""
    listed.write_text(entry)
    done = run(root)
    assert done.returncode == 0 and "1 of    1 noticed  100%" in done.stdout
    listed.write_text(entry.replace("two - 1", "two - 2"))
    assert "lists what does not survive" in run(root).stdout
    listed.write_text(entry.replace("nothing reads it", ""))
    assert "no reason for" in run(root).stderr


def test_what_a_cell_gives_is_noticed(root):
    text = PAGE.replace("three = two + 1", "two + 1")
    text = text.replace("two = 1 + 1", ":gives: 3\ntwo = 1 + 1")
    root.joinpath("docs", "a.md").write_text(HEAD + text)
    assert "2 of    2 noticed" in run(root).stdout


CLAIM = """
```{code-cell}
:claims: exact a-two
:fails-if: two = 3
assert two == 2
```
"""


def test_a_false_version_has_to_be_refused(root):
    page = root.joinpath("docs", "a.md")
    page.write_text(HEAD + PAGE + CLAIM)
    assert "refused 1 of 1" in run(root, "--claims").stdout
    page.write_text(HEAD + PAGE + CLAIM.replace("two = 3", "three = 4"))
    done = run(root, "--claims")
    assert done.returncode == 1 and "docs/a.md: exact a-two: three = 4" in done.stdout
    page.write_text(HEAD + PAGE + CLAIM.replace("two = 3", "two = 1 / 0"))
    assert run(root, "--claims").returncode == 1, "refused by an assert alone"


def test_a_page_that_is_due_may_miss_the_bar(root):
    root.joinpath("conf.py").write_text('claims_due = ["a"]\n')
    done = run(root)
    assert done.returncode == 0 and "1 of    2 noticed" in done.stdout
    assert run(root, "docs/a.md").returncode == 1, "asked for by its name"
    assert "noticed 0 of 0" in run(root, "--sample", "2").stdout


def test_a_page_that_fails_as_it_is_is_told(root):
    root.joinpath("docs", "a.md").write_text(HEAD + PAGE.replace("== 2", "== 3"))
    assert "fails without a mutation: cell 2: AssertionError" in run(root).stdout
