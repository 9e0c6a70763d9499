"""The copy button in a browser: what it puts on the clipboard runs."""

import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from tests.site.browsing import SIZES, show
from tests.site.test_copied import blocks_of, copied

pytestmark = pytest.mark.browser
MAY = ["clipboard-read", "clipboard-write"]


def button_of(page, block):
    return page.locator(f"#{block} button.copybtn")


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")


def chosen(html):
    """A block that stands alone, one that goes on from others, a shown function."""
    page = html / "gates" / "lstm.html"
    soup = BeautifulSoup(page.read_text(), "html.parser")
    folded = {block["id"] for block in soup.select("details [id^=code-]")}
    blocks = blocks_of(page)
    seen = {n: b for n, b in blocks.items() if n not in folded}
    alone = next(n for n, b in seen.items() if not b[1] and "LSTM(" in b[2])
    goes_on = next(n for n, b in seen.items() if len(b[1]) > 1)
    shown = next(n for n, b in seen.items() if b[2].startswith("def lstm_step"))
    return {n: copied(blocks, n) for n in (alone, goes_on, shown)}


def test_what_is_copied_is_what_the_tests_ran_and_runs(html, server, visitor):
    page = show(visitor(permissions=MAY), server + "gates/lstm.html")
    for block, text in chosen(html).items():
        button_of(page, block).click()
        page.locator("[role=status]", has_text="Copied").wait_for(state="attached")
        assert clipboard(page) == text
        done = subprocess.run([sys.executable, "-"], input=text, text=True)
        assert done.returncode == 0, text
        page.evaluate("document.querySelector('[role=status]').textContent = ''")
    assert page.said == []


def test_it_says_what_comes_along(html, server, visitor):
    page = show(visitor(permissions=MAY), server + "gates/lstm.html")
    alone, goes_on, _ = chosen(html)
    assert button_of(page, alone).get_attribute("title") == "Copy this code"
    count = len(blocks_of(html / "gates" / "lstm.html")[goes_on][1])
    button = button_of(page, goes_on)
    assert f"with {count} blocks above" in button.get_attribute("title")
    button.click()
    said = page.locator("[role=status]", has_text="Copied")
    said.wait_for(state="attached")
    assert said.inner_text() == f"Copied with {count} blocks above"


def test_it_is_reached_and_used_by_keyboard(html, server, visitor):
    page = show(visitor(permissions=MAY), server + "gates/lstm.html")
    block, text = next(iter(chosen(html).items()))
    page.locator(f"#{block} pre").focus()
    if page.evaluate("document.activeElement.tagName") != "PRE":
        page.locator(f"#{block} pre").click()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "copybtn"
    assert button_of(page, block).evaluate("e => getComputedStyle(e).opacity") == "1"
    page.keyboard.press("Enter")
    page.locator("[role=status]", has_text="Copied").wait_for(state="attached")
    assert clipboard(page) == text
    assert page.evaluate("document.activeElement.className") == "copybtn"


def test_it_copies_without_the_clipboard_interface(html, visitor):
    """As on a page that is served without https."""
    page = visitor(permissions=MAY)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: null})")
    show(page, (html / "gates" / "lstm.html").as_uri())
    page.evaluate(
        "document.addEventListener('copy', () => "
        "{ window.taken = String(document.activeElement.value) })"
    )
    block, text = next(iter(chosen(html).items()))
    button_of(page, block).click()
    page.locator("[role=status]", has_text="Copied").wait_for(state="attached")
    assert page.evaluate("window.taken") == text
    assert page.locator("textarea").count() == 0


@pytest.mark.parametrize("size", SIZES)
def test_it_covers_no_code_and_can_be_touched(html, server, visitor, size):
    page = show(visitor(size), server + "gates/lstm.html")
    box = button_of(page, next(iter(chosen(html)))).bounding_box()
    assert min(box["width"], box["height"]) >= (40 if size == "phone" else 24)
    assert page.locator(".output button.copybtn").count() == 0
