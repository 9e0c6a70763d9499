"""A page's blocks: their kinds, and what the build refuses to claim."""

import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from tests.sites import CONF, HEAD

BLOCKS = CONF.replace('"example",', '"example", "blocks",')
MODULE = (
    '"""Two.\n\n>>> two = 2\n>>> assert two == 2\n"""\n\n\ndef two():\n    return 2\n'
)
CARD = "```{in-short}\n:time: 5 minutes\n\nTwo is $1 + 1$.\n```"


def cell(source, *options):
    lines = "".join(f"{line}\n" for line in options)
    return f"```{{code-cell}}\n{lines}{source}\n```\n"


def build(site, *parts, conf=BLOCKS):
    site.conf(conf)
    site.index("a", "b")
    site.write("rnn_examples/__init__.py", "")
    site.write("rnn_examples/one.py", MODULE)
    site.write("docs/b.md", "# The page before\n")
    site.write("docs/a.md", HEAD + "\n\n".join(parts))
    return site.build()


def page(site, *parts, **options):
    done = build(site, *parts, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return BeautifulSoup((site.html / "a.html").read_text(), "html.parser")


def refused(site, *parts, **options):
    done = build(site, *parts, **options)
    assert done.returncode == 1
    return done.stderr


# ------------------------------------------------------------------- the kinds


def test_each_block_of_code_has_its_kind(site):
    soup = page(
        site,
        "```{literalinclude} ../rnn_examples/one.py\n:pyobject: two\n```",
        "```bash\nmake html\n```",
        cell("import math", ":setup: imports"),
        cell("x = 3\nx + 1"),
        cell("assert x == 3", ":check: equal to `3`"),
        cell("1 / 0", ":tags: [raises-exception]"),
        cell("print(x)", ":tags: [hide-input]"),
        cell("assert x", ":tags: [hide-cell]"),
    )
    found = []
    for pre in soup.select("pre"):
        block = pre.find_parent(class_="block")
        (kind,) = [c for c in block["class"] if c.startswith("block-")]
        found.append((pre.get_text().strip().splitlines()[0], kind))
    assert found == [
        ("def two():", "block-source"),
        ("make html", "block-plain"),
        ("import math", "block-setup"),
        ("x = 3", "block-run"),
        ("4", "block-output"),
        ("assert x == 3", "block-check"),
        ("1 / 0", "block-run"),
        ("ZeroDivisionError: division by zero", "block-raises"),
        ("3", "block-output"),  # of print(x), whose code comes after it
        ("print(x)", "block-run"),
        ("assert x", "block-run"),
    ]
    assert soup.select_one(".block-raises .block-head").get_text() == "raises"
    folds = [
        d.select_one("summary").get_text(" ", strip=True)
        for d in soup.select("details")
    ]
    assert folds == [
        "Setup: imports",
        "Checked: equal to 3 · 1 assert",
        "Show code cell source",
        "Show code cell content Hide code cell content",
    ]


def test_a_source_says_its_file_and_links_what_is_there(site):
    include = "```{literalinclude} ../rnn_examples/one.py\n:pyobject: two\n```"
    head = page(site, include).select_one(".block-source .block-head")
    assert head.get_text() == "rnn_examples/one.py two"
    assert not head.select("a")
    site.write("own/take_home.py", "def setup(app):\n    pass\n")
    more = "sys.path.insert(0, os.path.join(ROOT, 'own'))\nautodoc_typehints = 'none'\n"
    more += "extensions += ['sphinx.ext.autodoc', 'sphinx.ext.viewcode', 'take_home']"
    api = "```{eval-rst}\n.. autofunction:: rnn_examples.one.two\n```"
    soup = page(site, include, api, CARD, cell("2"), conf=BLOCKS + more)
    links = {a.get_text(): a["href"] for a in soup.select("a.block-link")}
    assert links == {
        "source": "_modules/rnn_examples/one.html#two",
        "one file": "code/one.py",
        "notebook": "a.ipynb",
    }
    written = (site.html / "_modules" / "rnn_examples" / "one.html").read_text()
    assert 'id="two"' in written


# ---------------------------------------------------------------------- checks


def test_a_check_folds_to_one_line_and_counts_its_asserts(site):
    source = "from torch.testing import assert_close\nfor i in range(2):\n"
    source += "    assert i < 2, 'small'\nassert_close(1.0, 1.0)\n"
    source += "def unused():\n    assert False"
    soup = page(site, cell(source, ':check: "`i` is small, $i < 2$"'))
    check = soup.select_one("div.cell > details.block-check")
    line = check.select_one("summary")
    assert line.get_text().startswith("Checked: i is small, ")
    assert line.get_text().endswith(" · 2 asserts")
    assert line.select_one("code") and line.select_one(".katex")
    assert "open" not in check.attrs
    assert check.select_one(".cell_input pre").get_text().strip() == source


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("1 + 1", [":check: all is well"], "check 'all is well' holds no assert"),
        ("def f():\n    assert 0", [":check: well"], "check 'well' holds no assert"),
        ("assert True", [":check: well"], "`assert True` cannot fail"),
        ("assert (1 == 2, 'no')", [":check: well"], "cannot fail"),
        ("assert 1", [":check:"], "a check says what equals what"),
        (
            "assert 1 == 2",
            [":check: well", ":tags: [raises-exception]"],
            "check 'well' did not run, or may fail",
        ),
        (
            "assert 1 == 1",
            [":check: well", ":tags: [skip-execution]"],
            "check 'well' did not run, or may fail",
        ),
        ("assert 1 == 2", [":check: well"], "AssertionError"),
    ],
)
def test_a_check_that_says_nothing_stops_the_build(site, source, options, message):
    assert message in refused(site, cell(source, *options))


