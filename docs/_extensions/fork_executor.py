"""Run each page's code cells in a fork of one warm process.

A kernel start and a torch import cost seconds a page. Here one process imports
them once, and each page runs in its own ``os.fork()`` child of it: the same
clean namespace, none of the wait. The next page runs while Sphinx reads this
one. Nothing is cached, so nothing can be stale.

Two things follow for free. The child records every file under the project
that its cells opened or imported, so that an edited module or data file
rebuilds its pages and no others. The parent kills a child whose cell passes
the time limit, also in the middle of a C call.

``nb_execution_fork = False`` gives stock Jupyter kernels back, which a test
uses as the reference: both must write the same HTML, byte for byte.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import os
import pickle
import platform
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import myst_nb.core.execute as stock
import myst_nb.sphinx_ as stock_parser
import page_inputs
from myst_nb.core.execute import NotebookClientBase
from myst_nb.core.read import create_nb_reader
from nbformat.v4 import output_from_msg
from sphinx.errors import ConfigError, SphinxError
from sphinx.util import logging

log = logging.getLogger(__name__)

# One text configures both ways to run: exec'd here, read by stock kernels.
IPYTHON_CONFIG = """
c.HistoryManager.enabled = False
c.InteractiveShell.xmode = "Minimal"  # an error's words; no path of a machine
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"metadata": {"Date": None}}
"""


class PageError(SphinxError):
    """A page that raised or passed its time limit; the build stops on it."""

    category = "page error"
    details = ""  # the traceback, for the terminal


# ---------------------------------------------------------------- the child


def new_shell(outputs: list[dict]):
    """An IPython shell that appends to ``outputs`` what a kernel would send.

    Made once, before the forks: it costs as much as running a page.
    """
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    def emit(kind, **content):
        same = outputs and outputs[-1]["output_type"] == kind == "stream"
        if same and outputs[-1]["name"] == content["name"]:
            outputs[-1]["text"] += content["text"]
        else:
            outputs.append(
                output_from_msg({"header": {"msg_type": kind}, "content": content})
            )

    class Stream:
        encoding, errors = "utf-8", "strict"

        def __init__(self, name):
            self.name = name

        def write(self, text):
            if not isinstance(text, str):
                raise TypeError(f"write() needs a str, got {type(text).__name__}")
            if text:
                emit("stream", name=self.name, text=text)
            return len(text)

        def writelines(self, lines):
            for line in lines:
                self.write(line)

        def flush(self):
            pass

        def isatty(self):
            return False

        def writable(self):
            return True

    class Publisher(DisplayPublisher):
        waiting = False  # clear_output(wait=True)

        def publish(self, data, metadata=None, *, transient=None, update=False, **_):
            if self.waiting:
                outputs.clear()
                self.waiting = False
            content = {"data": json_safe(data), "metadata": metadata or {}}
            if update:
                raise NotImplementedError("update_display is not supported on a page")
            emit("display_data", **content)

        def clear_output(self, wait=False):
            self.waiting = wait
            if not wait:
                outputs.clear()

    class Hook(DisplayHook):
        def start_displayhook(self):
            pass

        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            emit(
                "execute_result",
                data=json_safe(format_dict),
                metadata=md_dict or {},
                execution_count=self.prompt_count,
            )

        def finish_displayhook(self):
            pass

    class Shell(InteractiveShell):
        displayhook_class, display_pub_class = Hook, Publisher
        streams = Stream("stdout"), Stream("stderr")

        def _showtraceback(self, etype, evalue, stb):
            emit("error", ename=etype.__name__, evalue=str(evalue), traceback=stb)

        def init_sys_modules(self):
            pass  # run_cells does it, in the child alone

    config = Config()
    exec(IPYTHON_CONFIG, {"c": config})
    shell = Shell.instance(config=config, colors="neutral")
    shell.separate_out = shell.separate_in = ""
    # What happens at the first use happens here: nbformat compiles its schema,
    # IPython imports the rest of itself.
    emit("stream", name="stdout", text="")
    shell.run_cell("None;", silent=True)
    outputs.clear()
    return shell


def run_cells(shell, outputs, cells, send, root: Path, cwd: str) -> None:
    """Run ``(index, source, may_raise)`` cells; send what happens."""
    files: set[str] = set()
    inside = str(root) + os.sep

    def note_file(event, args):
        if event == "open" and isinstance(args[0], str):
            path = os.path.abspath(args[0])
            if path.startswith(inside) and os.sep + "_build" + os.sep not in path:
                files.add(path)

    before = set(sys.modules)
    os.chdir(cwd)
    sys.path.insert(0, str(root))
    sys.stdout, sys.stderr = shell.streams
    # As in a kernel: the page is __main__, for pickle and dataclasses.
    sys.modules["__main__"] = shell.user_module
    sys.addaudithook(note_file)
    for index, source, may_raise in cells:
        send("start", index)
        outputs.clear()
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        where = error and error_line(error, result)
        send("done", index, list(outputs), shell.execution_count - 1)
        if error and not may_raise:
            details = "".join(traceback.format_exception(error))
            send("failed", index, where, type(error).__name__, str(error), details)
            break
    new = [sys.modules[name] for name in set(sys.modules) - before]
    loaded = {getattr(module, "__file__", None) for module in new}
    files.update(f for f in loaded if f and f.startswith(inside))
    skip = (os.sep + ".venv" + os.sep, os.sep + "_extensions" + os.sep)
    files = {f for f in files if not any(s in f for s in skip)}
    send("end", sorted(f for f in files if not f.endswith(".pyc")))


def json_safe(data):
    """Binary data as base64 text, as a kernel sends it."""
    from base64 import b64encode

    return {
        k: b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()
    }


def error_line(error: BaseException, result) -> int | None:
    """The cell's own line that was running, 1-based."""
    if isinstance(error, SyntaxError) and result.error_before_exec:
        return error.lineno
    line, tb = None, error.__traceback__
    while tb:
        if "ipykernel_" in tb.tb_frame.f_code.co_filename or (
            tb.tb_frame.f_code.co_filename.startswith("<ipython-input")
        ):
            line = tb.tb_lineno
        tb = tb.tb_next
    return line


