"""An edit rebuilds the pages that were made from what it changed, and only they.

Each page remembers the content of every file that it was made from: its text,
what it includes, the site's own extensions, and what an executor notes (the
files that its cells opened or imported, and the version of a package). Content,
not dates, as it was before the build began to read: what is edited in the
middle of a build counts as changed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from per_page import keep
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

NO_INPUT = {
    ".git",
    ".hypothesis",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "_build",
}


@dataclass
class Inputs:
    """What one page was made from; kept with Sphinx's environment."""

    files: dict[str, str | None] = field(default_factory=dict)  # path: digest
    packages: dict[str, str | None] = field(default_factory=dict)  # name: version


def digest_of(path: str | Path) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # it is gone
        return None


def digests(root: str | Path) -> dict[str, str | None]:
    """The digest of every file of the project, by path."""
    found = {}
    for folder, folders, names in os.walk(root, followlinks=True):  # as Sphinx does
        inner = sorted(set(folders) - NO_INPUT)
        folders[:] = [f for f in inner if not is_venv(os.path.join(folder, f))]
        for path in (os.path.join(folder, name) for name in sorted(names)):
            found[path] = digest_of(path)
    return found


@functools.cache
def is_venv(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def is_input(path: str, root: str | Path) -> bool:
    """Whether ``digests(root)`` has this file; no ``<ipython-input-1>`` is one."""
    try:
        folders = Path(path).relative_to(root).parts[:-1]
    except ValueError:
        return False
    if NO_INPUT.intersection(folders):
        return False
    parents = Path(path).parents[: len(folders)]
    return os.path.isfile(path) and not any(is_venv(str(f)) for f in parents)


@functools.cache  # looking it up costs milliseconds
def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def uses(env: BuildEnvironment, package: str) -> None:
    """Run this page again when ``package`` changes its version."""
    inputs = env.page_inputs.setdefault(env.docname, Inputs())
    inputs.packages[package] = version_of(package)


class Recorder:
    """One build: what is there now, and what its pages are made from."""

    def __init__(self, app: Sphinx) -> None:
        version_of.cache_clear()
        self.app = app
        self.before = digests(app.confdir)
        self.code = code_of(app.extensions.values())

    def digest_of(self, path: str) -> str | None:
        if path not in self.before:  # outside of the project, or made by a page
            self.before[path] = digest_of(path)
        return self.before[path]

    def record(self, app: Sphinx, doctree: nodes.document) -> None:
        env = app.env
        files = {env.doc2path(env.docname), *self.code}
        files |= {app.srcdir / file for file in env.dependencies[env.docname]}
        paths = [os.path.normpath(file) for file in files]
        inputs = env.page_inputs.setdefault(env.docname, Inputs())
        inputs.files = {
            os.path.relpath(path, app.srcdir): self.digest_of(path) for path in paths
        }

    def outdated(self, app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
        return [
            docname
            for docname in env.found_docs
            if self.differs(env.page_inputs.get(docname, Inputs()))
        ]

    def differs(self, inputs: Inputs) -> bool:
        def now(file: str) -> str | None:
            return self.digest_of(os.path.normpath(self.app.srcdir / file))

        return any(now(f) != old for f, old in inputs.files.items()) or any(
            version_of(name) != old for name, old in inputs.packages.items()
        )


def code_of(extensions: Iterable) -> set[Path]:
    """The modules beside each extension of the site's own, not an installed one."""
    files = [getattr(extension.module, "__file__", None) for extension in extensions]
    folders = {Path(file).parent for file in files if file}
    own = {f for f in folders if not {"site-packages", "dist-packages"} & set(f.parts)}
    return {path for folder in own for path in folder.glob("*.py")}


def start(app: Sphinx) -> None:
    recorder = Recorder(app)
    app.connect("env-get-outdated", recorder.outdated)
    app.connect("doctree-read", recorder.record)


def setup(app: Sphinx) -> dict:
    keep(app, "page_inputs")
    app.connect("builder-inited", start)
    return {"version": "2", "env_version": 2, "parallel_read_safe": True}
