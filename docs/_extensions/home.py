"""The home page: what it says of the other pages, and its small pictures.

``{path}``      the pages of the reading order, each with its first figure, its
                description and its minutes
``{messages}``  links to the entries of the errors page that hold these words
``{picture} KIND NAME``  a drawing of the data that a cell of the page glued
``{built}`WHAT```        a number: pages, outputs, checks, torch, minutes [PAGE]
``{section}`TEXT <PAGE#ID>```  a link to a section, which has to be there

Each page leaves its facts in the environment when it is read; the home page is
written again when they change. Nothing of this page is typed twice.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import home_pictures
from docutils import nodes
from page_inputs import version_of
from per_page import keep
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole, SphinxDirective, SphinxRole

log = logging.getLogger(__name__)
MINUTES = re.compile(r"(?:^:time:|\*\*Time:\*\*)\s*(\d+)", re.M)
LOOK_UP = "recurrence/errors"
NOT_STATIONS = {"Reference"}  # looked up, not read in order


# --------------------------------------------------- what a page says of itself


@dataclass
class Facts:
    """Of one page, as the home page shows them."""

    minutes: int | None = None
    checks: int = 0  # asserts and calls of assert_close in its cells
    outputs: int = 0
    title: str = ""
    answer: str = ""
    figure: str = ""  # its first one, as a small SVG
    sections: dict[str, str] = field(default_factory=dict)  # id: heading


def facts_of(env, docname: str) -> Facts:
    return env.home_facts.setdefault(docname, Facts())


def read_source(app, docname, source):
    facts = facts_of(app.env, docname)
    minutes = MINUTES.search(source[0])
    facts.minutes = int(minutes[1]) if minutes else None


def checks_in(cells: list[dict]) -> int:
    """Asserts and calls of assert_close in the cells of a notebook."""
    return sum(
        isinstance(node, ast.Assert)
        or (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("assert_close")
        )
        for cell in cells
        if cell["cell_type"] == "code" and "raises" not in str(cell["metadata"])
        for node in ast.walk(ast.parse("".join(cell["source"])))
    )


def read_doctree(app, doctree):
    facts = facts_of(app.env, app.env.docname)
    for title in doctree.findall(nodes.title):
        facts.title = facts.title or title.astext()
        for name in title.parent.get("ids", ()):
            facts.sections[name] = title.astext()
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            facts.answer = meta["content"]
    facts.outputs = sum(
        "cell_output" in node["classes"] for node in doctree.findall(nodes.container)
    )
    facts.figure = first_figure(doctree, Path(app.srcdir))
    facts.checks = checks_in(stored(app, app.env.docname, ".ipynb").get("cells", []))


def first_figure(doctree, srcdir: Path) -> str:
    """The page's first picture, without its words: one cannot read them so small."""
    for node in doctree.findall():
        if isinstance(node, nodes.image) and node["uri"].endswith(".svg"):
            return home_pictures.thumbnail((srcdir / node["uri"]).read_text())
        if isinstance(node, nodes.raw) and "<svg" in node.astext():
            svg = re.search(r"<svg.*?</svg>", node.astext(), re.S)
            return home_pictures.thumbnail(svg[0])
    return ""


def updated(app, env):
    """The home page is written again when what it says has changed."""
    facts = repr(sorted(env.home_facts.items()))
    digest = hashlib.sha256(facts.encode()).hexdigest()
    changed = digest != getattr(env, "home_digest", "")
    env.home_digest = digest
    return [env.config.root_doc] if changed else []


# ------------------------------------------- what stands on the page until then


class later(nodes.General, nodes.Inline, nodes.Element):
    """Filled when all pages have been read: ``fill(name, ...)`` says with what."""


def stand_in(directive, **attributes) -> later:
    node = later("", **attributes)
    directive.set_source_info(node)
    return node


class PathDirective(SphinxDirective):
    def run(self):
        return [stand_in(self, what="path")]


class MessagesDirective(SphinxDirective):
    has_content = True

    def run(self):
        return [stand_in(self, what="messages", words=list(self.content))]


class PictureDirective(SphinxDirective):
    required_arguments = 2

    def run(self):
        kind, name = self.arguments
        return [stand_in(self, what="picture", kind=kind, data=name)]


class BuiltRole(SphinxRole):
    def run(self):
        return [stand_in(self, what="built", text=self.text)], []


class SectionRole(ReferenceRole):
    def run(self):
        page, _, name = self.target.partition("#")
        node = stand_in(self, what="section", page=page, id=name, text=self.title)
        return [node], []


def parts_of(contents: nodes.Element) -> dict[str, list[str]]:
    """The parts of the site, and the pages of each."""
    return {
        toctree["caption"]: [page for _, page in toctree["entries"]]
        for toctree in contents.findall(addnodes.toctree)
    }


def stations_of(parts: dict[str, list[str]]) -> dict[str, list[str]]:
    """The parts that are read in order."""
    return {k: v for k, v in parts.items() if k not in NOT_STATIONS}


