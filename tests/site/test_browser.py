"""The built site in a real Chromium: make test-browser (after make html)."""

import gzip
import os
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote_plus

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
HTML = ROOT / "docs" / "_build" / "html"
AXE = ROOT / "docs" / "_vendor" / "axe" / "axe.min.js"
PAGES = sorted(
    str(p.relative_to(ROOT / "docs").with_suffix(".html"))
    for p in (ROOT / "docs").rglob("[a-z]*.md")
    if "_" not in p.relative_to(ROOT / "docs").parts[0]
)
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
BUDGET = 200_000  # bytes that a first visit transfers, gzip


@pytest.fixture(scope="session")
def browser():
    names = ["chromium", "chromium-browser", "google-chrome"]
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), 0)
    if not path:
        pytest.exit(
            "no Chromium found; install one (Debian: apt install chromium) or "
            "name it: make test-browser CHROMIUM=/path/to/chrome",
            returncode=1,
        )
    if not (HTML / "index.html").exists():
        pytest.exit("no site to look at; run make html first", returncode=1)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = partial(Quiet, directory=HTML)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def visit(browser):
    """Open a page in a fresh profile; what it asked for and said is kept."""
    contexts = []

    def visit(url, size="desktop", scheme="light", **options):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.requests, page.said = [], []
        page.on("request", lambda r: page.requests.append(r.url))
        page.on("requestfailed", lambda r: page.said.append(f"failed: {r.url}"))
        page.on("response", lambda r: r.status < 400 or page.said.append(r.url))
        page.on("console", lambda m: page.said.append(m.text))
        page.on("pageerror", lambda e: page.said.append(str(e)))
        page.goto(url)
        page.wait_for_load_state("networkidle")
        return page

    yield visit
    for context in contexts:
        context.close()


def violations(page):
    page.evaluate(AXE.read_text())
    # Told so, axe does not describe each of the thousands of nodes that passed.
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{v['id']}: {n['html'][:120]} {n['failureSummary'][:300]}"
        for v in found
        for n in v["nodes"]
    ]


def transferred(requests, server):
    total = 0
    for url in set(requests):
        path = HTML / url.removeprefix(server).partition("?")[0].partition("#")[0]
        data = path.read_bytes()
        small = data if path.suffix == ".woff2" else gzip.compress(data, 6)
        total += len(small)
    return total


def test_every_page_was_built():
    built = {str(p.relative_to(HTML)) for p in HTML.rglob("*.html")}
    assert set(PAGES) <= built and len(PAGES) >= 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*PAGES, "search.html"])
def test_page(visit, server, name, size, scheme):
    page = visit(server + name, size, scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert [u for u in page.requests if not u.startswith(server)] == []
    assert page.said == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, "the page scrolls sideways"
    if name != "search.html":
        assert transferred(page.requests, server) <= BUDGET
    assert violations(page) == []


def test_axe_can_fail(visit, server):
    page = visit(server + "index.html")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"\">')")
    assert any(v.startswith("image-alt") for v in violations(page))


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
def test_search_finds_a_learners_words(visit, server, words):
    page = visit(server + "search.html?q=" + quote_plus(words))
    page.wait_for_selector("ul.search li a")
    links = page.eval_on_selector_all("ul.search li a", "a => a.map(x => x.href)")
    first = [link.removeprefix(server).partition(".html")[0] for link in links[:5]]
    assert QUESTIONS[words] in first
    assert page.said == []


def test_one_search_box_opens_by_click_and_by_key(visit, server):
    page = visit(server + "index.html")
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


def test_search_button_on_a_phone(visit, server):
    page = visit(server + "index.html", "phone")
    assert page.locator("button.search-button__button:visible").count() == 1


@pytest.fixture(scope="session")
def unzipped(tmp_path_factory):
    """The site after a trip through a zip file, in another folder."""
    folder = tmp_path_factory.mktemp("zip")
    shutil.make_archive(folder / "site", "zip", HTML)
    with zipfile.ZipFile(folder / "site.zip") as archive:
        archive.extractall(folder / "there")
    return folder / "there"


@pytest.mark.parametrize("name", PAGES)
def test_works_from_a_folder(visit, unzipped, name):
    page = visit((unzipped / name).as_uri())
    assert page.said == []
    assert page.locator("h1:visible").count() == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_every_control_is_reached_by_tab(visit, server, name, size):
    page = visit(server + name, size)
    controls = """[...document.querySelectorAll(
        'a[href], button, summary, input, [tabindex="0"]')]
        .filter(e => e.checkVisibility({visibilityProperty: true})
            && e.tabIndex >= 0 && !e.closest('[inert]'))"""
    count = page.evaluate(
        f"{controls}.map((e, i) => e.dataset.tabStop = i).length", None
    )
    seen, unseen_focus = set(), []
    for _ in range(count + 20):
        page.keyboard.press("Tab")
        stop, outlined = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.dataset.tabStop, s.outlineStyle != 'none'
                || s.boxShadow != 'none' || s.textDecorationLine != 'none'] }"""
        )
        if stop is not None:
            seen.add(int(stop))
            if not outlined:
                unseen_focus.append(
                    page.evaluate("document.activeElement.outerHTML")[:100]
                )
    missed = page.evaluate(
        f"{controls}.filter(e => e.dataset.tabStop !== undefined)"
        ".map(e => [+e.dataset.tabStop, e.outerHTML.slice(0, 100)])"
    )
    assert [html for stop, html in missed if stop not in seen] == []
    assert unseen_focus == []


def test_copy_button_copies_code_without_output(visit, server):
    page = visit(
        server + "recurrence/elman.html",
        permissions=["clipboard-read", "clipboard-write"],
    )
    cell = page.locator("div.cell", has_text="W_ih.shape").first
    assert cell.locator(".cell_output button.copybtn").count() == 0
    cell.locator(".cell_input button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")
    assert "nn.RNN(input_size=5, hidden_size=2" in copied
    assert "torch.Size" not in copied and ">>>" not in copied
    compile(copied, "copied", "exec")


@pytest.mark.parametrize("name", PAGES)
def test_print_shows_the_text_alone(visit, server, name):
    page = visit(server + name, scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("h1:visible").count() == 1
    for part in [".bd-sidebar-primary", ".bd-header-article", "button", "footer"]:
        assert page.locator(f"{part}:visible").count() == 0, part
    style = "getComputedStyle(document.querySelector('article p'))"
    assert page.evaluate(f"{style}.color") in ("rgb(0, 0, 0)", "rgb(33, 37, 41)")


@pytest.mark.parametrize("size", SIZES)
def test_contents_toggle_does_something(visit, server, size):
    page = visit(server + "recurrence/elman.html", size)
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
