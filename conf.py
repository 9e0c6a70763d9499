"""Sphinx settings; the reason stands beside each unusual one."""

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

ROOT = Path(__file__).absolute().parent
# ROOT: the package that stands here, not one in the folder of the command.
sys.path[:0] = [str(ROOT / "docs" / "_extensions"), str(ROOT)]

from site_look import build_date  # noqa: E402

# Read by matplotlib in the pages: one look, and no random ids in an SVG.
os.environ["MATPLOTLIBRC"] = str(ROOT / "docs" / "matplotlibrc")

# The pages' tensors are small: a second thread would only wait for the first,
# and on a busy machine it waits long. One thread also adds in one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where the site is published, and the project's page at GitHub, such as
# https://example.org/rnn/ and https://github.com/owner/name; "" leaves out what
# needs them, and nothing else. The workflow that publishes the site sets both.
SITE_URL = os.environ.get("SITE_URL", "").rstrip("/")
SITE_URL += "/" if SITE_URL else ""
REPOSITORY = os.environ.get("REPOSITORY", "").rstrip("/")

project = "Recurrent networks in PyTorch"
author = "The maintainers"
copyright = "2026, the maintainers; text CC BY 4.0, code MIT"
# Read and not imported: a page that imports the package first has read it.
PACKAGE = (ROOT / "rnn_examples" / "__init__.py").read_text()
version = release = re.search('__version__ = "(.+)"', PACKAGE)[1]
language = "en"
extensions = [
    "myst_nb",
    "fork_executor",
    "example",
    "katex_math",
    "site_look",
    "section_search",
    "blocks",
    "claims",
    "copy_code",
    "take_home",
    "api",
    "publish",
    "error_lookup",
    "home",
]
exclude_patterns = ["_build"]
templates_path = ["docs/_templates"]
nitpicky = True

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
nb_execution_mode = "force"  # the cache cannot see an edited module
nb_execution_raise_on_error = True
nb_execution_timeout = 60  # seconds a cell; a page takes about 5
# torch.distributed.tensor: what the first assert_close imports, half a second.
nb_execution_preload = ["torch", "torch.distributed.tensor", "matplotlib.pyplot"]
nb_merge_streams = True

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["docs/_static"]
html_css_files = ["site.css", "blocks.css"]
html_js_files = ["site.js"]
html_favicon = "docs/_static/favicon.svg"
html_math_renderer = "katex"
html_copy_source = False
html_show_sphinx = False
html_use_index = False  # the API's page and the search are one
html_domain_indices = False
html_baseurl = SITE_URL
html_context = {
    "site_url": SITE_URL,
    "repository": REPOSITORY,
    "build_date": build_date(ROOT),
    "torch_version": version_of("torch").partition("+")[0],
    "description_of_site": "Sequential data and recurrent networks in PyTorch: "
    "every printed output is executed by the build and held by a test.",
}
html_theme_options = {"show_navbar_depth": 1, "use_download_button": False}
autodoc_default_options = {"members": True, "member-order": "bysource"}
add_module_names = False  # the title says it
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # a function as it is named, not <function ...>
autodoc_inherit_docstrings = False  # torch's are not in this shape
nitpick_ignore_regex = [("py:class", r"rnn_examples\..*\.(P|Hx)")]  # type variables
# Pages whose sentences do not all stand as claims yet; a finished one leaves it.
claims_due: list[str] = []
search_messages = "recurrence/errors"  # where a pasted exception belongs
search_help = ["recurrence/errors", "reference/notation"]
# Publishers' pages, where a DOI leads, refuse programs.
linkcheck_ignore = [r"https://doi\.org/"]
linkcheck_retries = 2
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide"
