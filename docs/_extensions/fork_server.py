"""Processes that are forked from one warm process, each with its own answers.

The server runs ``warm`` once, which imports and prepares what every job needs,
and then forks itself for each job that it is sent. The fork runs the job with
what ``warm`` returned, sends its answers through a pipe of its own, and ends.

``multiprocessing``'s forkserver differs in one thing: it starts a new Python,
which knows nothing of the process that asked. This one is a fork of it and has
all of its objects and imports.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

with contextlib.suppress(ImportError):  # Windows, which has no fork either
    import fcntl


class ServerEnded(Exception):
    """There is no server any more; what ended it stands on its stderr."""


class ForkServer:
    """Start it once; then ``start`` a process for each job.

    ``work(warm(), send, *job)`` runs in the process of a job. Forks of this
    process, as those of a parallel Sphinx, may use the server as well.
    """

    def __init__(self, warm: Callable[[], Any], work: Callable[..., None]) -> None:
        # Sphinx's linkcheck sets one for all sockets, a pipe's included: then they
        # would not wait. Its own requests each bring theirs.
        socket.setdefaulttimeout(None)
        self.requests, theirs = Pipe()
        self.lock = tempfile.TemporaryFile()  # noqa: SIM115, stop closes it
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            with forked():
                self.requests.close()
                serve(theirs, warm, work)
        theirs.close()

    def start(self, *job: Any) -> ForkedProcess:
        """Run a job; it has to be picklable, and so have its answers."""
        answers, theirs = Pipe(duplex=False)
        with contextlib.suppress(AttributeError, OSError):  # Linux has it
            # Else a process would wait at its first big answer until it is read.
            fcntl.fcntl(theirs.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
        try:
            with self.alone():
                self.requests.send(job)
                send_handle(self.requests, theirs.fileno(), self.pid)
                pid = self.requests.recv()
        except (EOFError, OSError) as error:
            answers.close()
            raise ServerEnded("the fork server has ended") from error
        finally:
            theirs.close()
        return ForkedProcess(pid, answers)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A request and its reply belong together: one process at a time.

        A lock of the kernel's, which is freed when its holder dies.
        """
        fcntl.lockf(self.lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.lock, fcntl.LOCK_UN)

    def stop(self) -> None:
        """Called by the process that made the server, which ends it."""
        self.requests.close()
        os.waitpid(self.pid, 0)
        self.lock.close()


class ForkedProcess:
    """The process of one job, and the connection that it answers on."""

    def __init__(self, pid: int, answers: Connection) -> None:
        self.pid, self.answers = pid, answers

    def receive(self, limit: float | None = None) -> Any:
        """Its next answer.

        Raises TimeoutError if there is none for ``limit`` seconds, EOFError if
        the process has ended.
        """
        if not self.answers.poll(limit):
            raise TimeoutError
        try:
            return self.answers.recv()
        except OSError as error:  # it ended in the middle of an answer
            raise EOFError from error

    def interrupt(self) -> None:
        """As Ctrl+C does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)

    def stop(self) -> None:
        """End it and what it has started, also in the middle of a C call."""
        self.answers.close()
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.pid, signal.SIGKILL)


def serve(requests: Connection, warm: Callable[[], Any], work: Callable) -> None:
    """What the server does until nobody can send it a request any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    gc.disable()  # a fifth of the time of importing
    ready = warm()
    gc.freeze()  # else a fork's garbage collector visits, and so copies, all of it
    gc.enable()
    with contextlib.suppress(EOFError):
        while True:
            job = requests.recv()
            handle = recv_handle(requests)
            pid = os.fork()
            if pid == 0:
                with forked():
                    requests.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    with Connection(handle, readable=False) as answers:
                        work(ready, lambda *answer: answers.send(answer), *job)
            os.close(handle)
            own_group(pid)  # from here too: its ``stop`` may come before it runs
            requests.send(pid)


@contextlib.contextmanager
def forked() -> Iterator[None]:
    """The life of a fork. It ends here: no atexit, no flush of its parent's."""
    try:
        own_group(0)
        if sys.platform == "linux":  # do not outlive a parent that is killed
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
        yield
    except BrokenPipeError:
        pass  # nobody listens any more
    except BaseException:
        sys.stderr = sys.__stderr__
        traceback.print_exc()
    finally:
        os._exit(0)


def own_group(pid: int) -> None:
    """A group is killed as one, and Ctrl+C in a terminal passes it by."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)
