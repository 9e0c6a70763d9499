"""A small site in a folder of its own, built by the same driver and extensions."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n# A page\n\n"
CONF = f"""
import os, sys
ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [ROOT, {str(ROOT / "docs" / "_extensions")!r}]
os.environ["MATPLOTLIBRC"] = {str(ROOT / "docs" / "matplotlibrc")!r}
extensions = ["myst_nb", "fork_executor", "example", "katex_math"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "katex"
html_theme = "basic"
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_preload = []
"""


class Site:
    """A project folder with conf.py and docs/; build it and look at it."""

    def __init__(self, root: Path):
        self.root = root
        self.html = root / "docs" / "_build" / "html"
        self.conf(CONF)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def conf(self, text: str) -> None:
        self.write("conf.py", text)

    def page(self, name: str, *cells: str, prose: str = "") -> None:
        body = "".join(f"```{{code-cell}}\n{cell}\n```\n\n" for cell in cells)
        self.write(f"docs/{name}.md", HEAD + prose + "\n\n" + body)

    def index(self, *names: str) -> None:
        lines = "\n".join(names)
        self.write("docs/index.md", f"# Index\n\n```{{toctree}}\n{lines}\n```\n")

    def command(self) -> list[str]:
        driver = str(ROOT / "tools" / "build.py")
        return [sys.executable, driver, "--root", str(self.root)]

    def build(self, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(),
            capture_output=True,
            text=True,
            env=os.environ | env,
            cwd=self.root,
        )

    def ran(self, **env: str) -> set[str]:
        """Build; the pages that were read and run."""
        done = self.build(**env)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"s  docs/(\w+)\.md", done.stdout))

    def published(self) -> dict[str, bytes]:
        files = (p for p in self.html.rglob("*") if p.is_file())
        return {str(p.relative_to(self.html)): p.read_bytes() for p in files}
