"""What search engines, link previews and other programs get of the site.

The site is written once more as it is when published: with an address, in the
folder of a bigger site. No page runs again.
"""

import ast
import os
import re
import shutil
import xml.etree.ElementTree as ET
from html import escape, unescape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import publish
import pytest
from api import is_public
from bs4 import BeautifulSoup
from PIL import Image

from tests.site.conftest import ROOT, run

ADDRESS = "https://example.org/rnn/"
REPOSITORY = "https://github.com/owner/name"
NO_PAGES = {"404.html", "search.html"}


@pytest.fixture(scope="module")
def published(html, tmp_path_factory):
    """Write the pages that the build has read, with an address."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("doctrees", "jupyter_execute"):
        shutil.copytree(html.parent / name, folder / name)
    sphinx = ["-m", "sphinx", "-q", "-W", "-c", ROOT, "-d", folder / "doctrees"]
    where = {"SITE_URL": ADDRESS, "REPOSITORY": REPOSITORY}
    run(*sphinx, ROOT / "docs", folder / "html", **where)
    return folder / "html"


@pytest.fixture(scope="module")
def pages(published):
    """The documents of the site, by their address in it."""
    return parsed(published)


@pytest.fixture(scope="module")
def pages_without(html):
    return parsed(html)


class Page:
    """A document's text; its tags and ids, which a parser takes long to find."""

    def __init__(self, text: str):
        self.text = text
        self.ids = set(re.findall(r'\sid="([^"]*)"', text))
        self.tags = re.findall(r"<(a|link|script|img|meta)\s([^>]*)>", text)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """The attributes of each such tag."""
        rests = [rest for name, rest in self.tags if name == tag]
        found = [dict(ATTRIBUTE.findall(rest)) for rest in rests]
        return [
            {key: unescape(value) for key, value in tag.items()}
            for tag in found
            if wanted.items() <= tag.items()
        ]

    def meta(self, name: str) -> str:
        """The content of the one tag of this name."""
        tags = self.all("meta", name=name) + self.all("meta", property=name)
        (tag,) = tags
        return tag["content"]

    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")


ATTRIBUTE = re.compile(r'([\w:-]+)="([^"]*)"')


def parsed(folder: Path) -> dict[str, Page]:
    files = [p for p in folder.rglob("*.html") if "_static" not in p.parts]
    return {str(p.relative_to(folder)): Page(p.read_text()) for p in files}


def documents(pages: dict[str, Page]) -> dict[str, Page]:
    """Without source pages, the search and the page for what is not there."""
    return {
        name: page
        for name, page in pages.items()
        if name not in NO_PAGES and not name.startswith("_modules/")
    }


def test_a_page_says_where_it_is_and_what_a_preview_shows(pages, published):
    for name, page in documents(pages).items():
        (canonical,) = page.all("link", rel="canonical")
        assert canonical["href"] == page.meta("og:url") == ADDRESS + name
        assert page.meta("twitter:card") == "summary_large_image"
        assert f"<title>{escape(page.meta('og:title'))}" in page.text
        assert page.meta("og:description") == page.meta("description")
        image = page.meta("og:image")
        assert (published / image.removeprefix(ADDRESS)).is_file(), image


def test_a_description_is_a_pages_own_and_has_the_right_length(pages):
    found = {name: p.meta("description") for name, p in documents(pages).items()}
    assert len(set(found.values())) == len(found)
    long = {n: len(d) for n, d in found.items() if not 70 <= len(d) <= 155}
    assert not long, "a description has 70 to 155 characters"
    sources = [p.meta("description") for n, p in pages.items() if "_modules/" in n]
    assert len(set(sources)) == len(sources) > 10


def test_a_preview_is_small_and_has_the_size_that_is_shown_whole(published, pages):
    pictures = list(published.rglob("previews/**/*.png"))
    assert len(pictures) == len(documents(pages))
    for path in pictures:
        with Image.open(path) as image:
            assert image.size == (1200, 630)
            assert not image.info.keys() & {"Software", "date:create", "dpi"}
        assert path.stat().st_size < 100_000


def test_without_an_address_nothing_asks_for_one(html, pages_without):
    if os.environ.get("SITE_URL"):
        pytest.skip("this build has an address")
    assert not (html / "sitemap.xml").exists()
    assert not (html / "previews").exists() or not any((html / "previews").iterdir())
    assert "Sitemap" not in (html / "robots.txt").read_text()
    for page in pages_without.values():
        assert not page.all("link", rel="canonical")
        assert 'property="og:image"' not in page.text
        assert 'property="og:url"' not in page.text
    for page in documents(pages_without).values():
        assert page.meta("og:title")


