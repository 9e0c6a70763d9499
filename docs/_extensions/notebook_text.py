"""A page's doctree as Markdown that Jupyter and Colab render, and its cells.

The doctree and not the page's source: there a directive has become what it
stands for, a reference has its words and a glued value its digits. A node that
this file does not know gives what it holds, so no text is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

from blocks import summary
from docutils import nodes
from sphinx import addnodes

# No words of the page: bookkeeping, or for HTML alone.
NOTHING = (
    nodes.comment,
    nodes.Invisible,
    nodes.raw,
    nodes.system_message,
    nodes.target,
    addnodes.index,
    addnodes.toctree,
)
LANGUAGES = {"ipython3": "python", "default": "python", "none": "", "myst-ansi": ""}
MARKS = {nodes.emphasis: "*", nodes.strong: "**", nodes.title_reference: "*"}


def parts(doctree: nodes.document, here: str) -> Iterator[str | int]:
    """Stretches of Markdown, and for each executed cell its number in between.

    ``here`` is the page's address, to which its links are relative; without one
    a link within the site is left as its words.
    """
    waiting: list[str] = []
    for part in blocks(doctree, here, 0):
        if isinstance(part, str):
            waiting.append(part)
        else:
            yield "\n\n".join(waiting)
            waiting = []
            yield part
    yield "\n\n".join(waiting)


def blocks(node: nodes.Node, here: str, level: int) -> Iterator[str | int]:
    """Paragraphs and the like, one after another."""
    if isinstance(node, NOTHING) or "toctree-wrapper" in node.get("classes", []):
        return
    if node.get("nb_element") == "cell_code":
        yield from cell(node, here)
    elif type(node) in LEAVES:
        yield LEAVES[type(node)](node, here)
    elif is_inline(node) and not isinstance(node, nodes.title):
        yield inline(node, here).strip()
    else:
        yield from branch(node)(node, here, level)


def branch(node: nodes.Node):
    """The function for a node that may hold cells."""
    if isinstance(node, nodes.Admonition):
        return quoted
    return BRANCHES.get(type(node), children)


def children(node: nodes.Node, here: str, level: int) -> Iterator[str | int]:
    for child in node.children:
        yield from blocks(child, here, level)


def section(node: nodes.Element, here: str, level: int) -> Iterator[str | int]:
    yield from children(node, here, level + 1)


def title(node: nodes.Element, here: str, level: int) -> Iterator[str | int]:
    if level > 1:  # the page's own stands in the notebook's first cell
        yield f"{'#' * level} {inline(node, here)}"


def cell(node: nodes.Element, here: str) -> Iterator[str | int]:
    """Its number, between the words that stand above and below it on the page."""
    for words in node.findall(summary):
        if "block-check" in words.parent["classes"]:
            yield f"*{inline(words, here)}*"
    yield node["cell_index"]
    for rows in node.findall(nodes.table):
        yield f"*{inline(rows[0], here)}*"
        yield table(rows, here)
    for figure in node.findall(nodes.figure):
        for caption in figure.findall(nodes.caption):
            yield f"*{inline(caption, here)}*"


def is_inline(node: nodes.Node) -> bool:
    """Whether it holds words and no paragraphs."""
    inner = (nodes.Text, nodes.Inline, nodes.image)
    return isinstance(node, inner) or (
        bool(node.children)
        and all(isinstance(child, (*inner, nodes.raw)) for child in node.children)
    )


def text_of(node: nodes.Node, here: str) -> str:
    """A node's paragraphs as one text; its cells stand where they were run."""
    found = [part for part in children(node, here, 1) if isinstance(part, str)]
    return "\n\n".join(filter(None, found))


def list_items(node: nodes.Element, here: str, level: int) -> Iterator[str | int]:
    numbered = isinstance(node, nodes.enumerated_list)
    lines, cells = [], []
    for number, item in enumerate(node.children, node.get("start", 1)):
        mark = f"{number}. " if numbered else "- "
        cells += [part for part in children(item, here, level) if isinstance(part, int)]
        lines.append(mark + indented(text_of(item, here), " " * len(mark)))
    yield "\n".join(lines)
    yield from cells


