"""The fork executor writes what stock kernels write, byte for byte."""

import os
import re
import subprocess
import sys

CELLS = [
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 + 1",
    ":tags: [raises-exception]\ndef f():\n    return {}['k']\n\n\nf()",
    ":tags: [raises-exception]\n1 +",
    ":tags: [hide-input]\nimport matplotlib.pyplot as plt\n"
    "plt.plot([1, 2], [3, 4])\nplt.show()",
    ":tags: [remove-cell]\nfrom myst_nb import glue\n"
    "glue('number', 1.2345, display=False)",
    "from IPython.display import HTML, clear_output\nHTML('<b>bold</b>')",
    "clear_output()\nimport pickle, dataclasses\n\n\n"
    "@dataclasses.dataclass\nclass P:\n    x: int\n\n\n"
    "pickle.loads(pickle.dumps(P(3)))",
    "class A:\n    pass\n\n\nA.__module__, __name__",
    "import torch\n\ntorch.manual_seed(0)\ntorch.randn(2, 3)",
    "'last';",
]


def build(site, out, *options):
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-c", ".", *options]
        + ["-d", f"{out}-dt/doctrees", "docs", f"{out}/html"],
        cwd=site.root,
        capture_output=True,
        text=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "0"},
    )
    assert done.returncode == 0, done.stderr
    root = site.root / out / "html"
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and p.name != ".buildinfo"
    }


def test_equal_to_stock_kernels(site):
    site.index("a")
    site.page("a", *CELLS, prose="The number is {glue:text}`number:.2f`.")
    ours = build(site, "ours")
    assert ours == build(site, "stock", "-D", "nb_execution_fork=0")
    html = ours["a.html"].decode()
    text = re.sub("<[^>]*>", "", html)
    for word in ["out", "err", "KeyError", "SyntaxError", "number is 1.23", "P(x=3)"]:
        assert word in text
    assert any(name.endswith(".svg") for name in ours)
    assert "<b>bold</b>" in html and "__main__" in text


def test_each_page_starts_clean(site):
    site.index("a", "b")
    site.page("a", "import json\njson.leak = secret = 1\nimport rnn_leak")
    site.write("rnn_leak.py", "")
    site.page(
        "b", "import sys, json\nassert not hasattr(json, 'leak')\n'secret' in dir()"
    )
    html = build(site, "ours")["b.html"].decode()
    assert "False" in re.sub("<[^>]*>", "", html)


def test_a_moved_myst_nb_is_reported(monkeypatch):
    import fork_executor
    import pytest
    from sphinx.errors import ConfigError

    monkeypatch.delattr(fork_executor.stock_parser, "create_client")
    with pytest.raises(ConfigError, match="myst_nb.sphinx_ has no create_client"):
        fork_executor.install(None, None)
