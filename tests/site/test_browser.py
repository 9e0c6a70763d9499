"""The frame of every page in a real Chromium: make test-browser."""

import gzip
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.site.browsing import SIZES, show, shown, violations

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
# One page of the API is made as all are, and so is one page of source.
PAGES = sorted(
    str(p.relative_to(ROOT / "docs").with_suffix(".html"))
    for p in (ROOT / "docs").rglob("[a-z]*.md")
    if "_" not in p.relative_to(ROOT / "docs").parts[0] and "api" not in p.parts
)
MADE = [
    "reference/api/gates/lstm.html",
    "_modules/rnn_examples/gates/lstm.html",
    "404.html",
    "search.html",
]
BUDGET = 200_000  # bytes that a first visit transfers, gzip
TALL = 40  # what a finger hits


# One load serves the tests of a page in a width. Each width starts in another
# scheme, so that both are also seen as the first one.
FIRST = {"desktop": "light", "phone": "dark"}


@pytest.fixture(
    scope="module",
    params=[(name, size) for name in [*PAGES, *MADE] for size in SIZES],
    ids=" ".join,
)
def opened(request, visitor, server, html):
    name, size = request.param
    page = visitor(size, FIRST[size])
    page.name = name
    page.size = size
    page.html = html
    page.goto(server + name)
    yield page
    page.context.close()


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
    assert PAGES and {*PAGES, *MADE} <= built


def test_a_first_visit_is_light_and_quiet(opened, server, html):
    theme = opened.evaluate("document.documentElement.dataset.theme")
    assert theme == FIRST[opened.size]
    assert [u for u in opened.requests if not u.startswith(server)] == []
    assert opened.said == []
    if opened.name != "search.html":
        assert transferred(opened.requests, server, html) <= BUDGET


IN_SIGHT = """all => all.map(e => e.getBoundingClientRect()).every(r =>
    r.width > 0 && r.top >= 0 && r.bottom <= innerHeight
    && r.left >= 0 && r.right <= innerWidth)"""


def assert_bar_in_sight(page):
    for part in [".bar-name", ".bar [data-open-search]", ".bar-theme"]:
        found = page.locator(part)
        assert found.count() == 1, part
        assert found.evaluate_all(IN_SIGHT), part


def test_whoever_arrives_sees_whose_site_it_is(opened, server):
    """Also whoever arrives in the middle, as from a search engine."""
    for place in ["0", "document.body.scrollHeight"]:
        opened.evaluate(f"scrollTo(0, {place})")
        assert_bar_in_sight(opened)
    opened.evaluate("scrollTo(0, 0)")
    name, _, site = opened.title().rpartition(" · ")
    title = "Recurrent networks in PyTorch"
    assert name if site == title else opened.title().startswith(title)
    assert opened.title().count(title) == 1


