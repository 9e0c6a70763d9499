"""Claims: sentences that can fail, each bound to the check that would tell.

A sentence is a claim when `` {claim}`id` `` follows it; at the end of an item
or of a caption the mark covers the whole of it. Its check is a cell of the same
page, of asserts, with the options

- ``:claims: exact one-id other-id; measured third-id``: the kind of evidence,
- ``:budget: 2000 random starts``: how hard a ``searched`` one was tried; else the
  sizes, seeds or the tolerance, where the sentence does not name them,
- ``:fails-if: weights = weights.T``: code that, run before the cell, makes the
  sentence false, or ``:fails-if: old => new``, which changes the cell. With it the
  cell must raise AssertionError: tests/site/test_claims.py runs it;

or a test, marked ``@pytest.mark.claim("id", kind=..., budget=..., false="name")``,
where ``name`` is the test that has seen the check fail.

`` {cited}`id` `` follows what others found, with a link to the source beside it.
`` {given}`definition` `` follows a sentence with a strong word that claims nothing
(see GIVEN); it leaves no trace on the page.

The build is red when a claim has no check or a check no claim, and when a page
outside of ``claims_due`` has a sentence with a word of STRONG, a figure's caption,
an item of "What to remember" or a sentence in bold that is none of these.
``{claims}`` lists all of them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from blocks import ancestors, asserts, folded, has, summary
from docutils import nodes
from per_page import keep
from section_search import reading_order
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

log = logging.getLogger(__name__)
KINDS = ("exact", "exhaustive", "searched", "measured")  # docs/reference/claims.md
GIVEN = ("definition", "convention", "advice", "plan", "quotation")
STRONG = re.compile(
    r"\b(always|never|cannot|only|must|exactly|at least|at most|any|every|impossible"
    r"|none|because|the reason)\b",
    re.I,
)
UNREAD = ("Exercises", "Sources")  # sections
UNREAD_CLASSES = {"in-short-title", "in-short-links", "block", "error-list"}
PAGE = "reference/claims"
MADE = (PAGE, "reference/api")  # pages made from what others say


class ClaimError(ValueError):
    """What is wrong with a claim, in words for its author."""


class mark(nodes.Invisible, nodes.Inline, nodes.Element):
    """The sign behind a claim; it opens the check."""


class given(nodes.Invisible, nodes.Inline, nodes.Element):
    """Behind a sentence that claims nothing; gone when the page is read."""


class claim_list(nodes.Invisible, nodes.Element):
    """Where the list of all claims goes."""


@dataclass
class Check:
    """What would tell that a claim is false."""

    kind: str
    budget: str = ""
    test: str = ""  # of a test, path::name
    source: str = ""  # of a test


@dataclass
class Page:
    """What one page claims, in its order, and what its cells check."""

    sentences: dict[str, list[nodes.Node]] = field(default_factory=dict)
    cited: set[str] = field(default_factory=set)
    checks: dict[str, Check] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)


def warn(location, text: str) -> None:
    log.warning("%s", text, location=location, type="claims")


# ----------------------------------------------------------------------- the roles


class Claim(SphinxRole):
    def run(self):
        node = mark("", id=self.text, cited=self.name == "cited")
        self.set_source_info(node)
        return [node], []


class Given(SphinxRole):
    def run(self):
        if self.text not in GIVEN:
            need = f"{{given}} is one of {', '.join(GIVEN)}; got {self.text!r}"
            warn(self.get_location(), need)
        return [given("", reason=self.text)], []


class Claims(SphinxDirective):
    option_spec: ClassVar = {}

    def run(self):
        return [claim_list("")]


# ---------------------------------------------------------------------- the checks


def kinds_of(option: str) -> dict[str, str]:
    """``exact a b; measured c`` -> {a: exact, b: exact, c: measured}."""
    found = {}
    for part in filter(None, map(str.strip, option.split(";"))):
        kind, *names = part.split()
        if kind not in KINDS:
            raise ClaimError(f"a claim is one of {', '.join(KINDS)}; got {kind!r}")
        if not names:
            raise ClaimError(f":claims: {part}: name the claims after their kind")
        found |= dict.fromkeys(names, kind)
    return found


def falsified(source: str, false: str) -> str:
    """A check's cell with what makes its sentence false; raises ClaimError."""
    old, arrow, new = (part.strip() for part in false.partition("=>"))
    if not arrow:
        return f"{false}\n{source}"
    if old not in source:
        raise ClaimError(f":fails-if: the cell does not hold {old!r}")
    changed = source.replace(old, new)
    if comparisons(source) != comparisons(changed):
        raise ClaimError(f":fails-if: {false}: change what is compared, not how")
    return changed


