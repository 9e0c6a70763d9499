"""Break every example module on purpose; something must notice each time.

    make mutants                                        every mutant there is
    make mutants SAMPLE=40                              a share, the same each time
    make mutants MODULE=rnn_examples/gates/lstm.py      those of one module

A mutant is a module with one change: a digit of an expected output, an
operator, a sign, a transposition, an index or another number. It is killed
when the module's doctests fail or, for a change in the code, when one of the
tests fails that its docstring names under Test: (without such a line,
tests/PART/test_NAME.py). A changed expected output must be killed by the doctest
alone. Mutants that compute the same as the original stand, with the
reason, in tests/equivalent_mutants.toml.
"""

from __future__ import annotations

import argparse
import ast
import doctest
import importlib
import importlib.machinery
import os
import random
import re
import signal
import sys
import time
import tomllib
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from doctest_checker import checker, flags

LIMIT = 120  # seconds a mutant; one that loops for ever is killed by it
EQUIVALENT = "tests/equivalent_mutants.toml"
SWAPS = {
    ast.Add: (b"+", b"-"),
    ast.Sub: (b"-", b"+"),
    ast.Mult: (b"*", b"/"),
    ast.Div: (b"/", b"*"),
    ast.FloorDiv: (b"//", b"*"),
    ast.Mod: (b"%", b"*"),
    ast.Pow: (b"**", b"*"),
    ast.MatMult: (b"@", b"*"),
    ast.Eq: (b"==", b"!="),
    ast.NotEq: (b"!=", b"=="),
    ast.Lt: (b"<", b"<="),
    ast.LtE: (b"<=", b"<"),
    ast.Gt: (b">", b">="),
    ast.GtE: (b">=", b">"),
    ast.In: (b"in", b"not in"),
    ast.NotIn: (b"not in", b"in"),
    ast.Is: (b"is", b"is not"),
    ast.IsNot: (b"is not", b"is"),
    ast.And: (b"and", b"or"),
    ast.Or: (b"or", b"and"),
    ast.BitAnd: (b"&", b"|"),
    ast.BitOr: (b"|", b"&"),
}
# What the tests of modules with torch import: here once, before the forks.
SHARED = (
    "torch.testing._internal.common_modules",
    "hypothesis",
    "onnx.reference",
    "onnx.backend.test.case.node",
)


class Mutant(NamedTuple):
    """One change in the text of a file: text[start:end] becomes new."""

    path: Path
    text: bytes
    start: int
    end: int
    new: bytes
    kind: str  # digit, operator, sign, transposition, index, number

    @property
    def source(self) -> bytes:
        return self.text[: self.start] + self.new + self.text[self.end :]

    @property
    def line(self) -> int:
        return self.text[: self.start].count(b"\n") + 1

    def lines(self) -> tuple[str, str]:
        """The changed line, before and after."""
        before, after = (s.decode().splitlines() for s in (self.text, self.source))
        return before[self.line - 1].strip(), after[self.line - 1].strip()