def test_the_list_for_search_engines_has_every_page(published, pages):
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (published / "robots.txt").read_text()
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    tree = ET.parse(published / "sitemap.xml")
    found = [loc.text for loc in tree.iter(f"{space}loc")]
    assert sorted(found) == sorted(ADDRESS + name for name in documents(pages))


@pytest.mark.parametrize("which", ["pages", "pages_without"])
def test_every_link_within_the_site_leads_somewhere(which, request, html, published):
    pages = request.getfixturevalue(which)
    folder, root = (published, "/rnn/") if which == "pages" else (html, base())
    count = 0
    for name, page in pages.items():
        tags = [t for kind in ("a", "link", "script", "img") for t in page.all(kind)]
        here = root + name
        for uri in {tag.get("href") or tag.get("src") for tag in tags} - {None}:
            parts = urlsplit(urljoin(f"https://example.org{here}", uri))
            if parts.netloc != "example.org" or parts.scheme != "https":
                continue
            assert parts.path.startswith(root), f"{name}: {uri}"
            path = unquote(parts.path.removeprefix(root)) or "index.html"
            assert (folder / path).is_file(), f"{name}: {uri}"
            if parts.fragment and path in pages:
                assert parts.fragment in pages[path].ids, f"{name}: {uri}"
            count += 1
    assert count > 1000


def base() -> str:
    """The root of the site that `make html` has built."""
    return urlsplit(os.environ.get("SITE_URL", "")).path.rstrip("/") + "/"


def test_programs_read_text_code_outputs_and_equations(published):
    text = (published / "gates" / "lstm.html.md").read_text()
    assert "```output\n(1.5, 0.9051)\n```" in text
    assert r"c_t &= f_t \odot c_{t-1} + i_t \odot g_t" in text
    assert "def lstm_step(x_t: Tensor" in text
    assert "| $c_t$ | `c` | `(B, H)` |" in text
    whole = (published / "llms-full.txt").read_text()
    assert text in whole
    for markup in ("<div", "<span", "</", "\x1b["):
        assert markup not in re.sub(r"`[^`]*`|\$[^$]*\$", "", whole).replace("<-", "")


def test_llms_txt_lists_the_text_of_every_page(published, pages):
    lines = (published / "llms.txt").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("> ")
    found = re.findall(rf"\]\({re.escape(ADDRESS)}(\S+)\.md\)", "\n".join(lines))
    assert sorted(found) == sorted(documents(pages))
    assert all((published / f"{name}.md").is_file() for name in found)
    (alternate,) = pages["gates/lstm.html"].all("link", type="text/markdown")
    assert alternate["href"] == "lstm.html.md"


def test_the_page_for_what_is_not_there_works_at_any_depth(pages, pages_without):
    for known, root in ((pages, "/rnn/"), (pages_without, base())):
        page = known["404.html"]
        uris = re.findall(r'(?:href|src|action|content_root)="([^"]*)"', page.text)
        assert all(re.match(r"/|#|https://", uri) for uri in uris), uris
        assert page.meta("robots") == "noindex"
        assert page.soup().select(f'form[action="{root}search.html"] input[name="q"]')
        assert page.soup().select(f'main a[href="{root}gates/lstm.html"]')


def test_a_preview_is_drawn_alike_each_time(published, pages, tmp_path):
    page = pages["gates/lstm.html"]
    name = publish.picture(
        tmp_path,
        "gates/lstm",
        page.meta("og:title"),
        page.meta("description"),
        page.meta("og:site_name"),
    )
    assert ADDRESS + name == page.meta("og:image")
    assert (tmp_path / name).read_bytes() == (published / name).read_bytes()


def test_an_entry_of_the_reference_leads_to_its_source_and_to_its_pages(pages):
    page = pages["reference/api/gates/lstm.html"].soup()
    entry = page.find(id="rnn_examples.gates.lstm.LSTM")
    assert entry.select_one('a[href*="_modules/rnn_examples/gates/lstm.html#LSTM"]')
    used = [a["href"] for a in entry.parent.select(".api-used a")]
    assert "../../../gates/lstm.html" in used
    source = pages["_modules/rnn_examples/gates/lstm.html"].soup()
    back = [a["href"] for a in source.select("a.viewcode-back")]
    assert any(href.endswith("#rnn_examples.gates.lstm.LSTM") for href in back)
    name = pages["gates/lstm.html"].soup().select_one('a.api[href$="lstm.LSTM"]')
    assert name["href"] == (
        "../reference/api/gates/lstm.html#rnn_examples.gates.lstm.LSTM"
    )


def test_every_public_name_of_a_lesson_has_its_entry(pages):
    api = [p for name, p in pages.items() if name.startswith("reference/api/")]
    entries = set().union(*(page.ids for page in api))
    for path in (ROOT / "rnn_examples").glob("*/**/*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and is_public(node):
                assert f"{module}.{node.name}" in entries, "reference/api.md lacks it"
