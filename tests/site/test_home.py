"""The home page says what the site is, and every number of it is so."""

import ast
import json
import re
import subprocess
import sys
from itertools import permutations

import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn

from tests.site.browsing import show
from tests.sites import CONF, ROOT

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
BUDGET = 200_000
FIGURE = "article img[src*='_images/']"


def soup_of(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def home(html):
    return soup_of(html / "index.html")


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def stations(home):
    """Caption and page of each row of the path."""
    for station in home.select("ol.stations > li"):
        caption = station.h3.find(string=True).strip()
        for row in station.select("ul.rows > li > a"):
            yield caption, row


# --------------------------------------------------------- what the build counted


def asserts_of(source: str) -> int:
    def is_check(node):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        return isinstance(node, ast.Assert) or called.endswith("assert_close")

    return sum(map(is_check, ast.walk(ast.parse(source))))


def test_the_strip_counts_what_is_there(home, html):
    built = list(html.rglob("*.html"))
    outputs = sum(len(soup_of(path).select("div.cell_output")) for path in built)
    checks = 0
    for path in (ROOT / "docs").rglob("*.md"):
        if "_build" in path.parts:
            continue
        name = path.relative_to(ROOT / "docs").with_suffix(".ipynb")
        notebook = html.parent / "jupyter_execute" / name
        cells = json.loads(notebook.read_text())["cells"] if notebook.exists() else []
        for cell in cells:
            if cell["cell_type"] == "code" and "raises" not in str(cell["metadata"]):
                checks += asserts_of("".join(cell["source"]))
    index = (ROOT / "docs" / "index.md").read_text()
    pages = len(re.findall(r"^.* <\w+/\w+>$", index, re.M))
    counted = [b.get_text() for b in home.select(".home-strip strong")]
    torch_version = torch.__version__.partition("+")[0]
    assert counted == [str(pages), str(outputs), str(checks), torch_version]


def test_the_minutes_are_those_of_the_pages(home):
    total = 0
    for _, row in stations(home):
        text = (ROOT / "docs" / row["href"].replace(".html", ".md")).read_text()
        written = int(re.search(r"(?::time:|\*\*Time:\*\*) (\d+) minutes", text)[1])
        assert row.select_one(".minutes").get_text() == f"{written} min"
        total += written
        if row["href"] == "recurrence/elman.html":
            button = home.select_one(".home-buttons a").get_text()
            assert button.endswith(f" {written} min")
    assert f"{total} minutes" in home.select_one("#the-path > p").get_text()


# ---------------------------------------------------------------- the cell at work


def test_the_picture_shows_what_torch_computes(home):
    svg = home.select_one("#cell-at-work svg")
    torch.manual_seed(0)
    value = torch.randn(6, dtype=torch.float64)
    write = torch.tensor([1, 0, 0, 0, 1, 0])
    lstm = nn.LSTM(2, 1, dtype=torch.float64)
    big = 40.0
    with torch.no_grad():
        for p in lstm.parameters():
            p.zero_()
        lstm.bias_ih_l0.copy_(torch.tensor([-big, big, 0, big]))  # i, f, g, o
        lstm.weight_ih_l0[0, 1], lstm.weight_ih_l0[1, 1] = 2 * big, -2 * big
        lstm.weight_ih_l0[2, 0] = 1
    x = torch.stack([value, write.double()], dim=1)
    hs, cs = [], []
    state = None
    for x_t in x:
        h, state = lstm(x_t[None], state)
        hs.append(h.item())
        cs.append(state[1].item())

    def shown(css):
        texts = [t.get_text() for t in svg.select(css)]
        return [number(t) for t in texts if t not in "ch"]

    assert shown("text.number-c") == [round(c, 2) for c in cs]
    assert shown("text.number-h") == [round(h, 2) for h in hs]
    plain = [t.get_text() for t in svg.select("text") if not t.get("class")]
    values = [number(t) for t in plain if t not in ("value", "write")]
    assert values == [round(v, 2) for v in value.tolist()]
    flags = [t.get_text() for t in svg.select("text.flag")]
    assert [int(f) for f in flags] == write.tolist()
    for c, h in zip(cs, hs, strict=True):
        assert (
            f"c {c:.2f}, h {h:.2f}".replace("-", "\N{MINUS SIGN}") in svg["aria-label"]
        )


# ---------------------------------------------------------------------- the claims


def claim(home, words):
    """The one tile that holds these words: its text and its drawing."""
    (tile,) = [t for t in home.select(".home-claim") if words in t.get_text()]
    return " ".join(tile.p.get_text().split()), tile.svg


def test_forget_bias(home):
    """By other draws than the page's: a power of ten is what it is about."""
    text, _ = claim(home, "forget bias")
    zero, five = map(
        float, re.search(r"is (\S+) of that.*bias 5, (\S+)\.", text).groups()
    )
    left = {}
    for bias in (0, 5):
        kept = []
        for seed in range(100, 120):
            torch.manual_seed(seed)
            lstm = nn.LSTM(3, 16).double()
            lstm.bias_ih_l0.data[16:32], lstm.bias_hh_l0.data[16:32] = bias, 0
            x = torch.randn(100, 1, 3).double().requires_grad_()
            last = lstm(x)[1][0]
            pull = torch.randn(16).double()
            (g,) = torch.autograd.grad((last * pull).sum(), x)
            kept.append((g[0].norm() / g[-1].norm()).item())
        left[bias] = torch.tensor(kept).median().item()
    assert zero < 1e-15 and left[0] < 1e-15
    assert 0.05 < five < 5 and 0.05 < left[5] < 5


def test_zero_padding(home):
    text, svg = claim(home, "padding")
    least, most = map(float, re.search(r"by (\S+) to (\S+),", text).groups())
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        moves = []
        for _ in range(20):
            rnn, x = nn.RNN(3, 8), torch.randn(5, 3)
            h = end = rnn(x)[1][0]
            W, b = rnn.weight_hh_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0
            for _ in range(3):
                h = torch.tanh(h @ W.T + b)  # a step whose input is zero
            moves.append((h - end).abs().max().item())
    finally:
        torch.set_default_dtype(torch.float32)
    assert (least, most) == (round(min(moves), 2), round(max(moves), 2))
    assert svg.select("text")[0].get_text() == "0 zeros"


def test_gate_orders(home):
    text, svg = claim(home, "gate orders")
    least, most = map(float, re.search(r"is (\S+) to (\S+)\. ", text).groups())
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        lstm, _ = nn.LSTM(3, 4), nn.LSTM(3, 4)
        x = torch.randn(6, 2, 3)
    finally:
        torch.set_default_dtype(torch.float32)
    W, U, b, d = (p.detach() for p in lstm.parameters())

    def run(order):  # the gates by hand, each taken for another
        h = c = torch.zeros(2, 4).double()
        out = []
        for x_t in x:
            a = (x_t @ W.T + h @ U.T + b + d).chunk(4, dim=1)
            i, f, g, o = (a[k] for k in order)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return torch.stack(out)

    right = run((0, 1, 2, 3))
    off = [(run(o) - right).abs().max().item() for o in permutations(range(4))]
    assert off[0] == 0 and len(off) == 24
    assert (least, most) == (round(min(off[1:]), 2), round(max(off), 2))
    assert len(svg.select("rect")) == 24 and len(svg.select("circle.right")) == 1


def test_pairs_lost_to_truncation(home):
    text, svg = claim(home, "A cut")
    lost = sum(k // 4 != t // 4 for t in range(12) for k in range(t + 1))
    assert f"loses {lost} of {12 * 13 // 2} pairs" in text
    assert len(svg.select("rect.lost")) == lost
    assert len(svg.select("rect")) == 12 * 13 // 2


def test_two_functions_called_gru(home):
    """The variant of the paper by hand, not by the package."""
    text, svg = claim(home, "GRU")
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        gaps = []
        for _ in range(20):
            gru, _ = nn.GRU(3, 16), nn.GRU(3, 16)  # the page draws two
            x, h_0 = torch.randn(50, 1, 3), torch.randn(1, 1, 16)
            W, U, b, d = gru.parameters()
            h = h_0[0]
            for x_t in x:
                r, z, n = (x_t @ W.T + b).chunk(3, dim=1)
                u_r, u_z, _ = (h @ U.T + d).chunk(3, dim=1)
                r, z = (r + u_r).sigmoid(), (z + u_z).sigmoid()
                n = (n + (r * h) @ U[32:].T + d[32:]).tanh()
                h = (1 - z) * n + z * h
            gaps.append((h - gru(x, h_0)[0][-1]).abs().max().item())
    finally:
        torch.set_default_dtype(torch.float32)
    median = torch.tensor(gaps).quantile(0.5).item()
    assert f"are {median:.2f} apart" in text
    assert svg.text == f"median {median:.2f}"


def test_the_saliency_map(home):
    """With torch's own LSTM in the place of the package's step."""
    text, svg = claim(home, "saliency")
    symbols = [t.get_text() for t in svg.select("text.label")]
    lstm = nn.LSTM(4, 1).double()
    with torch.no_grad():
        for p in lstm.parameters():
            p.zero_()
        lstm.bias_ih_l0[[0, 1, 3]] = 100
        lstm.weight_ih_l0[2] = torch.tensor([100.0, -100, 0, 0])
    kind = torch.tensor(["()ab".index(s) for s in symbols])
    x = nn.functional.one_hot(kind, 4).double().requires_grad_()
    count = lstm(x)[1][1].squeeze()
    assert count.item() == (kind == 0).sum() - (kind == 1).sum()
    (g,) = torch.autograd.grad(count, x)
    shown = [t.get_text() for t in svg.select("text:not(.label)")]
    assert shown == [f"{v:.0f}" for v in g.norm(dim=1).tolist()]
    at = {
        s: {v for s_, v in zip(symbols, shown, strict=True) if s_ == s} for s in "()ab"
    }
    assert at["("] == at[")"] == {"0"} and at["a"] == at["b"] != {"0"}
    assert "is 0 at each bracket, where its tanh is flat, and " in text
    assert f" {at['a'].pop()} at each letter" in text


# ---------------------------------------------------------------- links and rows


def test_every_link_leads_somewhere(home, html):
    links = [a["href"] for a in home.select("article a[href]")]
    assert len(links) > 40
    for link in links:
        path, _, anchor = link.partition("#")
        page = html / (path or "index.html")
        assert page.is_file(), link
        if anchor:
            assert soup_of(page).find(id=anchor), link


def test_the_messages_are_headings_of_the_errors_page(home, html):
    errors = soup_of(html / "recurrence" / "errors.html")
    chips = home.select(".chips a")
    assert len(chips) >= 6
    for chip in chips:
        section = errors.find(id=chip["href"].partition("#")[2])
        assert chip.get_text() in section.find(["h2", "h3"]).get_text()


def test_a_row_shows_the_first_figure_of_its_page(home, html):
    rows = list(stations(home))
    assert len(rows) >= 16
    with_figure = 0
    for _, row in rows:
        figure = soup_of(html / row["href"]).select_one(FIGURE)
        thumb = row.select_one("img.thumb")
        assert bool(figure) == bool(thumb), row["href"]
        assert bool(thumb) != bool(row.select_one("svg.station-icon"))
        if thumb:
            with_figure += 1
            drawn = (html / thumb["src"]).read_text()
            whole = (html / row["href"]).parent / figure["src"]
            box = re.compile(r'viewBox="[^"]*"')
            sizes = [box.search(t)[0] for t in (drawn, whole.read_text())]
            first, second = (
                [float(v) for v in re.findall(r"[\d.]+", s)] for s in sizes
            )
            assert first == pytest.approx(second, abs=0.1)
    assert with_figure >= 10
    kept = {row.img["src"] for _, row in rows if row.img}
    assert {f"_images/{p.name}" for p in html.glob("_images/thumbnail-*")} == kept


def test_names_in_the_menu_are_short():
    index = (ROOT / "docs" / "index.md").read_text()
    names = re.findall(r"^(.+) <[\w/]+>$", index, re.M)
    assert len(names) >= 20
    assert [n for n in names if len(n) > 30] == []


# ----------------------------------------------------------- what its author is told

PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
myst:
  html_meta:
    description: "{}"
---

# {}

**Time:** {} minutes

```{{code-cell}}
import matplotlib.pyplot as plt
fig, ax = plt.subplots(); ax.plot([1, {}]); plt.show()
```
"""
INDEX = (
    "# Home\n\n{built}`pages` pages, {built}`minutes` min, {built}`checks` checks\n\n"
    "```{path}\n```\n\n```{toctree}\n:caption: Gates\n"
)


@pytest.fixture
def small(site):
    site.conf(CONF + "extensions += ['home']\n")
    site.write("docs/index.md", INDEX + "one\ntwo\n```\n")
    site.write("docs/one.md", PAGE.format("The first.", "One", 7, 2))
    site.write("docs/two.md", PAGE.format("The second.", "Two", 8, 3))
    return site


def test_the_home_page_follows_the_pages(small):
    small.ran()
    files = small.published()
    index = files["index.html"].decode()
    assert "2 pages, 15 min" in index and "The second." in index
    thumb = files["_images/thumbnail-two.svg"]
    small.write("docs/two.md", PAGE.format("Another.", "Two", 9, 4))
    assert small.ran() == {"two"}
    files = small.published()
    index = files["index.html"].decode()
    assert "2 pages, 16 min" in index and "Another." in index
    assert files["_images/thumbnail-two.svg"] != thumb
    small.write("docs/index.md", INDEX + "one\n```\n")
    (small.root / "docs" / "two.md").unlink()
    small.ran()
    files = small.published()
    assert "1 pages, 7 min" in files["index.html"].decode()
    assert "_images/thumbnail-two.svg" not in files
    assert small.ran() == set()


def test_pages_read_in_parallel_are_all_there(small):
    """Sphinx reads six pages or more in processes of their own."""
    names = [f"page{i}" for i in range(6)]
    small.write("docs/index.md", INDEX + "\n".join(names) + "\n```\n")
    for i, name in enumerate(names):
        page = PAGE.partition("```{{code-cell}}")[0]
        small.write(f"docs/{name}.md", page.format(f"Page {i}.", name, i + 1, 0))
    out = small.root / "out"
    options = ["-q", "-j", "2", "-c", ".", "-d", out / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, "docs", out / "html"]
    subprocess.run(command, cwd=small.root, check=True)
    index = (out / "html" / "index.html").read_text()
    assert "6 pages, 21 min" in index
    assert all(f"Page {i}." in index for i in range(6))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (PAGE.replace("**Time:**", "Time"), "one has no minutes"),
        (PAGE.replace("description:", "keywords:"), "one has no description"),
    ],
)
def test_a_page_that_says_too_little_is_named(small, page, said):
    small.write("docs/one.md", page.format("The first.", "One", 7, 2))
    done = small.build()
    assert done.returncode == 1 and said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{section}`here <one#nowhere>`", "no section 'nowhere' on the page 'one'"),
        ("{built}`dreams`", "'dreams' is no number of the home page"),
        ("```{picture} bars none\n```", "no cell of index glued 'none'"),
        ("```{messages}\nno such words\n```", "no heading of recurrence/errors holds"),
    ],
)
def test_what_is_not_there_is_named(small, text, said):
    small.write("docs/index.md", INDEX + f"one\ntwo\n```\n\n{text}\n")
    done = small.build()
    assert done.returncode == 1 and said in done.stderr


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module", params=SIZES)
def opened(request, visitor, server):
    page = visitor(request.param)
    width, height = SIZES[request.param]
    page.set_viewport_size({"width": width, "height": height})
    page.size = request.param
    # Before the page, so that it hears of every shift.
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "e => window.shift += e.value)).observe({type: 'layout-shift', buffered: true})"
    )
    yield show(page, server + "index.html")
    page.context.close()


def boxes(page, css):
    return page.locator(css).evaluate_all(
        "all => all.map(e => { const r = e.getBoundingClientRect();"
        " return [r.left, r.top, r.right, r.bottom] })"
    )


@pytest.mark.browser
def test_the_first_screen(opened):
    width, height = SIZES[opened.size]
    (title,) = boxes(opened, "h1")
    buttons = boxes(opened, ".home-buttons a")
    (picture,) = boxes(opened, "#cell-at-work svg")
    assert len(buttons) == 2
    for left, top, right, bottom in [title, *buttons]:
        assert left >= 0 and top > 0 and right <= width and bottom <= height
    tall = picture[3] - picture[1]
    assert picture[0] >= 0 and picture[2] <= width
    assert height - picture[1] >= tall * (1 if opened.size == "desktop" else 2 / 3)
    line = opened.locator("h1").evaluate(
        "e => parseFloat(getComputedStyle(e).lineHeight)"
    )
    assert (title[3] - title[1]) / line < 3.5
    for left, top, right, bottom in buttons:
        assert bottom - top >= 48
        if opened.size == "phone":
            assert right - left > width - 40
    if opened.size == "desktop":
        assert picture[0] > title[2] - 1, "the picture stands at the right"
        (cards,) = boxes(opened, "#what-brings-you-here h2")
        assert cards[3] < height, "what comes next is in sight"


@pytest.mark.browser
def test_words_in_pictures_can_be_read(opened):
    least = opened.evaluate(
        "Math.min(...[...document.querySelectorAll('article svg text')].map(t =>"
        " parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"
    )
    assert least >= 12


@pytest.mark.browser
def test_it_is_light_with_every_picture_and_nothing_moves(opened, server, html):
    from tests.site.test_browser import transferred

    opened.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    opened.wait_for_load_state("networkidle")
    opened.evaluate(
        "document.querySelectorAll('img').forEach(i => i.loading = 'eager')"
    )
    opened.evaluate("Promise.all([...document.images].map(i => i.decode()))")
    assert sum("thumbnail-" in url for url in opened.requests) >= 10
    assert transferred(opened.requests, server, html) <= BUDGET
    assert opened.evaluate("window.shift") < 0.01


@pytest.mark.browser
def test_the_button_opens_the_search_and_the_field_asks_it(opened, server):
    opened.evaluate("window.scrollTo(0, 0)")
    opened.locator(".home-buttons a[data-open-search]").click()
    opened.locator("dialog[open] input").first.wait_for(state="visible")
    opened.keyboard.press("Escape")
    assert opened.url.endswith("index.html")
    field = opened.locator(".home-card input[type=search]")
    field.fill("Expected hidden[0] size (1, 2, 4), got [1, 5, 4]")
    field.press("Enter")
    opened.wait_for_url("**/search.html?q=*")
    opened.locator("a[href*='recurrence/errors.html#']").first.wait_for()
