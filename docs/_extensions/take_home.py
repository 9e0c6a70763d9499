"""What a reader takes home: notebooks, one-file modules, the whole site.

Beside each page that runs code stands its notebook, made of the page as it was
written: the text as plain Markdown, the cells with the page's outputs, and in
one folded cell the modules that the page imports, so that it runs where there
is torch, NumPy and matplotlib. ``code/`` holds each module as one file, and
``recurrent-networks.zip`` the site. All of it is a pure function of the pages
and the package.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import sys
import zipfile
from pathlib import Path

import notebook_text
from blocks import colab, file_links
from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from rnn_examples import MODULES, __version__
from rnn_examples.one_file import (
    COPYRIGHT,
    HERE,
    data_of,
    modules,
    one_file,
    parse,
    path_of,
)

ZIP = "recurrent-networks.zip"
LICENSE = f"Text CC BY 4.0, code MIT, {COPYRIGHT}"

PROVIDE = '''\
# @title What this page imports from rnn_examples: run this first
def provide(files):
    """Write files to a temporary folder, which Python then imports from."""
    import sys
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sys.path.insert(0, str(folder))


provide(
    {
'''


# ---------------------------------------------------- what a page's code imports


def imported(source: str) -> set[str]:
    """The modules of the package that a piece of code names, as gates.lstm."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            if package == "rnn_examples":
                for alias in node.names:
                    found.add(module_of(module, alias.name))
    return found


def module_of(module: str, name: str) -> str:
    """Where ``from rnn_examples[.MODULE] import NAME`` takes the name from."""
    if not module:
        return MODULES.get(name, name)
    is_module = HERE.joinpath(*module.split("."), f"{name}.py").exists()
    return f"{module}.{name}" if is_module else module


def with_neighbors(names: set[str]) -> list[str]:
    """These modules and those that they import, in the order of reading."""
    order: list[str] = []

    def visit(name: str) -> None:
        source = parse(name)
        for other in sorted({module for module, _ in source.neighbors.values()}):
            if other not in source.for_types and other not in order:
                visit(other)
        if name not in order:
            order.append(name)

    for name in sorted(names):
        visit(name)
    return order


def provide_cell(names: set[str]) -> str:
    """The cell that makes modules importable where the package is not."""
    files = [HERE / "__init__.py"]
    for name in with_neighbors(names):
        files += [path_of(name), *data_of(name)]
    parts = [PROVIDE]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "'''" not in text, f"{path} holds three quotes"
        where = path.relative_to(HERE.parent).as_posix()
        parts.append(f"        {json.dumps(where)}: r'''{text}''',\n")
    return "".join([*parts, "    }\n)"])


# ------------------------------------------------------------------ the notebook


def without_glue(source: str) -> str:
    """A cell without what only this site's build needs."""
    if "glue" not in source:
        return source
    lines = source.splitlines()
    for node in reversed(glued(ast.parse(source).body)):
        del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip("\n")