def comparisons(source: str) -> list[str]:
    """The operators of the comparisons in asserts."""
    return [
        type(op).__name__
        for statement in ast.walk(ast.parse(source))
        if isinstance(statement, ast.Assert)
        for node in ast.walk(statement)
        if isinstance(node, ast.Compare)
        for op in node.ops
    ]


def checks_of(metadata: dict, source: str) -> dict[str, Check]:
    """The claims that a cell checks; raises ClaimError."""
    found = kinds_of(metadata["claims"])
    budget, false = metadata.get("budget", ""), metadata.get("fails-if", "")
    if "searched" in found.values() and not budget:
        raise ClaimError("a searched claim says how hard: `:budget: 2000 draws`")
    if not false:
        raise ClaimError("no false version: `:fails-if: code that makes it false`")
    try:
        ast.parse(falsified(source, false))
    except SyntaxError as error:
        raise ClaimError(f":fails-if: {false}: {error}") from None
    if not asserts(ast.parse(source)):
        raise ClaimError("a cell that checks claims holds asserts")
    return {name: Check(kind, budget) for name, kind in found.items()}


MARKER = "pytest.mark.claim"


def checks_in_tests(root: Path) -> dict[str, Check]:
    """The claims that tests check; raises ClaimError."""
    found: dict[str, Check] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text()
        if f"@{MARKER}(" in text:
            found |= checks_in_test(text, str(path.relative_to(root)))
    return found


def checks_in_test(text: str, path: str) -> dict[str, Check]:
    """The claims that one file of tests checks; raises ClaimError."""
    functions = [f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)]
    names = {f.name for f in functions}
    marked = (
        (function, call)
        for function in functions
        for call in function.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func) == MARKER
    )
    found: dict[str, Check] = {}
    for function, call in marked:
        where = f"{path}::{function.name}"
        options = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        if options.get("false") not in names:
            need = "names the test that has seen it fail: false="
            raise ClaimError(f"{where}: claim {need}{options.get('false')!r}")
        kind, budget = options["kind"], options.get("budget", "")
        if kind not in KINDS or (kind == "searched" and not budget):
            raise ClaimError(f"{where}: kind {kind!r}, budget {budget!r}")
        check = Check(kind, budget, where, ast.get_source_segment(text, function) or "")
        found |= {ast.literal_eval(name): check for name in call.args}
    return found


# ------------------------------------------------------------------- the sentences

END = re.compile(r"[.?!][\"')\u201d]*\s+(?=\S)")


def sentence_before(node: mark) -> list[nodes.Node]:
    """What a mark covers, as nodes of their own: its item, caption or sentence."""
    block = node.parent
    before = block.children[: block.index(node)]
    after = block.children[block.index(node) + 1 :]
    if whole_item(block) and not hold_words(after):
        return words_of(before)
    taken: list[nodes.Node] = []
    for child in reversed(before):
        if isinstance(child, nodes.Text):
            ends = list(END.finditer(str(child)))
            if ends:
                return words_of([nodes.Text(str(child)[ends[-1].end() :]), *taken])
        if isinstance(child, mark | given) and hold_words(taken):
            break
        taken.insert(0, child)
    return words_of(taken)


def hold_words(found: list[nodes.Node]) -> bool:
    return any(node.astext().strip() for node in found)


def words_of(found: list[nodes.Node]) -> list[nodes.Node]:
    """Copies that can stand on any page: links become their words."""
    copies: list[nodes.Node] = []
    for node in found:
        if isinstance(node, nodes.Text | nodes.math | nodes.literal):
            copies.append(node.deepcopy())
        elif isinstance(node, mark | given):
            continue
        elif isinstance(node, nodes.strong | nodes.emphasis):
            copies.append(type(node)("", "", *words_of(node.children)))
        elif "equation" in str(node.get("reftype", "")) + str(node.get("role", "")):
            copies.append(nodes.Text("the equation"))
        else:
            copies += words_of(node.children)
    return copies


# ------------------------------------------------- the sentences that claim nothing

OBJECT, BOLD = "\ufffc", "\x03"  # a formula or code; the ends of bold words


def flat(node: nodes.Node) -> str:
    """The words of a paragraph, with a sign for each mark."""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, mark | given):
        return "\x01"
    if isinstance(node, nodes.math | nodes.literal):
        return OBJECT
    if isinstance(node, nodes.image | nodes.raw):
        return ""
    inner = "".join(map(flat, node.children))
    return f"{BOLD}{inner}{BOLD}" if isinstance(node, nodes.strong) else inner


