"""``{example} MODULE [N]``: a module's doctest as executed cells of the page.

The directive becomes ordinary code cells with exactly the doctest's source,
without prompts, before the page is parsed: a cell ends where the docstring
prints something. N picks one block of the docstring (blocks are separated by
prose, the first is 1); without N, all of them. Each cell carries the tag
``example-MODULE-N-K``, by which a test finds its output on the built page and
holds it against the docstring. Options below the first line, ``:check: what
equals what`` and those of a claim, make a check (see blocks.py and claims.py) of
the asserts that end the last cell.
"""

from __future__ import annotations

import ast
import doctest
import os
import re
from pathlib import Path
from typing import NamedTuple

from blocks import BlockError, cut_check
from sphinx.errors import SphinxError

FENCE = re.compile(
    r"^```\{example\}[ \t]*(.*?)[ \t]*\n((?::[\w-]+:.*\n)*)```[ \t]*$", re.M
)


class Cell(NamedTuple):
    """Source of one cell, the output that its docstring expects, and its tag."""

    source: str
    want: str
    tag: str


class ExampleError(SphinxError):
    category = "example error"


def module_file(module: str, root: Path) -> Path:
    return root.joinpath(*module.split(".")).with_suffix(".py")


def blocks_of(path: Path) -> list[list[doctest.Example]]:
    """The docstring's examples, block by block; the module is not imported."""
    docstring = ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""
    blocks: list[list[doctest.Example]] = []
    new = True
    for piece in doctest.DocTestParser().parse(docstring):
        if isinstance(piece, doctest.Example):
            if new:
                blocks.append([])
            blocks[-1].append(piece)
            new = False
        elif piece.strip():
            new = True
    return blocks


def cells_of(module: str, root: Path, block: int | None = None) -> list[Cell]:
    """The cells that ``{example} module block`` stands for."""
    path = module_file(module, root)
    if not path.is_file():
        raise ExampleError(f"no module {module}: {path} does not exist")
    blocks = blocks_of(path)
    if not blocks:
        raise ExampleError(f"the docstring of {module} holds no doctest")
    if block is not None and not 1 <= block <= len(blocks):
        raise ExampleError(f"{module} has {len(blocks)} blocks; got block {block}")
    cells: list[Cell] = []
    for number, examples in enumerate(blocks, 1):
        lines: list[str] = []
        for i, example in enumerate(examples):
            lines.append(example.source)
            if example.want or i == len(examples) - 1:
                tag = f"example-{module}-{number}-{len(cells)}"
                cells.append(Cell("".join(lines), example.want, tag))
                lines = []
    if block is not None:
        cells = [c for c in cells if c.tag.startswith(f"example-{module}-{block}-")]
    return cells


def fence(tag: str, source: str, options: str = "") -> str:
    return f"```{{code-cell}}\n:tags: [{tag}]\n{options}{source}```"


def with_check(cell: Cell, options: str) -> list[str]:
    """The asserts that end a cell as a cell of their own, a check."""
    try:
        before, check = cut_check(cell.source)
    except BlockError as error:
        raise ExampleError(f"{{example}} {options.strip()}: {error}") from None
    cells = [fence(cell.tag, before)] if before.strip() else []
    return [*cells, fence(cell.tag, check, options)]


def expand(source: str, root: Path, note=lambda path: None) -> str:
    """Replace every ``{example}`` fence of a page by its code cells."""

    def replace(match):
        words = match[1].split()
        if not 1 <= len(words) <= 2 or (len(words) == 2 and not words[1].isdigit()):
            raise ExampleError(f"{{example}} needs MODULE [N]; got {match[1]!r}")
        block = int(words[1]) if len(words) == 2 else None
        cells = cells_of(words[0], root, block)
        note(str(module_file(words[0], root)))
        texts = [fence(c.tag, c.source) for c in cells]
        if match[2]:
            texts[-1:] = with_check(cells[-1], match[2])
        return "\n\n".join(texts)

    return FENCE.sub(replace, source)


def read_source(app, docname, source):
    if "{example}" not in source[0]:
        return
    try:
        source[0] = expand(source[0], Path(app.confdir), app.env.note_dependency)
    except ExampleError as error:
        page = os.path.relpath(app.env.doc2path(docname), app.confdir)
        raise ExampleError(f"{page}: {error}") from None


def setup(app):
    app.connect("source-read", read_source)
    return {"version": "1", "parallel_read_safe": True}