def test_no_check_is_claimed_where_pages_do_not_run(site):
    conf = BLOCKS.replace('"force"', '"off"')
    words = "check 'well' did not run, or may fail"
    assert words in refused(site, cell("assert 1 == 1", ":check: well"), conf=conf)


def test_python_without_asserts_is_refused(site):
    site.conf(BLOCKS)
    site.index()
    command = [sys.executable, "-O", "-m", "sphinx", "-c", ".", "docs", "out"]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True)
    assert done.returncode and "python -O leaves out asserts" in done.stderr


def test_an_example_ends_in_a_check(site):
    soup = page(site, "```{example} rnn_examples.one\n:check: two is two\n```")
    run, check = soup.select("div.cell")
    assert run.select_one(".block-run pre").get_text().strip() == "two = 2"
    assert check.select_one("summary").get_text() == "Checked: two is two · 1 assert"
    assert run["class"] == check["class"]


def test_an_example_without_an_assert_is_no_check(site):
    site.write("rnn_examples/bare.py", '"""One.\n\n>>> 1\n1\n"""\n')
    text = "```{example} rnn_examples.bare\n:check: one\n```"
    assert ":check: one: its last statement is no assert" in refused(site, text)


# ---------------------------------------------------------------------- tables

ROWS = """[
    {"name": "`a`", "n": 1, "x": 0.123456, "pair": [0.5, -2.0]},
    {"name": "b", "n": 20, "x": 1e-9, "pair": [0.25, 3.0]},
]"""


def cells_of(soup):
    return [
        [entry.get_text().strip() for entry in row.select("th, td")]
        for row in soup.select("table.block-table tr")
    ]


def test_rows_become_a_table(site):
    form = ":format: {x: .0e, pair: .1f}"
    soup = page(site, cell(ROWS, ":table: What `a` and b are", form))
    assert cells_of(soup) == [
        ["name", "n", "x", "pair"],
        ["a", "1", "1e-01", "0.5, -2.0"],
        ["b", "20", "1e-09", "0.2, 3.0"],
    ]
    table = soup.select_one("table.block-table")
    assert table.select_one("caption .caption-text").get_text() == "What a and b are"
    assert [th.get("scope") for th in table.select("thead th")] == ["col"] * 4
    assert [th.get("scope") for th in table.select("tbody th")] == ["row"] * 2
    for row in table.select("tr"):
        right = ["number" in e.get("class", []) for e in row.select("th, td")]
        assert right == [False, True, True, True]
    assert table.select_one("tbody th code")
    assert not soup.select(".cell_output pre")


