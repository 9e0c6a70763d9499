"""{error-lookup}: entries that cannot say what their cells do not."""

import pytest
from bs4 import BeautifulSoup

from tests.sites import CONF, Site

TOP = "# Errors\n\n```{error-lookup}\n```\n\n## Lists\n\n"
ENTRY = """\
(an-old-address)=
(list-index)=
### `list index out of range`: too far

**Lists.** Counting begins at 0.

```{code-cell}
:tags: [raises-exception]
items = [1, 2]
items[2]
```

```{code-cell}
:tags: [works]
items = [1, 2]
last = items[1]
```

A page about it.

"""
SILENT = """\
(slice)=
### A slice is never too long

**Lists.** It stops at the end.

```{code-cell}
:tags: [silent]
[1, 2][:9]
```

```{code-cell}
:tags: [works]
[1, 2][:2]
```

"""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.conf(CONF.replace('"katex_math"', '"katex_math", "error_lookup"'))
    site.index("page")
    return site


def write(site, *entries):
    head = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
    site.write("docs/page.md", head + TOP + "".join(entries))


def built(site, *entries):
    write(site, *entries)
    done = site.build()
    assert done.returncode == 0, done.stdout + done.stderr
    text = (site.html / "page.html").read_text()
    return BeautifulSoup(text, "html.parser")


def test_an_entry_is_a_pair_under_its_address(site):
    page = built(site, ENTRY, SILENT)
    entry = page.select_one("#list-index")
    assert "error-entry" in entry["class"] and entry.select_one("#an-old-address")
    pair = entry.select_one(".error-pair")
    sides = pair.find_all("div", recursive=False)
    assert [side["class"][0] for side in sides] == ["error-wrong", "error-right"]
    labels = [label.get_text() for label in page.select(".error-label")]
    assert labels == ["raises", "works", "wrong, says nothing", "works"]
    marked = [[m.get_text() for m in side.select(".hll")] for side in sides]
    assert marked == [["items[2]\n"], ["last = items[1]\n"]]
    said = sides[0].select_one(".traceback pre").get_text()
    assert said == "IndexError: list index out of range\n"


def test_the_list_holds_every_entry_and_what_it_applies_to(site):
    page = built(site, ENTRY, SILENT)
    rows = [row.get_text() for row in page.select(".error-list li")]
    assert rows == [
        "list index out of range: too far Lists",
        "A slice is never too long Lists",
    ]
    links = [link["href"] for link in page.select(".error-list a")]
    assert links == ["#lists", "#list-index", "#slice"]
    assert "hidden" in page.select_one("form.error-search").attrs  # without a script


def test_the_script_is_loaded_where_there_are_entries(site):
    site.write("docs/other.md", "# Other\n")
    site.index("page", "other")
    site.conf((site.root / "conf.py").read_text() + "\nhtml_static_path = ['static']\n")
    site.write("static/errors.js", "")
    site.write("static/errors.css", "")
    page = built(site, ENTRY)
    other = (site.html / "other.html").read_text()
    assert page.select_one("script[src*='errors.js'][defer]")
    assert page.select_one("link[href*='errors.css']")
    assert "errors." not in other


@pytest.mark.parametrize(("system", "stops"), [("linux", True), ("darwin", False)])
def test_what_only_linux_says_is_checked_there(site, system, stops):
    text = ENTRY.replace("out of range", "too large").replace(
        "[raises-exception]", "[raises-exception, linux]"
    )
    elsewhere = "import types, error_lookup\nerror_lookup.sys = types.SimpleNamespace"
    conf = (site.root / "conf.py").read_text()
    site.conf(f"{conf}\n{elsewhere}(platform={system!r})\n")
    write(site, text)
    assert (site.build().returncode != 0) == stops


def test_three_dots_stand_for_what_is_left_out(site):
    text = ENTRY.replace("`list index out of range`", "`list ... out ... range`")
    assert built(site, text).select_one("#list-index")


WARNS = ENTRY.replace("raises-exception", "warns").replace(
    "items[2]", "import warnings\nwarnings.warn('list index out of range')"
)


def test_a_warning_is_checked_too(site):
    with pytest.raises(AssertionError, match="says ''"):
        built(site, ENTRY.replace("raises-exception", "warns").replace("[2]", "[1]"))
    assert built(site, WARNS).select_one(".error-wrong .error-label").text == "warns"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("out of range", "too large", "says 'list index out of range'"),
        ("`list", "`index", "says 'list index out of range'"),
        ("`list index out of range`", "List index", "says 'list index out of range'"),
        ("(an-old-address)=\n(list-index)=\n", "", "it has no address"),
        ("**Lists.** ", "", "does not begin with what it applies to, in bold"),
        ("works", "other", "no right one below it, tagged works"),
        (
            "raises-exception]\nitems = [1, 2]",
            "works]\nitems = [1, 2, 3]",
            "no wrong call",
        ),
    ],
)
def test_an_entry_that_is_wrong_stops_the_build(site, old, new, said):
    write(site, ENTRY.replace(old, new))
    done = site.build()
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    assert "page.md:" in printed and said in printed


def test_a_message_that_cannot_be_raised_here_links_its_source(site):
    quoted = "(gpu)=\n### `no memory`\n\n**GPUs.** [Seen](https://example.org).\n\n"
    page = built(site, ENTRY, quoted)
    assert len(page.select(".error-list li")) == 2
