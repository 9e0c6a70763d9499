"""What the site hands out runs where nothing of the project is installed."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbclient
import nbformat
import pytest
from bs4 import BeautifulSoup
from doctest_checker import agrees

from rnn_examples import __version__
from rnn_examples.one_file import data_of, modules, one_file
from tests.site.browsing import show
from tests.sites import CONF

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


# ------------------------------------------------------------------- notebooks


@pytest.fixture(scope="module")
def notebooks(html):
    """Each page's notebook, by the page's name."""
    paths = sorted(html.rglob("*.ipynb"))
    names = [path.relative_to(html).with_suffix("").as_posix() for path in paths]
    return {n: nbformat.read(p, 4) for n, p in zip(names, paths, strict=True)}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def results(notebooks):
    """What each notebook puts out in an empty folder, without rnn_examples."""
    jobs = {
        name: [
            [cell.source, "raises-exception" in cell.metadata.get("tags", [])]
            for cell in code_cells(notebook)
        ]
        for name, notebook in notebooks.items()
    }
    command = [sys.executable, "-I", str(Path(__file__).with_name("alone.py"))]
    done = subprocess.run(
        [*command, str(DOCS / "_extensions")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def words(output: dict) -> str:
    """What an output says; of a picture, that it is one."""
    if output["output_type"] == "stream":
        return f"{output['name']}: {output['text']}"
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    kinds = " ".join(sorted(output["data"]))
    return f"{kinds} {output['data'].get('text/plain', '')}"


def differences(stored: list, got: list) -> list[str]:
    """How the outputs of a cell differ, in words."""
    wanted, found = list(map(words, stored)), list(map(words, got))
    if len(wanted) == len(found):
        pairs = zip(wanted, found, strict=True)
        return [f"want {a!r}, got {b!r}" for a, b in pairs if not agrees(a, b)]
    return [f"want {wanted}, got {found}"]


def test_every_page_that_shows_code_has_a_notebook(notebooks):
    shown = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts and "{code-cell}" in path.read_text()
    }
    assert set(notebooks) <= shown
    assert {name for name in shown if not name.startswith("reference")} <= {
        *notebooks,
        "index",
    }


def test_a_notebook_runs_alone_and_prints_what_the_page_prints(notebooks, results):
    wrong = []
    for name, notebook in notebooks.items():
        if results[name]["failed"]:
            wrong.append(f"{name}: {results[name]['failed']}")
            continue
        pairs = zip(code_cells(notebook), results[name]["outputs"], strict=True)
        for cell, got in pairs:
            if cell.outputs:
                wrong += [f"{cell.id}: {d}" for d in differences(cell.outputs, got)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("change", ["a digit", "a line", "a picture"])
def test_an_output_that_differs_is_seen(change):
    stored = [
        {"output_type": "stream", "name": "stdout", "text": "0.25\n"},
        {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>"}},
    ]
    got = json.loads(json.dumps(stored))
    assert not differences(stored, got)
    if change == "a digit":
        got[0]["text"] = "0.26\n"
    elif change == "a line":
        got[0]["text"] += "more\n"
    else:
        got[1]["data"] = {"text/plain": "<Figure>"}
    assert differences(stored, got)


def test_a_kernel_runs_a_notebook_too(notebooks, tmp_path, monkeypatch):
    """In Jupyter's own way, in an empty folder; it takes its own rnn_examples."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.from_dict(notebooks["recurrence/drop_in"])  # no figure
    where = "import rnn_examples; print(rnn_examples.__file__)"
    notebook.cells.append(nbformat.v4.new_code_cell(where))
    resources = {"metadata": {"path": str(tmp_path)}}
    stored = [list(cell.outputs) for cell in code_cells(notebook)]
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()
    *cells, last = code_cells(notebook)
    for cell, outputs in zip(cells, stored, strict=False):
        assert not outputs or not differences(outputs, cell.outputs), cell.source
    assert str(ROOT) not in last.outputs[0].text
    assert not list(tmp_path.iterdir())


def test_a_notebook_is_valid_and_says_whence_it_is(notebooks):
    for name, notebook in notebooks.items():
        nbformat.validate(notebook)
        about = notebook.metadata["rnn_examples"]
        assert about["page"] == name and about["version"] == __version__
        assert about["torch"] in notebook.cells[0].source
        assert "Text CC BY 4.0, code MIT" in notebook.cells[0].source
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


MYST = re.compile(
    r"^(`{3,}|:{3,}) ?\{|\{[\w:]+\}`|^\([\w-]+\)=|\]\((?!\w+:)[^)]*\.md", re.M
)


def test_a_notebook_holds_no_directive_role_or_glue(notebooks):
    for notebook in notebooks.values():
        for cell in notebook.cells:
            found = MYST.search(cell.source) if cell.cell_type == "markdown" else None
            assert not found, (cell.id, found)
            assert "glue" not in cell.source or cell.cell_type == "markdown", cell.id


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


