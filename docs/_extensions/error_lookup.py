"""``{error-lookup}``: a page of error messages as a look-up, held by its cells.

On a page with this directive each section of level 3 is an entry. Its heading is
the message, in backticks (three dots stand for what is left out), and perhaps a
few words after it, where one message has several causes. It has an address of its
own, ``(hidden-size)=``, which stays when torch's words change; it begins with
what it applies to, in bold, and then holds pairs of cells: a wrong call, tagged
``raises-exception`` (or ``warns``, or ``silent``), and right below it one that
``works``. The build stops unless the first wrong call says what the heading says;
with the tag ``linux`` too, only there. An entry without a cell quotes what this
machine cannot run, and links its source.

The directive itself becomes a field that filters the entries (``errors.js``), and
a list of all of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

LABELS = {
    "raises-exception": "raises",
    "warns": "warns",
    "silent": "wrong, says nothing",
    "works": "works",
}
FIELD = """\
<form class="error-search" role="search" aria-label="Error messages" hidden>
<label for="error-message">Paste your message</label>
<textarea id="error-message" rows="2" spellcheck="false" autocomplete="off"
 placeholder="Expected hidden[0] size (1, 32, 256), got [1, 8, 256]"></textarea>
<div><p role="status"></p><button type="reset">Show all</button></div>
</form>
"""


class EntryError(SphinxError):
    category = "error entry"


class lookup(nodes.General, nodes.Element):
    """Where the field and the list go, once all entries are read."""


class ErrorLookup(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [lookup()]


class Entries(SphinxTransform):
    """Checks the entries, sets each pair side by side, writes the list."""

    default_priority = 400  # when each section has its addresses (260)

    def apply(self, **kwargs: object) -> None:
        places = list(self.document.findall(lookup))
        if not places:
            return
        groups = []
        for group in sections(next(sections(self.document))):
            entries = list(sections(group))
            for entry in entries:
                self.entry(entry)
            if entries:
                group["classes"].append("error-group")
                groups.append((group, entries))
        for place in places:
            form = nodes.raw("", FIELD, format="html")
            place.replace_self([form, contents(groups)])

    def entry(self, entry: nodes.section) -> None:
        try:
            set_address(entry, self.document)
            if not bold(entry):
                raise EntryError("it does not begin with what it applies to, in bold")
            check_message(entry)
            entry["classes"].append("error-entry")
            pairs(entry)
        except EntryError as error:
            where = f"{self.env.docname}.md:{entry.line}: {entry[0].astext()!r}"
            raise EntryError(f"{where}: {error}") from None


# --------------------------------------------------------------- what an entry is


def sections(node: nodes.Element) -> Iterator[nodes.section]:
    return (child for child in node if isinstance(child, nodes.section))


def bold(entry: nodes.section) -> nodes.strong | None:
    """What the entry applies to: the bold words that it begins with."""
    first = entry[1] if len(entry) > 1 else entry
    words = (node for node in first.children if node.astext())  # MyST adds an empty one
    found = next(words, None)
    return found if isinstance(found, nodes.strong) else None


def set_address(entry: nodes.section, document: nodes.document) -> None:
    """Make the address right above the heading the first of the section's."""
    given = [target.get("refid") for target in document.findall(nodes.target)]
    own = [name for name in given if name in entry["ids"]]
    if not own:
        raise EntryError("it has no address; write one above it, as (hidden-size)=")
    entry["ids"].sort(key=lambda name: name != own[-1])


def kind(node: nodes.Node) -> str | None:
    """Which tag of LABELS a cell carries."""
    if not isinstance(node, nodes.container) or "cell" not in node["classes"]:
        return None
    return next((tag for tag in LABELS if f"tag_{tag}" in node["classes"]), None)


KIND = re.compile(r"\w*(?:Error|Exception|Warning): ")


def said(cell: nodes.container) -> str:
    """The words of the exception or the warning that a cell ends with."""
    printed = "".join(
        block.astext()
        for block in cell.findall(nodes.literal_block)
        if {"traceback", "stderr"} & set(block["classes"])
    )
    return re.split(r"\w*(?:Error|Exception|Warning): ", printed, maxsplit=1)[
        -1
    ].strip()


# -------------------------------------------------------------------- the message


