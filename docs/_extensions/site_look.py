"""What the theme leaves to a site: static files that rebuild what links them.

Sphinx copies ``docs/_static`` only when some page is written, and a page
names a style sheet by its checksum; so an edit of one counts as a change of
setting, which writes every page again and runs none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_static(app, config):
    digest = hashlib.sha256()
    for folder in (*config.html_static_path, *config.templates_path):
        root = Path(app.confdir, folder)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    config.static_digest = digest.hexdigest()


def setup(app):
    app.add_config_value("static_digest", "", "html", str)
    app.connect("config-inited", digest_static)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
