"""Search by section: 80 questions and more, and the dialog that asks them.

The ranking runs in QuickJS on the records of the built site; a few questions go
through the dialog in Chromium, from a server and from a folder.
"""

import gzip
import json
import re
import tomllib
from pathlib import Path

import pytest
import quickjs

from tests.site.browsing import show, shown, violations

FIRST = 3  # the answer is among so many results
KNOWN = tomllib.loads(Path(__file__).with_name("questions.toml").read_text())
QUESTIONS = list(KNOWN["questions"].items())
EXCEPTIONS = [(entry["pasted"], entry["answer"]) for entry in KNOWN["exceptions"]]
ENGINE = ("_static/vendor/minisearch/index.js", "_static/search_rank.js")


class Engine:
    """The site's own search, without a browser."""

    def __init__(self, html):
        self.js = quickjs.Context()
        for name in (*ENGINE, "search_records.js"):
            self.js.eval((html / name).read_text())
        self.js.eval("S = SectionSearch.open(SECTION_RECORDS); 0")
        self.found = {}
        self.sections = [
            (page["url"], section)
            for page in json.loads(self.js.eval("JSON.stringify(SECTION_RECORDS)"))[
                "pages"
            ]
            for section in page["sections"]
        ]

    def find(self, words, boost=None):
        if boost:
            search = f"SectionSearch.open(SECTION_RECORDS, {json.dumps(boost)})"
            self.js.eval(f"T = globalThis.T || {search}; 0")
        asked = (words, bool(boost))
        if asked not in self.found:
            call = f"{'T' if boost else 'S'}.find({json.dumps(words)})"
            self.found[asked] = json.loads(self.js.eval(f"JSON.stringify({call})"))
        return self.found[asked]

    def addresses(self, targets):
        """Of ``page > part of the heading | ...``, which sections there are."""
        found = set()
        for target in targets.split("|"):
            page, _, words = (part.strip() for part in target.partition(">"))
            for url, section in self.sections:
                title = section["title"].replace("`", "").lower()
                top = not section["anchor"]
                of_page = url.rpartition("/")[2].startswith(page)
                if of_page and (top if not words else not top and words in title):
                    found.add(f"{url}#{section['anchor']}".rstrip("#"))
        return found

    def missed(self, asked, boost=None):
        """The questions whose answer is not among the first results."""
        return [
            words
            for words, targets in asked
            if not self.addresses(targets)
            & {hit["url"] for hit in self.find(words, boost)["hits"][:FIRST]}
        ]


@pytest.fixture(scope="module")
def engine(html):
    return Engine(html)


def text_of(pieces):
    return "".join(piece["text"] for piece in pieces)


def test_there_are_enough_questions():
    assert len(QUESTIONS) >= 80
    assert len(EXCEPTIONS) >= 10


def test_every_question_finds_its_section(engine):
    assert engine.missed(QUESTIONS) == []


def test_a_pasted_exception_finds_its_entry(engine):
    assert engine.missed(EXCEPTIONS) == []
    for words, _ in EXCEPTIONS:  # whatever its numbers
        other = re.sub(r"(?<!\w)\d+(?=[,\])])", lambda n: f"{int(n[0]) + 70}", words)
        first = [hit["url"] for hit in engine.find(words)["hits"][:FIRST]]
        assert [hit["url"] for hit in engine.find(other)["hits"][:FIRST]] == first


@pytest.mark.parametrize(
    ("shapes", "cause"),
    [
        ("(1, 20, 64), got [1, 32, 64]", "batch and time|last batch"),
        ("(4, 32, 64), got [2, 32, 64]", "layers and directions"),
        ("(2, 32, 64), got [32, 2, 64]", "batch_first and the state"),
    ],
)
def test_the_numbers_that_differ_tell_the_cause(engine, shapes, cause):
    for message in ("RuntimeError: Expected hidden size ", "Expected hidden[0] size "):
        first = engine.find(message + shapes)["hits"][0]
        assert re.search(cause, text_of(first["section"]))


def test_these_questions_can_fail(engine):
    assert engine.missed([("forget gate bias", "gru > ")]) == ["forget gate bias"]
    no_headings = {"page": 0.01, "title": 0.01, "lead": 0.01, "about": 0.01}
    without_headings = engine.missed(QUESTIONS[::3], no_headings)
    assert len(without_headings) > 3


@pytest.mark.parametrize("words", ["zzzz qqqq", "", "  ", "?", "the", "\\", "( ["])
def test_anything_can_be_asked(engine, words):
    assert engine.find(words)["hits"] == [] or words == "the"


def test_some_of_the_words_are_better_than_none(engine):
    found = engine.find("forget bias chrysanthemum lstm")
    assert found["hits"] and "forget_bias" in found["hits"][0]["url"]


# ------------------------------------------------------------- what a hit shows

THEME = r"System Settings|Light Dark|Show the (code|answer)|Toggle|Skip to main"


def test_a_record_holds_no_words_of_the_theme_and_no_formula_twice(engine):
    for url, section in engine.sections:
        text = section["text"]
        assert not re.search(THEME, text), url
        # KaTeX's HTML, its MathML and the TeX in it: of these a record has one.
        assert not re.search(r"\\|\u2212", text), (url, section["title"])


