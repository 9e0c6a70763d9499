"""Sphinx settings; the reason stands beside each unusual one."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# The kernels of the pages import rnn_examples from here.
os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))

project = "Recurrent networks, proven"
author = "The maintainers"
copyright = "2026, the maintainers"
extensions = ["myst_nb"]
exclude_patterns = ["_build"]
html_theme = "sphinx_book_theme"
html_title = project
nb_execution_mode = "force"  # the cache cannot see an edited module
nb_execution_raise_on_error = True
myst_enable_extensions = ["dollarmath"]