def glued(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that glue a number into the text, and loops of only those."""
    found: list[ast.stmt] = []
    for node in body:
        inner = getattr(node, "body", [])
        text = ast.unparse(node)
        is_glue = text == "from myst_nb import glue" or text.startswith("glue(")
        if is_glue or (inner and len(glued(inner)) == len(inner)):
            found.append(node)
        else:
            found += glued(inner)
    return found


class Notebook:
    """The cells of one page's notebook, as they are added."""

    def __init__(self, docname: str, executed: list[dict]) -> None:
        self.prefix = re.sub(r"[^\w-]", "-", docname)[:56]
        self.executed, self.next = executed, 0
        self.cells: list[dict] = []
        self.count = 0  # of the code cells

    def text(self, source: str) -> None:
        if source.strip():
            cell = {"cell_type": "markdown", "metadata": {}, "source": source.strip()}
            self.add(cell)

    def code(self, source: str, outputs: list[dict], metadata: dict) -> None:
        self.count += 1
        for output in outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = self.count
        self.add(
            {
                "cell_type": "code",
                "execution_count": self.count,
                "metadata": metadata,
                "outputs": outputs,
                "source": source,
            }
        )

    def add(self, cell: dict) -> None:
        lines = cell["source"].splitlines(keepends=True)
        number = len(self.cells)
        self.cells.append(cell | {"id": f"{self.prefix}-{number}", "source": lines})

    def run_to(self, index: int) -> None:
        """Add the page's code cells up to this one, those it does not show too."""
        for cell in self.executed[self.next : index + 1]:
            if cell["cell_type"] == "code":
                self.cell(cell)
        self.next = max(self.next, index + 1)

    def cell(self, cell: dict) -> None:
        source = without_glue("".join(cell["source"]))
        tags = set(cell["metadata"].get("tags", []))
        metadata: dict = {}
        folds = {"hide-input", "hide-cell", "remove-cell", "remove-input"}
        if tags & folds or {"check", "setup"} & set(cell["metadata"]):
            metadata = folded()
        if "raises-exception" in tags:
            metadata["tags"] = ["raises-exception"]
        outputs = [] if tags & {"remove-cell", "remove-output"} else cell["outputs"]
        if source:
            self.code(source, outputs, metadata)


def folded() -> dict:
    """Metadata of a cell whose code is shown on a click, in Colab and Jupyter."""
    return {"cellView": "form", "jupyter": {"source_hidden": True}}


def origin(docname: str, site_url: str) -> str:
    """The sentence under a notebook's title."""
    page = f"[{docname}]({site_url}{docname}.html)" if site_url else f"`{docname}`"
    return (
        f"*The page {page} of rnn_examples {__version__} as a notebook: it runs alone, "
        f"with torch, NumPy and matplotlib, and its outputs are those of the page, "
        f"by torch {torch_version()}. {LICENSE}.*"
    )


def torch_version() -> str:
    return importlib.metadata.version("torch").partition("+")[0]


def notebook_of(
    docname: str, doctree: nodes.document, executed: list[dict], site_url: str
) -> dict:
    """A page as a notebook; its doctree says what stands between the cells."""
    book = Notebook(docname, executed)
    here = f"{site_url}{docname}.html" if site_url else ""
    names: set[str] = set()
    for cell in executed:
        if cell["cell_type"] == "code":
            names |= imported("".join(cell["source"]))
    title = doctree.next_node(nodes.title)
    heading = notebook_text.inline(title, here) if title else docname
    book.text(f"# {heading}\n\n{origin(docname, site_url)}")
    if names:
        book.code(provide_cell(names), [], folded())
    for part in notebook_text.parts(doctree, here):
        if isinstance(part, int):
            book.run_to(part)
        else:
            book.text(part)
    book.run_to(len(executed))
    return {
        "cells": book.cells,
        "metadata": {
            "colab": {"provenance": []},
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            "rnn_examples": {
                "license": LICENSE,
                "page": docname,
                "torch": torch_version(),
                "version": __version__,
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def executed_cells(app, docname: str) -> list[dict]:
    """The cells of a page with their outputs, as MyST-NB stored them."""
    path = Path(app.outdir).parent / "jupyter_execute" / f"{docname}.ipynb"
    if not path.exists():
        return []
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def shows_code(cell: dict) -> bool:
    tags = set(cell["metadata"].get("tags", []))
    hidden = {"remove-cell", "remove-input"}
    return cell["cell_type"] == "code" and not hidden & tags


def has_notebook(app, docname: str) -> bool:
    """Whether a page shows code, and is more than the way to the others."""
    cells = executed_cells(app, docname)
    return docname != app.config.root_doc and any(map(shows_code, cells))


def write_notebook(app, docname, templatename, context, doctree) -> None:
    """Beside each page whose code a reader sees; its template knows ``notebook``."""
    context["notebook"] = None
    if doctree is None or not has_notebook(app, docname):
        return
    cells = executed_cells(app, docname)
    context["notebook"] = f"{docname.rpartition('/')[2]}.ipynb"
    site_url = context.get("site_url") or ""
    notebook = notebook_of(docname, doctree, cells, site_url)
    path = Path(app.outdir, f"{docname}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    context["colab"] = colab(context.get("repository") or "", docname)


# --------------------------------------------------------------- links on a page


def link_code(app, doctree, docname) -> None:
    """Where a page names its modules in words, lead to their copies and to it."""
    if app.builder.format != "html":
        return
    here = app.builder.get_target_uri(docname)
    for paragraph in doctree.findall(nodes.paragraph):
        heads = {node.astext() for node in paragraph.findall(nodes.strong)}
        if "Code:" not in heads:
            continue
        for literal in list(paragraph.findall(nodes.literal)):
            if re.fullmatch(r"rnn_examples/[\w/]+\.py", literal.astext()):
                copy = literal.astext().replace("rnn_examples/", "code/", 1)
                link = nodes.reference(
                    "", "", refuri=relative_uri(here, copy), internal=True
                )
                literal.replace_self(link)
                link += literal
        line: list[nodes.Node] = [nodes.Text("\n"), nodes.strong("", "Notebook:")]
        for number, (words, uri) in enumerate(notebook_links(app, docname)):
            link = nodes.reference("", words, refuri=uri, internal=number == 0)
            line += [nodes.Text(", " if number else " "), link]
        paragraph.extend([*line, nodes.Text(".")])


def notebook_links(app, docname: str) -> list[tuple[str, str]]:
    """The words and addresses of a page's notebook, and of it in Colab."""
    name = docname.rpartition("/")[2]
    address = colab(app.config.html_context.get("repository", ""), docname)
    links = [(f"{name}.ipynb", f"{name}.ipynb")]
    return [*links, ("open in Colab", address)] if address else links


# ------------------------------------------------------ the page "Get the code"


class module_list(nodes.General, nodes.Element):
    """Where the list of all modules stands; filled when the page is written."""


class ModuleList(SphinxDirective):
    """``{modules}``: each module, what it holds, its pages, and where to get it."""

    def run(self):
        return [module_list("")]


class Pip(SphinxDirective):
    """``{pip}``: the command that installs the package, if it has an address."""

    def run(self):
        repository = self.config.html_context.get("repository", "")
        if not repository:
            return []
        command = f"pip install git+{repository}"
        block = nodes.literal_block(command, command, language="sh")
        return [nodes.paragraph("", "From its repository:"), block]


def site_file(name, rawtext, text, lineno, inliner, options=None, content=None):
    """A role: a link to a file that the build writes, by its path in the site."""
    env = inliner.document.settings.env
    uri = relative_uri(env.app.builder.get_target_uri(env.docname), text)
    link = nodes.reference(rawtext, "", refuri=uri, internal=True)
    link += nodes.literal("", text.rpartition("/")[2])
    return [link], []


def fill_lists(app, doctree, docname) -> None:
    for place in list(doctree.findall(module_list)):
        found = nodes.definition_list()
        for name, what in modules().items():
            path = f"rnn_examples/{name.replace('.', '/')}.py"
            term = nodes.term("", "", nodes.literal("", name))
            term += file_links("", path=path)
            words = nodes.paragraph("", "", nodes.Text(what))
            words += [nodes.Text(" "), pages_of(app, docname, name)]
            definition = nodes.definition("", words)
            found += nodes.definition_list_item("", term, definition)
        place.replace_self(found)


def pages_of(app, docname: str, module: str) -> nodes.inline:
    """Links to the pages that a module's docstring names, by their titles."""
    links = nodes.inline()
    line = re.search(r"^Pages?:(.*(?:\n +.*)*)", parse(module).docstring, re.M)
    for page in re.findall(r"docs/([\w/]+)\.md", line[1] if line else ""):
        if page in app.env.titles:
            uri = app.builder.get_relative_uri(docname, page)
            words = app.env.titles[page].astext()
            links += nodes.Text(", " if links.children else "Page: ")
            links += nodes.reference("", words, refuri=uri, internal=True)
    return links


def note_modules(app, config) -> None:
    """A new module, or another first line, writes the pages again; none runs."""
    config.modules_to_take = sorted(modules().items())


# -------------------------------------------------- once for the site, at its end


def write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_code(out: Path) -> set[Path]:
    """Each module as one file, and the data that it reads beside it."""
    files: dict[Path, bytes] = {}
    for name in modules():
        path = out / "code" / f"{name.replace('.', '/')}.py"
        files[path] = one_file(name).encode()
        files |= {path.parent / data.name: data.read_bytes() for data in data_of(name)}
    for path, content in files.items():
        write_if_changed(path, content)
    return set(files)


def remove_what_is_gone(app, code: set[Path]) -> None:
    """Notebooks of pages and copies of modules that are no more."""
    out = Path(app.outdir)
    for path in out.rglob("*.ipynb"):
        docname = path.relative_to(out).with_suffix("").as_posix()
        if docname not in app.env.found_docs or not has_notebook(app, docname):
            path.unlink()
    for path in (out / "code").rglob("*"):
        if path.is_file() and path not in code:
            path.unlink()


def write_zip(out: Path) -> None:
    """All files of the site in one archive: same files, same bytes."""
    part = out / f"{ZIP}.part"
    skip = {ZIP, part.name, ".buildinfo"}
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for folder, folders, names in os.walk(out):
            folders[:] = sorted(set(folders) - {".doctrees"})  # Sphinx's default
            for name in sorted(set(names) - skip):
                path = Path(folder, name)
                info = zipfile.ZipInfo(path.relative_to(out).as_posix())
                info.compress_type = zipfile.ZIP_DEFLATED
                if path.suffix in {".woff2", ".png"}:
                    info.compress_type = zipfile.ZIP_STORED
                info.external_attr = 0o644 << 16
                archive.writestr(info, path.read_bytes())
    part.replace(out / ZIP)


def finish(app, error) -> None:
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    remove_what_is_gone(app, write_code(out))
    write_zip(out)


# --------------------------------------------------------------------- the setup


def forget_package() -> None:
    """So that a page that imports the package has read it, and depends on it."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "rnn_examples"]:
        del sys.modules[name]


def setup(app) -> dict:
    forget_package()
    app.add_node(module_list)
    app.add_directive("modules", ModuleList)
    app.add_directive("pip", Pip)
    app.add_role("site-file", site_file)
    app.add_config_value("modules_to_take", [], "html", list)
    app.connect("config-inited", note_modules)
    app.connect("doctree-resolved", fill_lists)
    app.connect("doctree-resolved", link_code)
    app.connect("html-page-context", write_notebook)
    app.connect("build-finished", finish, priority=999)  # when all else is written
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
