"""Build the site: python tools/build.py [--live] [--root DIR]

Sphinx writes into ``docs/_build/next``, a copy of the last good state, so an
incremental build stays incremental. Only a build without error or warning
takes the place of ``docs/_build/html``: whatever goes wrong on the way, the
published folder is as it was. A build that would read what the last good one
read, and find what it wrote, is not started at all.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import gc
import hashlib
import importlib
import os
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(HERE / "docs" / "_extensions"))

from page_inputs import digests  # noqa: E402
from site_look import build_date  # noqa: E402

STATE = ["html", "doctrees", "jupyter_execute"]  # belong together, move together
STAMP = Path("doctrees", "read_and_written")  # digests of a good build


class BuildError(Exception):
    """One line for the person who runs the build; details, if any, before it."""

    def __init__(self, line: str, details: str = ""):
        super().__init__(line)
        self.details = details


@contextlib.contextmanager
def lock(build: Path):
    """Hold the tree; two builds at once would copy each other's half."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("a+") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            f.seek(0)
            raise BuildError(
                f"another build (process {f.read() or 'unknown'}) is running in "
                "this tree; wait for it, or stop it, and run again"
            ) from None
        f.truncate(0)
        f.write(str(os.getpid()))
        f.flush()
        yield


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def what_is_read(root: Path) -> str:
    """Python, each package's version, every file of the project by content.

    And what the environment says of the site, and the date that a page's foot
    shows, which a commit moves.
    """
    lines = [sys.version, build_date(root)]
    lines += [f"{name} {os.environ.get(name)}" for name in ("SITE_URL", "REPOSITORY")]
    for folder in filter(os.path.isdir, sys.path):
        infos = Path(folder).glob("*.*-info")  # .dist-info or .egg-info
        lines += sorted(path.name for path in infos)
    lines += [f"{path} {content}" for path, content in digests(root).items()]
    return digest(lines)


def what_is_written(html: Path) -> str:
    """Every file of the site by name, size and date: a lost one is noticed."""
    found = [(path.relative_to(html), path.stat()) for path in sorted(html.rglob("*"))]
    return digest([f"{path} {s.st_size} {s.st_mtime_ns}" for path, s in found])


def run_sphinx(root: Path, next_: Path, say, warm: bool) -> int:
    """Read, execute and write; how many pages were read."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    started: dict[str, float] = {}
    pages: list[str] = []

    def start(app, docname, source):
        started[docname] = time.perf_counter()

    def done(app, doctree):
        name = app.env.docname
        seconds = time.perf_counter() - started[name]
        say(f"{seconds:6.2f} s  {os.path.relpath(app.env.doc2path(name), root)}")
        pages.append(name)

    def count(app, env, docnames):
        if docnames:
            say(f"reading and running {len(docnames)} of {len(env.found_docs)} pages")

    def newest(app, env, added, changed, removed):
        return [max(env.found_docs, key=lambda doc: env.doc2path(doc).stat().st_mtime)]

    with patch_docutils(root), docutils_namespace():
        app = Sphinx(
            srcdir=root / "docs",
            confdir=root,
            outdir=next_ / "html",
            doctreedir=next_ / "doctrees",
            buildername="html",
            status=None,
            warning=sys.stderr,
            warningiserror=True,
        )
        app.connect("env-before-read-docs", count, priority=400)
        app.connect("source-read", start, priority=100)
        app.connect("doctree-read", done, priority=900)
        if warm:
            app.connect("env-get-outdated", newest)
        app.build()
        if app.statuscode:
            raise BuildError("warnings count as errors; they are printed above")
    return len(pages)


def causes(error: BaseException | None):
    """The error and what it wraps, outermost first."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def explain(error: BaseException) -> BuildError:
    """Any exception as one line."""
    from sphinx.errors import SphinxError

    for e in causes(error):
        if isinstance(e, BuildError):
            return e
        if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" while writing {e.filename}" if e.filename else ""
            return BuildError(f"the disk is full{where}; free some space")
    if isinstance(error, SphinxError):
        return BuildError(str(error), getattr(error, "details", ""))
    import traceback

    text = "".join(traceback.format_exception(error))
    return BuildError(f"{type(error).__name__}: {error}", text)


def build(root: Path, say=print, warm: bool = False) -> None:
    """Build ``root`` into ``root/docs/_build/html`` or raise BuildError.

    With ``warm``, at least one page is built, the one that was edited last.
    """
    folder = root / "docs" / "_build"
    start = time.perf_counter()
    try:
        with lock(folder):
            read, stamp = what_is_read(root), folder / STAMP
            known = stamp.read_text().split() if stamp.exists() else []
            if warm or known != [read, what_is_written(folder / "html")]:
                pages = build_next(root, folder, read, say, warm)
            else:
                pages = 0
    except Exception as error:
        raise explain(error) from error
    seconds, html = time.perf_counter() - start, folder / "html" / "index.html"
    what = f"{pages} pages in" if pages else "nothing has changed,"
    say(f"{what} {seconds:.1f} s; open {os.path.relpath(html)}")


