"""A record of each section: what it holds, and that it goes with its page."""

import json

import per_page
import pytest
import section_search
from docutils import nodes

from tests.sites import CONF

TEXT = """
First words, with $h_t = \\tanh(W_{ih} x)$ once and `batch_first`.

## A part

**A bold start.** Then more.

| symbol | code |
| --- | --- |
| weights | `W_ih` |

```{code-cell}
import torch
rows = torch.zeros(2).tolist()
raise_me = int("x")
```

### Deeper

Words of a part of the part.
"""


@pytest.fixture
def searched(site):
    """A small site with search; the last call's records by page and title."""
    site.conf(
        CONF
        + """
extensions += ["section_search"]
nb_execution_raise_on_error = False
nb_execution_allow_errors = True
search_messages = "a"
search_help = ["a"]
"""
    )
    site.write("docs/_static/search.js", "")

    def records():
        site.ran()
        text = site.published()["search_records.js"].decode()
        name, _, value = text.partition("=")
        assert name == "SECTION_RECORDS"
        pages = json.loads(value.rstrip(";\n"))["pages"]
        return {p["url"]: {s["title"]: s for s in p["sections"]} for p in pages}

    site.records = records
    return site


def test_a_section_leaves_its_words_code_and_output(searched):
    searched.index("a")
    searched.page("a", prose=TEXT)
    page = searched.records()["a.html"]
    assert page["A page"]["text"] == (
        "First words, with h_t = tanh(W_ih x) once and `batch_first`."
    )
    assert page["A page"]["anchor"] == ""
    part = page["A part"]
    assert part["anchor"] == "a-part" and part["trail"] == ["A page"]
    assert part["lead"] == "A bold start." and part["names"] == "W_ih"
    assert part["code"].splitlines() == [
        "rows = torch.zeros(2).tolist()",
        'raise_me = int("x")',
    ]
    assert "invalid literal for int" in part["output"]
    assert "Words of a part" not in part["text"]
    assert page["Deeper"]["trail"] == ["A page", "A part"]


def test_a_record_goes_with_its_section_and_its_page(searched):
    searched.index("a", "b")
    searched.page("a", prose="## One\n\nText.")
    searched.page("b", prose="## Two\n\nText.")
    assert set(searched.records()) == {"index.html", "a.html", "b.html"}
    searched.page("a", prose="## Other\n\nText.")
    searched.index("a")
    (searched.root / "docs" / "b.md").unlink()
    pages = searched.records()
    assert set(pages) == {"index.html", "a.html"}
    assert set(pages["a.html"]) == {"A page", "Other"}


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        (r"h_t = \tanh(x_t W_{ih}^\top)", "h_t = tanh(x_t W_ih^top)"),
        (r"\frac{1}{2}", "1 / 2"),
        (r"\mathrm{d}h", "dh"),
        (r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}", "a = 1 b = 2"),
    ],
)
def test_a_formula_as_one_types_it(tex, plain):
    assert section_search.plain_tex(tex) == plain


def test_what_is_kept_of_a_page_is_merged_and_forgotten():
    """As each extension keeps it, see per_page.py."""

    class App:
        def connect(self, event, call, priority=500):
            setattr(self, event, call)

    class Env:
        pass

    app, one, two = App(), Env(), Env()
    per_page.keep(app, "section_records")
    one.section_records = {"a": [1]}
    two.section_records = {"b": [2], "c": [3]}
    getattr(app, "env-merge-info")(None, one, ["b"], two)
    assert one.section_records == {"a": [1], "b": [2]}
    getattr(app, "env-purge-doc")(None, one, "a")
    assert one.section_records == {"b": [2]}


def test_an_output_keeps_its_messages_and_not_its_numbers():
    assert section_search.printed("0.1 0.2\nValueError: too many values\n3 h\n") == (
        "ValueError: too many values"
    )


def test_a_figure_has_no_words():
    figure = nodes.container("", nb_element="mime_bundle")
    for kind in ("text/plain", "image/svg+xml"):
        part = nodes.container("", mime_type=kind)
        part += nodes.literal_block("", "<Figure size 640x480>", classes=["output"])
        figure += part
    found = {kind: [] for kind in ("lead", "names", "text", "code", "output")}
    section_search.collect(nodes.section("", figure), found)
    assert found["output"] == []