def test_a_hit_shows_the_line_with_the_words(engine):
    hit = engine.find("enforce_sorted")["hits"][0]
    marked = [p for p in hit["line"] if p.get("mark")]
    assert any("enforce_sorted" in p["text"] and p["code"] for p in marked)
    for words, _ in QUESTIONS:
        found = engine.find(words)["hits"]
        assert len(found) <= 8
        assert all(len(text_of(hit["line"])) <= 190 for hit in found), words


def test_the_index_is_small_and_ends_what_sphinx_brought(html):
    assert len(gzip.compress((html / "search_records.js").read_bytes())) < 180_000
    for name in ("searchindex.js", "_static/searchtools.js", "_static/doctools.js"):
        assert not (html / name).exists()


# ------------------------------------------------------------------- in a browser

browser = pytest.mark.browser
FIELD = "#ss-dialog input"


def ask(page, words):
    page.keyboard.press("Control+k")
    page.keyboard.insert_text(words)
    page.wait_for_selector("#ss-dialog [role=option]")


@browser
@pytest.mark.parametrize(
    ("words", "page_name"),
    [
        ("batch_first h_n", "recurrence/output_and_h_n.html#"),
        ("vanishing gradient", "gradients/vanishing_exploding.html"),
        (EXCEPTIONS[1][0], "recurrence/errors.html#"),
    ],
)
def test_a_question_is_answered_by_keyboard(one_tab, server, words, page_name):
    one_tab.said.clear()
    page = show(one_tab, server + "index.html")
    ask(page, words)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{page_name}**")
    assert page.said == []


@browser
def test_search_works_from_a_folder(one_tab, html):
    one_tab.said.clear()
    page = show(one_tab, (html / "gates" / "gru.html").as_uri())
    ask(page, "forget gate bias")
    first = page.locator("#ss-dialog [role=option]").first
    assert "forget_bias" in first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url("**/gates/forget_bias.html**")
    page.goto((html / "search.html").as_uri() + "?q=forget+bias")
    page.wait_for_selector("[role=option] mark")
    assert page.said == []


@browser
def test_keys_move_the_choice_and_close_the_dialog(visitor, server):
    page = show(visitor(), server + "gates/gru.html")
    assert not [url for url in page.requests if "minisearch" in url or "records" in url]
    page.keyboard.press("/")
    field = page.locator(FIELD)
    field.press_sequentially("gate o")
    page.wait_for_selector("#ss-dialog [role=option]")
    chosen = page.locator("#ss-dialog [role=option][aria-selected=true]")
    first = chosen.get_attribute("id")
    assert field.get_attribute("aria-activedescendant") == first
    page.keyboard.press("ArrowDown")
    assert field.get_attribute("aria-activedescendant") != first
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # round to the last
    assert chosen.count() == 1 and chosen.get_attribute("id") != first
    assert re.search(r"\d+ sections", page.locator(".ss-status").inner_text())
    field.fill("/")  # a slash in the field is a slash
    assert field.input_value() == "/"
    page.keyboard.press("Escape")
    assert not page.locator("#ss-dialog").is_visible()


@browser
def test_a_hit_on_the_same_page_closes_the_dialog(one_tab, server):
    page = show(one_tab, server + "gates/which_gru.html")
    ask(page, "update gate z or 1 - z")
    page.locator("#ss-dialog [role=option]").first.click()
    page.wait_for_url("**/which_gru.html#*")
    assert not page.locator("#ss-dialog").is_visible()


@browser
def test_whatever_says_so_opens_the_search_with_its_words(one_tab, server):
    page = show(one_tab, server + "gates/gru.html")
    page.evaluate(
        """document.body.insertAdjacentHTML("afterbegin",
        "<button data-open-search='clip_grad_norm_'>clip</button>")"""
    )
    page.get_by_role("button", name="clip", exact=True).click()
    page.wait_for_selector("#ss-dialog [role=option]")
    assert page.locator(FIELD).input_value() == "clip_grad_norm_"


@browser
def test_finding_nothing_offers_help(one_tab, server):
    page = show(one_tab, server + "index.html")
    page.keyboard.press("Control+k")
    page.keyboard.insert_text("zzzz qqqq")
    page.wait_for_selector("#ss-dialog .ss-help a")
    assert "Nothing" in page.locator(".ss-status").inner_text()
    links = page.locator("#ss-dialog .ss-help a").all()
    assert any("errors.html" in link.get_attribute("href") for link in links)


@browser
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_dialog_is_accessible_and_fits(visitor, server, size):
    page = show(visitor(size), server + "gates/gru.html")
    ask(page, "pack_padded_sequence")
    for scheme in ("light", "dark"):
        shown(page, scheme)
        assert violations(page, within="#ss-dialog") == []
    assert (
        page.evaluate("document.querySelector('#ss-dialog').scrollWidth")
        <= (page.viewport_size["width"])
    )


@browser
def test_the_search_page_asks_for_its_words_and_lists_all_pages(visitor, server):
    page = show(visitor(), server + "search.html?q=vanishing+gradient")
    page.wait_for_selector("[role=option]")
    assert page.locator(".ss-live input").input_value() == "vanishing gradient"
    page.locator(".ss-live input").fill("zoneout")
    page.wait_for_url("**/search.html?q=zoneout")
    page = show(visitor(java_script_enabled=False), server + "search.html?q=lstm")
    assert page.locator(".ss-pages a:visible").count() > 15
    assert page.get_by_text("needs JavaScript").is_visible()
