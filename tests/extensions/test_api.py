"""Names in code lead to their entries, and an entry to the pages that use it."""

import ast

import api
import pytest
from api import Names, as_rst, with_links

from tests.sites import CONF

SOURCE = '''"""Two of one.

    y = 2 x

>>> 1 + 1
2
"""


def double(x: int) -> int:
    """Twice x, as a_ and *so*.

    Raises ValueError for nothing.
    """
    return 2 * x
'''


def found(code: str, scope=None) -> list[str]:
    names = Names(scope if scope is not None else {})
    names.visit(ast.parse(code))
    return [f"{line}:{column} {full}" for line, column, _, full in names.found]


def test_a_name_is_found_where_it_stands_for_the_import():
    code = "from rnn_examples.a import b as c\nd = c(c)\n"
    assert found(code)[2:] == ["2:4 rnn_examples.a.b", "2:6 rnn_examples.a.b"]
    assert found(code)[:2] == ["1:5 rnn_examples.a", "1:27 rnn_examples.a.b"]


@pytest.mark.parametrize(
    "code",
    [
        "b = 1\nb",
        "def b(): pass\nb",
        "import b\nb",
        "from torch.nn import b\nb",
        "for b in x: b",
        "def f(b): return b",
        "def f():\n    b = 1\n    return b",
        "[b for b in x]",
        "lambda b: b",
        "x.b",
        "f(b=1)",
    ],
)
def test_a_name_that_is_something_else_is_left_alone(code):
    assert found(code, {"b": "rnn_examples.a.b"}) == []


def test_a_scope_ends():
    code = "def f(b): return b\nb"
    assert found(code, {"b": "rnn_examples.a.b"}) == ["2:0 rnn_examples.a.b"]
    assert found("b = b", {"b": "rnn_examples.a.b"}) == ["1:4 rnn_examples.a.b"]


def test_a_link_is_put_around_the_token_at_its_place():
    code = "<pre><span></span><i>a</i> &lt; <i>a</i>\n<i>é</i>.<i>a</i></pre>"
    linked = with_links(code, [(2, 2, "a", "x.html#a&b")])
    at = '<i><a class="api" href="x.html#a&amp;b">a</a></i></pre>'
    assert linked == code[: -len("<i>a</i></pre>")] + at
    assert with_links(code, [(1, 1, "a", "x")]) == code, "no token begins there"


def test_a_docstring_of_our_shape_becomes_lists_and_blocks():
    lines = [
        "One step_ of *x*, ``y_``.",
        "",
        "    a = b",
        "",
        "Shapes: x (T, B)",
        "Source: Sak (2014), arXiv:1402.1128",
        "",
        "Args:",
        "    x: one,",
        "        or two.",
        "",
        ">>> 1",
        "1",
    ]
    text = "\n".join(as_rst(lines))
    assert r"One step\_ of \*x\*, ``y_``." in text
    assert ".. code-block:: text\n\n    a = b\n" in text
    assert "`arXiv:1402.1128 <https://arxiv.org/abs/1402.1128>`__" in text
    assert ":Args:\n\n\n    ``x``\n        one,\n        or two.\n" in text
    assert "\n>>> 1\n1\n" in text


def two_pages(site):
    site.conf(
        CONF.replace('"katex_math"', '"katex_math", "api"').replace(
            '["dollarmath"]', '["dollarmath", "deflist"]'
        )
        + 'autodoc_default_options = {"members": True}\n'
    )
    site.index("reference/api", "use", "other")
    site.write("rnn_examples/__init__.py", "")
    site.write("rnn_examples/one.py", SOURCE)
    site.write("docs/reference/api/one.md", "```{api} one\n```\n")
    site.write("docs/reference/api.md", "# API\n\n```{api} one\n```\n")
    site.page("use", "from rnn_examples.one import double\ndouble(2)")
    site.page("other", "3")


@pytest.fixture
def uses(site):
    two_pages(site)
    done = site.build()
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def entry(site) -> str:
    return site.published()["reference/api/one.html"].decode()


def test_an_entry_follows_the_pages_that_use_it(uses):
    source = uses.html / "_modules" / "rnn_examples" / "one.html"
    written = source.stat().st_mtime_ns
    assert 'href="../../use.html">A page</a>' in entry(uses)
    link = 'href="reference/api/one.html#rnn_examples.one.double">double</a>'
    assert link in uses.published()["use.html"].decode()
    uses.page("use", "4")
    assert uses.ran() == {"use"}, "the entry's page is written, not read"
    assert "use.html" not in entry(uses).partition("api-used")[2]
    uses.page("other", "from rnn_examples.one import double")
    assert uses.ran() == {"other"}
    assert 'href="../../other.html">A page</a>' in entry(uses)
    assert source.stat().st_mtime_ns == written, "an edit of a page is no edit of it"


def test_an_edit_of_the_module_is_in_its_entry_and_its_source(uses):
    uses.write("rnn_examples/one.py", SOURCE.replace("Twice", "Double"))
    uses.build()
    assert "Double x" in entry(uses)
    assert b"Double x" in uses.published()["_modules/rnn_examples/one.html"]


def test_another_frame_is_around_the_source_pages_too(uses):
    conf = (uses.root / "conf.py").read_text()
    uses.conf(conf + "html_title = 'Another'\n")
    uses.build()
    assert b"Another" in uses.published()["_modules/rnn_examples/one.html"]


def test_an_unknown_module_stops_the_build(site):
    two_pages(site)
    site.write("docs/reference/api/one.md", "```{api} tow\n```\n")
    done = site.build()
    assert done.returncode
    assert "no module rnn_examples.tow" in done.stderr


def test_only_what_python_imports_anew_is_forgotten():
    import sys

    sys.modules[f"{api.PACKAGE}.no_such_module"] = ast
    kept = {name for name in sys.modules if not name.startswith(api.PACKAGE)}
    saved = {n: m for n, m in sys.modules.items() if n.startswith(api.PACKAGE)}
    try:
        api.forget_package()
        assert set(sys.modules) == kept
    finally:
        sys.modules.update(saved)
        del sys.modules[f"{api.PACKAGE}.no_such_module"]