def sentences(text: str) -> list[str]:
    """Sentences, each with the marks behind it."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.findall(rf".+?(?:[.?!][\"')\u201d{BOLD}]*(?:\s*\x01)*(?= |$)|$)", text)


def unclaimed(paragraph: nodes.Element) -> list[str]:
    """Sentences with a strong word, or in bold, that no mark stands behind."""
    text = flat(paragraph)
    if text.rstrip().endswith("\x01") and whole_item(paragraph):
        return []
    found = []
    for sentence in sentences(text):
        bold = re.fullmatch(rf"{BOLD}[^{BOLD}]*[.!]{BOLD}", sentence.strip())
        if (STRONG.search(sentence) or bold) and "\x01" not in sentence:
            found.append(re.sub(f"[{BOLD}\x01]", "", sentence).strip())
    return found


def whole_item(paragraph: nodes.Element) -> bool:
    return isinstance(paragraph, nodes.caption) or isinstance(
        paragraph.parent, nodes.list_item
    )


def is_read(node: nodes.Node) -> bool:
    """Whether a paragraph says something of the page's subject."""
    return not any(
        UNREAD_CLASSES & set(around.get("classes", ()))
        or isinstance(around, summary | folded | nodes.table)
        or (isinstance(around, nodes.section) and heading(around) in UNREAD)
        for around in [node, *ancestors(node)]
    )


def heading(section: nodes.section) -> str:
    return section.next_node(nodes.title).astext()


def complaints(document: nodes.document) -> list[tuple[nodes.Node, str]]:
    """What a page says without a claim, and where."""
    found = []
    for node in document.findall(nodes.paragraph):
        if is_read(node):
            found += [(node, f"no claim: {s}") for s in unclaimed(node)]
    for caption in document.findall(nodes.caption):
        if isinstance(caption.parent, nodes.figure) and "\x01" not in flat(caption):
            found.append((caption, f"a caption without a claim: {caption.astext()}"))
    for section in document.findall(nodes.section):
        if heading(section) == "What to remember":
            items = section.findall(nodes.list_item)
            bare = (i for i in items if not flat(i).rstrip().endswith("\x01"))
            found += [(item, f"no claim: {item.astext()}") for item in bare]
    return found


# ------------------------------------------------------------------- the transform


def page_of(env, docname: str) -> Page:
    return env.claims.setdefault(docname, Page())


class ReadClaims(SphinxTransform):
    default_priority = 875  # blocks (870) have their kinds

    def apply(self, **kwargs):
        docname = self.env.docname
        page = page_of(self.env, docname)
        for cell in self.document.findall(has("cell_code")):
            if "claims" in cell["cell_metadata"]:
                try:
                    self.check(cell, page)
                except ClaimError as error:
                    warn(cell, str(error))
        for node in self.document.findall(mark):
            self.sentence(node, page)
        if docname not in self.config.claims_due and not docname.startswith(MADE):
            for node, text in complaints(self.document):
                warn(node, text)
        for node in list(self.document.findall(given)):
            page.given[node["reason"]] += 1
            node.parent.remove(node)

    def sentence(self, node: mark, page: Page) -> None:
        name = node["id"]
        if name in page.sentences:
            warn(node, f"claim {name!r} stands twice")
        page.sentences[name] = sentence_before(node)
        if node["cited"]:
            page.cited.add(name)
            if not any(node.parent.parent.findall(nodes.reference)):
                warn(node, f"{name}: a cited sentence has its source beside it, a link")

    def check(self, cell, page: Page) -> None:
        source = next(cell.findall(has("cell_code_source")), None)
        if source is None:
            raise ClaimError("a reader can open the check of a claim: no remove-input")
        code = source.next_node(nodes.literal_block).astext()
        for name, check in checks_of(cell["cell_metadata"], code).items():
            if name in page.checks:
                raise ClaimError(f"claim {name!r} is checked twice")
            page.checks[name] = check
            source["ids"].append(f"check-{name}")


def start(app):
    try:
        app.env.claims_in_tests = checks_in_tests(Path(app.confdir))
    except ClaimError as error:
        warn(None, str(error))
        app.env.claims_in_tests = {}


def needs_tests(app, doctree):
    """A page is read again when the test of one of its claims changes."""
    tests = app.env.claims_in_tests
    for name in page_of(app.env, app.env.docname).sentences:
        if name in tests:
            file = tests[name].test.partition("::")[0]
            app.env.note_dependency(str(Path(app.confdir, file)))


