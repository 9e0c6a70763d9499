"""What a page prints, in Chromium's own PDF: make test-browser."""

import numpy as np
import pypdfium2
import pytest

from tests.site.browsing import show

pytestmark = pytest.mark.browser

PAGES = ["gates/lstm", "gates/gru", "gradients/bptt", "recurrence/elman"]
# Each equation alone on a sheet, as large in one style as in the other.
ALONE = """
    .bd-article { font-size: 10.5pt !important; }
    body * { visibility: hidden !important; }
    div.math, div.math * { visibility: visible !important; }
    div.math { mask: none !important; break-before: page !important; }
    div.math .headerlink { display: none !important; }
    @media screen { div.math * { color: #000 !important; } }
"""
# What the site's own rule for paper once did to three of the LSTM's equations.
WHITE = "@media print { .katex span { background: #fff !important; } }"


@pytest.fixture
def paper(one_tab, server):
    def paper(name, style=ALONE):
        show(one_tab, f"{server}{name}.html").add_style_tag(content=style)
        return one_tab

    return paper


def ink(page, media) -> list[int]:
    """How many pixels of each sheet are dark, of those that are not empty.

    With the styles of the screen or of paper, drawn by the same program: the
    screen's own pixels differ by 4 % in how they smooth a letter.
    """
    page.emulate_media(media=media)
    pdf = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    sheets = [np.asarray(sheet.render(scale=2).to_pil().convert("L")) for sheet in pdf]
    return [dark for sheet in sheets if (dark := int((sheet < 128).sum()))]


def worst(page) -> float:
    """By which part the ink of an equation differs most, paper and screen."""
    screen, printed = ink(page, "screen"), ink(page, "print")
    assert len(screen) == len(printed) == page.locator("div.math").count()
    return max(abs(p / s - 1) for p, s in zip(printed, screen, strict=True))


@pytest.mark.parametrize("name", PAGES)
def test_paper_has_the_ink_of_every_equation(paper, name):
    assert worst(paper(name)) < 0.02


def test_a_white_span_is_noticed(paper):
    page = paper("gates/lstm")
    page.add_style_tag(content=WHITE)
    assert worst(page) > 0.02


def printed(page) -> str:
    pdf = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    return " ".join(" ".join(s.get_textpage().get_text_range() for s in pdf).split())


def test_paper_has_messages_answers_and_the_address(paper):
    text = printed(paper("gradients/stateful", " "))
    assert "Trying to backward through the graph a second time" in text
    assert "retain_graph=True if you need to backward" in text  # how it ends
    assert "gradients/stateful.html" in text
    for button in ["Search", "Copy", "On this page", "Cite this site", "Next"]:
        assert button not in text
    text = printed(paper("gates/lstm", " "))
    assert "g is 1 with a flag and 0 without" in text  # in the first answer
