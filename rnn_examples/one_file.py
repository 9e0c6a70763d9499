"""One module as one file: what it needs of the others stands in it too.

The file is cut from the sources and nothing is imported, so this needs no
torch. Of a neighbor it takes what the module uses, in the order of reading,
and of all their imports those that are then used.

Test: tests/package/test_one_file.py
"""

import ast
import functools
import importlib.metadata
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from rnn_examples import MODULES, __version__

HERE = Path(__file__).parent
COPYRIGHT = "copyright (c) 2026 the maintainers"
STANDARD, THIRD_PARTY, OWN = range(3)  # groups of imports, in order


@dataclass(frozen=True)
class Statement:
    """A statement at a module's top level, with the comments above it."""

    text: str
    gap: int  # blank lines above
    is_block: bool  # a function or a class
    binds: frozenset[str]
    uses: frozenset[str]


@dataclass(frozen=True)
class Source:
    """A module cut into its parts."""

    docstring: str  # as it stands in the file, without quotes
    statements: list[Statement]
    imports: dict[str, tuple[str, str]]  # name: (module, name there or "")
    neighbors: dict[str, tuple[str, str]]  # the same for this package's own
    for_types: set[str]  # neighbors that only a type checker imports


def modules() -> dict[str, str]:
    """Each module that can be copied, as gates.lstm, and what it holds."""
    paths = [p for p in HERE.glob("*/*.py") if not p.name.startswith("_")]
    names = sorted(f"{path.parent.name}.{path.stem}" for path in paths)
    return {name: parse(name).docstring.partition("\n")[0] for name in names}


def path_of(name: str) -> Path:
    """The file of a module such as gates.lstm."""
    return HERE.joinpath(*name.split(".")).with_suffix(".py")


def data_of(name: str) -> list[Path]:
    """The data files that a module reads from its own folder."""
    path = path_of(name)
    text = path.read_text(encoding="utf-8")
    return sorted(p for p in path.parent.glob("*.csv") if f'"{p.name}"' in text)


def parse(name: str) -> Source:
    """The parts of a module; read anew when its file has changed."""
    return parse_text(path_of(name).read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=256)
def parse_text(text: str) -> Source:
    """The parts of a module's source."""
    lines, body = text.splitlines(), ast.parse(text).body
    docstring = body[0].value.value  # type: ignore[attr-defined]
    source = Source(docstring, [], {}, {}, set())
    end = body[0].end_lineno or 1
    for node in body[1:]:
        segment, end = lines[end : node.end_lineno], node.end_lineno or end
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            note_imports(node, source)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                assert isinstance(inner, ast.ImportFrom), ast.unparse(inner)
                note_imports(inner, source)
                source.for_types.add((inner.module or "").partition(".")[2])
        else:
            source.statements.append(statement(node, segment))
    return source


def note_imports(node: ast.Import | ast.ImportFrom, source: Source) -> None:
    """Add what an import binds to the imports, or to the neighbors.

    Raises ValueError for a neighbor under another name.
    """
    for bound, (module, name) in imports_of(node).items():
        package, _, rest = module.partition(".")
        if package != "rnn_examples":
            source.imports[bound] = (module, name)
        elif bound != name:
            raise ValueError(f"cannot inline {ast.unparse(node)}: it renames")
        else:
            source.neighbors[bound] = (rest, name)


