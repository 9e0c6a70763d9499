"""Search by section: one record a section, in one script that any page can load.

Sphinx's own search answers with pages. Here each page that is read leaves a
record for each of its sections: headings, prose, code, what was printed. At the
end they are written, with the words of ``search_words.toml``, into
``search_records.js``: a classic script that sets one global, so that search works
from a folder too. ``search_rank.js`` finds, ``search.js`` shows.

``search_messages`` is the page whose sections are error messages, where a pasted
exception belongs; ``search_help`` the pages to offer when nothing is found.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from docutils import nodes
from per_page import keep
from sphinx import addnodes

WORDS = Path(__file__).with_name("search_words.toml")
RECORDS = "search_records.js"
# What Sphinx and the theme bring for their own search.
UNUSED = ("searchtools.js", "language_data.js", "sphinx_highlight.js", "doctools.js")
# Labels, lists of what is below, checks: nothing that one looks for.
UNREAD = {
    *("in-short-title", "in-short-links", "block-head", "block-check", "block-setup"),
    *("error-label", "error-list"),
}
# Has a record of its own, or nothing to read.
ELSEWHERE = (nodes.section, nodes.title, nodes.Invisible, nodes.raw, addnodes.desc)
PRINTED = 600  # characters of a cell's output that tell what it is about


# -------------------------------------------------------------- what a page says


def plain_tex(tex: str) -> str:
    r"""A formula as one types it: ``\tanh(W_{ih})`` -> ``tanh(W_ih)``."""
    tex = re.sub(
        r"\\(begin|end)\{\w+\*?\}|\\(left|right|big|Big|,|;|!|quad|q)\b", " ", tex
    )
    tex = re.sub(r"\\(mathrm|mathbf|text|operatorname|mathbb|boldsymbol)\b", "", tex)
    tex = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1 / \2", tex)
    tex = re.sub(r"\\(\w+)", r"\1", tex)
    return " ".join(re.sub(r"[{}&\\]", " " if "&" in tex else "", tex).split())


def prose(node: nodes.Node) -> str:
    """The text of a paragraph; code between backticks, formulas once."""
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, nodes.literal):
        return f"`{node.astext()}`"
    if isinstance(node, nodes.math | nodes.math_block):
        return plain_tex(node.astext())
    if isinstance(node, nodes.Invisible | nodes.footnote_reference | nodes.raw):
        return ""
    return "".join(prose(child) for child in node.children)


def printed(text: str) -> str:
    """The lines of an output that hold words: messages, not tables of numbers."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(s for s in lines if len(re.findall(r"[A-Za-z]{3,}", s)) > 1)


def is_sentence(text: str) -> bool:
    return len(re.findall(r"\b[a-z]{2,}", text)) > 1 and not text.endswith(":")


def is_read(node: nodes.Node) -> bool:
    if isinstance(node, ELSEWHERE) or not isinstance(node, nodes.Element):
        return False
    return node.tagname != "summary" and not UNREAD & set(node["classes"])


def add_text(node: nodes.Element, found: dict[str, list[str]]) -> None:
    text = " ".join(prose(node).split())
    first = next((child for child in node.children if child.astext()), None)
    if text.startswith("Before this page:"):
        return
    if isinstance(first, nodes.strong) and is_sentence(first.astext()):
        found["lead"].append(prose(first))
    found["text"].append(text)


def collect(node: nodes.Node, found: dict[str, list[str]]) -> None:
    """Sort what stands below ``node``.

    A paragraph's bold first words are a heading in all but name, and a table of
    symbols says what they are.
    """
    for child in node.children:
        if not is_read(child):
            continue
        if isinstance(child, nodes.table):
            found["names"] += (n.astext() for n in child.findall(nodes.literal))
        if isinstance(child, nodes.literal_block | nodes.doctest_block):
            is_output = "output" in child["classes"]
            found["output" if is_output else "code"].append(child.astext())
        elif child.get("nb_element") == "mime_bundle":
            kinds = {kind.get("mime_type"): kind for kind in child.children}
            if "text/plain" in kinds and not any("image" in kind for kind in kinds):
                collect(kinds["text/plain"], found)
        elif isinstance(child, nodes.math_block | nodes.TextElement):
            add_text(child, found)
        else:
            collect(child, found)


