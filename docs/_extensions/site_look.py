"""What the theme leaves to a site: light, quiet, and static files that rebuild.

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

ICON = re.compile(r"\.((?:fa-[\w-]+(?:,\.)?)+)\{--fa:[^}]*\}")


def digest_static(app, config):
    digest = hashlib.sha256()
    for folder in (*config.html_static_path, *config.templates_path):
        root = Path(app.confdir, folder)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    config.static_digest = digest.hexdigest()


def rewrite(path: Path, change) -> None:
    if path.exists():
        text = path.read_text(encoding="utf-8")
        if change(text) != text:
            path.write_text(change(text), encoding="utf-8")


def trim_theme(app, error):
    """Quiet its scripts; keep of its 1970 icon rules those that a page uses."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for name in ("_static/scripts/pydata-sphinx-theme.js", "search.html"):
        rewrite(
            out / name, lambda s: re.sub(r"console\.(log|info|debug)\(", "void(", s)
        )
    used = set()
    for page in out.rglob("*.html"):
        used.update(re.findall(r"fa-[\w-]+", page.read_text(encoding="utf-8")))
    rewrite(
        out / "_static" / "styles" / "pydata-sphinx-theme.css",
        lambda s: ICON.sub(lambda m: m[0] if used & set(m[1].split(",.")) else "", s),
    )


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
    app.connect("build-finished", trim_theme)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
