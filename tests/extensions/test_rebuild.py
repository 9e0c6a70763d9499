"""An edit rebuilds the pages it affects, and only they."""

import os
import shutil

from tests.sites import CONF, ROOT

PACKAGE = "Metadata-Version: 2.1\nName: tensors\nVersion: {}\n"


def three_pages(site):
    """`mod` imports a module, `data` reads a file, `free` does neither."""
    site.conf(CONF)
    site.index("mod", "data", "free")
    site.write("rnn/__init__.py", "")
    site.write("rnn/one.py", '"""One.\n\n>>> 1 + 1\n2\n"""\nvalue = 1\n')
    site.write("rnn/numbers.csv", "1\n")
    site.page("mod", "from rnn.one import value\nvalue")
    read = "from pathlib import Path\nimport rnn\n"
    read += "(Path(rnn.__path__[0]) / 'numbers.csv').read_text()"
    site.page("data", read)
    site.page("free", ":tags: [raises-exception]\n1 +", "3")


def test_only_what_changed(site):
    three_pages(site)
    assert site.ran() == {"index", "mod", "data", "free"}
    assert site.ran() == set()
    site.write("rnn/one.py", '"""One.\n\n>>> 1 + 1\n2\n"""\nvalue = 71\n')
    assert site.ran() == {"mod"}
    assert b"71" in site.published()["mod.html"]
    site.write("rnn/numbers.csv", "82\n")
    assert site.ran() == {"data"}
    assert b"82" in site.published()["data.html"]
    site.page("free", "93")
    assert site.ran() == {"free"}
    assert b"93" in site.published()["free.html"]


def test_an_edit_of_the_same_length_and_date_counts(site):
    three_pages(site)
    site.ran()

    path = site.root / "rnn" / "numbers.csv"
    before = path.stat()
    path.write_text("2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert site.ran() == {"data"}


def test_an_example_depends_on_its_module(site):
    three_pages(site)
    text = "# A page\n\n```{example} rnn.one\n```\n"
    head = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
    site.write("docs/free.md", head + text)
    site.ran()
    site.write("rnn/one.py", '"""One.\n\n>>> 1 + 3\n4\n"""\nvalue = 1\n')
    assert site.ran() == {"mod", "free"}
    assert b">4\n<" in site.published()["free.html"]


def test_a_new_version_of_torch_runs_every_page_with_cells(site, tmp_path):
    def install(version):
        for old in tmp_path.glob("tensors-*"):
            shutil.rmtree(old)
        info = tmp_path / f"tensors-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(PACKAGE.format(version))

    three_pages(site)
    site.conf(CONF + "nb_execution_preload = ['tensors']\n")
    (tmp_path / "tensors.py").touch()
    lib = {"PYTHONPATH": str(tmp_path)}
    install("1.0")
    site.ran(**lib)
    assert site.ran(**lib) == set()
    install("1.1")
    assert site.ran(**lib) == {"mod", "data", "free"}
    assert '"torch"' in (ROOT / "conf.py").read_text().partition("preload = ")[2]


def test_a_failed_page_is_run_again(site):
    three_pages(site)
    site.ran()
    site.page("free", "1 / 0")
    assert site.build().returncode == 1
    assert site.build().returncode == 1
    site.page("free", "5")
    assert site.ran() == {"free"}


def test_an_edited_extension_runs_every_page(site):
    three_pages(site)
    site.write("ours/greet.py", "from other import setup\n")
    site.write("ours/other.py", "def setup(app):\n    pass\n")
    ours = "sys.path.append(os.path.join(ROOT, 'ours'))\nextensions += ['greet']\n"
    site.conf(CONF + ours)
    site.ran()
    assert site.ran() == set()
    site.write("ours/other.py", "def setup(app):\n    return\n")
    assert site.ran() == {"index", "mod", "data", "free"}
