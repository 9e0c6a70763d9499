"""Run MyST-NB's pages in forks of one warm process.

A kernel start and a torch import cost seconds a page. Here one process imports
them once (``fork_server``), and each page runs in its own fork of it
(``page_shell``): the same clean namespace, none of the wait. The next pages run
while Sphinx reads this one. Nothing is cached, so nothing can be stale: a page
says which files of the project it opened or imported, and ``page_inputs`` runs
it again when one of them changes.

Modes ``force`` and ``auto`` run in forks and write what Jupyter kernels write,
byte for byte. Jupyter kernels run the pages of modes ``cache`` and ``inline``,
and all pages with ``nb_execution_fork = False``, the default where the system
is not Linux: forks of what scientific packages start are not safe on macOS, and
Windows has none. A widget needs a kernel too.

sphinx-exec-jupyter had the idea before: a Jupyter kernel manager that forks
kernels from a warm interpreter. It keeps Jupyter's protocol, and so widgets.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import myst_nb.core.execute as stock
import myst_nb.sphinx_ as stock_parser
import page_inputs
from fork_server import ForkedProcess, ForkServer, ServerEnded
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from myst_nb.core.config import NbParserConfig
from myst_nb.core.execute import NotebookClientBase, NotebookClientDirect
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from page_shell import IPYTHON_CONFIG, Cell, new_shell, run_cells
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError, SphinxError
from sphinx.util import logging

log = logging.getLogger(__name__)

# What this file replaces, as MyST-NB 1.4 has it and as the next release will
# (MyST-NB's pull requests 721 and 725).
CREATE_CLIENT = [
    "(notebook, source, nb_config, logger, read_fmt=None)",
    "(notebook, source, nb_config, logger, read_fmt=None, *, "
    "kernel_manager_class=None)",
]


class PageError(SphinxError):
    """A page that could not be run to its end.

    ``kind`` is MyST-NB's name for it, where MyST-NB has settings that let a
    build go on; ``details`` are for the terminal.
    """

    category = "page error"

    def __init__(self, line: str, kind: str = "", details: str = "") -> None:
        super().__init__(line)
        self.kind, self.details = kind, details


# ------------------------------------------------------------- what a page runs


class Job(NamedTuple):
    """The cells of a page and the folder that they run in, "" for a temporary."""

    cells: list[Cell]
    folder: str


def job_of(client: NotebookClientBase) -> Job:
    settings = client.notebook.metadata.get("execution", {})
    allowed = settings.get("allow_errors", client.nb_config.execution_allow_errors)
    cells = []
    for index, cell in enumerate(client.notebook.cells):
        tags = cell.metadata.get("tags", [])
        is_code = cell.cell_type == "code" and cell.source.strip()
        if is_code and "skip-execution" not in tags:
            may_raise = bool(allowed) or "raises-exception" in tags
            cells.append(Cell(index, cell.source, may_raise))
    in_temp = client.nb_config.execution_in_temp
    return Job(cells, "" if in_temp else str(client.path.parent))


def time_limit(client: NotebookClientBase) -> float | None:
    """Seconds for each cell; as for a kernel, 0 and less are no limit."""
    settings = client.notebook.metadata.get("execution", {})
    limit = settings.get("timeout", client.nb_config.execution_timeout)
    return limit if limit and limit > 0 else None


def runs_in_forks(client: NotebookClientBase) -> bool:
    """Not a page that is excluded or not to be run, nor one for a kernel."""
    return type(client) is NotebookClientDirect


def kernel_of(notebook: NotebookNode) -> str:
    return notebook.metadata.get("kernelspec", {}).get("name") or "python3"


@cache
def is_this_python(kernel: str) -> bool:
    """Whether a kernel of this name would be this very Python."""
    if kernel == "python3":
        return True
    try:
        spec = KernelSpecManager().get_kernel_spec(kernel)
    except NoSuchKernel:
        return False
    version = "{}.{}".format(*sys.version_info)  # as jupyter_client reads names
    ours = [["python"], ["python3"], [f"python{version}"], [sys.executable]]
    return spec.language.lower() == "python" and spec.argv[:1] in ours


# ------------------------------------------------------------------- one build


class Runner:
    """The pages of one build: the one that Sphinx reads, and those that come."""

    def __init__(self, app: Sphinx, docnames: list[str]) -> None:
        self.app, self.queue = app, list(docnames)
        self.ahead: dict[str, ForkedProcess] = {}
        self.temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.server = ForkServer(self.warm, self.work)
        stock_parser.create_client = self.create_client

    def stop(self, app: Sphinx, error: Exception | None) -> None:
        stock_parser.create_client = stock.create_client
        for process in self.ahead.values():
            process.stop()
        self.server.stop()
        self.temporary.cleanup()

    def create_client(self, notebook, source, nb_config, logger, *args, **kwargs):
        client = stock.create_client(
            notebook, source, nb_config, logger, *args, **kwargs
        )
        if runs_in_forks(client) and not kwargs.get("kernel_manager_class"):
            return ForkClient(self, notebook, client.path, nb_config, logger)
        return client

    # in the fork server

    def warm(self) -> Any:
        for name in self.app.config.nb_execution_preload:
            importlib.import_module(name)
        return new_shell()

    # in the process of a page

    def work(
        self, shell: Any, send: Callable[..., None], docname: str, job: Job | None
    ) -> None:
        if job is None:  # the page runs ahead, and says first what it runs
            with contextlib.suppress(Exception):  # Sphinx will meet and report it
                job = self.job_ahead(docname)
            send("job", job)
        if job and job.cells:
            root = str(self.app.confdir)
            os.chdir(job.folder or tempfile.mkdtemp(dir=self.temporary.name))
            is_input = partial(page_inputs.is_input, root=root)
            run_cells(shell, job.cells, send, root, is_input)

    def job_ahead(self, docname: str) -> Job | None:
        """What a page will run, found out as MyST-NB's parser does."""
        env, path = self.app.env, str(self.app.env.doc2path(docname))
        source = [Path(path).read_text(encoding="utf-8")]
        self.app.emit("source-read", docname, source)
        reader = create_nb_reader(path, env.myst_config, env.mystnb_config, source[0])
        if not reader:
            return None
        notebook = reader.read(source[0])
        config = with_overrides(env.mystnb_config, notebook)
        client = stock.create_client(notebook, path, config, log)
        if runs_in_forks(client) and is_this_python(kernel_of(notebook)):
            return job_of(client)
        return None

    # in Sphinx

    def take(self, docname: str, job: Job) -> ForkedProcess:
        """A process that runs this job, started ahead if it was just this one."""
        process = self.ahead.pop(docname, None)
        if process and not said_first(process, job):
            process.stop()
            process = None
        process = process or self.server.start(docname, job)
        self.start_next(docname)
        return process

    def start_next(self, docname: str) -> None:
        """Run the next pages on the other cores while Sphinx reads this one."""
        if docname not in self.queue or self.app.parallel > 1:
            return
        at = self.queue.index(docname) + 1
        coming = self.queue[at : at + (os.cpu_count() or 1)]
        for name in set(self.ahead) - set(coming):  # pages that had nothing to run
            self.ahead.pop(name).stop()
        for name in coming:
            if name not in self.ahead:
                self.ahead[name] = self.server.start(name, None)


