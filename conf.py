"""Sphinx settings; the reason stands beside each unusual one."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parent
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

# Read by matplotlib in the pages: one look, and no random ids in an SVG.
os.environ["MATPLOTLIBRC"] = str(ROOT / "docs" / "matplotlibrc")

# The pages' tensors are small: a second thread would only wait for the first,
# and on a busy machine it waits long. One thread also adds in one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "Recurrent networks in PyTorch"
author = "The maintainers"
copyright = "2026, the maintainers; text CC BY 4.0, code MIT"
language = "en"
extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "fork_executor",
    "example",
    "katex_math",
    "site_look",
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
html_css_files = ["site.css"]
html_favicon = "docs/_static/favicon.svg"
html_math_renderer = "katex"
html_copy_source = False
html_show_sphinx = False
html_use_index = False  # no page describes an API yet, so it would be empty
html_context = {
    "default_mode": "auto",  # the theme sets it too late, or not at all
    "description_of_site": "Sequential data and recurrent networks in PyTorch: "
    "every printed output is executed by the build and held by a test.",
}
html_theme_options = {
    "navbar_persistent": [],  # else a second search box
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 2,
    "back_to_top_button": False,
    "footer_content_items": ["copyright.html"],
}
html_sidebars = {
    "**": ["site-name.html", "search-button-field.html", "sbt-sidebar-nav.html"]
}
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide"
# Code is what readers copy: not its output, not a prompt.
copybutton_selector = ":not(.output) > div.highlight > pre"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
