"""The built site in a real Chromium: make test-browser."""

import gzip
import shutil
import zipfile
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tests.site.browsing import SIZES, show, shown

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "docs" / "_vendor" / "axe" / "axe.min.js"
PAGES = sorted(
    str(p.relative_to(ROOT / "docs").with_suffix(".html"))
    for p in (ROOT / "docs").rglob("[a-z]*.md")
    if "_" not in p.relative_to(ROOT / "docs").parts[0]
)
BUDGET = 200_000  # bytes that a first visit transfers, gzip


# One load serves the tests of a page in a width. Each width starts in another
# scheme, so that both are also seen as the first one.
FIRST = {"desktop": "light", "phone": "dark"}


@pytest.fixture(
    scope="module",
    params=[(name, size) for name in [*PAGES, "search.html"] for size in SIZES],
    ids=" ".join,
)
def opened(request, visitor, server):
    name, size = request.param
    page = visitor(size, FIRST[size])
    page.name = name
    page.size = size
    yield show(page, server + name)
    page.context.close()


def violations(page):
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    # Told so, axe does not describe each of the thousands of nodes that passed.
    run = "axe.run({resultTypes: ['violations']}).then(found => found.violations)"
    return [
        f"{v['id']}: {n['html'][:120]} {n['failureSummary'][:300]}"
        for v in page.evaluate(run)
        for n in v["nodes"]
    ]


def transferred(requests, server, html):
    total = 0
    for url in set(requests):
        path = html / url.removeprefix(server).partition("?")[0].partition("#")[0]
        data = path.read_bytes()
        small = data if path.suffix == ".woff2" else gzip.compress(data, 6)
        total += len(small)
    return total


def test_every_page_was_built(html):
    built = {str(p.relative_to(html)) for p in html.rglob("*.html")}
    assert PAGES and set(PAGES) <= built


def test_a_first_visit_is_light_and_quiet(opened, server, html):
    theme = opened.evaluate("document.documentElement.dataset.theme")
    assert theme == FIRST[opened.size]
    assert [u for u in opened.requests if not u.startswith(server)] == []
    assert opened.said == []
    if opened.name != "search.html":
        assert transferred(opened.requests, server, html) <= BUDGET