def telling(blocks: list[str]) -> list[str]:
    """Of a section's code the lines that bring a name not seen above them."""
    known: set[str] = set()
    lines = []
    for line in (
        s.removeprefix(">>>").strip(' "') for code in blocks for s in code.splitlines()
    ):
        names = set(
            re.findall(r"\w+(?=\()|\w*[a-z]_\w+|\w*[a-z]\.\w+|\w*[A-Z]\w+", line)
        )
        if names - known and not re.match("from |import ", line):
            lines.append(line)
            known |= names
    return lines


def record(node: nodes.Element, anchor: str, title: str, trail: list[str]) -> dict:
    found = {kind: [] for kind in ("lead", "names", "text", "code", "output")}
    collect(node, found)
    return {
        "anchor": anchor,
        "title": title,
        "trail": trail,
        "lead": "\n".join(found["lead"]),
        "names": " ".join(found["names"]),
        "text": "\n".join(filter(None, found["text"])),
        "code": "\n".join(telling(found["code"])),
        "output": "\n".join(
            filter(None, (printed(s)[:PRINTED] for s in found["output"]))
        ),
    }


def sections(node: nodes.Element, trail: tuple[str, ...] = ()):
    """A record of each section, and of each class and function of an API."""
    for child in node.children:
        if isinstance(child, nodes.section):
            title = prose(child[child.first_child_matching_class(nodes.title)])
            top = not trail
            yield record(child, "" if top else child["ids"][0], title, [*trail])
            yield from sections(child, (*trail, title))
        elif isinstance(child, addnodes.desc):
            head, body = child[0], child[-1]
            if head.get("ids"):
                entry = record(body, head["ids"][0], f"`{head['fullname']}`", [*trail])
                yield entry | {"api": True}
        elif isinstance(child, nodes.Element):
            yield from sections(child, trail)


def read_page(app, doctree):
    meta = (m for m in doctree.findall(nodes.meta) if m.get("name") == "description")
    found = list(sections(doctree))
    if found:
        found[0]["about"] = next((m["content"] for m in meta), "")
    app.env.section_records[app.env.docname] = found


# ------------------------------------------------------------------ what is written


def reading_order(env) -> list[str]:
    """Every page, as the tables of contents lead through them."""

    def below(name):
        yield name
        for child in env.toctree_includes.get(name, []):
            yield from below(child)

    rest = sorted(env.found_docs)
    return list(dict.fromkeys([*below(env.config.root_doc), *rest]))


def short_names(env) -> dict[str, str]:
    """What the sidebar calls a page, where that is not its title."""
    trees = (t for toc in env.tocs.values() for t in toc.findall(addnodes.toctree))
    return {doc: title for t in trees for title, doc in t["entries"] if title}


def script(app) -> str:
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    words["stop"] = words["stop"].split()
    uri, known = app.builder.get_target_uri, app.env.section_records
    short = short_names(app.env)
    pages = [
        {"url": uri(d), "short": short.get(d, ""), "sections": known[d]}
        for d in reading_order(app.env)
        if known.get(d)
    ]
    data = {
        "pages": pages,
        "messages": uri(app.config.search_messages),
        "help": [
            {"url": uri(d), "title": known[d][0]["title"]}
            for d in app.config.search_help
            if known.get(d)
        ],
        "words": words,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"SECTION_RECORDS={text};\n"


def write_records(app, error):
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for name in UNUSED:
        (static / name).unlink(missing_ok=True)
    path, text = Path(app.outdir, RECORDS), script(app)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def search_page(app):
    pages = [
        (d, app.env.section_records[d])
        for d in reading_order(app.env)
        if app.env.section_records.get(d)
    ]
    yield (
        "search",
        {"pages_in_order": [(d, found[0]["title"]) for d, found in pages]},
        "search.html",
    )


def start(app):
    if app.builder.format == "html":
        app.builder.search = False


def setup(app):
    app.add_config_value("search_messages", "", "html", str)
    app.add_config_value("search_help", [], "html", list)
    keep(app, "section_records")
    app.connect("builder-inited", start)
    app.connect("doctree-read", read_page)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write_records)
    app.add_js_file("search.js", loading_method="defer")
    app.add_css_file("search.css")
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