def with_overrides(config: NbParserConfig, notebook: NotebookNode) -> NbParserConfig:
    """The settings of a page, from its front matter."""
    changes = dict(notebook.metadata.get(config.metadata_key, {}))
    changes.pop("output_folder", None)
    try:
        return config.copy(**changes)
    except Exception:  # MyST-NB catches any too, warns of it and goes on without
        return config


def said_first(process: ForkedProcess, job: Job) -> bool:
    try:
        return process.receive() == ("job", job)
    except EOFError:  # it failed to read its page; Sphinx will say why
        return False


# -------------------------------------------------------------------- one page


class ForkClient(NotebookClientBase):
    """Runs all cells when it is opened, as MyST-NB's NotebookClientDirect does."""

    def __init__(
        self, runner: Runner, notebook: NotebookNode, path: Path, *args: Any
    ) -> None:
        super().__init__(notebook, path, *args)
        self.runner, self.env = runner, runner.app.env
        self.page = os.path.relpath(path, runner.app.confdir)

    def start_client(self) -> None:
        started = time.perf_counter()
        kernel = kernel_of(self.notebook)
        if not is_this_python(kernel):
            raise PageError(
                f"{self.page}: its kernel {kernel!r} is not this Python; name "
                "python3, or run the pages in kernels: nb_execution_fork = False"
            )
        self.notebook.metadata["language_info"] = language_info()
        job, error = job_of(self), None
        if job.cells:
            try:
                self.execute(job)
            except PageError as caught:
                if self.nb_config.execution_raise_on_error or not caught.kind:
                    raise
                error = caught
            for name in self.runner.app.config.nb_execution_preload:
                page_inputs.uses(self.env, name.partition(".")[0])
        runtime = time.perf_counter() - started
        self.report(runtime, error)

    def report(self, runtime: float, error: PageError | None) -> None:
        if error:
            message = f"Executing notebook failed: {error.kind}: {error}"
            if self.nb_config.execution_show_tb:
                message += f"\n{error.details}"
            self.logger.warning(message, subtype="exec")
            self.env.note_reread()  # else the next build would say nothing of it
        self.exec_metadata = {
            "mtime": time.time(),
            "runtime": runtime,
            "method": self.nb_config.execution_mode,
            "succeeded": error is None,
            "error": error.kind if error else None,
            "traceback": error.details if error else None,
        }
        log.info("%6.2f s  %s", runtime, self.env.docname)

    def execute(self, job: Job) -> None:
        """Run the cells and store what they answer; raises PageError."""
        limit, running, ended = time_limit(self), job.cells[0].index, False
        process = self.take(job)
        try:
            for kind, *content in answers(process, limit):
                if kind == "start":
                    (running,) = content
                elif kind == "done":
                    self.store(running, *content)
                elif kind == "failed":
                    raise self.raised(running, *content)
                elif kind == "end":
                    ended = True
                    self.depend_on(*content)
        except TimeoutError:
            self.store_late(running, process)
            line = self.place(running) + f": passed its time limit of {limit} s"
            raise PageError(line, "CellTimeoutError", line) from None
        finally:
            process.stop()
        if not ended:
            raise PageError(self.place(running) + ": ended its process")

    def take(self, job: Job) -> ForkedProcess:
        try:
            return self.runner.take(self.env.docname, job)
        except ServerEnded:
            raise PageError(
                f"{self.page}: the process that runs the pages has ended; see above"
            ) from None

    def store(self, running: int, count: int, outputs: dict[int, list]) -> None:
        self.notebook.cells[running].execution_count = count
        for index, what in outputs.items():
            self.notebook.cells[index].outputs = what

    def store_late(self, running: int, process: ForkedProcess) -> None:
        """Interrupt a cell, and store what it has put out if it can still say so."""
        process.interrupt()
        with contextlib.suppress(TimeoutError, EOFError):
            kind, *content = process.receive(1)
            if kind == "done":
                self.store(running, *content)

    def raised(
        self, running: int, line: int | None, name: str, text: str, details: str
    ) -> PageError:
        log.info("%s", details)
        first = text.strip().splitlines()[0] if text.strip() else ""
        what = f"{name}: {first}".rstrip(": ")
        place = self.place(running, line)
        return PageError(f"{place}: {what}", "CellExecutionError", details)

    def depend_on(self, files: list[str]) -> None:
        for path in files:
            self.env.note_dependency(path)

    def place(self, index: int, line: int | None = None) -> str:
        cells = self.notebook.cells
        number = sum(c.cell_type == "code" for c in cells[: index + 1])
        where = f"{self.page}, code cell {number}"
        if line:
            source = cells[index].source.splitlines()
            where += f", line {line} of the cell"
            if line <= len(source):
                where += f" ({source[line - 1].strip()})"
        return where


