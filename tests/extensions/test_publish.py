"""Heads, texts, previews and redirects of a small site."""

import pytest

from tests.sites import CONF

OURS = CONF.replace('"katex_math"', '"katex_math", "publish"') + (
    'html_context = {"description_of_site": "About"}\n'
)
WITH = OURS + 'html_baseurl = "https://example.org/"\n'


@pytest.fixture
def pages(site):
    site.conf(WITH)
    site.index("one", "two")
    site.page("one", "print('<', 41 + 1)", prose="Words $a < b$ of one.")
    site.page("two", "3", prose="Words of two.")
    return site


def built(site) -> dict[str, bytes]:
    done = site.build()
    assert done.returncode == 0, done.stdout + done.stderr
    return site.published()


def pictures(files) -> dict[str, str]:
    """Page -> its picture."""
    found = [name for name in files if name.startswith("previews/")]
    return {name.removeprefix("previews/")[:-15]: name for name in found}


def test_an_edit_draws_one_picture_and_drops_the_old(pages):
    before = pictures(built(pages))
    assert set(before) == {"index", "one", "two"}
    pages.page("one", "3", prose="Other words.")
    files = built(pages)
    after = pictures(files)
    assert set(after) == set(before)
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]
    assert b"Other words." in files["llms-full.txt"]
    assert b"of one" not in files["llms-full.txt"]


def test_what_belongs_to_a_page_that_is_gone_goes(pages):
    built(pages)
    (pages.root / "docs" / "two.md").unlink()
    pages.index("one")
    files = built(pages)
    assert set(pictures(files)) == {"index", "one"}
    assert "two.html.md" not in files
    assert b"two.html" not in files["sitemap.xml"] + files["llms.txt"]
    pages.conf(OURS)
    files = built(pages)
    assert not pictures(files)
    assert "sitemap.xml" not in files


def test_a_text_has_the_outputs_and_the_equations(pages):
    text = built(pages)["one.html.md"].decode()
    assert "Words $a < b$ of one." in text
    assert "```python\nprint('<', 41 + 1)\n```\n\n```output\n< 42\n```" in text


def test_a_page_that_moved_sends_on_without_a_script(pages):
    pages.conf(WITH + 'moved = {"old/place": "one#here"}\n')
    page = built(pages)["old/place.html"].decode()
    assert 'content="0; url=../one.html#here"' in page
    assert '<a href="../one.html#here">' in page
    assert "<script" not in page


@pytest.mark.parametrize(("old", "new"), [("old", "nowhere"), ("one", "two")])
def test_a_move_that_leads_nowhere_stops_the_build(pages, old, new):
    pages.conf(WITH + f"moved = {{{old!r}: {new!r}}}\n")
    done = pages.build()
    assert done.returncode
    assert f"moved: {old!r} to {new!r}" in done.stderr