def quoted(node: nodes.Element, here: str, level: int) -> Iterator[str | int]:
    cells = [part for part in children(node, here, level) if isinstance(part, int)]
    head = node.tagname.title() if isinstance(node, nodes.Admonition) else ""
    if isinstance(node, nodes.admonition):
        head = inline(node.next_node(nodes.title), here)
    text = (f"**{head}.** " if head else "") + text_of(node, here)
    yield "> " + text.replace("\n", "\n> ")
    yield from cells


def indented(text: str, prefix: str) -> str:
    """The lines after the first one, indented."""
    return re.sub(r"\n(?!\n|$)", "\n" + prefix, text)


BRANCHES = {
    nodes.section: section,
    nodes.title: title,
    nodes.bullet_list: list_items,
    nodes.enumerated_list: list_items,
    nodes.block_quote: quoted,
}


# ----------------------------------------------------------- blocks without cells


def paragraph(node: nodes.Element, here: str) -> str:
    if "in-short-title" in node["classes"]:
        return f"**{inline(node, here)}**"
    if "in-short-links" in node["classes"]:
        parts = [inline(child, here) for child in node.children]
        return "*" + " · ".join(filter(None, parts)) + "*"
    return inline(node, here)


def literal_block(node: nodes.Element, here: str) -> str:
    language = node.get("language", "")
    text = node.astext().strip("\n")
    fence = "````" if "```" in text else "```"
    return f"{fence}{LANGUAGES.get(language, language)}\n{text}\n{fence}"


def math_block(node: nodes.Element, here: str) -> str:
    number = rf" \tag{{{node['number']}}}" if node.get("number") else ""
    return f"$$\n{node.astext().strip()}{number}\n$$"


def table(node: nodes.Element, here: str) -> str:
    rows = []
    for row in node.findall(nodes.row):
        cells = [cell_text(entry, here) for entry in row.findall(nodes.entry)]
        rows.append(f"| {' | '.join(cells)} |")
    columns = rows[0].count(" | ") + 1 if rows else 0
    rows.insert(1, "| " + " | ".join(["---"] * columns) + " |")
    return "\n".join(rows)


def cell_text(entry: nodes.Element, here: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text_of(entry, here)).replace("|", r"\|")


def definition_list(node: nodes.Element, here: str) -> str:
    lines = []
    for item in node.children:
        terms = [inline(t, here) for t in item.findall(nodes.term)]
        texts = [text_of(d, here) for d in item.findall(nodes.definition)]
        lines.append(f"- **{', '.join(terms)}**: " + indented(" ".join(texts), "  "))
    return "\n".join(lines)


def rubric(node: nodes.Element, here: str) -> str:
    return f"**{inline(node, here)}**"


def transition(node: nodes.Element, here: str) -> str:
    return "---"


LEAVES = {
    nodes.paragraph: paragraph,
    nodes.caption: paragraph,
    nodes.literal_block: literal_block,
    nodes.doctest_block: literal_block,
    nodes.math_block: math_block,
    nodes.table: table,
    nodes.definition_list: definition_list,
    nodes.rubric: rubric,
    nodes.transition: transition,
}


# --------------------------------------------------------------------- the words


def inline(node: nodes.Node, here: str) -> str:
    """The words of a node, with their marks."""
    if isinstance(node, nodes.Text):
        return escaped(str(node))
    if isinstance(node, NOTHING):
        return ""
    if isinstance(node, nodes.literal):
        tick = "``" if "`" in node.astext() else "`"
        return f"{tick}{node.astext()}{tick}"
    if isinstance(node, nodes.math):
        return f"${node.astext().strip()}$"
    if isinstance(node, nodes.image):
        return image(node, here)
    words = "".join(inline(child, here) for child in node.children)
    if isinstance(node, nodes.reference):
        return link(node, words, here)
    mark = MARKS.get(type(node), "")
    return f"{mark}{words}{mark}" if words else ""


def escaped(text: str) -> str:
    """Plain text whose signs mean nothing to Markdown or to math."""
    text = re.sub(r"([\\`*$<])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def link(node: nodes.Element, words: str, here: str) -> str:
    address = node.get("refuri") or f"#{node.get('refid', '')}"
    if not re.match(r"[a-z]+:", address):
        if not here:
            return words
        address = urljoin(here, address)
    return f"[{words}]({address})"


def image(node: nodes.Element, here: str) -> str:
    address = node.get("uri", "")
    if re.match(r"https?:", address):
        return f"![{node.get('alt', '')}]({address})"
    return node.get("alt", "")