def too_wide(page):
    """By how many pixels the page scrolls sideways."""
    root = "document.documentElement"
    return max(0, page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(opened, scheme):
    page = shown(opened, scheme)
    assert too_wide(page) == 0
    assert violations(page) == []
    assert page.said == []


def test_print_shows_the_text_alone(opened):
    page = shown(opened, "dark", "print")
    assert page.locator("h1:visible").count() == 1
    for part in [".bd-sidebar-primary", ".bd-header-article", "button", "footer"]:
        assert page.locator(f"{part}:visible").count() == 0, part
    if page.name != "search.html":
        style = "getComputedStyle(document.querySelector('article p'))"
        assert page.evaluate(f"{style}.color") in ("rgb(0, 0, 0)", "rgb(33, 37, 41)")
    # A white span of an equation would lie over the line above it; code is on white.
    behind = {".katex span": "rgba(0, 0, 0, 0)", "article pre": "rgb(255, 255, 255)"}
    for part, colour in behind.items():
        found = page.locator(part).evaluate_all(
            "all => [...new Set(all.map(e => getComputedStyle(e).backgroundColor))]"
        )
        assert found in ([], [colour]), (part, found)


CONTROLS = """[...document.querySelectorAll(
    'a[href], button, summary, input, [tabindex="0"]')]
    .filter(e => e.checkVisibility({visibilityProperty: true})
        && e.tabIndex >= 0 && !e.closest('[inert]'))"""
# Note each control that the focus comes to, and whether one can see it there.
WATCH = """() => {
    window.stops = [];
    addEventListener('focusin', ({target}) => {
        const s = getComputedStyle(target);
        stops.push([target.dataset.tabStop, target.outerHTML.slice(0, 100),
            s.outlineStyle != 'none' || s.boxShadow != 'none'
            || s.textDecorationLine != 'none']);
    });
}"""


def walked(page):
    """Press Tab through the page: the controls missed, and those not seen."""
    count = page.evaluate(f"{CONTROLS}.map((e, i) => e.dataset.tabStop = i).length")
    page.evaluate(WATCH)
    for _ in range(count + 20):
        page.keyboard.press("Tab")
    stops = page.evaluate("stops")
    there = page.evaluate(
        f"{CONTROLS}.filter(e => e.dataset.tabStop !== undefined)"
        ".map(e => [e.dataset.tabStop, e.outerHTML.slice(0, 100)])"
    )
    reached = {stop for stop, _, _ in stops}
    missed = [html for stop, html in there if stop not in reached]
    assert there and stops
    return missed, [html for stop, html, seen in stops if stop and not seen]


def test_every_control_is_reached_by_tab_and_seen(opened):
    assert walked(shown(opened, "light")) == ([], [])


def test_these_checks_can_fail(visitor, server, html):
    page = show(visitor(), server + "index.html")
    assert transferred(page.requests, server, html) > 0.2 * BUDGET

    def add(text):
        page.evaluate("t => document.body.insertAdjacentHTML('beforeend', t)", text)

    add('<img src=""><p style="width: 2000px">wide</p>')
    assert any(v.startswith("image-alt") for v in violations(page))
    assert too_wide(page) > 0
    hide = "outline: none !important; box-shadow: none !important;"
    add(f"<style>:focus {{ {hide} text-decoration: none !important }}</style>")
    keep = "e => e.addEventListener('keydown', event => event.preventDefault())"
    page.locator("footer a, article a").last.evaluate(keep)
    add("<button>after the trap</button>")
    missed, unseen = walked(page)
    assert "after the trap" in missed[-1] and unseen


# What a learner types -> the page that answers it.
QUESTIONS = {
    "batch_first": "reference/notation",
    "batch_first h_n": "recurrence/output_and_h_n",
    "difference output h_n": "recurrence/output_and_h_n",
    "bidirectional summary": "recurrence/output_and_h_n",
    "order of layers and directions": "recurrence/output_and_h_n",
    "one unbatched sequence": "recurrence/output_and_h_n",
    "two biases": "recurrence/parameters",
    "weight_ih_l0 shape": "recurrence/parameters",
    "gate order": "gates/lstm",
    "forget gate bias": "gates/lstm",
    "which GRU": "gates/gru",
    "reset_after": "gates/gru",
    "linear_before_reset": "gates/gru",
    "zero padding harmless": "recurrence/variable_length",
    "lengths must be on the CPU": "recurrence/variable_length",
    "last valid output": "recurrence/variable_length",
    "enforce_sorted": "recurrence/variable_length",
    "detach the hidden state": "gradients/stateful",
    "backward through the graph a second time": "gradients/stateful",
    "when to reset the hidden state": "gradients/stateful",
    "short last batch": "gradients/stateful",
    "truncated BPTT": "gradients/truncation",
    "backpropagation through time": "gradients/bptt",
    "vanishing gradient": "gradients/vanishing_exploding",
    "clip_grad_norm_": "gradients/vanishing_exploding",
    "NaN loss": "gradients/vanishing_exploding",
    "dropout with one layer": "recurrence/layers",
    "teacher forcing": "recurrence/output_recurrence",
    "why tanh and not relu": "recurrence/nonlinearity",
    "float64 input": "recurrence/errors",
    "Expected hidden size": "recurrence/errors",
    "input.size(-1) must be equal to input_size": "recurrence/errors",
    "flatten_parameters": "recurrence/drop_in",
    "view transpose": "sequences/order",
    "write a custom cell": "gates/custom_cells",
    "peephole": "gates/custom_cells",
    "variational dropout": "gates/custom_cells",
    "counting unit": "gates/memory",
}


@pytest.mark.parametrize("words", QUESTIONS)
def test_search_finds_a_learners_words(one_tab, server, words):
    one_tab.said.clear()
    page = show(one_tab, server + "search.html?q=" + quote_plus(words))
    page.wait_for_selector("ul.search li a")
    links = page.eval_on_selector_all("ul.search li a", "a => a.map(x => x.href)")
    first = [link.removeprefix(server).partition(".html")[0] for link in links[:5]]
    assert QUESTIONS[words] in first
    assert page.said == []


def test_one_search_box_opens_by_click_and_by_key(visitor, server):
    page = show(visitor(), server + "index.html")
    buttons = page.locator("button.search-button__button:visible")
    assert buttons.count() == 1
    buttons.click()
    field = page.locator("dialog input[name=q]")
    field.wait_for(state="visible")
    field.fill("batch_first")
    field.press("Enter")
    page.wait_for_selector("ul.search li a")
    page.wait_for_load_state("networkidle")  # the search reads each page it found
    page.goto(server + "index.html")
    page.keyboard.press("Control+k")
    field.wait_for(state="visible")
    assert page.said == []


def test_search_button_on_a_phone(visitor, server):
    page = show(visitor("phone"), server + "index.html")
    assert page.locator("button.search-button__button:visible").count() == 1


@pytest.fixture(scope="session")
def unzipped(tmp_path_factory, html):
    """The site after a trip through a zip file, in another folder."""
    folder = tmp_path_factory.mktemp("zip")
    shutil.make_archive(folder / "site", "zip", html)
    with zipfile.ZipFile(folder / "site.zip") as archive:
        archive.extractall(folder / "there")
    return folder / "there"


@pytest.mark.parametrize("name", PAGES)
def test_works_from_a_folder(one_tab, unzipped, name):
    one_tab.said.clear()
    page = show(one_tab, (unzipped / name).as_uri())
    assert page.said == []
    assert page.locator("h1:visible").count() == 1


def test_copy_button_copies_code_without_output(visitor, server):
    may = ["clipboard-read", "clipboard-write"]
    page = show(visitor(permissions=may), server + "recurrence/elman.html")
    cell = page.locator("div.cell", has_text="W_ih.shape").first
    assert cell.locator(".cell_output button.copybtn").count() == 0
    cell.locator(".cell_input button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")
    assert "nn.RNN(input_size=5, hidden_size=2" in copied
    assert "torch.Size" not in copied and ">>>" not in copied
    compile(copied, "copied", "exec")


@pytest.mark.parametrize("size", SIZES)
def test_contents_toggle_does_something(visitor, server, size):
    page = show(visitor(size), server + "recurrence/elman.html")
    for button in page.locator(".sidebar-toggle:visible").all():
        links = "[...document.querySelectorAll('a')].filter(e => {const r = "
        links += "e.getBoundingClientRect(); return e.checkVisibility() && r.right > 0"
        links += " && r.left < innerWidth && r.height > 0}).length"
        before = page.evaluate(links)
        button.click()
        page.wait_for_timeout(500)
        assert page.evaluate(links) != before, button.evaluate("e => e.outerHTML")
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
