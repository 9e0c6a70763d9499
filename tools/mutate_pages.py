"""Break the pages' own cells on purpose; the page must stop each time.

    make page-mutants                               every mutant of every page
    make page-mutants PAGE=docs/gates/lstm.md       those of one page
    make page-mutants SAMPLE=60                     a share, the same each time

A mutant is a page with one change in one of its cells: an operator, a sign, a
transposition, an index, a reduction, an activation, a missing abs or detach, a dim.
Left alone are sizes, seeds, f-strings, asserts (they are what should notice), what
draws, and the cells that come from a module's docstring, which tools/mutate.py
breaks. It is noticed when its cell or a later one raises, shows other than it
``:gives:``, or should raise and does not. On each page 95 of 100 must be, and each
that is not stands in tests/equivalent_page_mutants.toml with its reason;
``same = true`` says that it computes the same as the original, so that nothing could
notice it. Pages in ``claims_due`` of conf.py may miss the bar, and a share is drawn
of the others.

The cells of a page run one after another in a process that forks for each mutant,
so a mutant costs the rest of the page. With --claims the same is done with the false
version of each check of a claim, which the check has to refuse.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mutate import Finder, Mutant, listed

ROOT = Path(__file__).resolve().parent.parent
LISTED = "tests/equivalent_page_mutants.toml"
LIMIT = 120  # seconds for what is left of a page
BAR = 0.95
DRAWING = {"plt", "ax", "axes", "fig", "axs", "pyplot"}
SWAPPED = {
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "amax": "amin",
    "amin": "amax", "argmax": "argmin", "argmin": "argmax", "median": "amax",
    "prod": "sum", "all": "any", "any": "all", "cumsum": "cumprod",
    "tanh": "sigmoid", "sigmoid": "tanh", "relu": "tanh", "Tanh": "Sigmoid",
    "Sigmoid": "Tanh", "ReLU": "Tanh", "log": "exp", "exp": "log",
}  # fmt: skip
ACTIVATIONS = {"tanh", "sigmoid", "relu", "Tanh", "Sigmoid", "ReLU", "log", "exp"}
DROPPED = ("abs", "detach")
TAKES_DIM = {
    "sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "cumsum", "flip",
    "unsqueeze", "softmax", "norm", "all", "any", "median", "std", "var", "quantile",
}  # fmt: skip
FOR_TORCH = ("torch", "torch.distributed.tensor", "matplotlib.pyplot")


class Cell(NamedTuple):
    source: str
    metadata: dict

    @property
    def tags(self) -> list[str]:
        return self.metadata.get("tags", [])

    @property
    def may_raise(self) -> bool:
        return "raises-exception" in self.tags

    @property
    def is_own(self) -> bool:
        return not any(tag.startswith("example-") for tag in self.tags)


def cells_of(page: Path, root: Path = ROOT) -> list[Cell]:
    """The code cells of a page, those of its examples included."""
    import example  # one of the extensions, see prepare()
    from myst_nb.core.read import read_myst_markdown_notebook

    text = example.expand(page.read_text(), root)
    if "{code-cell}" not in text:
        return []
    notebook = read_myst_markdown_notebook(text)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    return [Cell(c.source, dict(c.metadata)) for c in cells]


def pages_of(root: Path) -> list[Path]:
    found = sorted((root / "docs").rglob("*.md"))
    return [p for p in found if "_build" not in p.parts]


# -------------------------------------------------------------------- the mutants


class CellFinder(Finder):
    """The mutants of one cell."""

    def visit(self, node):
        """All but imports, asserts, and statements that draw, loops of such too."""
        leave = isinstance(node, ast.Assert | ast.Import | ast.ImportFrom)
        if not leave and not (isinstance(node, ast.stmt) and draws(node)):
            super().visit(node)

    def visit_Call(self, node):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = name or getattr(node.func, "id", "")
        if called.startswith("assert_"):
            return
        self.rename(node, called)
        if called in DROPPED:
            self.drop(node, called)
        if name in TAKES_DIM and node.args and not is_module(node.func.value):
            self.change_dim(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "dim":
                self.change_dim(keyword.value)
        super().visit_Call(node)

    def rename(self, call, name):
        if name not in SWAPPED:
            return
        end = self.span(call.func)[1]
        kind = "activation" if name in ACTIVATIONS else "reduction"
        self.add(end - len(name), end, SWAPPED[name].encode(), kind)

    def drop(self, call, name):
        """``x.abs()``, ``abs(x)`` and ``torch.abs(x)`` become ``x``."""
        start, end = self.span(call)
        if call.args:
            a, b = self.span(call.args[0])
            self.add(start, end, b"(" + self.text[a:b] + b")", name)
        elif isinstance(call.func, ast.Attribute):
            self.add(self.span(call.func.value)[1], end, b"", name)

    def change_dim(self, node):
        with contextlib.suppress(ValueError, TypeError):
            value = ast.literal_eval(node)
            if isinstance(value, int) and not isinstance(value, bool):
                new = {0: 1, 1: 0}.get(value, 0)
                self.add(*self.span(node), str(new).encode(), "dim")

    def visit_Constant(self, node):
        """Only indices: others are sizes, seeds and the like."""
        if self.inside_index and type(node.value) is int:
            for new in {node.value + 1, abs(node.value - 1)} - {node.value}:
                self.add(*self.span(node), str(new).encode(), "index")


def draws(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Name) and n.id in DRAWING for n in ast.walk(node))


def is_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "math", "np")


def mutants_of(page: Path, source: str) -> list[Mutant]:
    finder = CellFinder(page, source.encode())
    finder.visit(ast.parse(source))
    return [m for m in finder.mutants() if compiles(m.source)]


def compiles(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


# ---------------------------------------------------------------------- run a page


def run_cell(cell: Cell, names: dict) -> str:
    """Run it; what it raised, or what it shows if that is not what it gives."""
    body, shown = ast.parse(cell.source).body, io.StringIO()
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    try:
        with contextlib.redirect_stdout(shown), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            if last:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    got = shown.getvalue() + (repr(value) if last and value is not None else "")
    want = cell.metadata.get("gives")
    wrong = want is not None and got.split() != str(want).split()
    return f"it gives {got!r}" if wrong else ""


def stops(cells: Iterable[Cell], names: dict) -> bool:
    """Whether one of the cells does other than it should."""
    return any(bool(run_cell(cell, names)) != cell.may_raise for cell in cells)


def in_a_fork(work: Callable[[], bool]) -> bool:
    """What work() says in a process of its own; False when that dies."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            signal.alarm(LIMIT)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (1, 2):
                os.dup2(null, fd)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


