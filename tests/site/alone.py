"""Run notebooks in a Python that has torch, NumPy and matplotlib, and no more.

    python -I alone.py EXTENSIONS < {name: [[source, may raise], ...]}

Writes {name: {"outputs": [of each cell], "failed": words}}. Each notebook runs
in an empty folder, in a fork of one process that has imported torch.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import tempfile
from importlib.machinery import PathFinder
from pathlib import Path

WANTED = ["torch", "numpy", "matplotlib", "ipython", "matplotlib-inline", "nbformat"]


def allowed() -> set[str]:
    """The names that WANTED and what they need can be imported by."""
    waiting, found = list(WANTED), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system, or optional
        waiting += [
            re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need
        ]
    owners = importlib.metadata.packages_distributions()
    return {
        module
        for module, names in owners.items()
        if {re.sub(r"[-_.]+", "-", n).lower() for n in names} & found
    }


class Finder:
    """Python's own, blind to what stands in site-packages beside WANTED."""

    def __init__(self) -> None:
        names = importlib.metadata.packages_distributions()
        # rnn_examples: a notebook brings its own, and there is no other.
        self.unseen = set(names) - allowed() - {"rnn_examples"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.unseen:
            return None
        return PathFinder.find_spec(name, path, target)


def leave_the_project() -> None:
    """Keep of sys.path what holds no rnn_examples."""
    sys.path[:] = [p for p in sys.path if not Path(p, "rnn_examples").exists()]
    for name in [n for n in sys.modules if n.partition(".")[0] == "rnn_examples"]:
        del sys.modules[name]
    assert importlib.util.find_spec("rnn_examples") is None


def run(shell, sources: list, folder: str) -> dict:
    """In a fork: run the cells, and give what they put out."""
    from page_shell import Cell, run_cells

    os.chdir(folder)
    outputs: list = [[] for _ in sources]
    failed = ""

    def send(kind, *content):
        nonlocal failed
        if kind == "done":
            for place, what in content[1].items():
                outputs[place] = what
        elif kind == "failed":
            failed = content[-1]

    cells = [Cell(n, source, raises) for n, (source, raises) in enumerate(sources)]
    run_cells(shell, cells, send, folder, lambda path: False)
    return {"outputs": outputs, "failed": failed}


def main() -> None:
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    sys.path.insert(0, sys.argv[1])
    import page_shell

    del sys.path[0]
    leave_the_project()
    jobs = json.load(sys.stdin)
    for name in ("matplotlib.pyplot", "torch.distributed.tensor"):  # as conf.py
        importlib.import_module(name)

    shell = page_shell.new_shell()
    sys.meta_path[sys.meta_path.index(PathFinder)] = Finder()
    with tempfile.TemporaryDirectory() as folder:
        waiting, running = list(jobs), {}
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                name = waiting.pop(0)
                running[fork(shell, jobs[name], Path(folder), name)] = name
            running.pop(os.wait()[0])
        results = {n: json.loads(result(Path(folder), n).read_text()) for n in jobs}
    json.dump(results, sys.stdout)


def result(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '-')}.json"


def fork(shell, sources: list, folder: Path, name: str) -> int:
    """Start a notebook in a process of its own; its number."""
    pid = os.fork()
    if pid:
        return pid
    found = {"outputs": [], "failed": "its process ended"}
    try:
        empty = folder / name.replace("/", "-")
        empty.mkdir()
        found = run(shell, sources, str(empty))
    finally:
        result(folder, name).write_text(json.dumps(found))
        os._exit(0)


if __name__ == "__main__":
    main()
