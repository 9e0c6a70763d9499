"""The API reference, its source pages, and links to it from the pages' code.

``{api} MODULE`` is the whole text of a module's page; ``{api} MODULE ...`` with
several is a list of modules, each with what it holds. autodoc takes docstrings
for reStructuredText; ours are plain text of one shape (see gates/lstm.py), so
they are turned into it first.

In code, a name that was imported from the package links to its entry, and an
entry names the pages whose code uses it. sphinx-codeautolink does that too, but
it imports the package, and so torch, to build any page, and reads the written
pages again; here a page's syntax trees are enough.
"""

from __future__ import annotations

import ast
import hashlib
import html
import posixpath
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import sphinx.ext.viewcode as viewcode
from docutils import nodes
from per_page import keep
from sphinx.addnodes import desc, desc_content, desc_signature
from sphinx.errors import SphinxError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxRole

PACKAGE = "rnn_examples"
PAGES = "reference/api/"
FENCE = re.compile(r"^```\{api\}[ \t]*(.*?)[ \t]*\n```[ \t]*$", re.M)
PYTHONS = ("python", "python3", "ipython", "ipython3")
TORCH, PYTHON = "https://docs.pytorch.org/docs/stable/", "https://docs.python.org/3/"
# The types of our signatures that others document; as each says its own name.
ELSEWHERE = {
    "torch.Tensor": TORCH + "tensors.html",
    "torch._C.Generator": TORCH + "generated/torch.Generator.html",
    "torch.Generator": TORCH + "generated/torch.Generator.html",
    "torch.device": TORCH + "tensor_attributes.html#torch.device",
    "torch.dtype": TORCH + "tensor_attributes.html#torch.dtype",
    "torch.nn.RNN": TORCH + "generated/torch.nn.RNN.html",
    "torch.nn.modules.rnn.RNN": TORCH + "generated/torch.nn.RNN.html",
    "torch.nn.modules.rnn.RNNBase": TORCH + "generated/torch.nn.RNNBase.html",
    "torch.nn.utils.rnn.PackedSequence": TORCH
    + "generated/torch.nn.utils.rnn.PackedSequence.html",
}


class ApiError(SphinxError):
    category = "API error"


# ------------------------------------------------------------------ the pages