class PageError(Exception):
    """A page that does not do as it should, though nothing was changed."""


def steps(page: Path, root: Path) -> Iterator[tuple[int, Cell, list[Cell], dict]]:
    """Run a page: before each cell its place, itself, those after it, the names."""
    names: dict = {"__name__": "__main__"}
    cells = cells_of(page, root)
    for place, cell in enumerate(cells, start=1):
        yield place, cell, cells[place:], names
        said = run_cell(cell, names)
        if bool(said) != cell.may_raise:
            raise PageError(f"cell {place}: {said or 'raises nothing'}")


def try_page(page: Path, root: Path, chosen: set | None) -> dict:
    """Run a page, and from each of its cells on its mutants."""
    total, left = 0, []
    for place, cell, rest, names in steps(page, root):
        for m in mutants_of(page, cell.source) if cell.is_own else []:
            if chosen is None or (place, m.start, m.new) in chosen:
                total += 1
                broken = [cell._replace(source=m.source.decode()), *rest]
                if in_a_fork(lambda cells=broken, n=names: not stops(cells, n)):
                    left.append([*m.lines(), m.kind, place])
    return {"total": total, "left": left}


def false_versions(page: Path, root: Path) -> dict:
    """Run a page, and the false version of each check of a claim."""
    from claims import falsified

    total, left = 0, []
    for _, cell, _, names in steps(page, root):
        if false := cell.metadata.get("fails-if"):
            total += 1
            changed = cell._replace(source=falsified(cell.source, false))

            def refuses(cell=changed, names=names):
                return run_cell(cell, names).startswith("AssertionError")

            if not in_a_fork(refuses):
                left.append(f"{cell.metadata['claims']}: {false}")
    return {"total": total, "left": left}


