"""What every page promises: one text, honest outputs, nothing typed."""

import re
import tomllib
from pathlib import Path

import example
import pytest
from bs4 import BeautifulSoup
from doctest_checker import agrees

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
LESSONS = [
    p
    for p in PAGES
    if p.name not in ("index.md", "code.md", "claims.md")
    and "api" not in p.with_suffix("").parts
]
MODULES = sorted(
    p
    for p in (ROOT / "rnn_examples").glob("*/*.py")  # lessons, not the tools
    if p.name != "__init__.py" and "data" not in p.parts
)


def stem(path: Path) -> str:
    return str(path.relative_to(ROOT).with_suffix(""))


# ------------------------------------------------------------------ the layout


def named(path: Path, word: str) -> list[str]:
    """The files that a module's docstring lists as its Page or Test."""
    line = re.search(rf"^{word}s?:(.*(?:\n +.*)*)", path.read_text(), re.M)
    return re.findall(r"[\w/]+\.\w+", line[1]) if line else []


CARD = re.compile(r"^```\{in-short\}\n((?::[^\n]*\n)*)\n(.*?)^```\n", re.M | re.S)


def code_of(page: Path) -> list[str]:
    """The modules that a page lists as its code, in its card or in a line."""
    card = CARD.search(page.read_text())
    if card:
        line = re.search("^:module:(.*)$", card[1], re.M)
    else:
        line = re.search(r"\*\*Code:\*\*(.*(?:\n(?!\*\*).*)*)", page.read_text())
    return re.findall(r"\b(rnn_examples/[\w/]+\.py)\b", line[1]) if line else []


@pytest.mark.parametrize("path", MODULES, ids=stem)
def test_a_module_names_its_pages_and_its_tests(path):
    for word in ("Page", "Test"):
        assert named(path, word), f"no line {word}:"
        for name in named(path, word):
            assert (ROOT / name).exists(), name
    for name in named(path, "Page"):
        assert f"{stem(path)}.py" in code_of(ROOT / name), f"{name} does not name it"


@pytest.mark.parametrize("page", LESSONS, ids=stem)
def test_a_page_names_its_modules(page):
    assert code_of(page) or "reference" in page.parts
    for name in [] if "reference" in page.parts else code_of(page):
        assert str(page.relative_to(ROOT)) in named(ROOT / name, "Page"), name


ORDER = ["sequences", "recurrence", "gradients", "gates", "training", "practice"]


@pytest.mark.parametrize("path", MODULES, ids=stem)
def test_a_module_imports_no_later_part(path):
    part = ORDER.index(path.parent.name)
    for other in re.findall(r"rnn_examples\.(\w+)\.", path.read_text()):
        assert ORDER.index(other) <= part if other in ORDER else other == "data"


# -------------------------------------------------- the page and the docstring


def shown(html: Path, module: Path) -> list[tuple[str, str, str]]:
    """(source, output, tag) of each of a module's cells on its built pages."""
    name, cells = stem(module).replace("/", "."), []
    for path in named(module, "Page"):
        page = html / Path(path).relative_to("docs").with_suffix(".html")
        soup = BeautifulSoup(page.read_text(), "html.parser")
        last = ""
        for cell in soup.select("div.cell"):
            tags = [c for c in cell["class"] if c.startswith(f"tag_example-{name}-")]
            if tags:
                source = cell.select_one(".cell_input pre").get_text()
                output = "".join(p.get_text() for p in cell.select(".cell_output pre"))
                if last == tags[0]:  # the asserts that end it, folded to a check
                    source = "\n".join([cells[-1][0].rstrip(), source])
                    output = cells.pop()[1] + output
                cells.append((source, output, tags[0].removeprefix("tag_")))
            last = tags[0] if tags else ""
    return cells