# --------------------------------------------------------------- the parent


class Nursery:
    """A process that has imported what pages need, and forks them on request.

    Pages forked from Sphinx itself would cost it 8 ms each for its page tables,
    and a copy of every page of memory that it touches while they run. Besides,
    the imports happen here while Sphinx goes on.
    """

    def __init__(self, app, modules):
        self.socket, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.socket.close()
            self.serve(app, theirs, modules)
        theirs.close()

    def serve(self, app, requests, modules):
        try:
            die_with_parent()
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
            gc.disable()  # a fifth of the time of these imports
            for name in modules:
                importlib.import_module(name)
            outputs: list[dict] = []
            shell = new_shell(outputs)
            # Else a child's garbage collector visits, and so copies, all of it.
            gc.freeze()
            gc.enable()
            while True:
                size, fds, *_ = socket.recv_fds(requests, 8, 1)
                if not size:
                    break
                job = requests.recv(struct.unpack("!Q", size)[0], socket.MSG_WAITALL)
                pid = os.fork()
                if pid == 0:
                    requests.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    self.child(app, shell, outputs, fds[0], *pickle.loads(job))
                os.close(fds[0])
                requests.sendall(struct.pack("!Q", pid))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)  # no atexit, no flush: those belong to Sphinx

    def child(self, app, shell, outputs, answers, docname, cells, folder):
        try:
            os.setpgid(0, 0)
            die_with_parent()

            def send(*message):
                data = pickle.dumps(message)
                data = struct.pack("!Q", len(data)) + data
                while data:
                    data = data[os.write(answers, data) :]

            if cells is None:
                cells = cells_ahead(app, docname)
                send("cells", cells)
            if cells:
                run_cells(shell, outputs, cells, send, project_root(app), folder)
        except BaseException:
            sys.stderr = sys.__stderr__
            traceback.print_exc()
        finally:
            os._exit(0)

    def fork(self, answers: int, *job) -> int:
        """Start a page that answers on this file descriptor; its process."""
        data = pickle.dumps(job)
        socket.send_fds(self.socket, [struct.pack("!Q", len(data))], [answers])
        self.socket.sendall(data)
        pid = self.socket.recv(8, socket.MSG_WAITALL)
        if not pid:
            raise PageError("the process that runs the pages has ended; see above")
        return struct.unpack("!Q", pid)[0]

    def stop(self):
        self.socket.close()
        os.waitpid(self.pid, 0)