def too_wide(page):
    """By how many pixels the page scrolls sideways."""
    root = "document.documentElement"
    return max(0, page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


# What a rule says of colors is all that can differ from scheme to scheme.
OF_COLOR = ["color-contrast", "link-in-text-block"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(opened, scheme):
    page = shown(opened, scheme)
    assert too_wide(page) == 0
    assert violations(page, None if scheme == "light" else OF_COLOR) == []
    assert page.said == []


def test_print_shows_the_text_alone(opened):
    page = shown(opened, "dark", "print")
    assert page.locator("h1:visible").count() == 1
    for part in [".bar", ".drawer", ".cards", "button", "footer"]:
        assert page.locator(f"{part}:visible").count() == 0, part
    if page.locator("article p").count():
        style = "getComputedStyle(document.querySelector('article p'))"
        assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"
    # A white span of an equation would lie over the line above it; code is on white.
    clear, white = "rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"
    for part, may in {".katex span": {clear}, "article pre": {clear, white}}.items():
        found = page.locator(part).evaluate_all(
            "all => [...new Set(all.map(e => getComputedStyle(e).backgroundColor))]"
        )
        assert set(found) <= may, part


CONTROLS = """[...document.querySelectorAll(
    'a[href], button, summary, input, textarea, [tabindex="0"]')]
    .filter(e => e.checkVisibility({visibilityProperty: true})
        && e.tabIndex >= 0 && !e.closest('[inert]'))"""
# Note each control that the focus comes to, and whether one can see it there.
WATCH = """() => {
    window.stops = [];
    const ring = s => s.outlineStyle != 'none' || s.boxShadow != 'none';
    addEventListener('focusin', ({target}) => {
        const s = getComputedStyle(target);  // a field may show it by its frame
        stops.push([target.dataset.tabStop, target.outerHTML.slice(0, 100),
            ring(s) || s.textDecorationLine != 'none'
            || target.matches('input')
                && ring(getComputedStyle(target.parentElement))]);
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


SCROLLERS = """[...document.querySelectorAll('article *')].filter(e => {
    const style = getComputedStyle(e);
    return ['auto', 'scroll'].includes(style.overflowX) && e.clientWidth > 0
        && !e.closest('.katex, textarea, details:not([open])')})"""
UNMARKED = f"""{SCROLLERS}.filter(e => {{
    const wide = e.scrollWidth > e.clientWidth + 1;
    const faded = getComputedStyle(e).maskImage != 'none';
    return wide != faded || wide != (e.getAttribute('tabindex') === '0')}})
    .map(e => e.outerHTML.slice(0, 100))"""


def test_what_goes_on_beyond_its_edge_fades_there(opened):
    shown(opened, "light")
    opened.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    assert opened.evaluate(UNMARKED) == []


SMALL = f"""sel => [...document.querySelectorAll(sel)]
    .filter(e => e.checkVisibility({{visibilityProperty: true, opacityProperty: true}}))
    .filter(e => {{const r = e.getBoundingClientRect();
        return r.width < {TALL} - 0.5 || r.height < {TALL} - 0.5}})
    .map(e => e.outerHTML.slice(0, 100))"""


def test_a_finger_hits_and_an_eye_reads_on_a_phone(opened):
    if opened.size != "phone":
        return
    page = shown(opened, "light")
    for drawer in ["menu", "contents"]:
        if page.locator(f"#{drawer}").count():
            page.evaluate(f"document.getElementById('{drawer}').showPopover()")
            assert page.evaluate(SMALL, f"#{drawer} nav a") == []
            page.keyboard.press("Escape")
            page.wait_for_selector(f"#{drawer}", state="hidden")
    assert page.evaluate(SMALL, ".bar > *, .cards a, button.copybtn") == []
    code = page.locator("div.cell_input:visible")
    assert page.locator("button.copybtn:visible").count() >= code.count()
    for image in page.locator(".figure-scroll img").all():
        name = image.get_attribute("src").rpartition("/")[2]
        shown_at = image.evaluate("e => e.getBoundingClientRect().width")
        assert words_of(page.html / "_images" / name, shown_at) >= 11.9, name


def words_of(svg: Path, width: float) -> float:
    """The size in px of the smallest words of a figure that is shown so wide."""
    text = svg.read_text()
    drawn = float(re.search(r'viewBox="0 0 ([\d.]+)', text)[1])
    sizes = [100 * float(x) for x in re.findall(r"scale\((0\.[\d]+) -", text)]
    return min(sizes) * width / drawn


def test_these_checks_can_fail(visitor, server, html):
    page = show(visitor(), server + "index.html")
    assert transferred(page.requests, server, html) > 0.2 * BUDGET

    def add(text):
        page.evaluate("t => document.body.insertAdjacentHTML('beforeend', t)", text)

    add('<img src=""><p style="width: 2000px">wide</p>')
    assert any(v.startswith("image-alt") for v in violations(page))
    assert too_wide(page) > 0
    add('<p style="color: #999; background: #aaa">pale</p>')
    assert any(v.startswith("color-contrast") for v in violations(page, OF_COLOR))
    article = "document.querySelector('article').insertAdjacentHTML('beforeend', `{}`)"
    add("<button class=copybtn style='opacity: 1'>small</button>")
    assert page.evaluate(SMALL, "button.copybtn")
    box = '<div style="overflow-x: auto"><div style="width: 3000px">wide</div></div>'
    page.evaluate(article.format(box))
    assert page.evaluate(UNMARKED)
    page.evaluate("document.querySelector('.bar').style.position = 'static'")
    page.evaluate("scrollTo(0, 500)")
    with pytest.raises(AssertionError):
        assert_bar_in_sight(page)
    page.evaluate("scrollTo(0, 0)")
    hide = "outline: none !important; box-shadow: none !important;"
    add(f"<style>:focus {{ {hide} text-decoration: none !important }}</style>")
    keep = "e => e.addEventListener('keydown', event => event.preventDefault())"
    page.locator("footer a, article a").last.evaluate(keep)
    add("<button>after the trap</button>")
    missed, unseen = walked(page)
    assert "after the trap" in missed[-1] and unseen
    assert page.said == []
    page.evaluate("""document.body.append(Object.assign(
        document.createElement('script'), {textContent: 'window.ran = 1'}))""")
    assert page.evaluate("window.ran") is None  # the policy forbids it,
    page.wait_for_timeout(50)
    assert "Content Security Policy" in page.said[0]  # and says so


# ------------------------------------------------------------ in other places


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
    one_tab.goto((unzipped / name).as_uri())
    assert one_tab.said == []
    assert one_tab.locator("h1:visible").count() == 1


def test_works_below_another_path(serve, visitor, html, tmp_path):
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "where").symlink_to(html)
    with serve(tmp_path) as address:
        page = show(visitor(), address + "some/where/gates/lstm.html")
        page.locator(".cards [rel=next]").click()
        page.locator(".bar-name").click()
        page.wait_for_url("**/some/where/index.html")
        assert page.requests and page.said == []
        assert all(u.startswith(address + "some/where/") for u in page.requests)


# --------------------------------------------------------------- what it does

LOOKS = """() => ['body', 'h1', 'article pre', '.highlight .c1', '.highlight .k',
    'article code', 'article a', '.bar', '.foot', 'article td', '.cell_output img']
    .map(s => [s, document.querySelector(s)]).filter(([, e]) => e)
    .map(([s, e]) => {const c = getComputedStyle(e);
        return [s, c.color, c.backgroundColor, c.borderTopColor, c.filter]})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_a_script_it_looks_the_same(visitor, server, scheme):
    looks = []
    for script in (True, False):
        page = visitor(scheme=scheme, java_script_enabled=script)
        page.goto(server + "gates/lstm.html")
        looks.append(page.evaluate(LOOKS))
        assert page.locator(".bar button.js-only:visible").count() == 2 * script
    assert looks[0] == looks[1] and len(looks[0]) > 8


def test_the_theme_is_chosen_and_kept(visitor, server):
    page = show(visitor(), server + "gates/lstm.html")
    button, root = page.locator(".bar-theme"), page.locator("html")
    for mode, theme in [("light", "light"), ("dark", "dark"), ("auto", "light")] * 2:
        button.click()
        assert root.get_attribute("data-mode") == mode
        assert root.get_attribute("data-theme") == theme
        if mode == "dark":
            assert "dark" in button.get_attribute("aria-label")
            page.reload()
            assert root.get_attribute("data-theme") == "dark"
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-theme=dark]", state="attached", timeout=2000)


@pytest.mark.parametrize("script", [True, False])
def test_the_drawers_open_and_close(visitor, server, script):
    page = visitor("phone", java_script_enabled=script)
    page.goto(server + "recurrence/elman.html")
    for name in ["menu", "contents"]:
        drawer = page.locator(f"#{name}")
        assert not drawer.is_visible()
        page.locator(f".bar-{name}").click()
        assert drawer.is_visible()
        page.keyboard.press("Escape")
        assert not drawer.is_visible()
    page.locator(".bar-contents").click()
    link = page.locator("#contents a").nth(2)
    section = link.get_attribute("href")
    link.click()
    assert page.url.endswith(section)
    assert page.locator("#contents").is_visible() != script  # Esc closes it, too


def test_the_contents_mark_where_one_is(visitor, server):
    page = show(visitor(), server + "gates/lstm.html")
    link = page.locator("#contents a").nth(3)
    link.click()
    page.wait_for_selector("#contents a[aria-current]")
    marked = page.locator("#contents a[aria-current]")
    assert marked.count() == 1 and marked.inner_text() == link.inner_text()
    # The menu shows the page's own entry, though it stands far down.
    assert page.locator("#menu a.current").evaluate_all(IN_SIGHT)
