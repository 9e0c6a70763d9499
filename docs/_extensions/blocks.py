"""What a page is made of: kinds of block that a reader tells apart at once.

Every block of code on a page stands in an element of class ``block`` and one of

- ``block-source``: a ``literalinclude`` of the project's code, under its file name,
- ``block-run``: the input of a cell,
- ``block-output``: what it put out; an error stands in ``block-raises``,
- ``block-check``: a cell ``:check: what equals what``, folded to that line,
- ``block-setup``: a cell ``:setup: imports, seed``, folded,
- ``block-plain``: code that nobody runs.

The input of a cell with the tag ``hide-input`` is folded (``block-code``) below
what it shows.

A cell ``:table: caption`` has a list of dicts as its value, a dict a row, and
is set as a table; ``:format: .2f``, or ``:format: {column: .0e}``, writes its
numbers. ``:gives: True`` pins what a cell shows. The directive ``{in-short}`` is
the card on top of a page. It takes the code cell that follows it, and the checks
right after that one.

What these promise is held while building: a check without an assert, or one
that did not run, is a warning, and so are a card without code, a table of anything
but rows and a cell tagged ``raises-exception`` that raises none.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.directives.code import LiteralInclude
from sphinx.errors import ConfigError
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

log = logging.getLogger(__name__)
PACKAGE = "rnn_examples"


class BlockError(ValueError):
    """What is wrong with a block, in words for its author."""


# ----------------------------------------------------------------------- nodes


class folded(nodes.container):
    """Closed until a reader opens it; the first child is its summary."""


class summary(nodes.paragraph):
    """The line of a folded block."""


class column_head(nodes.entry):
    """A cell in the head of a table."""


class row_head(nodes.entry):
    """The first cell of a row."""


class file_links(nodes.inline):
    """Links to files that are written beside the pages, where they are."""


def visit_folded(self, node):
    self.body.append(self.starttag(node, "details"))


def depart_folded(self, node):
    self.body.append("</details>\n")


def visit_summary(self, node):
    self.body.append(self.starttag(node, "summary", suffix=""))


def depart_summary(self, node):
    self.body.append("</summary>\n")


def visit_column_head(self, node):
    self.body.append(self.starttag(node, "th", suffix="", scope="col"))


def visit_row_head(self, node):
    self.body.append(self.starttag(node, "th", suffix="", scope="row"))


def depart_head(self, node):
    self.body.append("</th>\n")


def visit_file_links(self, node):
    """Relative addresses, known when the page is written."""
    app = self.builder.app
    page = self.builder.get_target_uri(self.builder.current_docname)
    for text, target in files_of(app, node):
        path, hash_, anchor = target.partition("#")
        uri = target if ":" in path else relative_uri(page, path) + hash_ + anchor
        self.body.append(f' <a class="block-link" href="{uri}">{text}</a>')


def depart_file_links(self, node):
    pass


def files_of(app, node) -> list[tuple[str, str]]:
    """What there is of a module, or of the page as a notebook: words, target."""
    if "notebook" in node:
        if "take_home" not in app.extensions:
            return []
        found = [("notebook", node["notebook"] + ".ipynb")]
        address = colab(app.config.html_context.get("repository", ""), node["notebook"])
        return [*found, ("Colab", address)] if address else found
    path, found = node["path"], []
    module = path.removesuffix(".py").replace("/", ".")
    entry = getattr(app.env, "_viewcode_modules", {}).get(module)
    if entry:
        page = posixpath.join("_modules", *module.split(".")) + ".html"
        anchor = node.get("object")
        found.append(("source", f"{page}#{anchor}" if anchor in entry[2] else page))
    if "take_home" in app.extensions:
        copy = posixpath.join("code", path.removeprefix(f"{PACKAGE}/"))
        found.append(("one file", copy))
    return found


def colab(repository: str, docname: str) -> str:
    """Where Colab opens the notebook, from the branch that a deployment pushes."""
    if not repository.startswith("https://github.com/"):
        return ""
    owner_and_name = repository.removeprefix("https://github.com/").strip("/")
    address = "https://colab.research.google.com/github"
    return f"{address}/{owner_and_name}/blob/notebooks/{docname}.ipynb"


def inline(text: str) -> list[nodes.Node]:
    """A line of words with `code`, $math$ and [links](https://...) in it."""
    parts: list[nodes.Node] = []
    for part in re.split(r"(`[^`]+`|\$[^$]+\$|\[[^\]]+\]\(https?://[^)]+\))", text):
        if link := re.fullmatch(r"\[(.+)\]\((.+)\)", part):
            parts.append(nodes.reference("", link[1], refuri=link[2]))
        elif part[:1] == "`":
            parts.append(nodes.literal("", part[1:-1]))
        elif part[:1] == "$" and len(part) > 1:
            parts.append(nodes.math("", part[1:-1]))
        elif part:
            parts.append(nodes.Text(part))
    return parts


# ---------------------------------------------------------------------- checks


def asserts(statement: ast.AST) -> int:
    """How many asserts run with this statement: not those of a function in it.

    Raises BlockError for one that cannot fail.
    """
    if isinstance(statement, ast.FunctionDef | ast.Lambda | ast.ClassDef):
        return 0
    count = sum(asserts(child) for child in ast.iter_child_nodes(statement))
    if isinstance(statement, ast.Assert):
        if isinstance(statement.test, ast.Constant | ast.Tuple):
            raise BlockError(f"`{ast.unparse(statement)}` cannot fail")
        return count + 1
    if isinstance(statement, ast.Call):
        name = ast.unparse(statement.func).rpartition(".")[2]
        return count + name.startswith("assert_")
    return count


def cut_check(source: str) -> tuple[str, str]:
    """What stands before the asserts at the end of a cell, and those."""
    start = None
    for statement in reversed(ast.parse(source).body):
        if not asserts(statement):
            break
        start = statement.lineno - 1
    if start is None:
        raise BlockError("its last statement is no assert")
    lines = source.splitlines(keepends=True)
    return "".join(lines[:start]), "".join(lines[start:])


def count_words(number: int) -> str:
    return f"{number} assert" if number == 1 else f"{number} asserts"


# ---------------------------------------------------------------------- tables


def rows_of(text: str) -> list[dict]:
    """The value of a cell from what it shows; raises BlockError."""
    need = "a table's cell ends in a list of dicts of numbers and strings, one a row"
    try:
        rows = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise BlockError(f"{need}; got {text[:60]}") from None
    if not rows or not isinstance(rows, list | tuple):
        raise BlockError(f"{need}; got {text[:60]}")
    for row in rows:
        if not isinstance(row, dict):
            raise BlockError(f"{need}; got the row {row!r}")
        if list(row) != list(rows[0]):
            raise BlockError(f"{need}; columns {list(rows[0])}, then {list(row)}")
    return list(rows)


def written(value: Any, spec: str) -> str:
    """A number by the author's format; a list of them side by side."""
    if isinstance(value, list | tuple):
        return ", ".join(written(v, spec) for v in value)
    if isinstance(value, str) or value is None:
        return value or ""
    try:
        return format(value, spec)
    except ValueError:
        raise BlockError(f"format {spec!r} does not fit the number {value}") from None


def is_number(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def spec_of(formats: str | dict, column: str, value: Any) -> str:
    if isinstance(formats, dict):
        return str(formats.get(column, ""))
    first = value[0] if isinstance(value, list | tuple) and value else value
    return str(formats) if isinstance(first, float) else ""


def table_of(rows: list[dict], caption: str, formats: str | dict) -> nodes.table:
    """Rows as a table: numbers to the right, heads that say what they head."""
    columns = list(rows[0])
    unknown = set(formats) - set(columns) if isinstance(formats, dict) else set()
    if unknown:
        raise BlockError(f"format names {sorted(unknown)}; the columns are {columns}")
    right = {c for c in columns if all(is_number(row[c]) for row in rows)}

    def line(kinds: list[type], texts: list[str]) -> nodes.row:
        entries = []
        for kind, column, text in zip(kinds, columns, texts, strict=True):
            entry = kind("", nodes.paragraph("", "", *inline(text)))
            if column in right:
                entry["classes"].append("number")
            entries.append(entry)
        return nodes.row("", *entries)

    head = line([column_head] * len(columns), [str(c) for c in columns])
    kinds = [row_head] + [nodes.entry] * (len(columns) - 1)
    body = [
        line(kinds, [written(row[c], spec_of(formats, c, row[c])) for c in columns])
        for row in rows
    ]
    group = nodes.tgroup("", cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    group += [nodes.thead("", head), nodes.tbody("", *body)]
    title = nodes.title("", "", *inline(caption))
    return nodes.table("", title, group, classes=["block-table"])


# ------------------------------------------------------------------- directives


class Source(LiteralInclude):
    """``literalinclude``, which remembers what it shows."""

    def run(self):
        found = super().run()
        for node in found:
            for block in node.findall(nodes.literal_block):
                block["object"] = self.options.get("pyobject", "")
        return found


class InShort(SphinxDirective):
    """The card on top of a page; its code is the cell that follows it."""

    has_content = True
    option_spec: ClassVar = {
        "time": directives.unchanged_required,
        "before": directives.unchanged,
        "module": directives.unchanged,
    }

    def run(self):
        if "time" not in self.options:
            raise self.error("{in-short} needs :time:, as in `:time: 20 minutes`")
        if not self.content:
            raise self.error("{in-short} needs the answer as its content")
        card = nodes.container("", classes=["in-short"])
        self.set_source_info(card)
        title = nodes.paragraph("", "In short", classes=["in-short-title"])
        card += [title, *self.parse_content_to_nodes(), self.links()]
        return [card]

    def links(self) -> nodes.paragraph:
        line = nodes.paragraph("", classes=["in-short-links"])
        line += nodes.inline("", self.options["time"])
        before = self.options.get("before", "").split()
        if before:
            line += nodes.inline("", "Before: ", *self.pages(before))
        for path in self.options.get("module", "").split():
            if not Path(self.env.app.confdir, path).is_file():
                raise self.error(f"{{in-short}} module: there is no file {path}")
            words = nodes.Text("Code: "), nodes.literal("", path)
            line += nodes.inline("", "", *words, file_links("", path=path))
        line += file_links("", notebook=self.env.docname)
        return line

    def pages(self, names: list[str]) -> list[nodes.Node]:
        """Links to pages by their titles."""
        found: list[nodes.Node] = []
        for name in names:
            if found:
                found.append(nodes.Text(", "))
            reference = addnodes.pending_xref(
                "",
                nodes.inline("", "", classes=["doc"]),
                refdoc=self.env.docname,
                refdomain="std",
                reftype="doc",
                reftarget=name,
                refexplicit=False,
                refwarn=True,
            )
            self.set_source_info(reference)
            found.append(reference)
        return found


# ------------------------------------------------------------------ the transform


def has(element: str):
    """A test for MyST-NB's containers."""

    def test(node: nodes.Node) -> bool:
        return isinstance(node, nodes.container) and node.get("nb_element") == element

    return test


def child(cell: nodes.Element, element: str) -> nodes.Element | None:
    return next(filter(has(element), cell.children), None)


def is_error(node: nodes.Node) -> bool:
    return isinstance(node, nodes.literal_block) and "traceback" in node["classes"]


def head(*children: nodes.Node) -> nodes.paragraph:
    return nodes.paragraph("", "", *children, classes=["block-head"])


def swap(old: nodes.Element, new: nodes.Element) -> None:
    """Put one node in another's place; replace_self would copy its classes."""
    old.parent.replace(old, new)


def wrap(node: nodes.Element, kind: str, *before: nodes.Node) -> None:
    box = nodes.container("", classes=["block", kind])
    swap(node, box)
    box += [*before, node]


class Blocks(SphinxTransform):
    """Give each block of a page its kind."""

    default_priority = 870  # whoever waits for doctree-read (880) finds it done

    def apply(self, **kwargs: Any) -> None:
        cells = list(self.document.findall(has("cell_code")))
        for block in list(self.document.findall(nodes.literal_block)):
            if not any(cell in ancestors(block) for cell in cells):
                self.literal(block)
        for cell in cells:
            try:
                self.cell(cell)
            except BlockError as error:
                log.warning("%s", error, location=cell, type="blocks")
        for card in list(self.document.findall(is_card)):
            self.card(card)

    def literal(self, block: nodes.literal_block) -> None:
        if "object" not in block:
            wrap(block, "block-plain")
            return
        root, path = Path(self.app.confdir), Path(block["source"])
        name = path.resolve().relative_to(root.resolve()).as_posix()
        parts = [nodes.literal("", name)]
        if block["object"]:
            parts += [nodes.Text(" "), nodes.inline("", block["object"])]
        files = file_links("", path=name, object=block["object"])
        wrap(block, "block-source", head(*parts, files))

    def cell(self, cell: nodes.container) -> None:
        metadata = cell["cell_metadata"]
        source, output = (
            child(cell, "cell_code_source"),
            child(cell, "cell_code_output"),
        )
        if output:
            output["classes"] += ["block", "block-output"]
            for error in list(output.findall(is_error)):
                wrap(error, "block-raises", head(nodes.Text("raises")))
        may_raise = "raises-exception" in metadata.get("tags", [])
        if may_raise and not any(cell.findall(is_error)) and cell["exec_count"]:
            raise BlockError("a cell that should raise an exception raises none")
        if "gives" in metadata:
            self.gives(cell, output, str(metadata["gives"]))
        if "table" in metadata:
            self.table(cell, metadata)
        if not source:
            return
        if "check" in metadata:
            self.check(cell, source, metadata)
        elif "setup" in metadata:
            words = ": ".join(filter(None, ["Setup", metadata["setup"]]))
            fold(source, inline(words), "block", "block-setup")
        else:
            source["classes"] += ["block", "block-run"]
            if output and cell.get("hide_mode") == "input":
                # What it shows comes first, its code after it and closed.
                del cell["hide_mode"]
                cell.remove(source)
                cell += source
                fold(
                    source,
                    inline(cell["prompt_show"].replace("{type}", "source")),
                    "block-code",
                )

    def gives(self, cell: nodes.container, output, want: str) -> None:
        found = output.findall(nodes.literal_block) if output else ()
        got = " ".join("".join(block.astext() for block in found).split())
        if got != " ".join(want.split()):
            raise BlockError(f"the cell gives {got!r}; its :gives: says {want!r}")

    def check(self, cell: nodes.container, source: nodes.Element, metadata) -> None:
        """One green line, if the cell ran and held."""
        words = metadata["check"]
        if not words:
            raise BlockError("a check says what equals what: `:check: equal to ...`")
        if cell["exec_count"] is None or "raises-exception" in metadata.get("tags", []):
            raise BlockError(f"the check {words!r} did not run, or may fail")
        code = source.next_node(nodes.literal_block).astext()
        number = asserts(ast.parse(code))
        if not number:
            raise BlockError(f"the check {words!r} holds no assert")
        if any(cell.findall(is_error)):
            return  # the build has said so
        mark = nodes.inline("", "Checked: ", classes=["block-mark"])
        count = nodes.inline("", f" · {count_words(number)}", classes=["block-count"])
        fold(source, [mark, *inline(words), count], "block", "block-check")

    def table(self, cell: nodes.container, metadata) -> None:
        texts = [
            node.astext()
            for node in cell.findall(nodes.container)
            if node.get("mime_type") == "text/plain"
        ]
        rows = rows_of(texts[-1] if texts else "nothing")
        table = table_of(rows, metadata["table"], metadata.get("format", ""))
        number = sum(1 for _ in self.document.findall(is_block_table)) + 1
        table["ids"] = [f"table-{number}"]
        bundle = list(cell.findall(has("mime_bundle")))[-1]
        swap(bundle, table)

    def card(self, card: nodes.container) -> None:
        """Move the cell that follows into the card, and its checks."""
        links = card.children.pop()
        taken = 0
        while has("cell_code")(follower := follower_of(card)):
            if taken and "check" not in follower["cell_metadata"]:
                break
            follower.parent.remove(follower)
            card += follower
            taken += 1
        if not taken:
            text = "{in-short} needs a code cell right after it: the lines that do it"
            log.warning("%s", text, location=card, type="blocks")
        card += links


def is_block_table(node: nodes.Node) -> bool:
    return isinstance(node, nodes.table) and "block-table" in node["classes"]


def is_card(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "in-short" in node["classes"]


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    found = []
    while node.parent:
        node = node.parent
        found.append(node)
    return found


def follower_of(node: nodes.Element) -> nodes.Node | None:
    siblings = node.parent.children
    after = siblings[siblings.index(node) + 1 :]
    return after[0] if after else None


def fold(source: nodes.Element, words: list[nodes.Node], *classes: str) -> None:
    box = folded("", classes=list(classes))
    swap(source, box)
    box += [summary("", "", *words), source]


# ---------------------------------------------------------------------- the setup


def setup(app):
    if sys.flags.optimize:
        raise ConfigError("python -O leaves out asserts, and a page would claim them")
    for node, visit, depart in (
        (folded, visit_folded, depart_folded),
        (summary, visit_summary, depart_summary),
        (column_head, visit_column_head, depart_head),
        (row_head, visit_row_head, depart_head),
        (file_links, visit_file_links, depart_file_links),
    ):
        app.add_node(node, html=(visit, depart))
    app.add_directive("literalinclude", Source, override=True)
    app.add_directive("in-short", InShort)
    app.add_transform(Blocks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