def build_next(root: Path, folder: Path, read: str, say, warm: bool) -> int:
    """Build beside the last good state, then take its place; the pages read."""
    next_ = folder / "next"
    shutil.rmtree(next_, ignore_errors=True)  # of a build that was killed
    try:
        next_.mkdir()
        for name in STATE:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, next_ / name)
        pages = run_sphinx(root, next_, say, warm)
        written = what_is_written(next_ / "html")
        (next_ / STAMP).write_text(f"{read}\n{written}\n")
        publish(folder, next_)
    finally:
        shutil.rmtree(next_, ignore_errors=True)
    return pages


def publish(folder: Path, next_: Path) -> None:
    """Put the new state in the old one's place, by renames alone."""
    for name in STATE:
        old = folder / f"{name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if (folder / name).exists():
            (folder / name).rename(old)
        if (next_ / name).exists():
            (next_ / name).rename(folder / name)
        shutil.rmtree(old, ignore_errors=True)


def report(root: Path, error: BuildError) -> None:
    if error.details:
        print(error.details, file=sys.stderr)
    print(f"html: {error}", file=sys.stderr)
    if (root / "docs" / "_build" / "html" / "index.html").exists():
        print("html: docs/_build/html is the last good build", file=sys.stderr)


def say(line: str) -> None:
    print(f"html: {line}", flush=True)


def rebuild(root: Path, changed_paths: list[Path]) -> None:
    """What --live runs on a change, in a fresh fork of the warm process."""
    for path in changed_paths:
        say(f"changed: {os.path.relpath(path)}")
    forget_edited(root / "docs" / "_extensions")
    try:
        build(root, say)
    except BuildError as error:
        report(root, error)


STARTED = time.time()


def forget_edited(folder: Path) -> None:
    """Import this folder's modules anew if one was edited since the start."""
    modules = list(folder.glob("*.py"))
    if any(path.stat().st_mtime > STARTED for path in modules):
        for path in modules:
            sys.modules.pop(path.stem, None)


def without_policy(app):
    """Let the script that reloads a page run, which stands inside the page.

    The policy is in the first part of a file that is sent, and the other name
    is as long, so nothing else of the answer changes.
    """
    name = b"Content-Security-Policy"
    other = b"X-" + b"-" * (len(name) - 2)

    async def served(scope, receive, send):
        async def relay(message):
            if "body" in message:
                message["body"] = message["body"].replace(name, other)
            await send(message)

        await app(scope, receive, relay)

    return served


def live(root: Path, port: int) -> None:
    """Serve the site; an edit rebuilds it and reloads the browser.

    sphinx-autobuild watches, serves and reloads. It starts a new Python for
    each build, which costs a torch import; here each build is a fork of this
    process, which has built a page once: what that imported and compiled is
    there, and what a fork changes is gone with it.
    """
    import multiprocessing
    import runpy
    import socket
    from functools import partial

    import uvicorn
    from sphinx_autobuild.__main__ import _create_app
    from sphinx_autobuild.filter import IgnoreFilter

    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        raise BuildError(
            f"cannot serve on port {port}: {error.strerror}; name another one: "
            f"make live PORT={port + 1}"
        ) from None
    say("importing torch and Sphinx once")
    try:
        # conf.py first: it sets the environment that the packages read.
        conf = runpy.run_path(str(root / "conf.py"))
        for name in conf.get("nb_execution_preload", []):
            importlib.import_module(name)
        build(root, say, warm=True)
    except Exception as error:
        report(root, explain(error))
    gc.freeze()  # else a fork visits, and so copies, all of it
    multiprocessing.set_start_method("fork")
    html = root / "docs" / "_build" / "html"
    html.mkdir(parents=True, exist_ok=True)
    watched = [root / "docs", root / "rnn_examples", root / "conf.py"]
    ignored = IgnoreFilter([root / "docs" / "_build"], [r"__pycache__", r"[~#]$"])
    host = f"127.0.0.1:{port}"
    on_edit = partial(rebuild, root)
    app = _create_app([p for p in watched if p.exists()], ignored, on_edit, html, host)
    say(f"serving http://{host}, an edit reloads it; stop with Ctrl+C")
    uvicorn.run(without_policy(app), host="127.0.0.1", port=port, log_level="warning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=HERE, help="has conf.py, docs/")
    parser.add_argument("--live", action="store_true", help="serve, rebuild on edits")
    parser.add_argument("--port", type=int, default=8000, help="for --live")
    args = parser.parse_args()
    root = args.root.resolve()
    gc.set_threshold(100_000)  # what is imported stays; collecting it costs 5 %
    try:
        live(root, args.port) if args.live else build(root, say)
    except BuildError as error:
        report(root, error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("\nhtml: interrupted; docs/_build/html is as it was")


if __name__ == "__main__":
    main()