def answers(process: ForkedProcess, limit: float | None) -> Iterator[tuple]:
    """What a page says; TimeoutError if a cell runs for longer than ``limit``."""
    wait = None
    while True:
        try:
            answer = process.receive(wait)
        except EOFError:
            return
        yield answer
        wait = limit if answer[0] == "start" else None


def language_info() -> dict[str, Any]:
    """What ipykernel says of itself."""
    major = sys.version_info[0]
    return {
        "name": "python",
        "version": platform.python_version(),
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": major},
        "pygments_lexer": f"ipython{major}",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }


# ------------------------------------------------------------------- the setup


def prepare(app: Sphinx, config: Config) -> None:
    """Check what this file relies on; set what a page finds in either way to run."""
    if config.nb_execution_fork:
        check_system()
        check_myst_nb()
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    profile = Path(app.doctreedir, "ipython", "profile_default")
    profile.mkdir(parents=True, exist_ok=True)
    text = "c = get_config()\n" + IPYTHON_CONFIG
    (profile / "ipython_config.py").write_text(text)
    os.environ["IPYTHONDIR"] = str(profile.parent)
    found = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(app.confdir) not in found:  # a page imports what stands beside conf.py
        paths = [str(app.confdir), *filter(None, found)]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def check_system() -> None:
    if not hasattr(os, "fork"):
        raise ConfigError("nb_execution_fork = True: this system cannot fork")


def check_myst_nb() -> None:
    """The function that is replaced still is the one that this file knows."""
    found = None
    if hasattr(stock_parser, "create_client"):
        found = plain_signature(stock.create_client)
    if found not in CREATE_CLIENT:
        raise ConfigError(
            f"fork_executor knows myst_nb's create_client{CREATE_CLIENT[0]}; the "
            f"installed one is {found}: set nb_execution_fork = False, or install "
            "myst-nb 1.4"
        )


def plain_signature(function: Callable) -> str:
    """Names, kinds and defaults of the parameters, without annotations."""
    signature, empty = inspect.signature(function), inspect.Signature.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def remove_style_sheet(app: Sphinx) -> None:
    # myst-nb writes its style sheet last. Left over from the build before, it
    # would give the link a checksum that the first build's link does not have.
    for path in Path(app.outdir, "_static").glob("mystnb.*.css"):
        path.unlink()


def start(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    if docnames and app.config.nb_execution_fork:
        app.connect("build-finished", Runner(app, docnames).stop)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("nb_execution_fork", sys.platform == "linux", "env", bool)
    app.add_config_value("nb_execution_preload", [], "env", list)
    app.setup_extension("page_inputs")
    app.connect("config-inited", prepare)
    app.connect("builder-inited", remove_style_sheet)
    app.connect("env-before-read-docs", start)
    return {"version": "2", "parallel_read_safe": True}
