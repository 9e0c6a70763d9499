"""The frame of a page: what the theme leaves to a site.

Sphinx copies ``docs/_static`` only when some page is written, and a page
names a style sheet by its checksum; so an edit of one counts as a change of
setting, which writes every page again and runs none.

A page runs no script that stands inside it, and obeys a policy that forbids it:
of the theme's scripts none is left. Its colors follow the system without a
script, because each rule for a theme is repeated for who prefers that theme.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from docutils import nodes
from PIL import Image, ImageDraw

ICON = re.compile(r"\.((?:fa-[\w-]+(?:,\.)?)+)\{--fa:[^}]*\}")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
THEME = re.compile(r"""\[data-theme=["']?(light|dark)["']?\]""")
OF_A_THEME = re.compile(rf"[^{{}};]*{THEME.pattern}[^{{}};]*\{{[^{{}}]*\}}")
INLINE = re.compile(r"<script>.*?</script>", re.S)
BOX = r'viewBox="0 0 ([\d.]+) ([\d.]+)"'
IMAGE = re.compile(r'<img((?: [\w-]+="[^"]*")*? src="([^"]+\.svg)"[^>]*?) ?/>')
PREFERRED = "/* also without a script */\n"
# Nothing from elsewhere, and no script that stands in the page itself.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    ]
)
# What a page needs no more: its frame has a script of its own.
UNUSED = tuple(
    f"{name}.js"
    for name in (
        "documentation_options",
        "doctools",
        "sphinx_highlight",
        "sphinx-book-theme",
    )
)
# What comes with the theme and Sphinx, and no page asks for: 4 MB.
UNASKED = (
    *("scripts", "locales", "images", "vendor/fontawesome", "styles/*.map", *UNUSED),
    *("*webpack-macros.html", "searchtools.js", "language_data.js", "*-stemmer.js"),
    *("file.png", "minus.png", "plus.png"),
)


def seconds_of_build(root: Path) -> str:
    """SOURCE_DATE_EPOCH, else when the last commit was made, else nothing.

    Never the clock: two builds of the same files are the same.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git on this machine
        return ""


def build_date(root: Path) -> str:
    seconds = seconds_of_build(root)
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d}" if seconds else ""


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
        if (new := change(text)) != text:
            path.write_text(new, encoding="utf-8")


def follow_the_system(css: str) -> str:
    """Repeat each rule for a theme for who prefers it and runs no script."""
    if css.startswith(PREFERRED) or "[data-theme=" not in css:
        return css

    def repeat(rule):
        schemes = {match[1] for match in THEME.finditer(rule[0])}
        when = "all" if len(schemes) > 1 else f"(prefers-color-scheme:{rule[1]})"
        return f"{rule[0]}@media {when}{{{THEME.sub(':not([data-theme])', rule[0])}}}"

    return PREFERRED + OF_A_THEME.sub(repeat, COMMENT.sub("", css))


def draw_touch_icon(path: Path) -> None:
    """favicon.svg for a phone's home screen, where an SVG is not taken."""
    if path.exists():
        return
    draw = ImageDraw.Draw(image := Image.new("RGB", (640, 640), "#ffffff"))

    def at(*points):  # of the 32 units of the SVG, with a margin of 4
        return [(16 * x + 64, 16 * y + 64) for x, y in points]

    blue = "#2a86d1"
    draw.rounded_rectangle(at((12, 12), (24, 28)), 48, fill=blue)
    loop = at((24, 20), (28, 20), (28, 4), (4, 4), (4, 20), (7, 20))
    draw.line(loop, fill=blue, width=64)
    for x, y in loop[1:-1]:
        draw.ellipse((x - 32, y - 32, x + 31, y + 31), fill=blue)
    draw.polygon(at((6, 14), (12.5, 20), (6, 26)), fill=blue)
    image.resize((180, 180), Image.Resampling.LANCZOS).save(path)


def trim_theme(app, error):
    """Keep of its 1970 icon rules those that a page uses; see to the colors."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    draw_touch_icon(out / "_static" / "touch-icon.png")
    for path in [p for name in UNASKED for p in (out / "_static").glob(name)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (out / ".buildinfo.bak").unlink(missing_ok=True)  # of other settings
    used = set()
    for page in out.rglob("*.html"):
        used.update(re.findall(r"fa-[\w-]+", page.read_text(encoding="utf-8")))
    rewrite(
        out / "_static" / "styles" / "pydata-sphinx-theme.css",
        lambda s: ICON.sub(lambda m: m[0] if used & set(m[1].split(",.")) else "", s),
    )
    for sheet in (out / "_static").rglob("*.css"):
        rewrite(sheet, follow_the_system)


def frame(app, pagename, templatename, context, doctree):
    """What the templates of the frame need, and no script that they do not."""
    context["policy"] = POLICY
    context["script_files"] = [
        js
        for js in context["script_files"]
        if js.filename and not js.filename.endswith(UNUSED)
    ]
    # Let a collapsed cell be called what it says, not "Toggle hidden content".
    if "body" in context:
        body = context["body"].replace(
            '<summary aria-label="Toggle hidden content">', "<summary>"
        )
        context["body"] = give_size(body, figures(app))


@functools.cache
def size_of(path: str) -> tuple[float, float, float]:
    """Width and height of a figure, and where its words are 12 px, all in px.

    The words of matplotlib's figures are glyphs of 100 units, scaled.
    """
    text = Path(path).read_text(encoding="utf-8")
    width, height = (float(x) for x in re.search(BOX, text).groups())
    sizes = [100 * float(x) for x in re.findall(r"scale\(([\d.]+) -\1\)", text)]
    least = min((size for size in sizes if size >= 5), default=12)
    return width * 4 / 3, height * 4 / 3, width * 12 / least


def figures(app) -> dict[str, str]:
    """The name of each drawn figure in the site -> its file."""
    found = app.builder.images.items()
    return {
        name: str(Path(app.srcdir, path))
        for path, name in found
        if name.endswith(".svg")
    }


def give_size(body: str, paths: dict[str, str]) -> str:
    """Tell each figure's size, so that nothing moves when it arrives."""

    def sized(match):
        name = match[2].rpartition("/")[2]
        if name not in paths:
            return match[0]
        width, height, legible = (round(x) for x in size_of(paths[name]))
        return (
            f'<span class="figure-scroll"><img{match[1]} width="{width}" '
            f'height="{height}" style="--legible: {legible}px" /></span>'
        )

    return IMAGE.sub(sized, body)


def keep_points(app, doctree, docname):
    """Tie a comma or full stop to the formula before it."""
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        point = isinstance(after, nodes.Text) and re.match(r"[.,;:!?)]+", after)
        if point:
            rest = nodes.Text(after[point.end() :])
            both = nodes.inline(classes=["with-point"])
            formula.replace_self(both)
            both += [formula, nodes.Text(point[0])]
            both.parent.replace(after, rest)


def mark_symbols(app, doctree):
    """On a phone a row of a table of symbols becomes a card: see site.css."""
    for table in doctree.findall(nodes.table):
        head = next(table.findall(nodes.thead), None)
        first = head and next(head.findall(nodes.entry)).astext()
        if first in ("symbol", "letter", "maths"):
            table["classes"].append("symbols")


def setup(app):
    app.add_config_value("static_digest", "", "html", str)
    app.connect("config-inited", digest_static)
    app.connect("doctree-read", mark_symbols)
    app.connect("doctree-resolved", keep_points)
    app.connect("html-page-context", frame, priority=900)
    # After the theme has written its own pygments.css.
    app.connect("build-finished", trim_theme, priority=900)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