class Home:
    """Fills the stand-ins of one page."""

    def __init__(self, app, doctree, docname):
        self.app, self.env, self.docname = app, app.env, docname
        self.facts = app.env.home_facts
        self.parts = parts_of(doctree)
        self.stations = stations_of(self.parts)

    def fill(self, node):
        made = getattr(self, node["what"])(node)
        if isinstance(made, str):
            made = nodes.raw("", made, format="html")
        node.replace_self(made)

    def missing(self, node, message):
        log.warning("%s", message, location=node, type="home")

    def link(self, page, name=""):
        here = self.app.builder.get_relative_uri(self.docname, page)
        return f"{here}#{name}" if name else here

    def section(self, node):
        page, name = node["page"], node["id"]
        if page not in self.facts or name not in self.facts[page].sections:
            self.missing(node, f"no section {name!r} on the page {page!r}")
        link = nodes.reference("", node["text"], refuri=self.link(page, name))
        link["internal"] = True
        return link

    def built(self, node):
        what, _, page = node["text"].partition(" ")
        return nodes.Text(self.number(node, what, page))

    def number(self, node, what, page):
        facts = self.facts.values()
        if what == "pages":
            return str(sum(map(len, self.parts.values())))
        if what in ("outputs", "checks"):
            return str(sum(getattr(f, what) for f in facts))
        if what == "torch":
            return (version_of("torch") or "").partition("+")[0]
        if what == "minutes" and page:
            return str(self.minutes(node, page))
        if what == "minutes":
            pages = [page for pages in self.stations.values() for page in pages]
            return str(sum(self.minutes(node, page) for page in pages))
        self.missing(node, f"{node['text']!r} is no number of the home page")
        return ""

    def minutes(self, node, page):
        facts = self.facts.get(page, Facts())
        if facts.minutes is None:
            self.missing(node, f"{page} has no minutes: write **Time:** 20 minutes")
        return facts.minutes or 0

    def path(self, node):
        made = []
        for number, (caption, pages) in enumerate(self.stations.items(), 1):
            rows = "".join(self.row(node, caption, page) for page in pages)
            minutes = sum(self.minutes(node, page) for page in pages)
            made.append(
                f'<li class="station"><h3 id="path-{number}">{escape(caption)}'
                f' <span class="minutes">{minutes} min</span></h3>'
                f'<ul class="rows">{rows}</ul></li>'
            )
        return f'<ol class="stations">{"".join(made)}</ol>'

    def row(self, node, caption, page):
        facts = self.facts[page]
        if not facts.answer:
            self.missing(
                node, f"{page} has no description: write myst: html_meta: description:"
            )
        picture = home_pictures.icon(caption)
        if facts.figure:
            picture = (
                f'<img class="thumb" src="{self.thumbnail(page)}" alt="" width="112" '
                f'height="56" loading="lazy" decoding="async" />'
            )
        return (
            f'<li><a href="{self.link(page)}">{picture}'
            f'<span class="what"><strong>{escape(facts.title)}</strong>'
            f"<span>{escape(facts.answer)}</span></span>"
            f'<span class="minutes">{home_pictures.TICK}'
            f"{self.minutes(node, page)} min</span></a></li>"
        )

    def thumbnail(self, page):
        return f"_images/{thumbnail_name(page)}"

    def messages(self, node):
        sections = self.facts.get(LOOK_UP, Facts()).sections
        made = []
        for words in node["words"]:
            found = [name for name, title in sections.items() if words in title]
            if not found:
                self.missing(node, f"no heading of {LOOK_UP} holds {words!r}")
                continue
            uri = self.link(LOOK_UP, found[0])
            made.append(f'<li><a href="{uri}"><code>{escape(words)}</code></a></li>')
        return f'<ul class="chips">{"".join(made)}</ul>'

    def picture(self, node):
        data = glued(self.app, self.docname)
        if node["data"] not in data:
            self.missing(node, f"no cell of {self.docname} glued {node['data']!r}")
            return ""
        return getattr(home_pictures, node["kind"])(data[node["data"]])


def stored(app, docname: str, kind: str) -> dict:
    """What MyST-NB keeps of a page beside the site: its notebook, what it glued."""
    path = Path(app.outdir).parent / "jupyter_execute" / f"{docname}{kind}"
    return json.loads(path.read_text()) if path.exists() else {}


def glued(app, docname: str) -> dict:
    """What the page's cells glued, by name: plain numbers, lists and words."""
    found = stored(app, docname, ".glue.json").items()
    return {k: ast.literal_eval(v["data"]["text/plain"]) for k, v in found}


def fill(app, doctree, docname):
    waiting = list(doctree.findall(later))
    if waiting:
        home = Home(app, doctree, docname)
        for node in waiting:
            home.fill(node)


def thumbnail_name(page: str) -> str:
    return f"thumbnail-{page.replace('/', '-')}.svg"


def write_thumbnails(app, error):
    """Those of the path's pages that have a figure, and no others."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir, "_images")
    facts, toc = app.env.home_facts, app.env.tocs[app.config.root_doc]
    wanted = {
        thumbnail_name(page): facts[page].figure
        for pages in stations_of(parts_of(toc)).values()
        for page in pages
        if page in facts and facts[page].figure
    }
    for path in folder.glob("thumbnail-*.svg"):
        if path.name not in wanted:
            path.unlink()
    for name, svg in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text() != svg:
            folder.mkdir(exist_ok=True)
            path.write_text(svg)


def add_css(app, pagename, templatename, context, doctree):
    if pagename == app.config.root_doc:
        app.add_css_file("home.css")


def setup(app):
    app.add_node(later)
    app.add_directive("path", PathDirective)
    app.add_directive("messages", MessagesDirective)
    app.add_directive("picture", PictureDirective)
    app.add_role("built", BuiltRole())
    app.add_role("section", SectionRole())
    keep(app, "home_facts")
    app.connect("source-read", read_source, priority=900)  # examples are cells then
    app.connect("doctree-read", read_doctree, priority=900)
    app.connect("env-updated", updated)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", add_css)
    app.connect("build-finished", write_thumbnails)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
