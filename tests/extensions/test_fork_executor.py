"""The fork executor writes what Jupyter kernels write, byte for byte."""

import json
import os
import re
import subprocess
import sys

import fork_executor
import myst_nb.core.execute as stock
import pytest
from myst_nb.core.config import NbParserConfig
from sphinx.errors import ConfigError

from tests.sites import CONF, HEAD

CELLS = [
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 + 1",
    ":tags: [raises-exception]\ndef f():\n    return {}['k']\n\n\nf()",
    ":tags: [raises-exception]\n1 +",
    ":tags: [hide-input]\nimport matplotlib.pyplot as plt\n"
    "plt.plot([1, 2], [3, 4])\nplt.show()",
    ":tags: [remove-cell]\nfrom myst_nb import glue\n"
    "glue('number', 1.2345, display=False)",
    "from IPython.display import HTML, clear_output, display\nHTML('<b>bold</b>')",
    "clear_output()\nimport pickle, dataclasses\n\n\n"
    "@dataclasses.dataclass\nclass P:\n    x: int\n\n\n"
    "pickle.loads(pickle.dumps(P(3)))",
    "class A:\n    pass\n\n\nA.__module__, __name__",
    "import torch\n\ntorch.manual_seed(0)\ntorch.randn(2, 3)",
    # A display that later lines and cells update, and one that is cleared.
    "shown = display(HTML('1st'), display_id='a')\nprint('between')\n"
    "shown.update(HTML('2nd'))\ndisplay(HTML('none'), display_id='b')",
    "display(HTML('3rd'), display_id='a')\nclear_output(wait=True)\nprint('new')",
    "shown.update(HTML('4th'))\ndisplay(HTML('none'), update=True, display_id='c')",
    "print('cleared')\nclear_output(wait=True)\nprint('this stays')",
    "!echo from a shell",
    ":tags: [raises-exception]\ninput()",
    "'last';",
]


def sphinx(site, out, *options, **env):
    return subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-c", ".", *options),
            *("-d", f"{out}-dt/doctrees", "docs", f"{out}/html"),
        ],
        cwd=site.root,
        capture_output=True,
        text=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "0"} | env,
    )


def files(site, out):
    root = site.root / out / "html"
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and p.name != ".buildinfo"
    }


def build(site, out, *options, **env):
    done = sphinx(site, out, "-W", *options, **env)
    assert done.returncode == 0, done.stderr
    return files(site, out)


def text_of(html):
    return re.sub("<[^>]*>", "", html.decode())


def test_equal_to_stock_kernels(site):
    site.index("a")
    site.page("a", *CELLS, prose="The number is {glue:text}`number:.2f`.")
    ours = build(site, "ours")
    assert ours == build(site, "stock", "-D", "nb_execution_fork=0")
    html = ours["a.html"].decode()
    text = text_of(ours["a.html"])
    for word in ["out", "err", "KeyError", "SyntaxError", "number is 1.23", "P(x=3)"]:
        assert word in text
    assert any(name.endswith(".svg") for name in ours)
    assert "<b>bold</b>" in html and "__main__" in text
    for shown in ["4th<", "between\n<", "new\n<", "this stays\n<", "from a shell\n<"]:
        assert html.count(">" + shown) == 1
    for gone in ["1st<", "2nd<", "3rd<", "cleared\n<"]:
        assert ">" + gone not in html


def test_each_page_starts_clean(site):
    site.index("a", "b")
    site.page("a", "import json\njson.leak = secret = 1\nimport rnn_leak")
    site.write("rnn_leak.py", "")
    site.page(
        "b", "import sys, json\nassert not hasattr(json, 'leak')\n'secret' in dir()"
    )
    assert "False" in text_of(build(site, "ours")["b.html"])


