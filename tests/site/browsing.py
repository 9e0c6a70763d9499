"""What the tests in a browser share: make test-browser."""

from pathlib import Path

AXE = Path(__file__).parents[2] / "docs" / "_vendor" / "axe" / "axe.min.js"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}

MATH = """[...document.querySelectorAll('.katex-html')].filter(e =>
    getComputedStyle(e).color != getComputedStyle(e.closest('.math')).color
    || [...e.querySelectorAll('[style*=color]')].length)
    .map(e => e.textContent)"""


def show(page, url):
    page.goto(url)
    page.wait_for_load_state("networkidle")
    return page


def shown(page, scheme, media="screen"):
    """The open page in a color scheme, which the site follows until one clicks."""
    page.emulate_media(media=media, color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]", state="attached", timeout=5000)
    # Half way from one color to the other, the contrast is neither's.
    ends = "a.effect.getComputedTiming().endTime < Infinity"
    page.evaluate(f"document.getAnimations().forEach(a => {ends} && a.finish())")
    return page


def until(page, condition):
    """Wait for a condition; Playwright's own way asks for eval, which no page has."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 5 s: {condition}")


def violations(page, rules=None, within="html"):
    """What axe finds on the page or a part of it, one line a node; all rules, or some.

    What KaTeX draws for the eye is hidden from a screen reader and has the color
    of the text around it: two thirds of a page's nodes, looked at once here.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    assert page.evaluate(MATH) == []
    # Told so, axe does not describe each of the thousands of nodes that passed.
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    where = {"include": [[within]], "exclude": [[".katex-html"]]}
    run = "([where, how]) => axe.run(where, how).then(found => found.violations)"
    return [
        f"{v['id']}: {n['html'][:120]} {n['failureSummary'][:300]}"
        for v in page.evaluate(run, [where, options])
        for n in v["nodes"]
    ]