def bind(app, env):
    """Each claim has one check, each check its claim."""
    where: dict[str, str] = {}
    tests = env.claims_in_tests
    for docname, page in env.claims.items():
        location = (docname, None)
        for name in page.sentences:
            if where.setdefault(name, docname) != docname:
                warn(location, f"claim {name!r} stands on {where[name]} too")
            checks = (name in page.checks) + (name in tests) + (name in page.cited)
            if checks != 1:
                words = "more than one check" if checks else "no check"
                warn(location, f"claim {name!r} has {words}")
        for name in page.checks.keys() - page.sentences.keys():
            warn(location, f"no sentence for the check of {name!r}")
    for name in tests.keys() - where.keys():
        warn(None, f"no sentence for the check of {name!r} in {tests[name].test}")
    return []


def to_rewrite(app, env):
    """The list of claims, when what it says has changed."""
    said = repr([(d, p.checks, p.given, str(p.sentences)) for d, p in claimed(env)])
    if PAGE in env.found_docs and getattr(env, "claims_said", "") != said:
        env.claims_said = said
        return [PAGE]
    return []


# -------------------------------------------------------------------- on the pages


def check_of(env, docname: str, name: str) -> Check:
    page = env.claims[docname]
    if name in page.cited:
        return Check("cited")
    return page.checks.get(name) or env.claims_in_tests.get(name) or Check("exact")


def visit_mark(self, node):
    builder = self.builder
    check = check_of(builder.env, builder.current_docname, node["id"])
    href = f"#check-{node['id']}"
    if check.kind == "cited" or check.test:
        href = builder.get_relative_uri(builder.current_docname, PAGE)
        href += f"#claim-{node['id']}"
    opens = "see the source" if check.kind == "cited" else "open its check"
    self.body.append(
        f'<a class="claim" id="claim-{node["id"]}" href="{href}"'
        f' title="{check.kind}: {opens}">{check.kind}</a>'
    )
    raise nodes.SkipNode


def claimed(env) -> list[tuple[str, Page]]:
    """The pages with claims, in the reading order."""
    found = [(d, env.claims[d]) for d in reading_order(env) if d in env.claims]
    return [(d, p) for d, p in found if p.sentences or p.given]


def fill(app, doctree, docname):
    for node in list(doctree.findall(claim_list)):
        node.replace_self(listed(app, docname))


def listed(app, here: str) -> list[nodes.Node]:
    env, found = app.env, []
    kinds: Counter[str] = Counter()
    exempt: Counter[str] = Counter()
    for docname, page in claimed(env):
        exempt += page.given
        uri = app.builder.get_relative_uri(here, docname)
        title = nodes.reference("", env.titles[docname].astext(), refuri=uri)
        part = nodes.section(ids=[docname.replace("/", "-")])
        part += nodes.title("", "", title)
        for name in page.sentences:
            check = check_of(env, docname, name)
            kinds[check.kind] += 1
            part += entry(uri, name, page.sentences[name], check)
        found.append(part)
    total = sum(kinds.values())
    counts = ", ".join(f"{kinds[k]} {k}" for k in (*KINDS, "cited") if kinds[k])
    words = f"{total} claims: {counts}."
    if exempt:
        rest = ", ".join(f"{exempt[g]} as {g}" for g in GIVEN if exempt[g])
        words += f" Sentences with a strong word that claim nothing: {rest}."
    return [nodes.paragraph("", words), *found]


def entry(uri: str, name: str, words: list[nodes.Node], check: Check) -> nodes.Node:
    """One claim: the sentence, and a line on its evidence."""
    box = nodes.container("", classes=["claim-entry"], ids=[f"claim-{name}"])
    copies = [w.deepcopy() for w in words]
    box += nodes.paragraph("", "", *copies)
    line = nodes.paragraph("", "", classes=["claim-evidence"])
    line += nodes.inline("", check.kind, classes=["claim-kind"])
    if check.budget:
        line += nodes.Text(f" \u00b7 {check.budget}")
    line += nodes.Text(" \u00b7 ")
    line += nodes.reference("", "sentence", refuri=f"{uri}#claim-{name}")
    box += line
    if check.test:
        fold = folded("", classes=["block", "block-code"])
        code = nodes.literal_block(check.source, check.source, language="none")
        fold += [summary("", "", nodes.literal("", check.test)), code]
        box += fold
    elif check.kind != "cited":
        line += nodes.Text(" \u00b7 ")
        line += nodes.reference("", "check", refuri=f"{uri}#check-{name}")
    return box


def setup(app):
    app.add_config_value("claims_due", [], "env", list)
    app.add_node(mark, html=(visit_mark, None))
    app.add_role("claim", Claim())
    app.add_role("cited", Claim())
    app.add_role("given", Given())
    app.add_directive("claims", Claims)
    app.add_transform(ReadClaims)
    keep(app, "claims")
    app.connect("builder-inited", start)
    app.connect("doctree-read", needs_tests)
    app.connect("env-updated", to_rewrite)
    app.connect("env-updated", bind)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