def path_of(module: str, root: Path) -> Path:
    path = root.joinpath(PACKAGE, *module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise ApiError(f"no module {PACKAGE}.{module}: {path.name} does not exist")
    return path


def first_sentence(docstring: str) -> str:
    return " ".join(docstring.strip().partition("\n\n")[0].split())


def module_page(module: str, root: Path) -> str:
    """The text of one module's page."""
    docstring = ast.get_docstring(ast.parse(path_of(module, root).read_text())) or ""
    about = first_sentence(docstring)
    what = f"{PACKAGE}.{module}: {about} Signatures, shapes, errors and source."
    what = textwrap.shorten(what, 155, placeholder=" ...")
    return (
        "---\norphan: true\n"  # the list of modules leads here, not the sidebar
        f"myst:\n  html_meta:\n    description: {what!r}\n---\n\n"
        f"# {module}\n\n"
        f"[API reference](/reference/api.md) of `{PACKAGE}`\n\n"
        f"```{{eval-rst}}\n.. automodule:: {PACKAGE}.{module}\n```\n"
    )


def module_list(modules: list[str], root: Path) -> str:
    """Modules as definitions: what each is about, and its public names."""
    lines = []
    for module in modules:
        tree = ast.parse(path_of(module, root).read_text())
        kinds = ast.FunctionDef | ast.ClassDef
        defined = [n for n in tree.body if isinstance(n, kinds) and is_public(n)]
        names = ", ".join(
            f"{{py:obj}}`{n.name} <{PACKAGE}.{module}.{n.name}>`" for n in defined
        )
        page = posixpath.join("/" + PAGES, module.replace(".", "/"))
        about = first_sentence(ast.get_docstring(tree) or "")
        lines.append(f"[{module}]({page}.md)\n: {about}\n\n  {names}\n")
    return "\n".join(lines)


def is_public(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return not node.name.startswith("_") and bool(ast.get_docstring(node))


def read_source(app, docname, source):
    if "{api}" not in source[0]:
        return
    root = Path(app.confdir)

    def replace(match):
        modules = match[1].split()
        for module in modules:
            app.env.note_dependency(str(path_of(module, root)))
        if docname.startswith(PAGES):
            return module_page(modules[0], root)
        return module_list(modules, root)

    source[0] = FENCE.sub(replace, source[0])


# -------------------------------------------------------------- the docstrings

HEADER = re.compile(r"(Shapes|Pages?|Tests?|Source):")
SECTION = re.compile(r"(Args|Inputs|Outputs|Raises|Returns)(, .*)?:$")
EQUATION = re.compile(r"^[\w, {}^'|()-]+ = ", re.M)


def escaped(text: str) -> str:
    """Plain text as reStructuredText; what is between backquotes is code."""
    pieces = re.split(r"(``.+?``)", text)
    pieces[::2] = [
        re.sub(r"_(?=\W|$)", r"\\_", re.sub(r"([\\*|`])", r"\\\1", piece))
        for piece in pieces[::2]
    ]
    return "".join(pieces)


def linked(text: str) -> str:
    """A header's text: papers and pages as links, test files as code."""
    text = escaped(" ".join(text.split()))
    text = re.sub(
        r"doi:(10\.[^\s;,]*[^\s;,.])", r"`doi:\1 <https://doi.org/\1>`__", text
    )
    text = re.sub(
        r"arXiv:(\d+\.\d+(?:v\d)?)", r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", text
    )
    text = re.sub(r"docs/([\w/]+)\.md", r":doc:`/\1`", text)
    return re.sub(r"tests/[\w/]+\.py", r":repository-file:`\g<0>`", text)


def blocks_of(lines: list[str]) -> Iterator[list[str]]:
    """Blocks between blank lines; a section ends where its indent does."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line:
            block.append(line)
        elif block:
            yield block
            block = []


def section(title: str, body: list[str]) -> list[str]:
    """``name: text`` lines as a list of definitions under their title."""
    out = [f":{escaped(title)}:", ""]
    indent = len(body[0]) - len(body[0].lstrip()) if body else 0
    for line in (line[indent:] for line in body):
        found = re.match(r"(\(?\w[\w, ]*\)?): (.*)", line)
        if found:
            out += ["", f"    ``{found[1]}``", f"        {escaped(found[2])}"]
        else:
            out.append("        " + escaped(line.strip()))
    return [*out, ""]


def as_rst(lines: list[str]) -> list[str]:
    """A docstring of our shape as reStructuredText."""
    out: list[str] = []
    for block in blocks_of(lines):
        head = block[0]
        if head.startswith(">>>"):
            out += block
        elif SECTION.match(head):
            out += section(head.rstrip(":"), block[1:])
        elif HEADER.match(head):
            for found in re.split(r"\n(?=\S)", "\n".join(block)):
                name, _, text = found.partition(":")
                out.append(f":{name}: {linked(text)}")
        elif all(line[0] == " " for line in block) or EQUATION.match("\n".join(block)):
            out += [
                ".. code-block:: text",
                "",
                *("    " + line.strip() for line in block),
            ]
        else:
            out += [escaped(line) for line in block]
        out.append("")
    return out


def read_docstring(app, what, name, obj, options, lines):
    if name.startswith(PACKAGE):
        lines[:] = as_rst(lines)


class RepositoryFile(SphinxRole):
    """A file of the project that the site does not hold."""

    def run(self):
        base = self.config.html_context.get("repository")
        code = nodes.literal(self.text, self.text)
        if not base:
            return [code], []
        uri = f"{base}/blob/main/{self.text}"
        return [nodes.reference("", "", code, refuri=uri)], []


def resolve(app, env, node, contnode):
    """What torch documents links there; Python's own and type variables stay."""
    target = node.get("reftarget", "").partition("[")[0]
    uri = ELSEWHERE.get(target)
    if target.startswith("collections.abc."):
        uri = f"{PYTHON}library/collections.abc.html#{target}"
    return nodes.reference("", "", contnode, refuri=uri) if uri else None


# ------------------------------------------------------------- names in code


class Names(ast.NodeVisitor):
    """Where code uses a name that it has from the package: (line, column, name).

    ``scope`` holds what each local name stands for; a name that is bound again
    stands for nothing of ours any more.
    """

    def __init__(self, scope: dict[str, str]) -> None:
        self.scope = scope
        self.found: list[tuple[int, int, str, str]] = []

    def note(self, line: int, column: int, text: str, full: str) -> None:
        self.found.append((line, column, text, full))

    def visit_Import(self, node):
        for alias in node.names:
            self.scope.pop((alias.asname or alias.name).partition(".")[0], None)

    def visit_ImportFrom(self, node):
        module = node.module or ""
        ours = module.partition(".")[0] == PACKAGE
        if ours and module != PACKAGE:
            column = node.col_offset + len("from ")
            self.note(node.lineno, column, module, module)
        for alias in node.names:
            self.scope.pop(alias.asname or alias.name, None)
            if ours:
                full = f"{module}.{alias.name}"
                self.scope[alias.asname or alias.name] = full
                self.note(alias.lineno, alias.col_offset, alias.name, full)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.scope.pop(node.id, None)
        elif node.id in self.scope:
            self.note(node.lineno, node.col_offset, node.id, self.scope[node.id])

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_For(self, node):
        self.visit(node.iter)
        for child in (node.target, *node.body, *node.orelse):
            self.visit(child)

    def inner(self, node):
        """A scope of its own: its parameters and what it binds hide the outer."""
        outer, self.scope = self.scope, dict(self.scope)
        for child in ast.walk(node):
            if isinstance(child, ast.arg):
                self.scope.pop(child.arg, None)
            elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                self.scope.pop(child.id, None)
        self.generic_visit(node)
        self.scope = outer

    visit_Lambda = visit_ListComp = visit_SetComp = inner
    visit_DictComp = visit_GeneratorExp = inner

    def define(self, node):
        if full := self.scope.get(f"def {node.name}"):  # in a module's own source
            word = "class " if isinstance(node, ast.ClassDef) else "def "
            self.note(node.lineno, node.col_offset + len(word), node.name, full)
        else:
            self.scope.pop(node.name, None)
        self.inner(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = define


def scope_of_module(path: Path, root: Path) -> dict[str, str]:
    """What the names in a module's source stand for, its own included."""
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    names = Names({})
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.visit(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and is_public(node):
            names.scope[node.name] = f"{module}.{node.name}"
            names.scope[f"def {node.name}"] = f"{module}.{node.name}"
    return names.scope


def read_code(app, doctree):
    """Find the names in a page's cells and in the sources that it shows."""
    if app.env.docname.startswith(PAGES):
        return
    root, scope = Path(app.confdir), {}
    uses = app.env.api_uses[app.env.docname] = []
    for block in doctree.findall(nodes.literal_block):
        shown = Path(block.get("source") or "")
        is_module = shown.suffix == ".py" and shown.is_relative_to(root / PACKAGE)
        if not is_module and block.get("language") not in PYTHONS:
            continue
        try:
            tree = ast.parse(block.astext())
        except SyntaxError:  # on purpose, or IPython's own
            continue
        names = Names(scope_of_module(shown, root) if is_module else scope)
        names.visit(tree)
        lines = block.astext().splitlines()
        first = {}  # one link a name is enough in a block
        for line, column, text, full in sorted(names.found):
            before = lines[line - 1].encode()[:column].decode()
            first.setdefault(full, (line, len(before), text, full))
        block["api"] = list(first.values())
        uses += [full for full in first if full not in uses]


def entry_of(env, full: str) -> tuple[str, str] | None:
    """Page and anchor of a name; also of one imported from where it is not."""
    objects = env.domains.python_domain.objects
    if full not in objects:
        package, _, name = full.rpartition(".")
        same = [
            o
            for o in objects
            if o.endswith(f".{name}") and objects[o].objtype in ("class", "function")
        ]
        if not package.startswith(PACKAGE) or len(same) != 1:
            return None
        full = same[0]
    return objects[full].docname, objects[full].node_id


PIECE = re.compile(r"<[^>]+>|&[#\w]+;|[^<&]+")


def with_links(code: str, links: list[tuple[int, int, str, str]]) -> str:
    """Highlighted code whose tokens at these (line, column, text) link to a URI."""
    at = {(line, column): (text, uri) for line, column, text, uri in links}
    start = code.index("<pre>") + len("<pre>")
    out, line, column, anchor = [code[:start]], 1, 0, ""
    for piece in PIECE.findall(code[start:]):
        if piece[0] == "<":
            out.append(piece)
            continue
        plain = html.unescape(piece)
        text, uri = at.get((line, column), ("", ""))
        if text == plain:
            anchor = f'<a class="api" href="{html.escape(uri)}">{piece}</a>'
        out.append(anchor or piece)
        anchor = ""
        lines = plain.split("\n")
        line += len(lines) - 1
        column = len(lines[-1]) + (column if len(lines) == 1 else 0)
    return "".join(out)


def visit_code(translator, node):
    """Sphinx's own way to write a block of code, then the links in it."""
    try:
        type(translator).visit_literal_block(translator, node)
    finally:  # it leaves by an exception: SkipNode
        builder, links = translator.builder, []
        here = builder.current_docname
        for line, column, text, full in node.get("api", ()):
            if entry := entry_of(builder.env, full):
                uri = builder.get_relative_uri(here, entry[0]) + "#" + entry[1]
                links.append((line, column, text, uri))
        if links and "<pre>" in translator.body[-1]:
            translator.body[-1] = with_links(translator.body[-1], links)


# ------------------------------------------------------------ the pages' links


def users(env, docname: str) -> dict[str, list[str]]:
    """Entry of an API page -> the pages whose code uses it, in reading order."""
    found: dict[str, list[str]] = {}
    for page in reading_order(env, env.config.root_doc):
        for full in env.api_uses.get(page, ()):
            entry = entry_of(env, full)
            if entry and entry[0] == docname:
                found.setdefault(entry[1], []).append(page)
    return found


def reading_order(env, docname: str, seen=None) -> Iterator[str]:
    seen = set() if seen is None else seen
    if docname not in seen:
        seen.add(docname)
        yield docname
        for child in env.toctree_includes.get(docname, ()):
            yield from reading_order(env, child, seen)


def shown(env, docname: str) -> list:
    """What an API page says of other pages; it is written anew when that differs."""
    return [
        (entry, [(page, env.titles[page].astext()) for page in pages])
        for entry, pages in users(env, docname).items()
    ]


def to_rewrite(app, env):
    """After all pages are read: the API pages whose users have changed."""
    forget_package()
    if hasattr(app.builder, "build_info"):  # it writes HTML
        digest_sources(app, env)
    rewrite = []
    for docname in sorted(d for d in env.all_docs if d.startswith(PAGES)):
        now = shown(env, docname)
        if env.api_shown.get(docname) != now:
            env.api_shown[docname] = now
            rewrite.append(docname)
    return rewrite


def forget_package() -> None:
    """The next build in this process, as make live's, has to meet an edit."""
    for name in [n for n in sys.modules if n.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    ModuleAnalyzer.cache.clear()


def add_links(app, doctree, docname):
    """To a module's code at its top, and in each entry to the pages that use it."""
    if not docname.startswith(PAGES):
        return
    module = docname.removeprefix(PAGES)
    places = {"source": f"_modules/{PACKAGE}/{module}.html"}
    if "take_home" in app.extensions:
        places["one file to copy"] = f"code/{module}.py"
    top = next(doctree.findall(nodes.paragraph))
    for name, place in places.items():
        uri = "../" * docname.count("/") + place
        top += [nodes.Text(" · "), nodes.reference("", name, refuri=uri)]
    pages_of = dict(shown(app.env, docname))
    for node in doctree.findall(desc):
        ids = next(node.findall(desc_signature))["ids"]
        pages = next((pages_of[i] for i in ids if i in pages_of), [])
        if not pages:
            continue
        line = nodes.paragraph("", "Used on ", classes=["api-used"])
        for place, (page, title) in enumerate(pages):
            uri = app.builder.get_relative_uri(docname, page)
            line += nodes.Text(", ") if place else nodes.Text("")
            line += nodes.reference("", title, refuri=uri, internal=True)
        next(c for c in node.children if isinstance(c, desc_content)).append(line)


# ------------------------------------------------------------ the source pages


def find_source(app, modname: str):
    """A module's text and where each name is defined, without importing it."""
    path = Path(app.confdir, *modname.split(".")).with_suffix(".py")
    if not path.is_file():
        return None
    analyzer = ModuleAnalyzer.for_string(path.read_text(), modname)
    return analyzer.code, analyzer.find_tags()


def digest_sources(app, env) -> None:
    """What each source page is made of, its frame included, before env is stored."""
    titles = sorted((name, title.astext()) for name, title in env.titles.items())
    toctrees = sorted(env.toctree_includes.items())
    frame = (app.builder.build_info.config_hash, titles, toctrees)
    now = {
        module: hashlib.sha256(repr((entry, frame)).encode()).hexdigest()
        for module, entry in getattr(env, "_viewcode_modules", {}).items()
    }
    known, env.api_sources = env.api_sources, now
    app.api_old = {m for m, digest in now.items() if known.get(m) != digest}


def source_page_is_old(app, modname: str) -> bool:
    """By content: viewcode asks for dates, and knows no change of the frame."""
    path = Path(app.outdir, "_modules", *modname.split(".")).with_suffix(".html")
    return modname in app.api_old or not path.exists()


def start(app):
    sys.path.insert(0, str(app.confdir))
    if not hasattr(app.env, "api_sources"):
        app.env.api_sources = {}


def setup(app):
    for extension in ("sphinx.ext.autodoc", "sphinx.ext.viewcode"):
        app.setup_extension(extension)
    app.config.viewcode_follow_imported_members = False  # it would import torch
    viewcode.should_generate_module_page = source_page_is_old
    app.add_role("repository-file", RepositoryFile())
    app.add_node(nodes.literal_block, override=True, html=(visit_code, None))
    app.add_css_file("api.css")
    keep(app, "api_uses")
    keep(app, "api_shown")
    app.connect("builder-inited", start)
    app.connect("source-read", read_source, priority=50)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("viewcode-find-source", find_source)
    app.connect("doctree-read", read_code)
    app.connect("env-updated", to_rewrite)
    app.connect("doctree-resolved", add_links)
    app.connect("missing-reference", resolve)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True}
