"""Sentences and their checks: bound, or the build is red."""

import pytest
from bs4 import BeautifulSoup
from claims import ClaimError, falsified, kinds_of, sentences

from tests.extensions.test_blocks import cell
from tests.sites import CONF, HEAD

CLAIMS = CONF.replace('"example",', '"example", "blocks", "claims",')
CHECK = cell(
    "assert two == 2",
    ":check: two is 2",
    ":claims: exact a-two",
    ":fails-if: two = 3",
)
SET_UP = cell("two = 2")
LIST = "# Claims\n\n```{claims}\n```\n"


def build(site, *parts, conf=CLAIMS, tests=""):
    site.conf(conf)
    site.index("a", "reference/claims")
    site.write("docs/reference/claims.md", LIST)
    site.write("docs/a.md", HEAD + "\n\n".join(parts))
    site.write("tests/test_a.py", tests)
    return site.build()


def refused(site, *parts, **options):
    done = build(site, *parts, **options)
    assert done.returncode == 1
    return " ".join(done.stderr.split())


def pages(site, *parts, **options):
    done = build(site, *parts, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    found = []
    for name in ("a", "reference/claims"):
        text = (site.html / f"{name}.html").read_text()
        found.append(BeautifulSoup(text, "html.parser"))
    return found


def test_a_claim_opens_its_check_and_stands_in_the_list(site):
    two = "Two, $2$, is [`two`](https://example.org) **always**. {claim}`a-two`"
    page, listed = pages(site, SET_UP, f"One is less. {two} More.", CHECK)
    mark = page.select_one("a.claim")
    assert mark.get_text() == "exact" and mark["href"] == "#check-a-two"
    check = page.select_one("#check-a-two")
    assert "assert two == 2" in check.get_text() and check.find_parent("details")
    entry = listed.select_one("#claim-a-two")
    sentence = entry.select_one("p")
    assert " ".join(sentence.get_text().split()).endswith("is two always.")
    assert "One" not in sentence.get_text() and sentence.select_one(".math, .katex")
    assert {a["href"] for a in entry.select("a")} == {
        "../a.html#claim-a-two",
        "../a.html#check-a-two",
    }
    assert "1 claims: 1 exact." in listed.get_text()


def test_a_test_checks_a_claim_and_its_source_is_shown(site):
    tests = (
        "import pytest\n\n"
        '@pytest.mark.claim("a-two", kind="searched", budget="9 draws",'
        ' false="test_f")\n'
        "def test_two():\n    assert 1 + 1 == 2\n\ndef test_f():\n    pass\n"
    )
    page, listed = pages(site, "Two is always 2. {claim}`a-two`", tests=tests)
    href = page.select_one("a.claim")["href"]
    assert href == "reference/claims.html#claim-a-two"
    entry = listed.select_one("#claim-a-two").get_text()
    assert "searched · 9 draws" in entry and "assert 1 + 1 == 2" in entry
    site.write("tests/test_a.py", tests.replace("searched", "exhaustive"))
    assert "a" in site.ran()
    site.write("tests/test_a.py", tests.replace("test_f", "test_g", 1))
    assert "names the test that has seen it fail" in site.build().stderr


STRONG = """
It is never 3.

**Two is 2.**

- It is 2, because it is.

## What to remember

- Two is even.
"""


def test_a_strong_sentence_is_a_claim_or_the_page_is_red(site):
    said = refused(site, SET_UP, STRONG)
    for sentence in ("It is never 3.", "Two is 2.", "It is 2, because", "Two is even."):
        assert f"no claim: {sentence}" in said
    pages(site, SET_UP, STRONG, conf=CLAIMS + 'claims_due = ["a"]\n')


OTHERS = """
It is 2.

The **only** word is `never`. {given}`definition`

**Words** in bold.

## Exercises

Is it always 2?
"""


def test_other_sentences_need_none(site):
    page, listed = pages(site, SET_UP, OTHERS)
    assert not page.select(".claim") and "definition" not in page.get_text()
    assert "claim nothing: 1 as definition" in listed.get_text()


def wrong(name, old, new):
    return CHECK.replace("a-two", name).replace(old, new)


UNBOUND = {
    "A. {claim}`unchecked`": "claim 'unchecked' has no check",
    wrong("unsaid", "", ""): "no sentence for the check of 'unsaid'",
    "A. {cited}`twice` B. {cited}`twice`": "claim 'twice' stands twice",
    "A source. {cited}`unlinked`": "unlinked: a cited sentence has its source",
    "So. {given}`habit`": "{given} is one of definition",
    wrong("b", "exact", "sure"): "a claim is one of exact",
    wrong("c", "exact", "searched"): "a searched claim says how hard",
    wrong("d", ":fails-if: two = 3\n", ""): "no false version",
    wrong("e", "two = 3", "== 2 => != 2"): "change what is compared, not how",
    wrong("f", "two = 3", "four => two"): "the cell does not hold 'four'",
    wrong("g", "assert two == 2", "two"): "holds asserts",
}


def test_what_is_not_bound_is_refused(site):
    said = refused(site, SET_UP, *UNBOUND)
    for complaint in UNBOUND.values():
        assert complaint in said


def test_the_false_version_changes_the_subject():
    assert falsified("assert a == 2", "a = 3") == "a = 3\nassert a == 2"
    assert falsified("assert a[0] == 2", "a[0] => a[1]") == "assert a[1] == 2"


def test_kinds_and_sentences_are_read():
    assert kinds_of("exact a b; measured c") == {
        "a": "exact",
        "b": "exact",
        "c": "measured",
    }
    with pytest.raises(ClaimError, match="name the claims"):
        kinds_of("exact")
    text = "One is 0.5 so. Two? \x01 Three: four. \x01\x01 Five"
    assert sentences(text) == [
        "One is 0.5 so.",
        " Two? \x01",
        " Three: four. \x01\x01",
        " Five",
    ]
