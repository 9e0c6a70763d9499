"""What the copy button adds to a block of Python so that it runs.

A page's cells go on from one another, and a shown function uses the imports of
its module. So each block gets an id and two attributes, which ``copy.js`` reads:
``data-needs``, the earlier blocks of the page that it goes on from, and
``data-setup``, the imports that all of them use and do not make, with the
page's dtype and seed. What a block needs is found from the names that it reads:
the blocks that bind or change them, and what those read, in the page's order.
"""

from __future__ import annotations

import ast
import builtins
import dis
import html
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from docutils import nodes

from rnn_examples.one_file import (
    HERE,
    Source,
    import_lines,
    imports_of,
    names_quoted,
    parse,
)

PYTHON = {"ipython3", "ipython", "python", "python3", "py"}
COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
EFFECTS = ("torch.set_default_dtype", "torch.manual_seed")
# Methods that change what they are called on; torch's others end in _.
CHANGING = {
    "add",
    "append",
    "backward",
    "clear",
    "eval",
    "extend",
    "insert",
    "load_state_dict",
    "pop",
    "register_forward_hook",
    "register_hook",
    "remove",
    "setdefault",
    "step",
    "train",
    "update",
    "zero_grad",
}

DEFINING = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
Imports = dict[str, tuple[str, str]]  # name: (module, name there or "")


@dataclass
class Block:
    """A block of code on a page, and what its names are to the others."""

    id: str
    reads: set[str]  # and does not bind before
    binds: set[str]
    changes: set[str]
    imports: Imports
    effects: dict[str, str]  # function: the line that calls it
    runs: bool  # and not only defines
    raises: bool
    needs: list[str] = field(default_factory=list)
    setup: str = ""


# --------------------------------------------------------------- names in a block


def reads_and_binds(source: str) -> tuple[set[str], set[str]]:
    """The names that code reads before it binds them, and those that it binds.

    From the byte code, which stands in the order of evaluation.
    """
    reads: set[str] = set()
    binds: set[str] = set()
    later: set[str] = set()  # in a function: it is called when all is bound
    code = compile(source, "block", "exec", dont_inherit=True)
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            reads |= {value} - binds
        elif instruction.opname == "STORE_NAME":
            binds.add(value)
        elif isinstance(value, CodeType):
            inner = globals_of(value)
            if value.co_name in COMPREHENSIONS:
                reads |= inner - binds
            else:
                later |= inner
    return (reads | (later - binds)) - set(dir(builtins)), binds