def test_no_words_of_a_page_are_lost_in_its_notebook(html, notebooks):
    for name, notebook in notebooks.items():
        text = letters("".join(c.source for c in notebook.cells))
        soup = BeautifulSoup((html / f"{name}.html").read_text(), "html.parser")
        article = soup.select_one("article")
        for gone in article.select(NO_WORDS):
            gone.decompose()
        for part in article.find_all(string=True):
            if part.find_parent(["p", "li", "td", "h1", "h2", "h3", "figcaption"]):
                assert letters(part) in text, (name, part)


# Formulas, what cells put out, summaries of folded blocks, and links to files.
NO_WORDS = ".math, .cell_output, .headerlink, summary, .block-link, script, style"
NO_WORDS += ", .block-table, .claim"


# ------------------------------------------------------------------ one-file modules


def test_the_site_has_the_copies_that_the_command_writes(html):
    published = {p.relative_to(html / "code") for p in (html / "code").rglob("*.*")}
    for name in modules():
        path = Path(*name.split(".")).with_suffix(".py")
        assert (html / "code" / path).read_text() == one_file(name)
        published -= {path, *(path.with_name(data.name) for data in data_of(name))}
    assert not published


# -------------------------------------------------------------------- the whole site


def test_the_zip_is_the_site(html):
    with zipfile.ZipFile(html / "recurrent-networks.zip") as archive:
        held = {info.filename: archive.read(info) for info in archive.infolist()}
    files = {
        path.relative_to(html).as_posix(): path.read_bytes()
        for path in html.rglob("*")
        if path.is_file() and path.name not in (".buildinfo", "recurrent-networks.zip")
    }
    assert held == files


@pytest.mark.browser
def test_the_unpacked_zip_opens_from_the_disk(html, one_tab, tmp_path):
    with zipfile.ZipFile(html / "recurrent-networks.zip") as archive:
        archive.extractall(tmp_path)
    for name in ("index.html", "reference/code.html"):
        one_tab.said.clear()
        page = show(one_tab, (tmp_path / name).as_uri())
        assert page.said == []
    for link in page.locator("article a[href]").all():
        target = urlparse(link.evaluate("e => e.href"))
        path = Path(unquote(target.path))
        if target.scheme == "file" and path.name != "recurrent-networks.zip":
            assert path.exists(), path


def test_the_page_names_every_module_with_its_links(html):
    soup = BeautifulSoup((html / "reference/code.html").read_text(), "html.parser")
    terms = soup.select("dl > dt")
    assert [term.code.get_text() for term in terms] == list(modules())
    for term, what in zip(terms, modules().values(), strict=True):
        words = term.find_next("dd").get_text()
        assert what in words
        assert "Page: " in words or term.code.get_text().startswith("data.")
        assert [a.get_text() for a in term.select("a")] == ["source", "one file"]


# ------------------------------------------------------------ one page, from scratch


def test_what_a_page_loses_is_gone_from_the_site(site):
    conf = CONF.replace('"katex_math"]', '"katex_math", "blocks", "take_home"]')
    site.conf(conf + "html_context = {'repository': ''}\n")
    site.index("a", "b")
    site.page("a", "1 + 1")
    site.page("b", "2 + 2")
    site.build()
    assert {"a.ipynb", "b.ipynb"} <= set(site.published())
    (site.root / "docs" / "b.md").unlink()
    site.index("a")
    site.build()
    files = site.published()
    assert "a.ipynb" in files and "b.ipynb" not in files
    assert b"b.ipynb" not in files["recurrent-networks.zip"]


PAGE = r"""
A *word*, `code`, $x_t$ and [a link](https://example.org/).

- one
- two

  > quoted

1. first

```{note}
Take care.
```

term
: what it means

```sh
make html
```

| a | b |
| - | - |
| 1 | `x|y` |

$$
y = x
$$ (eq-one)

See {eq}`eq-one` and [b](b.md).
"""
TEXT = r"""
A *word*, `code`, $x_t$ and [a link](https://example.org/).

- one
- two

  > quoted

1. first

> **Note.** Take care.

- **term**: what it means

```sh
make html
```

| a | b |
| --- | --- |
| 1 | `x\|y` |

$$
y = x \tag{1}
$$

See (1) and b.
"""


def test_text_becomes_plain_markdown(site):
    conf = CONF.replace('"katex_math"]', '"katex_math", "blocks", "take_home"]')
    conf = conf.replace('["dollarmath"]', '["dollarmath", "deflist"]')
    site.conf(conf + "html_context = {'repository': ''}\n")
    site.index("a", "b")
    site.page("a", "1 + 1", prose=PAGE.replace("x|y", r"x\|y"))
    site.write("docs/b.md", "# b\n")
    done = site.build()
    assert done.returncode == 0, done.stderr
    notebook = nbformat.reads(site.published()["a.ipynb"].decode(), 4)
    assert notebook.cells[0].source.startswith("# A page\n\n*The page `a` of rnn_")
    assert notebook.cells[1].source == TEXT.strip()
    assert notebook.cells[2].source == "1 + 1"
    assert notebook.cells[2].outputs[0].data["text/plain"] == "2"