def test_a_cell_of_a_table_may_hold_a_link(site):
    rows = '[{"who": "`a` ([#1](https://example.org/1))"}, {"who": "b[0](1)"}]'
    first, second = page(site, cell(rows, ":table: A link")).select("tbody th")
    (link,) = first.select("a")
    assert (link["href"], link.get_text()) == ("https://example.org/1", "#1")
    assert first.get_text() == "a (#1)" and first.select_one("code")
    assert second.get_text() == "b[0](1)" and not second.select("a")


def test_one_format_is_for_the_floats(site):
    soup = page(site, cell("[{'n': 3, 'x': 0.5}]", ":table: T", ":format: .2f"))
    assert cells_of(soup)[1] == ["3", "0.50"]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("print('a')", [], "ends in a list of dicts"),
        ("[1, 2]", [], "got the row 1"),
        ("[]", [], "got []"),
        ("[{'a': 1}, {'b': 1}]", [], "columns ['a'], then ['b']"),
        ("[{'a': float]", [], "SyntaxError"),
        ("[{'a': float}]", [], "got [{'a': float}]"),
        ("[{'a': 1.0}]", [":format: {b: .1f}"], "format names ['b']"),
        ("[{'a': 1.0}]", [":format: .1q"], "format '.1q' does not fit the number 1.0"),
    ],
)
def test_a_table_of_something_else_stops_the_build(site, source, options, message):
    assert message in refused(site, cell(source, ":table: T", *options))


# --------------------------------------------------------------- what it shows


def test_what_a_cell_gives_is_held(site):
    good = cell("print(1)\n2", ":gives: 1 2")
    raises = cell("1 / 0", ":tags: [raises-exception]")
    page(site, good, raises)
    said = refused(
        site, good.replace(": 1 2", ": 1 3"), raises.replace("1 / 0", "1 / 2")
    )
    assert "the cell gives '1 2'; its :gives: says '1 3'" in said
    assert "should raise an exception raises none" in said


# --------------------------------------------------------------------- in short


def test_the_card_takes_its_code_and_the_checks_after_it(site):
    text = CARD.replace(
        "5 minutes", "5 minutes\n:before: b\n:module: rnn_examples/one.py"
    )
    check = cell("assert two == 2", ":check: two is two")
    soup = page(site, text, cell("two = 1 + 1"), check, cell("two + 1"))
    card = soup.select_one(".in-short")
    sources = [pre.get_text().strip() for pre in card.select(".cell_input pre")]
    assert sources == ["two = 1 + 1", "assert two == 2"]
    assert card.select_one(".katex")
    links = card.find_all(recursive=False)[-1]
    assert "in-short-links" in links["class"]
    words = " ".join(links.get_text(" ").split())
    assert words == "5 minutes Before: The page before Code: rnn_examples/one.py"
    assert links.select_one("a")["href"] == "b.html"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([CARD, "Words.", cell("2")], "needs a code cell right after it"),
        ([CARD], "needs a code cell right after it"),
        ([CARD.replace(":time: 5 minutes\n", ""), cell("2")], "needs :time:"),
        (["```{in-short}\n:time: 5 minutes\n```", cell("2")], "needs the answer"),
        ([CARD.replace("5", "5\n:before: none"), cell("2")], "unknown document"),
        (
            [CARD.replace("minutes", "minutes\n:module: none.py"), cell("2")],
            "there is no file none.py",
        ),
        ([CARD, cell("1 / 0")], "ZeroDivisionError"),
    ],
)
def test_a_card_that_lacks_something_stops_the_build(site, parts, message):
    assert message in refused(site, *parts)


def test_two_processes_write_the_same(site):
    parts = [
        CARD,
        cell("1"),
        cell("assert 1 == 1", ":check: one"),
        cell(ROWS, ":table: T"),
    ]
    page(site, *parts)
    once = (site.html / "a.html").read_bytes()
    command = [sys.executable, "-m", "sphinx", "-qW", "-j2", "-c", ".", "docs", "out"]
    subprocess.run(command, cwd=site.root, check=True)
    assert (site.root / "out" / "a.html").read_bytes() == once
