"""Run copied blocks: {page: [[name, setup, [[code, may raise], ...]], ...]} on stdin.

Prints what fails. Many blocks of a page go on from the same ones, so those run
once, in a process that forks where the ways part. For that the imports of all of
them run first; that none is missing from a block, ruff says.
"""

import ast
import contextlib
import importlib
import io
import json
import os
import sys


class Tree(dict):
    """(code, may raise): the tree of what was copied after it."""

    def __init__(self) -> None:
        self.ends: list[str] = []  # the blocks that end here

    def names(self) -> list[str]:
        return self.ends + [name for inner in self.values() for name in inner.names()]


def imports_of(setup: str) -> dict[str, str]:
    """Name: the import that binds it."""
    found = {}
    for node in ast.parse(setup).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in node.names:
                one = type(node)(**{**vars(node), "names": [name]})
                found[name.asname or name.name] = ast.unparse(one)
    return found


def rest_of(setup: str) -> str:
    """The seed and the dtype."""
    nodes = ast.parse(setup).body
    kept = [n for n in nodes if not isinstance(n, (ast.Import, ast.ImportFrom))]
    return "\n".join(map(ast.unparse, kept))


def trees_of(blocks: list) -> list[tuple[dict[str, str], Tree]]:
    """Trees of the blocks whose imports agree."""
    trees: list[tuple[dict[str, str], Tree]] = []
    for name, setup, codes in blocks:
        own = imports_of(setup)
        if not any(agree(own, imports) for imports, _ in trees):
            trees.append(({}, Tree()))
        imports, tree = next(one for one in trees if agree(own, one[0]))
        imports |= own
        for key in [(rest_of(setup), False), *map(tuple, codes)]:
            tree = tree.setdefault(key, Tree())
        tree.ends.append(name)
    return trees


def agree(some: dict[str, str], others: dict[str, str]) -> bool:
    return all(others.get(name, line) == line for name, line in some.items())


def run(code: str, names: dict) -> str:
    """Run code in a namespace; what it raised, in words."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "copied", "exec"), names)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return ""


def grow(page: str, tree: Tree, names: dict) -> None:
    """Run each branch, all but the last in a fork of its own."""
    branches = list(tree.items())
    for (code, may_raise), inner in branches:
        if inner is not branches[-1][1]:
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                continue
        said = run(code, names)
        if bool(said) != may_raise:
            which = ", ".join(inner.names())
            os.write(1, f"{page} {which}: {said or 'raises nothing'}\n".encode())
        grow(page, inner, names)
        if inner is not branches[-1][1]:
            os._exit(0)


def main() -> None:
    for name in ("torch.distributed.tensor", "matplotlib.pyplot"):
        importlib.import_module(name)
    running = 0
    for page, blocks in json.load(sys.stdin).items():
        for imports, tree in trees_of(blocks):
            if running == (os.cpu_count() or 1):
                os.wait()
                running -= 1
            running += 1
            if not os.fork():
                names = {"__name__": "__main__"}
                exec("\n".join(imports.values()), names)
                grow(page, tree, names)
                os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main()
