"""Render math while building, with KaTeX inside QuickJS: no script on a page.

A formula becomes HTML for the eye and MathML for a screen reader. TeX that
KaTeX does not know is a warning at its line, which fails the build.

``katex_script`` is the path of katex.min.js, ``katex_css`` the style sheet's name
in a folder of ``html_static_path``; both come with KaTeX.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

log = logging.getLogger(__name__)
SCRIPT = str(Path(__file__).parents[1] / "_vendor" / "katex.min.js")


class TexError(ValueError):
    """TeX that KaTeX refuses, in KaTeX's words."""


@functools.cache
def context(script: str) -> quickjs.Context:
    js = quickjs.Context()
    js.eval(Path(script).read_text(encoding="utf-8"))
    return js


@functools.cache
def render(tex: str, display: bool = False, script: str = SCRIPT) -> str:
    """HTML and MathML of one formula.

    Raises TexError for TeX that KaTeX cannot read, also where it would only
    warn (strict) or print the source in red (throwOnError).
    """
    options = {
        "displayMode": display,
        "throwOnError": True,
        "strict": "error",
        "output": "htmlAndMathml",
    }
    call = f"katex.renderToString({json.dumps(tex)}, {json.dumps(options)})"
    try:
        # Through JSON: eval refuses a string that was joined from others.
        return json.loads(context(script).eval(f"JSON.stringify({call})"))
    except quickjs.JSException as error:
        message = str(error).split("\n")[0].removeprefix("ParseError: ")
        raise TexError(message) from None


def html_of(translator, node, display):
    try:
        return render(node.astext().strip(), display, translator.config.katex_script)
    except TexError as error:
        log.warning("%s", error, location=node, type="katex")
        return translator.encode(node.astext())


def visit_inline(self, node):
    math = html_of(self, node, display=False)
    self.body.append(f'<span class="math">{math}</span>')
    raise nodes.SkipNode


def visit_block(self, node):
    # A wide equation scrolls by itself on a phone; tabindex lets keys do it.
    self.body.append(self.starttag(node, "div", CLASS="math", tabindex="0"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(html_of(self, node, display=True) + "</div>\n")
    raise nodes.SkipNode


def add_css(app, pagename, templatename, context, doctree):
    if doctree is not None and any(doctree.findall(is_math)):
        app.add_css_file(app.config.katex_css)


def is_math(node):
    return isinstance(node, nodes.math | nodes.math_block)


def setup(app):
    app.add_config_value("katex_script", SCRIPT, "env", str)
    app.add_config_value("katex_css", "vendor/katex/katex.min.css", "html", str)
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.connect("html-page-context", add_css)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
