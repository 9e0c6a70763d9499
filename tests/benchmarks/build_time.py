"""How long a build takes: print a table and hold it against the bars.

    .venv/bin/python tests/benchmarks/build_time.py [--pages 10 50 200]

writes a site of N pages to a temporary folder and builds it side by side:

floor   the same site and theme without fork_executor, nothing executed
fork    docs/_extensions/fork_executor.py
stock   myst-nb's own ``force`` mode, one Jupyter kernel a page

Each number is the wall-clock of a whole ``python -m sphinx -W -j 1`` process,
the least of interleaved repeats: seconds depend on the machine and on what else
it does, ratios within one run hardly do. Stock is slow, so it runs once per
N, and only up to ``--stock-pages``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONF = """\
import os, sys
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), {extensions!r}]
os.environ["MATPLOTLIBRC"] = {matplotlibrc!r}
project = "Benchmark"
extensions = {names!r}
html_theme = "sphinx_book_theme"
nb_execution_raise_on_error = True
myst_enable_extensions = ["dollarmath"]
{settings}
"""
OURS = """\
nb_execution_mode = "force"
nb_execution_preload = {preload!r}
"""
SETTINGS = {
    "floor": 'nb_execution_mode = "off"',
    "fork": OURS,
    "stock": OURS + "nb_execution_fork = False",
}

MODULE = '''\
"""One step of a recurrent network.

>>> import torch
>>> torch.tanh(torch.zeros(2))
tensor([0., 0.])
"""

import torch


def step(x_t, h, W, U, b):
    """(B, I), (B, H) -> (B, H)."""
    return torch.tanh(x_t @ W.T + h @ U.T + b)
'''

PAGE = """\
---
file_format: mystnb
kernelspec:
  name: python3
  language: python
---

# Page {n}: a recurrent step by hand

We run a small recurrent network one step at a time with plain tensor operations
and look at every value on the way: the input, the two products, their sum, and
the state that the next step starts from. See also [the start](index.md).

$$
h_t = \\tanh\\left(x_t W^\\top + h_{{t-1}} U^\\top + b\\right)
$$

## Data and parameters

Rows are batch entries, columns are features; {n} seeds the generator.

```{{code-cell}}
import torch

torch.manual_seed({n})
B, I, H, T = 2, 3, 4, 5
x = torch.randn(T, B, I)
x.shape
```

```{{code-cell}}
W, U, b = torch.randn(H, I) / 2, torch.randn(H, H) / 2, torch.zeros(H)
W
```

## One step, then all of them

The step itself is one line of the package; the loop around it is two.

```{{code-cell}}
from sample_rnn.step import step

h = step(x[0], torch.zeros(B, H), W, U, b)
h
```

```{{code-cell}}
hs = []
h = torch.zeros(B, H)
for t in range(T):
    h = step(x[t], h, W, U, b)
    hs.append(h)
    print(f"t = {{t}}: mean |h| = {{h.abs().mean():.4f}}")
```

```{{code-cell}}
hs = torch.stack(hs)
hs.shape
```

## The same from PyTorch

Given the same parameters, `torch.nn.RNN` returns the same numbers.

```{{code-cell}}
rnn = torch.nn.RNN(I, H)
with torch.no_grad():
    rnn.weight_ih_l0.copy_(W)
    rnn.weight_hh_l0.copy_(U)
    rnn.bias_ih_l0.copy_(b)
    rnn.bias_hh_l0.zero_()
rnn
```

```{{code-cell}}
output, h_n = rnn(x)
torch.testing.assert_close(output, hs)
output[-1]
```

- The state has one row for each batch entry.
- The last output *is* the last state.

```{{code-cell}}
loss = output.square().mean()
loss.backward()
{{name: tuple(p.grad.shape) for name, p in rnn.named_parameters()}}
```
"""
FIGURE = """
## A figure