def prepare() -> None:
    """Import here, once, what every page imports."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    os.environ["MATPLOTLIBRC"] = str(ROOT / "docs" / "matplotlibrc")
    sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]
    for name in FOR_TORCH:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def each_page(work: Callable[[Path], dict], pages: list[Path], done) -> None:
    """work(page) in a process of its own, as many at once as there are cores."""
    waiting, running = list(pages)[::-1], {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                page = waiting.pop()
                note = Path(folder, str(len(waiting)))
                sys.stdout.flush()
                if not (pid := os.fork()):
                    found = {"failed": "its process ended"}
                    try:
                        found = work(page)
                    except PageError as error:
                        found = {"failed": str(error)}
                    except BaseException as error:
                        found = {"failed": f"{type(error).__name__}: {error}"}
                    finally:
                        note.write_text(json.dumps(found))
                        os._exit(0)
                running[pid] = page, note
            page, note = running.pop(os.wait()[0])
            done(page, json.loads(note.read_text()))


# ------------------------------------------------------------------------- report


def due(root: Path) -> list[str]:
    """The pages that conf.py says are not held yet."""
    for node in ast.parse((root / "conf.py").read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "claims_due"
        ):
            return [f"docs/{name}.md" for name in ast.literal_eval(node.value)]
    return []


def choose(pages: list[Path], root: Path, sample: int, seed: int) -> dict:
    """page -> the mutants drawn of it."""
    every = [
        (page, (place, m.start, m.new))
        for page in pages
        for place, cell in enumerate(cells_of(page, root), start=1)
        if cell.is_own
        for m in mutants_of(page, cell.source)
    ]
    drawn: dict = {}
    for page, key in random.Random(seed).sample(every, min(sample, len(every))):
        drawn.setdefault(page, set()).add(key)
    return drawn


class Report:
    """A line for a page, then the complaints."""

    def __init__(self, root: Path, only: str | None, whole: bool):
        self.root, self.only, self.whole = root, only, whole
        self.late, self.known = due(root), listed(root / LISTED)
        self.unused = {key for key in self.known if only in (None, key[0])}
        self.noticed = self.number = 0
        self.complaints: list[str] = []

    def done(self, page: Path, found: dict) -> None:
        name = str(page.relative_to(self.root))
        if "failed" in found:
            words = f"{name} fails without a mutation: {found['failed']}"
            self.complaints.append(words)
            return
        is_held = self.only is not None or name not in self.late
        same = sum(self.survivor(name, *left, is_held) for left in found["left"])
        number, noticed = found["total"] - same, found["total"] - len(found["left"])
        self.number, self.noticed = self.number + number, self.noticed + noticed
        if number:
            rate = noticed / number
            print(f"{noticed:4} of {number:4} noticed  {rate:4.0%}  {name}", flush=True)
            if self.whole and is_held and rate < BAR:
                self.complaints.append(f"{name}: {rate:.1%} noticed; need {BAR:.0%}")

    def survivor(self, name, before, after, kind, place, is_held) -> bool:
        """Complain of it unless it is listed; whether it computes the same."""
        key = (name, before, after)
        self.unused.discard(key)
        if key not in self.known and is_held:
            words = f"survives: {name}, cell {place} ({kind})"
            self.complaints.append(f"{words}\n    {before}\n    {after}")
        return self.known.get(key, {}).get("same", False)

    def end(self) -> int:
        if self.whole:
            words = f"{LISTED} lists what does not survive:"
            self.complaints += [f"{words} {key}" for key in sorted(self.unused)]
        for line in self.complaints:
            print(line)
        print(f"page mutants: noticed {self.noticed} of {self.number}")
        return len(self.complaints)


def check(root: Path, only: str | None, sample: int | None, seed: int) -> int:
    pages = [p for p in pages_of(root) if only in (None, str(p.relative_to(root)))]
    if not pages:
        sys.exit(f"page mutants: no page {only} under {root}/docs")
    prepare()
    report, drawn = Report(root, only, sample is None), None
    if sample is not None:
        held = [p for p in pages if str(p.relative_to(root)) not in report.late]
        drawn = choose(held, root, sample, seed)
        pages = sorted(drawn)

    def work(page: Path) -> dict:
        return try_page(page, root, None if drawn is None else drawn[page])

    each_page(work, pages, report.done)
    return report.end()


def check_claims(root: Path) -> int:
    """Run the false version of each check of a claim; how many are not refused."""
    prepare()
    number, complaints = 0, []

    def done(page: Path, found: dict) -> None:
        nonlocal number
        number += found.get("total", 0)
        said = [found["failed"]] if "failed" in found else found["left"]
        complaints.extend(f"{page.relative_to(root)}: {words}" for words in said)

    each_page(lambda page: false_versions(page, root), pages_of(root), done)
    for line in complaints:
        print(line)
    print(f"false versions: refused {number - len(complaints)} of {number}")
    return len(complaints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?", help="only this one, docs/PART/NAME.md")
    parser.add_argument("--root", type=Path, default=ROOT, help="has docs/")
    parser.add_argument("--sample", type=int, help="only so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--claims", action="store_true", help="false versions instead")
    args = parser.parse_args()
    if args.claims:
        sys.exit(bool(check_claims(args.root.resolve())))
    sys.exit(bool(check(args.root.resolve(), args.page, args.sample, args.seed)))


if __name__ == "__main__":
    main()