def test_a_parallel_build_writes_the_same(site):
    site.write("data.py", "x = 71\n")
    names = [f"page{n}" for n in range(8)]
    site.index(*names)
    for n, name in enumerate(names):
        site.page(name, *CELLS[1:4], f"from data import x\n\n{n}, x")
    serial = build(site, "serial")
    assert build(site, "parallel", "-j", "4") == serial
    for n, name in enumerate(names):
        assert f"({n}, 71)" in text_of(serial[f"{name}.html"])
    # What each worker saw its pages open came back with them.
    path = site.root / "data.py"
    before = path.stat()
    path.write_text("x = 72\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    later = build(site, "parallel", "-j", "4")
    assert all(f"({n}, 72)" in text_of(later[f"page{n}.html"]) for n in range(8))
    site.page("page3", "1", "n / 0")
    done = sphinx(site, "broken", "-j", "4")
    assert done.returncode and "docs/page3.md, code cell 2, line 1" in done.stderr


# ------------------------------------------------------------------- the options

FAIL = ["print('before')", "1 / 0", "print('after')"]
SLOW = ["print('before')\nwhile True:\n    pass"]
LISTED = ["import os\n\n'index.md' in os.listdir()"]

# Each option of MyST-NB: pages with settings, their cells, and a text that shows
# what came of it, in either way to run the cells.
OPTIONS = {
    "execution_mode": {
        "off": ({"execution_mode": "off"}, ["6 * 7"], "the end"),
        "force": ({"execution_mode": "force"}, ["6 * 7"], "42"),
        "auto": ({"execution_mode": "auto"}, ["6 * 7"], "42"),
        "cache": ({"execution_mode": "cache"}, ["6 * 7"], "42"),
        "inline": (
            {"execution_mode": "inline"},
            ["from data import x\n\ny = x"],
            "is 71",
        ),
    },
    "execution_cache_path": {
        "cache-here": (
            {"execution_mode": "cache", "execution_cache_path": "CACHE"},
            ["6 * 7"],
            "42",
        )
    },
    "execution_excludepatterns": {"exclude-me": ({}, ["6 * 7"], "the end")},
    "execution_timeout": {
        "slow": ({"execution_timeout": 1}, SLOW, "before"),
        "patient": ({"execution_timeout": -1}, ["6 * 7"], "42"),
    },
    "execution_in_temp": {
        "temporary": ({"execution_in_temp": True}, LISTED, "False"),
        "beside": ({"execution_in_temp": False}, LISTED, "True"),
    },
    "execution_allow_errors": {
        "allowed": ({"execution_allow_errors": True}, FAIL, "after")
    },
    # True is the other tests' way to build.
    "execution_raise_on_error": {"stops": ({}, FAIL, "before")},
    "execution_show_tb": {
        "shows": ({"execution_show_tb": True}, ["{}['traced']"], "traced")
    },
}
OTHERS = {
    "merged": ({"merge_streams": True}, ["print(1)\n3\nprint(2)"], "1\n2"),
    "no-source": ({"remove_code_source": True}, ["6 * 7"], "42"),
    "no-output": ({"remove_code_outputs": True}, ["6 * 7"], "the end"),
}
GLOBAL = """
nb_execution_raise_on_error = False
nb_execution_excludepatterns = ["exclude-*.md"]
nb_kernel_rgx_aliases = {"our.*": "python3"}
nb_custom_formats = {".cells": ["reader.read", {}]}
"""
READER = """
from nbformat import v4


def read(text, **_):
    return v4.new_notebook(cells=[v4.new_code_cell(text)])
"""


def pages(option):
    return OPTIONS.get(option, {}) | (OTHERS if option == "others" else {})


def notebook(source, output=None, **metadata):
    """A .ipynb file; with an output there is nothing to run in mode auto."""
    shown = {"output_type": "stream", "name": "stdout", "text": output}
    cell = {"cell_type": "code", "source": source, "execution_count": None}
    cell |= {"metadata": {}, "outputs": [shown] if output else []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python"}}
    title = {"cell_type": "markdown", "source": "# A notebook", "metadata": {}}
    whole = {"nbformat": 4, "nbformat_minor": 4, "cells": [title, cell, cell]}
    return json.dumps(whole | {"metadata": kernel | metadata})


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Files and messages of a site built in forks, and in Jupyter kernels."""
    from tests.sites import Site

    root = tmp_path_factory.mktemp("options")
    site = Site(root)
    site.conf(CONF + GLOBAL)
    site.write("data.py", "x = 71\n")
    site.write("reader.py", READER)
    names = ["alias", "stored", "lenient", "custom"]
    for option in [*OPTIONS, "others"]:
        for name, (settings, cells, _) in pages(option).items():
            names.append(name)
            given = json.dumps(settings).replace("CACHE", str(root / "cache"))
            inline = "It is {eval}`y`." if name == "inline" else ""
            site.page(name, *cells)
            path = site.root / "docs" / f"{name}.md"
            head = HEAD.replace("\n---\n\n", f"\nmystnb: {given}\n---\n\n", 1)
            text = path.read_text().replace(HEAD, head) + f"{inline}\n\nthe end\n"
            path.write_text(text)
    site.index(*sorted(names))
    site.page("alias", "6 * 7")
    alias = site.root / "docs" / "alias.md"
    alias.write_text(alias.read_text().replace("python3", "ourpython"))
    auto, may_raise = {"execution_mode": "auto"}, {"allow_errors": True}
    site.write("docs/stored.ipynb", notebook("1 / 0", "kept", mystnb=auto))
    site.write("docs/lenient.ipynb", notebook("1 / 0", execution=may_raise))
    site.write("docs/custom.cells", "6 * 7")
    found = {}
    for way, options in {"ours": [], "stock": ["-D", "nb_execution_fork=0"]}.items():
        done = sphinx(site, way, *options)
        assert done.returncode == 0, done.stderr
        found[way] = files(site, way), done.stderr
    return found["ours"], found["stock"]


def warnings_in(log, page):
    """What a build said of a page, without the details."""
    what = r"(Executing notebook failed: \w+|Notebook exception traceback saved|.*)"
    return re.findall(rf"{page}\.\w+: WARNING: {what}", log)


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_an_option_does_what_it_does_in_kernels(both, option):
    (ours, log), (stock, stock_log) = both
    for page, (_, _, shows) in pages(option).items():
        assert ours[f"{page}.html"] == stock[f"{page}.html"]
        text = text_of(ours[f"{page}.html"])
        assert shows in text
        assert ("42" in text) == (shows == "42")
        assert warnings_in(log, page) == warnings_in(stock_log, page)


def test_every_option_of_myst_nb_is_in_the_table():
    names = {field.name for field in NbParserConfig.get_fields()}
    assert {name for name in names if name.startswith("execution_")} == set(OPTIONS)


def test_other_options_do_what_they_do_in_kernels(both):
    (ours, _), (stock, _) = both
    for page, (_, _, shows) in OTHERS.items():
        assert ours[f"{page}.html"] == stock[f"{page}.html"]
        assert shows in text_of(ours[f"{page}.html"])
    for page, shows in {"alias": "42", "stored": "kept", "custom": "42"}.items():
        assert ours[f"{page}.html"] == stock[f"{page}.html"]
        assert shows in text_of(ours[f"{page}.html"])
    assert ours["lenient.html"] == stock["lenient.html"]
    assert text_of(ours["lenient.html"]).count("ZeroDivisionError") == 2


def test_what_goes_wrong_is_said(both):
    (ours, log), _ = both
    assert "slow.md, code cell 1: passed its time limit of 1 s" in log
    assert "stops.md, code cell 2, line 1 of the cell (1 / 0): ZeroDivision" in log
    assert "Traceback" in log and "KeyError: 'traced'" in log
    assert b"KeyError: 'traced'" in ours["reports/shows.err.log"]
    assert b"ZeroDivisionError" in ours["reports/stops.err.log"]


def test_a_page_that_failed_is_run_and_said_again(site):
    site.index("a")
    site.page("a", "from data import x\n\nx")
    site.conf(CONF + "nb_execution_raise_on_error = False\n")
    site.write("data.py", "x = 1 / 0\n")
    for _ in range(2):
        done = sphinx(site, "ours")
        assert done.returncode == 0 and "a.md: WARNING: Executing" in done.stderr
    site.write("data.py", "x = 7100\n")
    assert "7100" in text_of(build(site, "ours")["a.html"])
    assert sphinx(site, "ours").stderr == ""


def test_the_cache_is_where_it_should_be(both, tmp_path_factory):
    assert list(tmp_path_factory.getbasetemp().glob("options*/cache/global.db"))


# ------------------------------------------------------------------- the limits


def fails(site, message):
    done = site.build()
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1], done.stderr


def test_another_kernel_is_refused(site):
    site.index("a")
    site.page("a", "1 + 1")
    page = site.root / "docs" / "a.md"
    page.write_text(page.read_text().replace("python3", "ir"))
    fails(site, "docs/a.md: its kernel 'ir' is not this Python; name python3")


def test_which_kernel_is_this_python(tmp_path, monkeypatch):
    def kernel(name, language, program):
        spec = {"argv": [program], "language": language, "display_name": name}
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    fork_executor.is_this_python.cache_clear()
    kernel("ir", "R", "R")
    kernel("bash", "bash", sys.executable)
    kernel("mine", "python", sys.executable)
    kernel("also", "python", "python3")
    kernel("other", "python", "/somewhere/else/python3")
    names = ["python3", "ir", "bash", "mine", "also", "other", "none"]
    are = [fork_executor.is_this_python(name) for name in names]
    fork_executor.is_this_python.cache_clear()
    assert are == [True, False, False, True, True, False, False]


def test_a_widget_is_refused(site):
    site.index("a")
    view = "{'application/vnd.jupyter.widget-view+json': {'model_id': '1'}}"
    site.page("a", f"from IPython.display import display\ndisplay({view}, raw=True)")
    fails(site, "a widget needs a Jupyter kernel: set nb_execution_fork = False")


def test_a_package_that_cannot_be_imported(site):
    site.index("a")
    site.page("a", "1 + 1")
    site.conf(CONF + "nb_execution_preload = ['no_such_package']\n")
    fails(site, "docs/a.md: the process that runs the pages has ended; see above")
    assert "No module named 'no_such_package'" in site.build().stderr


class App:
    """What setup() is told of."""

    def __init__(self):
        self.values = {}

    def add_config_value(self, name, default, *_):
        self.values[name] = default

    def connect(self, *_):
        pass

    setup_extension = connect


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_forks_are_the_default_on_linux_alone(monkeypatch, system):
    app = App()
    monkeypatch.setattr(sys, "platform", system)
    fork_executor.setup(app)
    assert app.values["nb_execution_fork"] is (system == "linux")


def test_another_system_runs_kernels(site):
    site.index("a")
    site.page("a", "import os\n\nos.getppid() == int(os.environ['SPHINX'])")
    elsewhere = "import os, sys, types\ndel os.fork\nsys.modules['fcntl'] = None\n"
    elsewhere += CONF + "os.environ['SPHINX'] = str(os.getpid())\n"
    elsewhere += "import fork_executor\n"
    elsewhere += "fork_executor.sys = types.SimpleNamespace(platform='darwin')\n"
    site.conf(CONF + "os.environ['SPHINX'] = str(os.getpid())\n")
    assert "False" in text_of(build(site, "forks")["a.html"])
    site.conf(elsewhere)
    assert "True" in text_of(build(site, "kernels")["a.html"])
    done = sphinx(site, "forced", "-D", "nb_execution_fork=1")
    assert "nb_execution_fork = True: this system cannot fork" in done.stderr


# ---------------------------------------------------------- another MyST-NB


def changed(notebook, path, *, config):
    pass


def upcoming(
    notebook: dict,
    source: str,
    nb_config,
    logger,
    read_fmt: None | dict = None,  # noqa: RUF036, as myst-nb writes it
    *,
    kernel_manager_class: type | None = None,
) -> object:
    pass


def test_a_changed_myst_nb_is_reported(monkeypatch):
    fork_executor.check_myst_nb()
    monkeypatch.setattr(stock, "create_client", upcoming)
    fork_executor.check_myst_nb()
    monkeypatch.setattr(stock, "create_client", changed)
    with pytest.raises(ConfigError, match=r"is \(notebook, path, \*, config\): set"):
        fork_executor.check_myst_nb()


def test_a_moved_myst_nb_is_reported(monkeypatch):
    monkeypatch.delattr(fork_executor.stock_parser, "create_client")
    with pytest.raises(ConfigError, match="knows myst_nb's create_client"):
        fork_executor.check_myst_nb()


NEXT = """
import myst_nb.core.execute as execute, myst_nb.sphinx_ as parser

now = execute.create_client


def create_client(
    notebook, source, nb_config, logger, read_fmt=None, *, kernel_manager_class=None
):
    return now(notebook, source, nb_config, logger, read_fmt)


execute.create_client = create_client


class Parser(parser.Parser):
    def parse(self, *args):
        called = parser.create_client
        parser.create_client = lambda *a: called(*a, kernel_manager_class=None)
        super().parse(*args)
        parser.create_client = called


def setup(app):
    app.add_source_parser(Parser, override=True)
"""


def test_the_next_myst_nb_works(site):
    site.index("a")
    site.page("a", "import os\n\n40 + 2")
    site.conf(CONF + NEXT)
    assert "42" in text_of(build(site, "ours")["a.html"])
