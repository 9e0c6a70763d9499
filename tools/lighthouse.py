"""What Lighthouse says of the built site on a phone: make lighthouse

Needs npm, which fetches Lighthouse, and a Chromium; no check needs it. The site
is served with gzip, as static hosts do.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HTML = Path(__file__).resolve().parent.parent / "docs" / "_build" / "html"
PAGES = ["index", "recurrence/elman", "gates/lstm", "recurrence/errors"]
ASKED = ["performance", "accessibility", "best-practices", "seo"]
PACKAGE = "lighthouse@13.0.1"
FLAGS = "--headless=new --no-sandbox --disable-gpu"


class Gzip(SimpleHTTPRequestHandler):
    """Files, and those of text compressed."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in {".html", ".css", ".js", ".svg"} or not path.exists():
            super().do_GET()
            return
        data = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    names = ["chromium", "chromium-browser", "google-chrome"]
    chrome = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, names)), ""
    )
    if not shutil.which("npx") or not chrome:
        sys.exit("lighthouse: this needs npm and a Chromium (CHROMIUM=/path/to/it)")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Gzip, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{'page':20}", *(f"{name:>15}" for name in ASKED))
    for page in PAGES:
        url = f"http://127.0.0.1:{server.server_port}/{page}.html"
        command = ["npx", "--yes", PACKAGE, url, "--output=json", "--quiet"]
        command += [f"--only-categories={','.join(ASKED)}", f"--chrome-flags={FLAGS}"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=os.environ | {"CHROME_PATH": chrome},
        )
        if done.returncode:
            sys.exit(f"lighthouse: {done.stderr.strip()[-500:]}")
        report = json.loads(done.stdout)
        scores = report["categories"]
        numbers = (f"{100 * scores[name]['score']:15.0f}" for name in ASKED)
        print(f"{page:20}", *numbers, flush=True)
        for audit in report["audits"].values():
            if audit["score"] is not None and audit["score"] < 0.9:
                print(f"    {audit['title']}: {audit.get('displayValue', '')}")


if __name__ == "__main__":
    main()
