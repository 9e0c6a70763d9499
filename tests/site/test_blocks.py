"""The blocks of the built pages as a reader meets them: make test-browser."""

import json

import pytest
import torch
from torch import nn

from rnn_examples.recurrence.elman import params_of, rnn_forward
from tests.site.browsing import SIZES, show, shown

pytestmark = pytest.mark.browser

PAGES = ["recurrence/elman", "gates/lstm"]


@pytest.fixture(scope="module")
def tabs(visitor, server):
    """Each page in each width, opened once."""
    opened = {}

    def tab(name, size="desktop"):
        if (name, size) not in opened:
            page = visitor(size)
            if size == "desktop":
                page.set_viewport_size({"width": 1280, "height": 900})
            opened[name, size] = show(page, f"{server}{name}.html")
        return opened[name, size]

    return tab


# --------------------------------------------------------------- the first screen


def bottom(locator):
    box = locator.bounding_box()
    return box["y"] + box["height"]


@pytest.mark.parametrize("name", PAGES)
def test_the_card_is_whole_on_the_first_screen(tabs, name):
    page = tabs(name)
    assert page.evaluate("scrollY") == 0
    assert bottom(page.locator(".in-short")) <= 900


@pytest.mark.parametrize("name", PAGES)
def test_a_phones_first_screen_has_the_answer_and_the_start_of_the_code(tabs, name):
    page = tabs(name, "phone")
    assert page.evaluate("scrollY") == 0
    card = page.locator(".in-short")
    assert bottom(card.locator("> p:not(.in-short-title)").first) <= 844
    assert bottom(card.locator("div.math")) <= 844
    code = card.locator(".block-run pre").first
    line = float(code.evaluate("e => getComputedStyle(e).lineHeight").rstrip("px"))
    assert code.bounding_box()["y"] + 4 * line <= 844
    math = card.locator("div.math")
    assert math.evaluate("e => e.scrollWidth <= e.clientWidth"), "the equation is cut"


@pytest.mark.parametrize("name", PAGES)
def test_the_cards_links_lead_to_what_is_there(html, tabs, name):
    page = tabs(name)
    links = page.locator(".in-short-links a").evaluate_all("a => a.map(e => e.href)")
    site = page.url.removesuffix(f"{name}.html")
    names = [link.removeprefix(site).partition("#")[0] for link in links]
    assert f"{name}.ipynb" in names and f"code/{name}.py" in names
    assert f"_modules/rnn_examples/{name}.html" in names
    assert all((html / name).is_file() for name in names)


# ----------------------------------------------------------------- kinds of block

