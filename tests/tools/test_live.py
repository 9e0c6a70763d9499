"""make live: an edit is served, a page that fails keeps the last good one."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from http.client import HTTPException

import pytest

from tests.sites import CONF

NOTE = "def setup(app):\n    app.connect('source-read', note)\n\n\n"
NOTE += "def note(app, name, source):\n    source[0] += '\\n\\n{}\\n'\n"


class Live:
    """The server in a process of its own, and what it serves."""

    def __init__(self, site, log):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = log
        self.process = subprocess.Popen(
            [*site.command(), "--live", "--port", str(self.port)],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            cwd=site.root,
        )

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait(self, look, word):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if word in look():
                return
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        pytest.fail(f"no {word!r} within 30 s:\n{self.said()}")

    def page(self):
        url = f"http://127.0.0.1:{self.port}/a.html"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except (OSError, HTTPException):  # not up yet, or between two renames
            return ""

    def served(self, word):
        self.wait(self.page, word)

    def told(self, word):
        self.wait(self.said, word)


@pytest.fixture
def live(site):
    site.index("a")
    site.page("a", "print(10 + 1)")
    site.write("docs/_extensions/note_here.py", NOTE.format("first note"))
    add = 'sys.path.insert(0, os.path.join(ROOT, "docs", "_extensions"))\n'
    site.conf(CONF + add + 'extensions.append("note_here")\n')
    with (site.root / "live.log").open("w+") as log:
        live = Live(site, log)
        yield live
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(30) in (0, 1, -signal.SIGINT)


def test_an_edit_is_served(site, live):
    live.served(">11\n<")
    live.told("serving http://")
    site.page("a", "print(20 + 2)")
    live.served(">22\n<")
    site.page("a", "1 / 0")
    live.told("ZeroDivisionError: division by zero")
    assert ">22\n<" in live.page()
    site.page("a", "print(30 + 3)")
    live.served(">33\n<")
    site.conf((site.root / "conf.py").read_text() + "project = 'Renamed'\n")
    live.served("Renamed")


def test_an_edited_extension_is_imported_anew(site, live):
    live.served("first note")
    live.told("serving http://")
    site.write("docs/_extensions/note_here.py", NOTE.format("second note"))
    site.page("a", "print(20 + 2)")
    live.served("second note")
    site.page("a", "print(30 + 3)")  # and stays so
    live.served(">33\n<")
    assert "second note" in live.page()


def test_a_port_in_use(site, live):
    live.served(">11\n<")
    second = [*site.command(), "--live", "--port", str(live.port)]
    done = subprocess.run(second, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"cannot serve on port {live.port}: Address already in use" in done.stderr
    assert f"make live PORT={live.port + 1}" in done.stderr
