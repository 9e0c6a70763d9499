"""What search engines, link previews and other programs read of the site.

Every page has a description of its own and the tags of a link preview, and is
there once more as plain Markdown (``gates/lstm.html.md``), which ``llms.txt``
lists and ``llms-full.txt`` holds. With the site's address known, there is also
what only works with whole addresses: the canonical one, a picture for the
preview, and the list of pages for search engines.

What belongs to a page is made when the page is written, and the file of a page
that is gone is removed; so an edit costs one page.
"""

from __future__ import annotations

import hashlib
import html
import re
import textwrap
from functools import cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from api import reading_order
from docutils import nodes
from markupsafe import Markup
from page_text import markdown_of
from PIL import Image, ImageDraw, ImageFont
from sphinx.errors import SphinxError

SIZE = (1200, 630)  # what Facebook, LinkedIn, Slack and X cut least from
PICTURES, TEXT = "previews", ".html.md"


class PublishError(SphinxError):
    category = "publish error"


# ------------------------------------------------------------------ a page's head


def description_of(doctree: nodes.document) -> str:
    """The page's own description, else its first words."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            return meta["content"]
    paragraphs = doctree.findall(nodes.paragraph)
    first = " ".join(next((p.astext() for p in paragraphs), "").split())
    return textwrap.shorten(first, 155, placeholder=" ...")


def fill_head(app, pagename, templatename, context, doctree):
    """Give the template what head.html writes, and write what goes with a page."""
    title = context["page_title"] = str(Markup(context.get("title", "")).striptags())
    context["about"] = context["description_of_site"]
    context["preview"] = ""
    if pagename.startswith("_modules/"):
        context["about"] = f"Source of {title}, as the site's pages and tests run it."
    if doctree is None:
        return
    context["about"] = description_of(doctree)
    context["page_text"] = pagename.rpartition("/")[2] + TEXT
    if app.config.html_baseurl:
        project = app.config.project
        name = picture(Path(app.outdir), pagename, title, context["about"], project)
        context["preview"] = app.config.html_baseurl + name


# ------------------------------------------------------------ the preview picture


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    # Imported early, it would have read which backend to use before a page says so.
    from matplotlib import get_data_path

    folder = Path(get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(folder / name, size)


def lines_of(text: str, type_: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Words in lines that are no wider than this many pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if type_.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def picture(out: Path, page: str, title: str, about: str, site: str) -> str:
    """Draw a page's preview unless it is there; its address within the site.

    It is named by its content, so that nobody shows an old one from a cache.
    """
    key = hashlib.sha256(f"{title}\0{about}\0{site}\0{SOURCE}".encode())
    name = f"{PICTURES}/{page}-{key.hexdigest()[:10]}.png"
    path = out / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{path.stem[:-11]}-??????????.png"):
            old.unlink()
        draw(title, about, site).save(path, optimize=True)
    return name


def draw(title: str, about: str, site: str) -> Image.Image:
    """Title, description and site on a dark ground, and a network in three steps."""
    ground, light, soft, accent = "#14181e", "#f4f6f8", "#aab6c4", "#56b4e9"
    image = Image.new("RGB", SIZE, ground)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 14, SIZE[1]), fill=accent)
    pen.text((70, 52), site, soft, font("DejaVuSans.ttf", 30))
    size = next(s for s in (68, 60, 52, 44, 1) if fits(title, s))
    type_ = font("DejaVuSans-Bold.ttf", size)
    y = 130
    for line in lines_of(title, type_, 1060):
        pen.text((70, y), line, light, type_)
        y += round(size * 1.2)
    type_, y = font("DejaVuSans.ttf", 30), y + 22
    for line in lines_of(about, type_, 1060)[:3]:
        pen.text((70, y), line, soft, type_)
        y += 42
    for x in (850, 960, 1070):  # a state that is handed on
        pen.rounded_rectangle((x, 534, x + 56, 590), 12, outline=accent, width=5)
        pen.line((x - 54, 562, x - 6, 562), accent, 5)
        pen.polygon([(x - 18, 552), (x - 2, 562), (x - 18, 572)], accent)
    return image.quantize(64)


def fits(title: str, size: int) -> bool:
    lines = lines_of(title, font("DejaVuSans-Bold.ttf", size), 1060)
    return size == 1 or len(lines) <= 3


SOURCE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


# ----------------------------------------------------------- what programs read


def text_address(app, docname: str):
    """Links of a page's text: whole where the site's address is known."""
    here = urljoin(app.config.html_baseurl, app.builder.get_target_uri(docname))
    return lambda uri: urljoin(here, uri) if app.config.html_baseurl else uri


def write_text(app, doctree, docname):
    """The page as Markdown beside the page."""
    if app.builder.format == "html":
        path = Path(app.outdir, docname + TEXT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markdown_of(doctree, text_address(app, docname)))


def listed(app) -> list[str]:
    """All pages: first those of the reading order, then the others."""
    order = list(reading_order(app.env, app.config.root_doc))
    return order + sorted(set(app.env.found_docs) - set(order))


def llms_txt(app, pages: list[str]) -> str:
    """The site in short, as llmstxt.org lays it down."""
    base = app.config.html_baseurl
    lines = [f"# {app.config.project}", ""]
    lines += [f"> {app.config.html_context['description_of_site']}", ""]
    lines += [f"Everything in one file: [llms-full.txt]({base}llms-full.txt)"]
    section = None
    for page in pages:
        folder = page.rpartition("/")[0] or "start"
        if folder != section:
            lines += ["", f"## {folder.title()}", ""]
            section = folder
        title = app.env.titles[page].astext()
        lines.append(f"- [{title}]({base}{page}{TEXT})")
    return "\n".join(lines) + "\n"


def write_lists(app, error):
    """What names all pages; remove what belongs to pages that are gone."""
    if error or app.builder.format != "html":
        return
    out, base, pages = Path(app.outdir), app.config.html_baseurl, listed(app)
    remove_orphans(out, set(pages), bool(base))
    robots = ["User-agent: *", "Allow: /"]
    if base:
        robots.append(f"Sitemap: {base}sitemap.xml")
        uris = [html.escape(base + app.builder.get_target_uri(p)) for p in pages]
        locations = "".join(f"<url><loc>{uri}</loc></url>\n" for uri in uris)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{locations}</urlset>\n"
        )
    (out / "robots.txt").write_text("\n".join(robots) + "\n")
    (out / "llms.txt").write_text(llms_txt(app, pages))
    texts = [(out / (page + TEXT)).read_text() for page in pages]
    (out / "llms-full.txt").write_text("\n\n---\n\n".join(texts))
    for old, new in app.config.moved.items():
        write_redirect(out, old, new, app)


def remove_orphans(out: Path, pages: set[str], published: bool) -> None:
    for path in out.rglob("*" + TEXT):
        if str(path.relative_to(out)).removesuffix(TEXT) not in pages:
            path.unlink()
    for path in (out / PICTURES).rglob("*.png"):
        page = str(path.relative_to(out / PICTURES))[: -len("-0123456789.png")]
        if page not in pages or not published:
            path.unlink()
    if not published:
        (out / "sitemap.xml").unlink(missing_ok=True)


# --------------------------------------------------- pages that are not there


def write_redirect(out: Path, old: str, new: str, app) -> None:
    """A page that moved sends its visitors on, without a script."""
    if new.partition("#")[0] not in app.env.found_docs or old in app.env.found_docs:
        need = "need a page that is gone and one that is there"
        raise PublishError(f"moved: {old!r} to {new!r}; {need}")
    page, hash_, anchor = new.partition("#")
    uri = html.escape(app.builder.get_relative_uri(old, page) + hash_ + anchor)
    path = out / (old + ".html")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        f'<title>Moved</title><meta http-equiv="refresh" content="0; url={uri}">\n'
        f'<link rel="canonical" href="{uri}"><a href="{uri}">This page moved</a>\n'
    )


def not_found(app):
    """404.html: where to go from an address that is not there."""
    links = "\n".join(
        f'<li><a href="{app.builder.get_target_uri(page)}">'
        f"{html.escape(app.env.titles[page].astext())}</a></li>"
        for page in reading_order(app.env, app.config.root_doc)
    )
    body = (
        "<h1>Page not found</h1>\n<p>There is no page at this address. "
        "Search for it, or choose a page below.</p>\n"
        '<form class="not-found" action="search.html" role="search">'
        '<input type="search" name="q" aria-label="Words to search for" /> '
        '<button type="submit">Search</button></form>\n'
        f"<ul>\n{links}\n</ul>\n"
    )
    tags = '<meta name="robots" content="noindex" />'
    context = {"title": "Page not found", "body": body, "metatags": tags}
    yield "404", context, "page.html"


RELATIVE = re.compile(
    r'((?:href|src|action|data-content_root)=")(?![#/]|[a-z]+:)(?:\./)?'
)


def from_the_root(app, error):
    """A server shows 404.html at any depth, so its links begin at the root."""
    path = Path(app.outdir, "404.html")
    if not error and path.exists():
        root = urlsplit(app.config.html_baseurl).path or "/"
        path.write_text(RELATIVE.sub(rf"\g<1>{root}", path.read_text()))


def setup(app):
    app.setup_extension("api")
    app.add_config_value("moved", {}, "html", dict)
    app.connect("html-page-context", fill_head)
    app.connect("doctree-resolved", write_text, priority=900)
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", write_lists)
    app.connect("build-finished", from_the_root)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
