"""The published site, and one built from a copy of the project elsewhere."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from site_look import POLICY, seconds_of_build

from tests.site.browsing import SIZES

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, **env: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | env,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def html():
    """The folder that `make html` publishes, built where that is needed."""
    folder = ROOT / "docs" / "_build"
    folder.mkdir(exist_ok=True)
    with (folder / ".tests").open("w") as mine:  # one test process at a time
        fcntl.flock(mine, fcntl.LOCK_EX)
        run(ROOT / "tools" / "build.py")
    return folder / "html"


@pytest.fixture(scope="session")
def html_elsewhere(tmp_path_factory):
    """The whole site, built at once, from a copy of the project."""
    root = tmp_path_factory.mktemp("elsewhere") / "a" / "copy"
    skip = shutil.ignore_patterns("_build", "__pycache__")
    for folder in ("docs", "rnn_examples", "tests"):  # tests check claims
        shutil.copytree(ROOT / folder, root / folder, ignore=skip)
    shutil.copy(ROOT / "conf.py", root)
    docs = root / "docs"
    out = docs / "_build"
    sphinx = ["-m", "sphinx", "-q", "-W", "-c", root, "-d", out / "doctrees"]
    # The copy's own modules, where Python would take the installed ones.
    env = {"PYTHONPATH": str(root), "PYTHONHASHSEED": "random"}
    # It has no commit to take the date from, that the foot of a page shows.
    env["SOURCE_DATE_EPOCH"] = str(seconds_of_build(ROOT))
    run(*sphinx, docs, out / "html", **env)
    return out / "html"


@pytest.fixture(scope="session")
def browser():
    names = ["chromium", "chromium-browser", "google-chrome"]
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), 0)
    if not path:
        pytest.exit(
            "no Chromium found; install one (Debian: apt install chromium) or "
            "name it: make test-browser CHROMIUM=/path/to/chrome",
            returncode=1,
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def served(folder: Path):
    """Serve a folder, with the policy of its pages as a header too."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def end_headers(self):
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

    handler = partial(Quiet, directory=folder)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture(scope="session")
def serve():
    return served


@pytest.fixture(scope="session")
def server(html):
    with served(html) as address:
        yield address


@pytest.fixture(scope="module")
def visitor(browser):
    """Opens a tab in a profile of its own, which keeps what it asked and said."""

    def visitor(size="desktop", scheme="light", **options):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        page = context.new_page()
        page.requests = []
        page.said = []
        page.on("request", lambda r: page.requests.append(r.url))
        page.on("requestfailed", lambda r: page.said.append(f"failed: {r.url}"))
        page.on("response", lambda r: r.status < 400 or page.said.append(r.url))
        page.on("console", lambda m: page.said.append(m.text))
        page.on("pageerror", lambda e: page.said.append(str(e)))
        return page

    return visitor


@pytest.fixture(scope="module")
def one_tab(visitor):
    """For many pages in a row: what they share is loaded once."""
    return visitor()
