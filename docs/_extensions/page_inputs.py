"""An edit rebuilds the pages that were made from what it changed, and only they.

Each page remembers the content of every file that it was made from: its text,
what it includes, this site's extensions, and what its cells opened or imported
(fork_executor notes those). Content, not dates, as it was before the build
began to read: what is edited in the middle of a build counts as changed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from pathlib import Path

NO_INPUT = {".git", "_build", "__pycache__"}
NO_INPUT |= {".pytest_cache", ".ruff_cache", ".hypothesis"}


def digest(path) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # it is gone
        return None


def is_venv(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def contents(root) -> dict[str, str | None]:
    """The digest of every file of the project, by path."""
    found = {}
    for folder, folders, names in os.walk(root, followlinks=True):  # as Sphinx does
        inner = sorted(set(folders) - NO_INPUT)
        folders[:] = [f for f in inner if not is_venv(os.path.join(folder, f))]
        for path in (os.path.join(folder, name) for name in sorted(names)):
            found[path] = digest(path)
    return found


before: dict[str, str | None] = {}  # contents, as they were when this build began


def start(app):
    for name in ("page_inputs", "page_versions"):
        if not hasattr(app.env, name):
            setattr(app.env, name, {})
    version.cache_clear()
    before.clear()
    before.update(contents(app.confdir))


def content(path: str) -> str | None:
    if path not in before:  # outside of the project, or made by a page
        before[path] = digest(path)
    return before[path]


def record(app, doctree):
    env = app.env
    files = {env.doc2path(env.docname)}
    files |= {app.srcdir / file for file in env.dependencies[env.docname]}
    files |= set(Path(__file__).parent.glob("*.py"))
    paths = [os.path.normpath(file) for file in files]
    env.page_inputs[env.docname] = {
        os.path.relpath(path, app.srcdir): content(path) for path in paths
    }


@functools.cache  # looking it up costs milliseconds
def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def uses(env, package: str) -> None:
    """Run this page again when ``package`` changes its version."""
    versions = env.page_versions.setdefault(env.docname, {})
    versions[package] = version(package)


def outdated(app, env, added, changed, removed):
    def differs(file, old):
        return content(os.path.normpath(os.path.join(app.srcdir, file))) != old

    return [
        doc
        for doc in env.found_docs
        if any(differs(*item) for item in env.page_inputs.get(doc, {}).items())
        or any(version(p) != v for p, v in env.page_versions.get(doc, {}).items())
    ]


def purge(app, env, docname):
    env.page_inputs.pop(docname, None)
    env.page_versions.pop(docname, None)


def merge(app, env, docnames, other):
    for name in docnames:
        for table in ("page_inputs", "page_versions"):
            if name in getattr(other, table):
                getattr(env, table)[name] = getattr(other, table)[name]


def setup(app):
    app.connect("builder-inited", start)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("doctree-read", record)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True}
