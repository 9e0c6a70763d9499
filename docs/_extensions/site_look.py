"""What the theme leaves to a site: quiet scripts, and static files that rebuild.

Sphinx copies ``docs/_static`` only when some page is written, and a page
names a style sheet by its checksum; so an edit of one counts as a change of
setting, which writes every page again and runs none.

The theme's script reports its colour mode in the console of every page; here
the console is empty, so that whatever appears there is a defect.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def digest_static(app, config):
    digest = hashlib.sha256()
    for folder in (*config.html_static_path, *config.templates_path):
        root = Path(app.confdir, folder)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    config.static_digest = digest.hexdigest()


def quiet_theme(app, error):
    for name in ("_static/scripts/pydata-sphinx-theme.js", "search.html"):
        path = Path(app.outdir, name)
        if error is None and path.exists():
            text = path.read_text(encoding="utf-8")
            quiet = re.sub(r"console\.(log|info|debug)\(", "void(", text)
            if quiet != text:
                path.write_text(quiet, encoding="utf-8")


def name_summaries(app, pagename, templatename, context, doctree):
    """Let a collapsed cell be called what it says, not "Toggle hidden content"."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<summary aria-label="Toggle hidden content">', "<summary>"
        )


def setup(app):
    app.add_config_value("static_digest", "", "html", str)
    app.connect("config-inited", digest_static)
    app.connect("html-page-context", name_summaries)
    app.connect("build-finished", quiet_theme)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