LOOK = """e => {
  const style = getComputedStyle(e);
  return ['borderTopWidth', 'borderLeftWidth', 'borderLeftColor', 'paddingLeft',
          'backgroundColor', 'borderTopColor'].map(name => style[name]).join(' ');
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_kinds_look_different(tabs, scheme):
    page = shown(tabs("gates/lstm"), scheme)
    kinds = ["source", "run", "output", "check"]
    looks = {
        kind: page.locator(f".block-{kind}").first.evaluate(LOOK) for kind in kinds
    }
    assert len(set(looks.values())) == len(kinds), looks


@pytest.mark.parametrize("size", SIZES)
def test_a_check_opens_by_keyboard(tabs, size):
    page = tabs("recurrence/elman", size)
    check = page.locator(".block-check").first
    code = check.locator("pre")
    assert not code.is_visible()
    check.locator("summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible() and "assert" in code.inner_text()
    page.keyboard.press("Enter")
    assert not code.is_visible()
    if size == "phone":
        assert check.locator("summary").bounding_box()["height"] >= 40


def test_a_check_opens_without_javascript(visitor, server):
    page = show(visitor(java_script_enabled=False), server + "recurrence/elman.html")
    check = page.locator(".block-check").first
    check.locator("summary").click()
    assert check.locator("pre").is_visible()


def test_paper_has_the_line_of_each_check_and_not_its_code(tabs):
    page = tabs("recurrence/elman")
    page.emulate_media(media="print")
    checks = page.locator(".block-check").all()
    assert len(checks) > 5
    for check in checks:
        assert check.locator("summary").is_visible()
        assert not check.locator("pre").is_visible()
    assert page.locator(".block-setup pre").first.is_visible()
    page.emulate_media(media="screen")


# ------------------------------------------------------------------------- tables


def rows(page, caption):
    table = page.locator("table.block-table", has_text=caption)
    script = "t => [...t.rows].map(r => [...r.cells].map(c => c.innerText.trim()))"
    return table.evaluate(script)


def pairs(tensor):
    return [", ".join(f"{v:.5f}" for v in row) for row in tensor.tolist()]


@pytest.mark.parametrize(
    ("name", "caption", "drawn"),
    [
        ("elman", "Three steps by hand", 2),
        ("seeds", "The first layer drawn", 1),
        ("seeds", "The second layer drawn", 2),
    ],
)
def test_the_seeds_table_is_what_the_code_computes(tabs, name, caption, drawn):
    torch.manual_seed(1)
    layers = [nn.RNN(5, 2, batch_first=True) for _ in range(drawn)]
    x = torch.tensor([[1.0] * 5, [2.0] * 5, [3.0] * 5])[:, None]
    p = params_of(layers[-1])
    term = x[:, 0] @ p.W_ih.T + p.b_ih
    hs, _ = rnn_forward(x, torch.zeros(1, 2), p)
    output, _ = layers[-1](x.transpose(0, 1))
    found = rows(tabs(f"recurrence/{name}"), caption)
    assert found[0] == ["t", "input", "input term", "h by hand", "nn.RNN"]
    columns = list(zip(*found[1:], strict=True))
    assert columns[1] == ("1, 1, 1, 1, 1", "2, 2, 2, 2, 2", "3, 3, 3, 3, 3")
    assert list(columns[2]) == pairs(term)
    assert list(columns[3]) == pairs(hs[:, 0])
    assert list(columns[4]) == pairs(output[0])


def test_the_seeds_own_numbers_are_on_the_page(tabs):
    numbers = json.dumps(rows(tabs("recurrence/elman"), "Three steps by hand"))
    for printed in (0.49598834, -0.336145, -0.17452951, -0.58969957, -0.21354881):
        assert f"{printed:.5f}" in numbers


def test_the_lstms_table_is_what_its_equations_give(tabs):
    found = rows(tabs("gates/lstm"), "What the cell keeps")
    columns = dict(zip(found[0], zip(*found[1:], strict=True), strict=True))
    c = h = 0.0
    for i, flag in enumerate(columns["write"]):
        if flag == "1":
            c = torch.tensor(float(columns["value"][i])).tanh().item()
            h = torch.tensor(c).tanh().item()
        assert abs(float(columns["c"][i]) - c) < 2e-4
        assert abs(float(columns["h"][i]) - h) < 2e-4
    assert len(set(columns["c"])) == 2


def test_every_wrong_order_is_off(tabs):
    found = rows(tabs("gates/lstm"), "How far the outputs are off")
    off = {row[0]: float(row[2]) for row in found[1:]}
    assert set(off) >= {"iofg", "igfo"} and min(off.values()) > 0.01
    named = {row[1]: float(row[2]) for row in found[1:]}
    assert named["the least wrong"] == min(off.values())
    assert named["the most wrong"] == max(off.values())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_numbers_stand_to_the_right_and_nothing_is_cut(tabs, name, size):
    page = tabs(name, size)
    numbers = page.locator("table.block-table td.number")
    styles = numbers.evaluate_all(
        "c => c.map(e => [getComputedStyle(e).textAlign,"
        " getComputedStyle(e).fontVariantNumeric].join(' '))"
    )
    assert styles and set(styles) == {"right tabular-nums"}
    wide = "t => t.filter(e => e.scrollWidth > e.parentElement.clientWidth + 1)"
    wide += ".map(e => e.innerText.slice(0, 60))"
    assert page.locator("table.block-table").evaluate_all(wide) == []