```{code-cell}
import matplotlib.pyplot as plt

fig, ax = plt.subplots()
ax.plot(hs[:, 0].detach())
ax.set(xlabel="time step", ylabel="state");
```
"""

EDIT = "\nOne more sentence.\n"


class BuildFailed(Exception):
    pass


class Site:
    """A generated site, and how to build it in one of the three ways."""

    def __init__(self, folder: Path, kind: str, pages: int, figures: bool):
        self.folder, self.kind, self.pages = folder, kind, pages
        docs, package = folder / "docs", folder / "sample_rnn"
        for new in (docs, package):
            new.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "step.py").write_text(MODULE)
        names = [f"page{n:03}" for n in range(pages)]
        toctree = "\n".join(["```{toctree}", *names, "```"])
        (docs / "index.md").write_text(f"# Benchmark\n\n{toctree}\n")
        for n, name in enumerate(names):
            figure = FIGURE if figures and n % 4 == 0 else ""
            (docs / f"{name}.md").write_text(PAGE.format(n=n) + figure)
        extensions = ROOT / "docs" / "_extensions"
        preload = ["torch", "torch.distributed.tensor"]  # as in conf.py
        preload += ["matplotlib.pyplot"] if figures else []
        conf = CONF.format(
            extensions=str(extensions),
            matplotlibrc=str(ROOT / "docs" / "matplotlibrc"),
            names=["myst_nb", "example"]
            + (["fork_executor"] if kind != "floor" else []),
            settings=SETTINGS[kind].format(preload=preload),
        )
        (folder / "conf.py").write_text(conf)

    def build(self) -> float:
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-j", "1"]
        command += ["-c", ".", "-d", "_build/doctrees", "docs", "_build/html"]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise BuildFailed(f"{self.kind}, {self.pages} pages:\n{done.stderr}")
        return seconds

    def edit(self):
        with (self.folder / "docs" / "page001.md").open("a") as page:
            page.write(EDIT)


def measure(folder, kind, pages, figures, note) -> dict[str, float]:
    """One cold build, one after no change, one after one page's edit."""
    site = Site(folder, kind, pages, figures)
    seconds = {"cold": site.build()}
    if kind != "stock":
        seconds["no change"] = site.build()
        site.edit()
        seconds["edit"] = site.build()
    took = ", ".join(f"{name} {s:.2f} s" for name, s in seconds.items())
    note(f"{pages} pages, {kind}: {took}")
    return seconds


def least(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: min(run[name] for run in runs) for name in runs[0]}


COLUMNS = [
    ("floor", "cold"),
    ("fork", "cold"),
    ("stock", "cold"),
    ("floor", "no change"),
    ("fork", "no change"),
    ("floor", "edit"),
    ("fork", "edit"),
]


def table(best) -> list[str]:
    """``best[pages][kind][what]`` in seconds, one line for each size."""
    lines = [
        "seconds     cold                     no change       one page edited",
        "pages      floor    fork   stock    floor    fork    floor    fork",
    ]
    for pages, kinds in best.items():
        line = f"{pages:5}  "
        for i, (kind, what) in enumerate(COLUMNS):
            value = kinds.get(kind, {}).get(what)
            line += " " * (i in (3, 5)) + (f"{value:8.2f}" if value else f"{'-':>8}")
        lines.append(line)
    return lines


def bars(best) -> list[str]:
    lines = []

    def bar(text, value, ok):
        lines.append(f"{'PASS' if ok else 'FAIL'}  {text}: {value}")

    if 50 in best:
        kinds = best[50]
        fork = kinds["fork"]["cold"]
        ratio = fork / kinds["floor"]["cold"]
        bar("cold at 50 pages <= 2 x floor", f"{ratio:.2f} x", ratio <= 2)
        if "stock" in kinds:
            gain = kinds["stock"]["cold"] / fork
            bar("cold at 50 pages, stock >= 10 x fork", f"{gain:.1f} x", gain >= 10)
    for pages, kinds in best.items():
        ratio = kinds["fork"]["no change"] / kinds["floor"]["no change"]
        what = f"no change at {pages} pages <= 1.2 x floor"
        bar(what, f"{ratio:.2f} x", ratio <= 1.2)
    if len(best) > 1:
        small, large = 50 if 50 in best and max(best) > 50 else min(best), max(best)

        def slope(kind):
            more = best[large][kind]["cold"] - best[small][kind]["cold"]
            return 1000 * more / (large - small)

        extra = slope("fork") - slope("floor")
        value = f"{slope('floor'):.0f} + {extra:.0f} ms"
        what = f"growth per page, {small} to {large} pages, <= floor's + 80 ms"
        bar(what, value, extra <= 80)
    return lines


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--pages", type=int, nargs="+", default=[10, 50, 200], metavar="N")
    add("--repeats", type=int, default=3)
    add("--no-stock", action="store_true", help="leave stock myst-nb out")
    add("--stock-pages", type=int, default=50, help="largest N that stock builds")
    add("--figures", action="store_true", help="every fourth page draws an SVG")
    given = parser.parse_args()
    if min(given.pages) < 2 or given.repeats < 1:
        parser.error("needs at least 2 pages and 1 repeat")
    return given


def main() -> int:
    given = arguments()
    begun = time.perf_counter()

    def note(text):
        print(f"{time.perf_counter() - begun:6.0f} s  {text}", file=sys.stderr)

    best = {}
    try:
        for pages in sorted(set(given.pages)):
            runs = {"floor": [], "fork": [], "stock": []}
            for repeat in range(given.repeats):
                kinds = ["floor", "fork"]
                stock = not given.no_stock and pages <= given.stock_pages
                if repeat == 0 and stock:
                    kinds.append("stock")
                for kind in kinds:
                    with tempfile.TemporaryDirectory() as tmp:
                        site = Path(tmp) / "site"
                        runs[kind].append(
                            measure(site, kind, pages, given.figures, note)
                        )
            best[pages] = {kind: least(r) for kind, r in runs.items() if r}
    except BuildFailed as error:
        print(f"build failed: {error}", file=sys.stderr)
        return 1
    print("\n".join([*table(best), "", *bars(best)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