class Run:
    """A page's cells in a child of the nursery, and the pipe that it answers on.

    Without ``cells`` the child finds out itself what the page will run, and
    says it first.
    """

    def __init__(self, nursery, docname, cells, folder, limit):
        self.tmp = tempfile.mkdtemp()
        self.fd, answers = os.pipe()
        with contextlib.suppress(AttributeError, OSError):  # Linux has it
            # Else a page that runs ahead would wait at its first figure.
            fcntl.fcntl(answers, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.messages = messages(self.fd, limit)
        self.pid = nursery.fork(answers, docname, cells, folder or self.tmp)
        os.close(answers)

    def stop(self):
        os.close(self.fd)
        for kill in (os.killpg, os.kill):  # the second if it has no group yet
            try:
                kill(self.pid, signal.SIGKILL)
                break
            except ProcessLookupError:
                pass
        shutil.rmtree(self.tmp, ignore_errors=True)


def code_cells(notebook) -> list[tuple[int, str, bool]]:
    """``(index, source, may_raise)`` of each cell that is to be run."""
    return [
        (i, cell.source, "raises-exception" in cell.metadata.get("tags", []))
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        and cell.source.strip()
        and "skip-execution" not in cell.metadata.get("tags", [])
    ]


def cells_ahead(app, docname) -> list:
    """What a page will run, before Sphinx reads it; in a child, for its events."""
    path = app.env.doc2path(docname)
    source = [Path(path).read_text(encoding="utf-8")]
    if "execution_mode" in source[0]:  # the page decides by itself
        return []
    app.emit("source-read", docname, source)
    reader = create_nb_reader(
        path, app.env.myst_config, app.env.mystnb_config, source[0]
    )
    return code_cells(reader.read(source[0])) if reader else []


class ForkClient(NotebookClientBase):
    """Runs all cells when opened, as the stock ``force`` client does."""

    app = None  # set by setup; one Sphinx process builds one site

    def start_client(self):
        started = time.perf_counter()
        limit = self.nb_config.execution_timeout
        cells = code_cells(self.notebook)
        self.notebook.metadata["language_info"] = language_info()
        if cells:
            self.execute(cells, limit)
            for name in self.app.config.nb_execution_preload:
                page_inputs.uses(self.app.env, name.partition(".")[0])
        runtime = time.perf_counter() - started
        self.exec_metadata = {
            "mtime": time.time(),
            "runtime": runtime,
            "method": "fork",
            "succeeded": True,
            "error": None,
            "traceback": None,
        }
        log.info("%6.2f s  %s", runtime, self.app.env.docname)

    def execute(self, cells, limit):
        run = self.take_ahead(cells) or self.start(self.app.env.docname, cells)
        self.start_next()
        try:
            for message in run.messages:
                self.receive(*message)
        except TimeoutError:
            raise self.failure(
                self.running, None, f"passed its time limit of {limit} s"
            ) from None
        finally:
            run.stop()
        if not self.ended:
            raise self.failure(self.running or 0, None, "ended its process")

    running, ended = None, False
    queue: list[str] = []  # pages in the order in which Sphinx reads them
    ahead: dict[str, Run] = {}  # pages that run before Sphinx reads them
    nursery = None

    def start(self, docname, cells) -> Run:
        folder = None
        if not self.nb_config.execution_in_temp:
            folder = str(Path(self.app.env.doc2path(docname)).parent)
        limit = self.nb_config.execution_timeout
        return Run(self.nursery, docname, cells, folder, limit)

    def start_next(self):
        """Run the next pages on the other cores while Sphinx reads this one."""
        here = self.app.env.docname
        if here not in self.queue or self.app.parallel > 1:
            return
        at = self.queue.index(here) + 1
        coming = self.queue[at : at + (os.cpu_count() or 1)]
        for docname in set(self.ahead) - set(coming):  # pages without cells
            self.ahead.pop(docname).stop()
        for docname in coming:
            if docname not in self.ahead:
                self.ahead[docname] = self.start(docname, None)

    def take_ahead(self, cells) -> Run | None:
        """This page's run if it was started ahead, and with these very cells."""
        run = self.ahead.pop(self.app.env.docname, None)
        if run is None or next(run.messages, None) == ("cells", cells):
            return run
        run.stop()
        return None

    def receive(self, kind, *content):
        if kind == "start":
            (self.running,) = content
        elif kind == "done":
            index, outputs, count = content
            cell = self.notebook.cells[index]
            cell.outputs, cell.execution_count = outputs, count
        elif kind == "failed":
            index, line, name, text, details = content
            first = text.strip().splitlines()[0] if text.strip() else ""
            error = self.failure(index, line, f"{name}: {first}".rstrip(": "))
            error.details = details
            log.info("%s", details)
            raise error
        elif kind == "end":
            self.ended = True
            for path in content[0]:
                self.app.env.note_dependency(path)

    def failure(self, index, line, what) -> PageError:
        page = os.path.relpath(str(self.path), project_root(self.app))
        cells = self.notebook.cells
        number = sum(c.cell_type == "code" for c in cells[: index + 1])
        where = f"{page}, code cell {number}"
        if line:
            source = cells[index].source.splitlines()
            where += f", line {line} of the cell"
            if line <= len(source):
                where += f" ({source[line - 1].strip()})"
        return PageError(f"{where}: {what}")


def messages(fd, limit):
    """Yield what the child sends; TimeoutError when it is silent too long."""
    seconds = None if limit in (None, -1) else limit
    buffer = b""
    with DefaultSelector() as selector:
        selector.register(fd, EVENT_READ)
        deadline = None
        while True:
            wait = None if deadline is None else deadline - time.monotonic()
            if wait is not None and wait <= 0 or not selector.select(wait):
                raise TimeoutError
            chunk = os.read(fd, 1 << 20)
            if not chunk:
                return
            buffer += chunk
            while len(buffer) >= 8:
                size = struct.unpack("!Q", buffer[:8])[0] + 8
                if len(buffer) < size:
                    break
                message, buffer = pickle.loads(buffer[8:size]), buffer[size:]
                yield message
                if message[0] == "start" and seconds is not None:
                    deadline = time.monotonic() + seconds


def die_with_parent() -> None:
    """Do not outlive a build that is killed, nor hold its lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def language_info() -> dict:
    version = platform.python_version()
    return {
        "name": "python",
        "version": version,
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
        "pygments_lexer": f"ipython{sys.version_info[0]}",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }


def project_root(app) -> Path:
    return Path(app.confdir)


def remove_style_sheet(app):
    # myst-nb writes its style sheet last. Left over from the build before, it
    # would give the link a checksum that the first build's link does not have.
    for path in Path(app.outdir, "_static").glob("mystnb.*.css"):
        path.unlink()


def stop(app, error):
    while ForkClient.ahead:
        ForkClient.ahead.popitem()[1].stop()
    if ForkClient.nursery:
        ForkClient.nursery.stop()
    ForkClient.nursery = None


def preload(app, env, docnames):
    """Start the process that the pages are forked from, if any will run."""
    ForkClient.queue = list(docnames)
    if docnames and app.config.nb_execution_fork:
        ForkClient.nursery = Nursery(app, app.config.nb_execution_preload)


# ------------------------------------------------------------------ the setup


def install(app, config):
    ForkClient.app = app
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    if not hasattr(stock_parser, "create_client"):
        raise ConfigError(
            "fork_executor: myst_nb.sphinx_ has no create_client any more; this "
            "extension replaces it and was written for myst-nb 1.4"
        )
    if config.nb_execution_fork:
        stock_parser.create_client = create_client
    else:
        stock_parser.create_client = stock.create_client
        folder = Path(tempfile.mkdtemp(prefix="ipython-")) / "profile_default"
        folder.mkdir()
        (folder / "ipython_config.py").write_text("c = get_config()\n" + IPYTHON_CONFIG)
        os.environ["IPYTHONDIR"] = str(folder.parent)
        os.environ["PYTHONPATH"] = str(project_root(app))


def create_client(notebook, source, nb_config, logger, read_fmt=None):
    if nb_config.execution_mode == "force":
        return ForkClient(notebook, source, nb_config, logger)
    return stock.create_client(notebook, source, nb_config, logger, read_fmt)


def setup(app):
    app.add_config_value("nb_execution_fork", hasattr(os, "fork"), "env", bool)
    app.add_config_value("nb_execution_preload", ["torch"], "env", list)
    app.connect("config-inited", install)
    app.setup_extension("page_inputs")
    app.connect("builder-inited", remove_style_sheet)
    app.connect("env-before-read-docs", preload)
    app.connect("build-finished", stop)
    return {"version": "1", "parallel_read_safe": True}
