"""A page as plain Markdown: text, code, outputs, and equations as TeX.

Made from the page's nodes after every reference and output is in its place, so
it says what the page says. What has no words, such as a script, is left out; a
picture is its description.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes

SKIP = (
    nodes.comment
    | nodes.raw
    | nodes.meta
    | nodes.target
    | nodes.substitution_definition
    | nodes.system_message
    | addnodes.index
    | addnodes.toctree
)


def markdown_of(doctree: nodes.document, address=lambda uri: uri) -> str:
    """The whole page; ``address`` makes of a relative link what it is to be."""
    return "\n\n".join(filter(None, Writer(address).blocks(doctree, 0))) + "\n"


class Writer:
    def __init__(self, address) -> None:
        self.address = address

    def blocks(self, node: nodes.Element, level: int) -> list[str]:
        return [b for child in node.children for b in self.block(child, level)]

    def block(self, node: nodes.Node, level: int) -> list[str]:
        """A node that stands between blank lines, and what is in it."""
        if isinstance(node, SKIP):
            return []
        name = "block_" + type(node).__name__
        if method := getattr(self, name, None):
            return method(node, level)
        if isinstance(node, nodes.TextElement | nodes.Text | nodes.image):
            return [self.inline(node)]
        if isinstance(node, nodes.Element):
            return self.blocks(node, level)
        return []

    def block_section(self, node, level):
        return self.blocks(node, level + 1)

    def block_title(self, node, level):
        return [f"{'#' * max(level, 1)} {self.inline(node)}"]

    def block_rubric(self, node, level):
        return [f"**{self.inline(node)}**"]

    def block_literal_block(self, node, level):
        kind, text = node.get("language", ""), node.astext().rstrip("\n")
        kind = "python" if kind.startswith(("ipython", "python")) else ""
        if str(node.get("source", "")).endswith(".py"):
            kind = "python"
        if "output" in node.get("classes", ()):
            kind = "output"
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        return [f"{fence}{kind}\n{text}\n{fence}"]

    block_doctest_block = block_literal_block

    def block_math_block(self, node, level):
        return [f"$$\n{node.astext().strip()}\n$$"]

    def block_list_item(self, node, level):
        inner = "\n\n".join(self.blocks(node, level))
        return ["- " + inner.replace("\n", "\n  ").replace("\n  \n", "\n\n")]

    def block_bullet_list(self, node, level):
        return ["\n".join(self.blocks(node, level))]

    block_enumerated_list = block_bullet_list

    def block_definition(self, node, level):
        inner = "\n\n".join(self.blocks(node, level))
        return [": " + inner.replace("\n", "\n  ").replace("\n  \n", "\n\n")]

    def block_field(self, node, level):
        name, body = node.children
        return [f"{name.astext()}: " + "\n\n".join(self.blocks(body, level))]

    def block_desc_signature(self, node, level):
        return [f"`{' '.join(node.astext().removesuffix('[source]').split())}`"]

    def block_table(self, node, level):
        rows = [
            [" ".join(self.blocks(cell, level)).replace("\n", " ") for cell in row]
            for row in node.findall(nodes.row)
        ]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        title = [self.inline(t) for t in node.children if isinstance(t, nodes.title)]
        return [*title, "\n".join(lines)]

    def inline(self, node: nodes.Node) -> str:
        """Text in a line."""
        if isinstance(node, nodes.Text):
            return node.astext()
        if isinstance(node, SKIP):
            return ""
        if isinstance(node, nodes.math):
            return f"${node.astext()}$"
        if isinstance(node, nodes.image):
            return f"[Figure: {node.get('alt') or 'no description'}]"
        if isinstance(node, nodes.literal):
            return f"`{node.astext()}`"
        inner = "".join(self.inline(child) for child in node.children)
        if isinstance(node, nodes.reference) and node.get("refuri"):
            return f"[{inner}]({self.address(node['refuri'])})"
        if isinstance(node, nodes.strong):
            return f"**{inner}**"
        if isinstance(node, nodes.emphasis):
            return f"*{inner}*"
        return inner