class Finder(ast.NodeVisitor):
    """Collect the mutants of one module, or of a text that stands in path."""

    def __init__(self, path: Path, text: bytes | None = None):
        self.path = path
        self.text = path.read_bytes() if text is None else text
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[Mutant] = []
        self.inside_index = False

    def span(self, node) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def add(self, start, end, new, kind):
        self.found.append(Mutant(self.path, self.text, start, end, new, kind))

    def mutants(self) -> list[Mutant]:
        """What was found, in the order of the text."""
        return sorted(set(self.found), key=lambda m: (m.start, m.end, m.new))

    def swap(self, left, op, right):
        """Change the operator that stands between two nodes."""
        if type(op) not in SWAPS:
            return
        old, new = SWAPS[type(op)]
        start, end = self.span(left)[1], self.span(right)[0]
        # Between them stand parentheses, comments and spaces besides it.
        at = re.search(
            rb"(?:#.*\n|[\s()\\])*(" + re.escape(old) + rb")", self.text[start:end]
        )
        self.add(start + at.start(1), start + at.end(1), new, "operator")

    def visit_BinOp(self, node):
        self.swap(node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self.swap(node.target, node.op, node.value)
        self.generic_visit(node)

    def visit_Compare(self, node):
        parts = [node.left, *node.comparators]
        for left, op, right in zip(parts, node.ops, parts[1:], strict=False):
            self.swap(left, op, right)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.swap(left, node.op, right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.USub | ast.Not):
            self.add(self.span(node)[0], self.span(node.operand)[0], b"", "sign")
        self.generic_visit(node)

    def visit_Attribute(self, node):
        if node.attr in ("T", "mT", "H", "mH"):
            self.add(self.span(node.value)[1], self.span(node)[1], b"", "transposition")
        self.generic_visit(node)

    def visit_Call(self, node):
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method in ("t", "transpose", "permute", "movedim", "swapaxes", "flip"):
            at = self.span(node.func.value)[1]
            self.add(at, self.span(node)[1], b"", "transposition")
        self.generic_visit(node)

    def visit_Subscript(self, node):
        self.visit(node.value)
        before = self.inside_index
        self.inside_index = True
        self.visit(node.slice)
        self.inside_index = before

    def visit_Slice(self, node):
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                self.add(*self.span(bound), b"", "index")
        self.generic_visit(node)

    def visit_Constant(self, node):
        if type(node.value) not in (int, float):
            return
        kind = "index" if self.inside_index else "number"
        self.add(*self.span(node), repr(node.value + 1).encode(), kind)
        if self.inside_index:
            self.add(*self.span(node), repr(node.value - 1).encode(), kind)

    def visit_JoinedStr(self, node):
        """No mutants inside f-strings: Python 3.11 misplaces what is in them."""

    def visit_arg(self, node):
        """No mutants in annotations."""

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        self.visit(node.args)
        for child in [*node.decorator_list, *node.body]:
            self.visit(child)

    def expected_outputs(self):
        """One mutant for each digit that the module's doctests expect."""
        node = ast.parse(self.text).body[0].value  # the docstring
        start, end = self.span(node)
        docstring = self.text[start : end - 3].decode()  # less its last quotes
        line_at = [0] + [m.end() for m in re.finditer("\n", docstring)]
        line_at.append(len(docstring))
        for example in doctest.DocTestParser().get_examples(docstring):
            first = example.lineno + example.source.count("\n")
            last = first + example.want.count("\n")
            block = docstring[line_at[first] : line_at[last]]
            for digit in re.finditer(r"\d", block):
                at = start + len(docstring[: line_at[first] + digit.start()].encode())
                # Five away: one away in the last digit is within what NUMBER,
                # which compares to the printed precision, takes for equal.
                self.add(at, at + 1, str((int(digit[0]) + 5) % 10).encode(), "digit")


def mutants_of(path: Path) -> list[Mutant]:
    finder = Finder(path)
    finder.visit(ast.parse(finder.text))
    if ast.get_docstring(ast.parse(finder.text)):
        finder.expected_outputs()
    return finder.mutants()


def modules_of(root: Path) -> list[Path]:
    found = sorted((root / "rnn_examples").rglob("*.py"))
    return [p for p in found if p.name != "__init__.py"]


# ------------------------------------------------------------ run one mutant


class Overlay(importlib.machinery.SourceFileLoader):
    """Loads the mutated source where the file's own would be."""

    def __init__(self, name, path, source):
        super().__init__(name, str(path))
        self.source = source

    def get_data(self, path):
        return self.source

    def path_stats(self, path):
        raise OSError("no bytecode cache for a mutant")


def survives(root: Path, path: Path, source: bytes, doctest_alone: bool) -> bool:
    """Whether doctests and test pass with this source; runs in a child."""
    import pytest

    name = ".".join(path.relative_to(root).with_suffix("").parts)

    class Hook:
        @staticmethod
        def find_spec(fullname, paths=None, target=None):
            if fullname == name:
                loader = Overlay(name, path, source)
                return importlib.util.spec_from_file_location(name, path, loader=loader)
            return None

    sys.meta_path.insert(0, Hook)
    sys.path.insert(0, str(root))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = importlib.import_module(name)
        runner = doctest.DocTestRunner(checker(), verbose=False, optionflags=flags())
        for test in doctest.DocTestFinder().find(module):
            if runner.run(test, out=lambda text: None).failed:
                return False
    if doctest_alone:
        return True
    tests = [str(root / test) for test in tests_of(root, path)]
    quiet = ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={root}"]
    return pytest.main([*tests, "-c", str(root / "pyproject.toml"), *quiet]) == 0


def tests_of(root: Path, path: Path) -> list[str]:
    """The tests that a module's docstring names, or the one of its own name."""
    line = re.search(r"^Tests?: (.*(?:\n +.*)*)", path.read_text(), re.M)
    named = re.findall(r"tests/[\w/]+\.py", line[1]) if line else []
    return named or [f"tests/{path.parent.name}/test_{path.stem}.py"]


def start(root: Path, path: Path, source: bytes, doctest_alone: bool) -> int:
    """Fork a child that exits with 0 when the mutant survives; its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.alarm(LIMIT)  # its default action ends the process, also in C
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.chdir(root)
        code = 0 if survives(root, path, source, doctest_alone) else 1
    except BaseException:
        code = 1
    finally:
        os._exit(code)


def run_all(root: Path, mutants: list[Mutant], done) -> None:
    """Run the mutants, one child a core; done(mutant, survived) for each."""
    waiting, running = list(mutants)[::-1], {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            m = waiting.pop()
            running[start(root, m.path, m.source, m.kind == "digit")] = m
        pid, status = os.wait()
        done(running.pop(pid), status == 0)


# ------------------------------------------------------------------- report


def listed(path: Path) -> dict[tuple[str, str, str], dict]:
    """(file, line before, line after) -> the entry of a mutant that may survive."""
    entries = tomllib.loads(path.read_text())["mutant"] if path.exists() else []
    for entry in entries:
        if not entry.get("reason"):
            sys.exit(f"mutants: {path.name}: no reason for {entry}")
    return {(e["file"], e["before"], e["after"]): e for e in entries}


def key_of(root: Path, m: Mutant) -> tuple[str, str, str]:
    return (str(m.path.relative_to(root)), *m.lines())


class Report:
    """What came of each mutant: a line for a module, then the complaints."""

    def __init__(self, root: Path, mutants: list[Mutant], known: dict):
        self.root = root
        self.known = known
        self.total = Counter(m.path for m in mutants)
        self.open = Counter(self.total)
        self.killed: Counter[Path] = Counter()
        self.equivalent = 0
        self.complaints: list[str] = []
        self.begun = time.time()

    def done(self, mutant: Mutant, survived: bool) -> None:
        key = key_of(self.root, mutant)
        if not survived:
            self.killed[mutant.path] += 1
            if key in self.known:
                self.complain(f"{EQUIVALENT} lists a mutant that is killed: {key}")
        elif key in self.known:
            self.equivalent += 1
        else:
            path, before, after = key
            where = f"{path}:{mutant.line} ({mutant.kind})"
            self.complain(f"survives: {where}\n    {before}\n    {after}")
        self.open[mutant.path] -= 1
        if not self.open[mutant.path]:
            self.module_done(mutant.path)

    def complain(self, line: str) -> None:
        self.complaints.append(line)

    def module_done(self, path: Path) -> None:
        count = f"{self.killed[path]:4} of {self.total[path]:4} killed"
        seconds = time.time() - self.begun
        print(f"{seconds:6.1f} s  {count}  {path.relative_to(self.root)}", flush=True)

    def end(self) -> None:
        for line in self.complaints:
            print(line)
        print(
            f"mutants: killed {self.killed.total()} of {self.total.total()}; "
            f"{self.equivalent} equivalent, listed in {EQUIVALENT}"
        )


def share_imports(modules: list[Path]) -> None:
    """Import here, once, what every child would import."""
    import pytest  # noqa: F401

    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if any(b"torch" in path.read_bytes() for path in modules):
        import torch

        torch.set_num_threads(1)
        for name in SHARED:
            importlib.import_module(name)


def stop_unless_they_pass(root: Path, modules: list[Path]) -> None:
    """Run the modules as they are: where a test fails anyway, it kills nothing."""
    as_it_is = [Mutant(path, path.read_bytes(), 0, 0, b"", "none") for path in modules]
    failed = []

    def done(mutant: Mutant, passed: bool) -> None:
        if not passed:
            failed.append(str(mutant.path.relative_to(root)))

    run_all(root, as_it_is, done)
    if failed:
        names = ", ".join(sorted(failed))
        sys.exit(f"mutants: tests of {names} fail without a mutation")


def check(root: Path, only: str | None, sample: int | None, seed: int) -> int:
    """Print the table; the number of complaints."""
    modules = [p for p in modules_of(root) if only in (None, str(p.relative_to(root)))]
    if not modules:
        sys.exit(f"mutants: no module {only} under {root}/rnn_examples")
    mutants = [m for path in modules for m in mutants_of(path)]
    known = listed(root / EQUIVALENT)
    keys = {key_of(root, m) for m in mutants}
    if sample is not None and sample < len(mutants):
        mutants = random.Random(seed).sample(mutants, sample)
    share_imports(modules)
    stop_unless_they_pass(root, modules)
    report = Report(root, mutants, known)
    for key in known:
        if key not in keys and only in (None, key[0]):
            report.complain(f"{EQUIVALENT} lists what is no mutant (any more): {key}")
    run_all(root, mutants, report.done)
    report.end()
    return len(report.complaints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--root", type=Path, default=here, help="has rnn_examples/")
    parser.add_argument("--module", help="only this file, rnn_examples/PART/NAME.py")
    parser.add_argument("--sample", type=int, help="run only so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.exit(bool(check(args.root.resolve(), args.module, args.sample, args.seed)))


if __name__ == "__main__":
    main()
