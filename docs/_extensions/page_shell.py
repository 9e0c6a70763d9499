"""Run a page's cells in IPython and store their outputs as a notebook does.

``new_shell`` runs once, before the forks, and ``run_cells`` once in each.
The outputs are those that nbclient would store of an ipykernel: a test holds
the two against each other. No Sphinx here.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from nbformat.v4 import output_from_msg
from traitlets.config import Config

# One text configures both ways to run: exec'd here, read by Jupyter kernels.
IPYTHON_CONFIG = """
c.HistoryManager.enabled = False
c.InteractiveShell.xmode = "Minimal"  # an error's words; no path of a machine
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"metadata": {"Date": None}}
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


class Cell(NamedTuple):
    """A code cell: its place among the notebook's, and whether it may raise."""

    place: int
    source: str
    may_raise: bool


class Outputs:
    """The outputs of a page's cells, by the cell's place among the notebook's."""

    def __init__(self) -> None:
        self.cells: dict[int, list[dict]] = {}
        self.changed: set[int] = set()  # since they were taken
        self.displays: dict[str, list[tuple[int, dict]]] = {}  # by display_id

    def begin(self, place: int) -> None:
        self.place, self.clear_first = place, False
        self.cells[place] = []
        self.changed.add(place)

    def take(self) -> dict[int, list[dict]]:
        """Those of the cells that changed: this one, and what it updated."""
        taken = {place: self.cells[place] for place in sorted(self.changed)}
        self.changed = set()
        return taken

    def clear(self, wait: bool = False) -> None:
        """Now, or with ``wait`` when the next output comes."""
        self.clear_first = wait
        if wait:
            return
        self.cells[self.place].clear()
        for name, shown in self.displays.items():
            self.displays[name] = [item for item in shown if item[0] != self.place]

    def emit(self, kind: str, display_id: str | None = None, **content: Any) -> None:
        if display_id:
            self.update(display_id, **content)
        if self.clear_first:
            self.clear()
        outputs = self.cells[self.place]
        last = outputs[-1] if outputs else {}
        if kind == "stream" and last.get("name") == content["name"]:
            last["text"] += content["text"]
            return
        message = {"header": {"msg_type": kind}, "content": content}
        outputs.append(output_from_msg(message))
        if display_id:
            shown = self.displays.setdefault(display_id, [])
            shown.append((self.place, outputs[-1]))

    def update(self, display_id: str, data: dict, metadata: dict) -> None:
        """Replace what is shown under this name, in earlier cells too."""
        for place, output in self.displays.get(display_id, []):
            output["data"], output["metadata"] = data, metadata
            self.changed.add(place)


outputs = Outputs()  # one page a process


def as_kernel_sends(data: dict) -> dict:
    """Binary data as base64 text; raises NotImplementedError for a widget."""
    if WIDGET in data:
        raise NotImplementedError(
            "a widget needs a Jupyter kernel: set nb_execution_fork = False"
        )
    return {
        name: b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in data.items()
    }


class Stream(io.TextIOBase):
    """What print writes to; ``name`` is stdout or stderr."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, name: str) -> None:
        self.name = name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() needs a str, got {type(text).__name__}")
        if text:
            outputs.emit("stream", name=self.name, text=text)
        return len(text)


class Publisher(DisplayPublisher):
    """What ``display`` and ``clear_output`` call."""

    def publish(
        self, data, metadata=None, source=None, *, transient=None, update=False, **_
    ):
        display_id = (transient or {}).get("display_id")
        data, metadata = as_kernel_sends(data), metadata or {}
        if update:
            outputs.update(display_id, data, metadata)
        else:
            outputs.emit("display_data", display_id, data=data, metadata=metadata)

    def clear_output(self, wait=False):
        outputs.clear(wait)


class Hook(DisplayHook):
    """What shows the value of a cell's last line."""

    def start_displayhook(self):
        pass

    def write_output_prompt(self):
        pass

    def finish_displayhook(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        outputs.emit(
            "execute_result",
            data=as_kernel_sends(format_dict),
            metadata=md_dict or {},
            execution_count=self.prompt_count,
        )


class Shell(InteractiveShell):
    displayhook_class, display_pub_class = Hook, Publisher

    def _showtraceback(self, etype, evalue, stb):
        outputs.emit("error", ename=etype.__name__, evalue=str(evalue), traceback=stb)

    def init_sys_modules(self):
        pass  # run_cells does it, in the page's process alone


def new_shell() -> InteractiveShell:
    """A shell that has done what takes time at its first use."""
    config = Config()
    exec(IPYTHON_CONFIG, {"c": config})
    shell = Shell.instance(config=config, colors="neutral")
    shell.separate_out = shell.separate_in = ""
    outputs.begin(0)
    outputs.emit("stream", name="stdout", text="")  # nbformat compiles its schema
    shell.run_cell("None;", silent=True)  # IPython imports the rest of itself
    outputs.take()
    return shell


def run_cells(
    shell: InteractiveShell,
    cells: Iterable[Cell],
    send: Callable[..., None],
    root: str,
    is_input: Callable[[str], bool],
) -> None:
    """Run the cells in this process, and send what happens:

    - start, place of the cell
    - done, execution count, outputs by place
    - failed, line of the cell, name, text, traceback: unless it may raise
    - end, the opened and imported files that ``is_input`` is true of
    """
    files = watch_opened()
    before = set(sys.modules)
    sys.path.insert(0, root)
    take_over_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ends a late cell
    # As in a kernel: the page is __main__, for pickle and dataclasses.
    sys.modules["__main__"] = shell.user_module
    for cell in cells:
        send("start", cell.place)
        outputs.begin(cell.place)
        result = shell.run_cell(cell.source, store_history=True)
        send("done", shell.execution_count - 1, outputs.take())
        error = result.error_before_exec or result.error_in_exec
        if error and not cell.may_raise:
            details = "".join(traceback.format_exception(error))
            line = error_line(error, result)
            send("failed", line, type(error).__name__, str(error), details)
            break
    for name in set(sys.modules) - before:
        files.add(getattr(sys.modules[name], "__file__", None) or "")
    send("end", sorted(filter(is_input, files)))


def take_over_streams() -> None:
    """Print into the outputs; read nothing, as there is nobody to ask."""
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
    builtins.input = refuse_input
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)


def refuse_input(prompt: str = "") -> None:
    raise StdinNotImplementedError(
        "raw_input was called, but this frontend does not support input requests."
    )


def watch_opened() -> set[str]:
    """The files that this process opens from now on, as absolute paths."""
    files: set[str] = set()

    def note(event: str, args: tuple) -> None:
        if event == "open" and isinstance(args[0], str):
            files.add(os.path.abspath(args[0]))

    sys.addaudithook(note)
    return files


def error_line(error: BaseException, result: ExecutionResult) -> int | None:
    """The cell's own line that was running, counted from 1."""
    if isinstance(error, SyntaxError) and result.error_before_exec:
        return error.lineno
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_cell(frame.f_code.co_filename)
    ]
    return lines[-1] if lines else None


def is_cell(file: str) -> bool:
    return "ipykernel_" in file or file.startswith("<ipython-input")
