"""Sphinx settings; the reason stands beside each unusual one."""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [ROOT, os.path.join(ROOT, "docs", "_extensions")]


# Read by matplotlib in the pages: one look, and no random ids in an SVG.
os.environ["MATPLOTLIBRC"] = os.path.join(ROOT, "docs", "matplotlibrc")

project = "Recurrent networks, proven"
author = "The maintainers"
copyright = "2026, the maintainers"
extensions = ["myst_nb", "fork_executor", "example"]
exclude_patterns = ["_build"]
html_theme = "sphinx_book_theme"
html_title = project
nb_execution_mode = "force"  # the cache cannot see an edited module
nb_execution_raise_on_error = True
myst_enable_extensions = ["dollarmath"]