def check_message(entry: nodes.section) -> None:
    """Raises EntryError unless the heading is what the first wrong call says."""
    heading = next((n.astext() for n in entry[0].findall(nodes.literal)), "")
    wrong = [cell for cell in entry if kind(cell) not in (None, "works")]
    if not wrong:
        links = [ref.get("refuri", "") for ref in entry.findall(nodes.reference)]
        if not any(link.startswith("https://") for link in links):
            raise EntryError("it has no wrong call, nor a link to who said it")
    elif kind(wrong[0]) != "silent" and runs_here(wrong[0]):
        message = said(wrong[0])
        if not heading or not agrees(heading, message):
            raise EntryError(f"its first wrong call says {message!r}")


def runs_here(cell: nodes.container) -> bool:
    return "tag_linux" not in cell["classes"] or sys.platform == "linux"


def agrees(heading: str, message: str) -> bool:
    """Whether a message begins as the heading says, whose three dots are any text."""
    pieces = [re.escape(" ".join(piece.split())) for piece in heading.split("...")]
    return bool(re.match(".*?".join(pieces), " ".join(message.split())))


# ----------------------------------------------------------------------- the look


def pairs(entry: nodes.section) -> None:
    """Set each wrong call beside the right one below it, with their labels."""
    for wrong in [cell for cell in entry if kind(cell) not in (None, "works")]:
        right = wrong.next_node(siblings=True, descend=False)
        if kind(right) != "works":
            raise EntryError("a wrong call has no right one below it, tagged works")
        mark_changes(wrong, right)
        pair = nodes.container(classes=["error-pair"])
        entry.replace(wrong, pair)
        entry.remove(right)
        pair += [labelled(wrong), labelled(right)]


def labelled(cell: nodes.container) -> nodes.container:
    tag = kind(cell)
    side = "right" if tag == "works" else "wrong"
    label = nodes.paragraph("", LABELS[tag], classes=["error-label"])
    return nodes.container("", label, cell, classes=[f"error-{side}"])


NAMES = re.compile(r"^\s*[\w, ()]+ = (?=\w+\()")  # what a call returns
SHOWN = re.compile(r"\.(shape|dtype|device)\b")


def mark_changes(wrong: nodes.container, right: nodes.container) -> None:
    """Highlight the lines in which two calls differ, but for what is shown after."""
    blocks = [next(iter(cell.findall(nodes.literal_block))) for cell in (wrong, right)]
    lines = [[NAMES.sub("", s) for s in b.astext().splitlines()] for b in blocks]
    changed: tuple[list[int], list[int]] = [], []
    for tag, *ends in SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        if tag != "equal":
            changed[0].extend(range(ends[0], ends[1]))
            changed[1].extend(range(ends[2], ends[3]))
    for block, text, numbers in zip(blocks, lines, changed, strict=True):
        marked = [n + 1 for n in numbers if not SHOWN.search(text[n])]
        block["highlight_args"] = {"hl_lines": marked}


def contents(groups: list[tuple[nodes.section, list[nodes.section]]]) -> nodes.Element:
    """All messages, with what each applies to, under their groups' names."""
    whole = nodes.container(classes=["error-list"])
    for group, entries in groups:
        rows = nodes.bullet_list()
        for entry in entries:
            applies = bold(entry).astext().rstrip(".:")
            rows += nodes.list_item(
                "",
                nodes.paragraph(
                    "", "", link(entry), nodes.Text(" "), nodes.emphasis("", applies)
                ),
            )
        whole += [nodes.paragraph("", "", link(group)), rows]
    return whole


def link(section: nodes.section) -> nodes.reference:
    words = [child.deepcopy() for child in section[0]]
    return nodes.reference("", "", *words, refid=section["ids"][0], internal=True)


def add_files(app: Sphinx, pagename, templatename, context, doctree) -> None:
    if doctree is not None and any(doctree.findall(is_entry)):
        app.add_css_file("errors.css")
        app.add_js_file("errors.js", loading_method="defer")


def is_entry(node: nodes.Node) -> bool:
    return isinstance(node, nodes.section) and "error-entry" in node["classes"]


def setup(app: Sphinx) -> dict:
    app.add_node(lookup)
    app.add_directive("error-lookup", ErrorLookup)
    app.add_transform(Entries)
    app.connect("html-page-context", add_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