def globals_of(code: CodeType) -> set[str]:
    """The global names that the code of a function reads."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            found.add(instruction.argval)
        elif isinstance(instruction.argval, CodeType):
            found |= globals_of(instruction.argval)
    return found


def root(node: ast.AST) -> str:
    """``x`` of ``x.y[0]()``."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def changed(tree: ast.AST) -> set[str]:
    """The names whose values the code changes in place, as far as one sees."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            if not isinstance(node.ctx, ast.Load):
                found.add(root(node))
        elif isinstance(node, ast.AugAssign):
            found.add(root(node.target))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            in_place = name.endswith("_") and not name.endswith("__")
            if in_place or name in CHANGING:
                found.add(root(node.func))
            for argument in node.args if in_place else []:  # nn.init.zeros_(x)
                found.add(root(argument))
    return found - {""}


def effects_of(tree: ast.Module) -> dict[str, str]:
    """The calls that what comes later depends on without a name."""
    lines = [ast.unparse(node) for node in tree.body]
    return {f: line for line in lines for f in EFFECTS if line.startswith(f"{f}(")}


def imports_in(tree: ast.AST) -> Imports:
    found: Imports = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= imports_of(node)
    return found


# ------------------------------------------------------------- a page's own blocks


def cell_block(identifier: str, source: str, raises: bool) -> Block:
    tree = ast.parse(source)
    reads, binds = reads_and_binds(source)
    imports = imports_in(tree)
    return Block(
        id=identifier,
        reads=reads,
        binds=binds - set(imports),
        changes=changed(tree),
        imports=imports,
        effects=effects_of(tree),
        runs=not all(isinstance(node, DEFINING) for node in tree.body),
        raises=raises,
    )


def complete(block: Block, earlier: list[Block]) -> None:
    """Find what a block needs of the earlier ones of its page."""
    wanted, imports, runs = set(block.reads), {}, block.runs
    effects, done = {}, set(block.effects)
    for other in reversed(earlier):
        for name in wanted & set(other.imports):
            imports[name] = other.imports[name]
        wanted -= set(imports)
        if not other.raises and wanted & (other.binds | other.changes):
            block.needs.insert(0, other.id)
            wanted = (wanted - other.binds) | other.reads
            done |= set(other.effects)
            runs |= other.runs
        else:
            effects = other.effects | effects
    if not imports and not block.needs:
        return  # it stands alone
    calls = [effects[f] for f in EFFECTS if runs and f in effects and f not in done]
    if calls:
        imports["torch"] = ("torch", "")
    lines = [import_lines(imports).strip(), "\n".join(calls)]
    block.setup = "\n\n".join(filter(None, lines))


# ----------------------------------------------------------------- a shown function


def shown_setup(source: str, module: str) -> str:
    """The imports with which a function of a module runs outside of it."""
    known = names_of(module, parse(module))
    reads, binds = reads_and_binds(source)
    tree = ast.parse(source)
    names = (reads | names_quoted(tree) | names_of_variables(tree)) - binds
    return import_lines({n: known[n] for n in sorted(names & set(known))}).strip()


def names_of_variables(tree: ast.AST) -> set[str]:
    """The names in the annotations of variables, which no code evaluates."""
    notes = [n.annotation for n in ast.walk(tree) if isinstance(n, ast.AnnAssign)]
    return {n.id for note in notes for n in ast.walk(note) if isinstance(n, ast.Name)}


def names_of(module: str, source: Source) -> Imports:
    """Where each name of a module can be imported from."""
    known: Imports = dict(source.imports)
    for name, (other, original) in source.neighbors.items():
        known[name] = (f"rnn_examples.{other}", original)
    for statement in source.statements:
        for name in statement.binds:
            known[name] = (f"rnn_examples.{module}", name)
    return known


def module_of(node: nodes.literal_block) -> str:
    """The module, as gates.lstm, that a literalinclude shows a part of."""
    path = Path(node.get("source") or "")
    if path.suffix != ".py" or not path.is_relative_to(HERE):
        return ""
    return ".".join(path.relative_to(HERE).with_suffix("").parts)


# ---------------------------------------------------------------- pages of the site


def tags_of_cells(doctree: nodes.document) -> dict[int, list[str]]:
    """The tags of the cell that each block of code is the source of, by its id()."""
    found = {}
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            tags = cell["cell_metadata"].get("tags", [])
            found |= {id(node): tags for node in cell.findall(nodes.literal_block)}
    return found


def is_python(node: nodes.literal_block) -> bool:
    known = module_of(node) or node.get("language") in PYTHON
    if not known or "output" in node["classes"]:
        return False
    try:
        compile(textwrap.dedent(node.astext()), "block", "exec")
    except SyntaxError:  # a fragment: it is copied as it stands
        return False
    return True


def prepare(app, doctree, docname) -> None:
    """Name each block of Python, and note what it needs."""
    if app.builder.format != "html":
        return
    earlier: list[Block] = []
    tags = tags_of_cells(doctree)
    found = [node for node in doctree.findall(nodes.literal_block) if is_python(node)]
    for number, node in enumerate(found, 1):
        identifier, module = f"code-{number}", module_of(node)
        source = textwrap.dedent(node.astext())
        node["ids"].append(identifier)
        node["copy_id"], node["copy_needs"] = identifier, []
        if module:
            node["copy_setup"] = shown_setup(source, module)
            continue
        is_raising = "raises-exception" in tags.get(id(node), [])
        block = cell_block(identifier, source, is_raising)
        complete(block, earlier)
        node["copy_needs"], node["copy_setup"] = block.needs, block.setup
        if id(node) in tags:
            earlier.append(block)


def mark(app, pagename, templatename, context, doctree) -> None:
    """Write the attributes, for which docutils has no place, beside the ids."""
    for node in doctree.findall(nodes.literal_block) if doctree is not None else []:
        if "copy_id" not in node:
            continue
        identifier, attributes = f'id="{node["copy_id"]}"', ""
        if node["copy_setup"]:
            setup = html.escape(node["copy_setup"]).replace("\n", "&#10;")
            attributes += f' data-setup="{setup}"'
        if node["copy_needs"]:
            attributes += f' data-needs="{" ".join(node["copy_needs"])}"'
        body = context["body"]
        context["body"] = body.replace(identifier, identifier + attributes, 1)


def setup(app) -> dict:
    app.connect("doctree-resolved", prepare, priority=900)
    app.connect("html-page-context", mark)
    app.add_js_file("copy.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