def imports_of(node: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """name: (module, name there), or (module, "") for the module itself."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name: (a.name, "") for a in node.names}
    return {a.asname or a.name: (node.module or "", a.name) for a in node.names}


def statement(node: ast.stmt, segment: list[str]) -> Statement:
    """A top-level statement from its lines, blank ones above included."""
    gap = next(i for i, line in enumerate(segment) if line.strip())
    return Statement(
        text="\n".join(segment[gap:]),
        gap=gap,
        is_block=isinstance(node, (ast.FunctionDef, ast.ClassDef)),
        binds=frozenset(names_bound(node)),
        uses=frozenset(names_used(node)),
    )


def names_bound(node: ast.stmt) -> set[str]:
    """The names that a top-level statement gives to the module."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def names_used(node: ast.AST) -> set[str]:
    """The names that it reads, those in quoted annotations too."""
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return names | names_quoted(node)


def names_quoted(node: ast.AST) -> set[str]:
    """The names in annotations that are strings."""
    found: set[str] = set()
    for inner in ast.walk(node):
        for annotation in ("annotation", "returns"):
            for part in ast.walk(getattr(inner, annotation, None) or ast.Pass()):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found |= names_used(ast.parse(part.value))
    return found


def docstring_imports(docstring: str) -> dict[str, set[str]]:
    """Module: names, for what the examples of a docstring import from here."""
    found: dict[str, set[str]] = {}
    code = re.sub(r"^(?!\s*(?:>>>|\.\.\.)).*$", "", docstring, flags=re.M)
    code = re.sub(r"^\s*(?:>>>|\.\.\.) ?", "", code, flags=re.M)
    for module, many, one in re.findall(
        r"^from rnn_examples\b\.?([\w.]*) import (?:\(([^)]*)\)|(.*))", code, re.M
    ):
        for name in re.findall(r"\w+", many or one.partition("#")[0]):
            found.setdefault(module or MODULES[name], set()).add(name)
    return found


class Inliner:
    """Finds what one module needs, and in which order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.order: list[str] = []  # of the modules: what is imported comes first
        self.kept: dict[str, set[int]] = {}  # module: numbers of its statements
        for number in range(len(parse(name).statements)):
            self.keep(name, number)
        for module, names in docstring_imports(parse(name).docstring).items():
            for used in names:
                self.need(module, used)
        for module in [name, *sorted(self.kept)]:
            self.sort(module)

    def keep(self, module: str, number: int) -> None:
        """Take a statement and all that it uses."""
        if number in self.kept.setdefault(module, set()):
            return
        self.kept[module].add(number)
        for name in parse(module).statements[number].uses:
            self.need(module, name)

    def need(self, module: str, name: str) -> None:
        """Take what a name means in a module, if the package defines it."""
        source = parse(module)
        if name in source.neighbors:
            self.need(*source.neighbors[name])
        for number, one in enumerate(source.statements):
            if name in one.binds:
                self.keep(module, number)

    def sort(self, module: str) -> None:
        """Put a module behind those that it imports when it is run."""
        if module in self.order:
            return
        source = parse(module)
        for other, _ in source.neighbors.values():
            if other in self.kept and other not in source.for_types:
                self.sort(other)
        if module not in self.order:
            self.order.append(module)

    def statements(self, module: str) -> list[Statement]:
        """Those of a module's statements that are kept."""
        return [parse(module).statements[n] for n in sorted(self.kept[module])]

    def imports(self) -> dict[str, tuple[str, str]]:
        """What all of them import from elsewhere and use.

        Raises ValueError when one name would stand for two things.
        """
        found: dict[str, tuple[str, str]] = {}
        for module in self.order:
            used = set().union(*(s.uses for s in self.statements(module)))
            for name, origin in parse(module).imports.items():
                if name in used and found.setdefault(name, origin) != origin:
                    raise ValueError(f"{name} is {found[name]} and {origin}")
        owner = dict.fromkeys(found, "an import")
        for module in self.order:
            for name in set().union(*(s.binds for s in self.statements(module))):
                if owner.setdefault(name, module) != module:
                    raise ValueError(f"{module} and {owner[name]} both define {name}")
        return found


def one_file(name: str, stem: str = "") -> str:
    """The source of a file that holds a module and what it needs.

    In its examples it imports itself as ``stem``, by default the module's own.
    """
    stem = stem or name.rpartition(".")[2]
    inliner = Inliner(name)
    docstring = re.sub(
        r"(?m)^(\s*(?:>>>|\.\.\.) from )rnn_examples[\w.]*( import)",
        rf"\g<1>{stem}\g<2>",
        parse(name).docstring.rstrip(),
    )
    raw = "r" if "\\" in docstring else ""
    head = f'{raw}"""{docstring}\n\n{origin(name)}\n"""\n'
    text = head + import_lines(inliner.imports())
    blank = 1
    for module in inliner.order:
        if len(inliner.order) > 1:
            text += "\n" * blank + banner(module)
        text += join(inliner.statements(module))
        blank = 2
    return text


def origin(name: str) -> str:
    """Where a copied file comes from, and under which licence."""
    words = f"From rnn_examples {__version__}, {name}; MIT licence, {COPYRIGHT}."
    return "\n".join(textwrap.wrap(" ".join([words, *addresses()]), 79))


def addresses() -> list[str]:
    """The project's address, if the installed package knows one."""
    try:
        about = importlib.metadata.metadata("rnn-examples")
    except importlib.metadata.PackageNotFoundError:
        return []
    urls = [url.partition(", ") for url in about.get_all("Project-URL") or []]
    return [url for label, _, url in urls if label.lower() in ("homepage", "home")]


def banner(module: str) -> str:
    """A comment above what comes from a module."""
    rule = f"# -- {module} ".ljust(88, "-")
    what = parse(module).docstring.partition("\n")[0]
    return f"{rule}\n# {what}\n"


def join(statements: list[Statement]) -> str:
    """Statements with the blank lines that they have, or need, above them."""
    text, was_block = "", False
    for one in statements:
        gap = 2 if one.is_block or was_block else one.gap
        text += "\n" * gap + one.text + "\n"
        was_block = one.is_block
    return text


def import_lines(imports: dict[str, tuple[str, str]]) -> str:
    """Imports in the order of isort: import before from, standard library first."""
    groups: dict[int, tuple[set[str], dict[str, set[str]]]] = {}
    for bound, (module, name) in imports.items():
        plain, members = groups.setdefault(group_of(module), (set(), {}))
        if not name:
            as_name = f" as {bound}" if bound != module else ""
            plain.add(f"import {module}{as_name}")
        else:
            as_name = f" as {bound}" if bound != name else ""
            members.setdefault(module, set()).add(name + as_name)
    blocks = []
    for group in sorted(groups):
        plain, members = groups[group]
        lines = sorted(plain)
        for module in sorted(members):
            lines.append(from_line(module, sorted(members[module], key=member_order)))
        blocks.append("\n".join(lines) + "\n")
    return "".join("\n" + block for block in blocks)


def group_of(module: str) -> int:
    """Which imports it stands with."""
    root = module.partition(".")[0]
    if root == "rnn_examples":
        return OWN
    return STANDARD if root in sys.stdlib_module_names else THIRD_PARTY


def member_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as isort sorts them."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name


def from_line(module: str, names: list[str]) -> str:
    """``from module import names``, over several lines if it is long."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 88:
        return line
    return f"from {module} import (\n" + "".join(f"    {n},\n" for n in names) + ")"