@pytest.mark.parametrize("module", MODULES, ids=stem)
def test_the_page_prints_what_the_docstring_says(html, module):
    wanted = {
        (c.tag, c.source.strip()): c.want
        for c in example.cells_of(stem(module).replace("/", "."), ROOT)
    }
    cells = {(tag, source.strip()): out for source, out, tag in shown(html, module)}
    assert set(cells) == set(wanted), "page and docstring show different code"
    for key, want in wanted.items():
        assert agrees(want, cells[key]), f"{key}: want {want!r}, got {cells[key]!r}"


# ----------------------------------------------------------- numbers in prose

RESULT = re.compile(r"\d\.\d|\d ?%|\d[eE][-+]?\d|\d+(?:ms| s| ms| times| x)\b")


def prose(text: str) -> str:
    """The words of a page: no code, math, links' targets, or front matter."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"^(`{3,}|:{3,}\{).*?^\1?[`:]{3,}.*?$", "", text, flags=re.M | re.S)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "", text, flags=re.S)
    text = re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`", "", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"\b(CC BY|Python|\[?torch\]?) \d\.\d+", r"\1", text)  # no results
    return re.sub(r"(doi|arXiv):\S+", "", text)


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_no_result_is_typed(page):
    assert RESULT.findall(prose(page.read_text())) == []


@pytest.mark.parametrize(
    "text", ["off by 0.14.", "about 12 %", "1e-7 apart", "3 times faster", "in 40 ms"]
)
def test_a_typed_result_is_found(text):
    assert RESULT.search(prose(f"# A page\n\nIt is {text}\n"))


@pytest.mark.parametrize(
    "text",
    ["{glue:text}`gap:.2f`", "`0.14`", "$0.5$", "3 steps", "```{code-cell}\n0.5\n```"],
)
def test_what_is_computed_or_defined_may_stand(text):
    assert not RESULT.search(prose(f"# A page\n\n{text}\n"))


def test_the_page_on_the_code_names_the_versions_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = (DOCS / "reference" / "code.md").read_text()
    python, (torch,) = project["requires-python"], project["dependencies"]
    assert f"Python {python.removeprefix('>=')} or newer" in words
    assert re.search(
        rf"torch\S* {re.escape(torch.removeprefix('torch>='))}\s+or newer", words
    )


# ------------------------------------------------------------- the house style


def is_reference(page: Path) -> bool:
    """A page to look something up in, which teaches no lesson."""
    return "reference" in page.parts


@pytest.mark.parametrize("page", LESSONS, ids=stem)
def test_a_page_has_its_sections(page):
    text = page.read_text()
    titles = re.findall(r"^## (.*)$", text, re.M)
    if not is_reference(page):
        assert titles[-2:] == ["Exercises", "Sources"]
        if page.name != "errors.md":  # a look-up
            assert titles[-3] == "What to remember"
            assert "What goes wrong" in titles
    if card := CARD.search(text):
        assert text[: card.start()].count("\n## ") == 0, "the card comes first"
        assert card[2].partition("\n\n")[0].count("\n") < 3, "the answer is 3 lines"
        after = text[card.end() :].lstrip()
        start = r"```\{code-cell\}\n(:.*\n)*(import|from) "
        assert re.match(start, after), "no code with its imports"
    elif not is_reference(page):
        for word in ("**Before this page:**", "**Code:**", "**Time:**"):
            assert word in text


WITH_EXERCISES = [p for p in LESSONS if "## Exercises" in p.read_text()]


@pytest.mark.parametrize("page", WITH_EXERCISES, ids=stem)
def test_each_exercise_is_answered_by_a_cell_that_asserts(page):
    exercises = page.read_text().partition("## Exercises")[2].partition("\n## ")[0]
    parts = re.split(r"^\*\*\d\.\*\*", exercises, flags=re.M)[1:]
    assert 1 <= len(parts) <= 3
    for part in parts:
        assert "hide-cell" in part and re.search(r"^\s*assert", part, re.M), part


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_no_word_makes_light_of_difficulty(page):
    assert (
        re.findall(r"\b(simply|obviously|clearly|trivial\w*)\b", page.read_text()) == []
    )
