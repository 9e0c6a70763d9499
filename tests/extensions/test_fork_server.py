"""The fork server answers each job by itself, whoever asks and however it ends."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from fork_server import ForkServer, ServerEnded

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")


def warm():
    return 1000


def work(ready, send, what, *given):
    if what == "add":
        send(ready + given[0])
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "wait":
        send("waiting")
        time.sleep(60)
    elif what == "half":  # of an answer
        os.write(given[0], b"\0\0\0\xff")


@pytest.fixture
def server():
    server = ForkServer(warm, work)
    yield server
    server.stop()


def test_what_is_warm_is_there(server):
    assert server.start("add", 1).receive(10) == (1001,)


def test_it_waits_for_a_job_where_sockets_have_a_timeout():
    socket.setdefaulttimeout(0.1)
    server = ForkServer(warm, work)
    time.sleep(0.3)
    assert server.start("add", 1).receive(10) == (1001,)
    server.stop()


def test_big_answers_arrive(server):
    server = ForkServer(lambda: "x" * 3_000_000, lambda ready, send: send(ready))
    assert len(server.start().receive(10)[0]) == 3_000_000
    server.stop()


def test_processes_that_share_it_get_their_own_answers(server):
    def ask(first):
        numbers = range(first, first + 50)
        started = [server.start("add", n) for n in numbers]
        return all(
            p.receive(20) == (1000 + n,) for p, n in zip(started, numbers, strict=True)
        )

    asking = []
    for first in (100, 200, 300, 400):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if ask(first) else 1)
        asking.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in asking] == [0, 0, 0, 0]


def test_one_that_is_killed_and_one_that_says_nothing(server):
    with pytest.raises(EOFError):
        server.start("die").receive(10)
    with pytest.raises(EOFError):
        server.start("add", 1, 2).receive(10) and server.start("none").receive(10)


def test_one_that_takes_too_long_is_stopped(server):
    process = server.start("wait")
    assert process.receive(10) == ("waiting",)
    with pytest.raises(TimeoutError):
        process.receive(0.01)
    process.stop()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process.pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_server_that_cannot_warm_up(capfd):
    def fail():
        raise ImportError("no module of this name")

    server = ForkServer(fail, work)
    with pytest.raises(ServerEnded):  # noqa: PT012, the first may find it alive
        for _ in range(2):
            server.start("add", 1)
    server.stop()
    assert "ImportError: no module of this name" in capfd.readouterr().err
