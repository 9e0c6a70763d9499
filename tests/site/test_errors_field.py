"""The field of the errors page, as someone with a traceback uses it."""

import random
import re

import pytest

from tests.site.browsing import show, until
from tests.site.test_errors_page import ENTRIES, run

pytestmark = pytest.mark.browser
FIELD = "#error-message"
SHOWN = "[...document.querySelectorAll('.error-entry:not([hidden])')].map(e => e.id)"
TRACEBACK = """\
Traceback (most recent call last):
  File "/home/me/train.py", line 128, in <module>
    loss = step(model, batch, hidden)
  File "/opt/torch/nn/modules/module.py", line 1775, in _wrapped_call_impl
    return self._call_impl(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"""


@pytest.fixture(scope="module")
def page(server, visitor):
    page = show(visitor(), f"{server}recurrence/errors.html")
    yield page
    assert page.said == []


def found(page, text):
    page.fill(FIELD, text)
    return page.evaluate(SHOWN)


def renumbered(text):
    """The message of someone else's sizes."""
    numbers = random.Random(0)
    return re.sub(r"\b\d+\b", lambda m: str(numbers.randint(10, 999)), text)


def test_each_entry_is_found_by_its_message(page):
    """With other numbers and a traceback; few others are shown with it."""
    missed, crowd = [], {}
    for entry in ENTRIES:
        said = run(entry.cells[0][1]) if entry.cells else entry.message
        if not said:  # it is a silent mistake
            continue
        shown = found(page, TRACEBACK + renumbered(said))
        if entry.ids[0] not in shown:
            missed.append(entry.ids[0])
        if len(shown) > 4:
            crowd[entry.ids[0]] = shown
    assert not missed and not crowd


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hidden[0] size", "hidden-size-last-batch"),
        ("must be sorted", "lengths-sorted"),
        ("last batch", "hidden-size-last-batch"),
        ("retain_gra", "backward-inplace"),
        # Half of a line, and another layer's words for the same.
        ("size(-1) must be equal to input_si", "input-size"),
        ("Error: Expected hidden size (2, 30, 8), got [2, 32, 8]", "hidden-size-batch"),
        ("[rank0]: ValueError: GRU: Expected input to be 2D or 3D", "input-dim"),
        ("got 1D cuda:0 Long tensor for 'lengths' argument", "lengths-cpu"),
        # Two errors in a chain: the last one counts.
        ("KeyError: 'x'\n\nDuring handling\n\nIndexError: index 1 is out of bounds for "
         "dimension 0 with size 1", "state-tensor"),
    ],
)  # fmt: skip
def test_what_people_type_and_paste(page, text, wanted):
    shown = found(page, text)
    assert any(name.startswith(wanted) for name in shown) and len(shown) < 9


def test_nothing_like_it_says_so(page):
    assert found(page, "ModuleNotFoundError: No module named 'flash_attn'") == []
    assert "No entry" in page.inner_text(".error-search [role=status]")


def test_all_come_back(page):
    assert len(found(page, "")) == len(ENTRIES)
    assert page.locator(".error-list").is_visible()
    found(page, "must be sorted")
    assert page.locator(".error-list").is_hidden()
    assert page.locator(".error-group:not([hidden])").count() == 1
    page.click("text=Show all")
    until(page, f"{SHOWN}.length == {len(ENTRIES)}")
    assert page.input_value(FIELD) == "" and page.locator(".error-list").is_visible()


def test_a_link_shows_an_entry_that_was_filtered_away(page):
    found(page, "must be sorted")
    page.evaluate("location.hash = '#load-size'")
    until(page, f"{SHOWN}.includes('load-size')")
    assert page.locator("#load-size h3").is_visible()


def test_another_page_may_ask(server, visitor):
    asked = "recurrence/errors.html?message=must+be+sorted"
    page = show(visitor(), server + asked)
    assert page.evaluate(SHOWN) == ["lengths-sorted"]


def test_without_a_script_all_is_there(server, visitor):
    page = show(visitor(java_script_enabled=False), f"{server}recurrence/errors.html")
    assert page.locator(".error-search").is_hidden()
    assert page.locator(".error-list li").count() == len(ENTRIES)
    assert page.locator("#load-size .error-pair").is_visible()
