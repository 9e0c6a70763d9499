"""tools/build.py: one line for each way to fail, and the last html as it was."""

import fcntl
import signal
import subprocess
import time

import pytest

from tests.sites import CONF


@pytest.fixture
def good(site):
    site.index("a")
    site.page("a", "1 + 1")
    assert site.ran() == {"index", "a"}
    return site


def fails(site, *words, **env):
    """The build fails, says these words on one line, and publishes nothing."""
    before = site.published()
    done = site.build(**env)
    assert done.returncode == 1
    lines = [x for x in done.stderr.splitlines() if x.startswith("html: ")]
    assert all(word in lines[0] for word in words), done.stderr
    assert lines[1] == "html: docs/_build/html is the last good build"
    assert site.published() == before
    assert not (site.root / "docs" / "_build" / "next").exists()
    return done


def test_a_page_that_raises_names_page_cell_line_and_exception(good):
    good.page("a", "x = 1", "y = 2\nx / 0")
    where = "docs/a.md, code cell 2, line 2 of the cell (x / 0)"
    done = fails(good, where, "ZeroDivisionError: division by zero")
    assert "Traceback" in done.stderr


def test_an_error_in_a_module_names_the_line_of_the_cell(good):
    good.write("helper.py", "def f():\n    raise KeyError('lost')\n")
    good.page("a", "import helper\n\nhelper.f()")
    fails(good, "code cell 1, line 3 of the cell (helper.f())", "KeyError: 'lost'")


def test_a_syntax_error_names_its_line(good):
    good.page("a", "x = 1\nx = = 2")
    fails(good, "code cell 1, line 2 of the cell (x = = 2)", "SyntaxError")


def test_a_page_past_its_time_limit(good):
    good.conf(CONF + "nb_execution_timeout = 1\n")
    good.page("a", "x = 1", "while True: pass")
    fails(good, "docs/a.md, code cell 2", "passed its time limit of 1 s")


def test_a_page_whose_process_dies(good):
    good.page("a", "import os\nos.kill(os.getpid(), 9)")
    fails(good, "docs/a.md, code cell 1", "ended its process")


def test_a_warning(good):
    good.page("a", prose="[gone](nowhere.md)")
    done = fails(good, "warnings count as errors")
    assert "a.md:9: WARNING" in done.stderr


def test_a_full_disk(good):
    full = "def setup(app):\n    app.connect('build-finished', fill)\n"
    full += "def fill(app, error):\n    open('/dev/full', 'w', 1).write('x\\n')\n"
    good.conf(CONF + full)
    fails(good, "the disk is full")


def test_two_builds_at_once(good):
    with (good.root / "docs" / "_build" / ".lock").open("r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        before, done = good.published(), good.build()
    assert done.returncode == 1 and "another build (process " in done.stderr
    assert good.published() == before


def test_a_build_that_is_killed_leaves_the_html_and_the_next_one_works(good):
    before = good.published()
    good.page("a", "import time\ntime.sleep(60)")
    running = subprocess.Popen(good.command(), stdout=subprocess.PIPE)
    assert b"reading and running 1 of 2 pages" in running.stdout.readline()
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert good.published() == before
    good.page("a", "2 + 2")
    assert good.ran() == {"a"}
    assert b"4" in good.published()["a.html"]


def test_nothing_changed_runs_nothing_and_writes_nothing(good):
    pages = [good.html / "a.html", good.html / "index.html"]
    dates, before = [p.stat().st_mtime_ns for p in pages], good.published()
    done = good.build()
    assert "nothing has changed" in done.stdout and "open " in done.stdout
    assert [p.stat().st_mtime_ns for p in pages] == dates
    assert good.published() == before


def test_nothing_changed_does_not_start_sphinx(good):
    good.conf(CONF + "if 'LATE' in os.environ: raise SystemError('conf.py was read')")
    assert good.build().returncode == 0
    assert "nothing has changed" in good.build(LATE="1").stdout
    good.write("docs/data.csv", "1\n")
    assert "conf.py was read" in good.build(LATE="1").stderr


@pytest.mark.parametrize("lost", ["a.html", "_static/basic.css"])
def test_a_published_file_that_is_lost_comes_back(good, lost):
    before = good.published()
    (good.html / lost).unlink()
    assert good.build().returncode == 0
    assert good.published() == before


def test_an_edit_while_a_build_runs_is_seen_by_the_next(site):
    site.index("a")
    runs, edited = site.root / "docs" / "_build" / "runs", site.root / "edited"
    wait = "from pathlib import Path\n"
    wait += f"Path({str(runs)!r}).touch()\n"
    wait += f"while not Path({str(edited)!r}).exists(): pass\n"
    site.page("a", wait + "3 + 3")
    running = subprocess.Popen(site.command(), stdout=subprocess.PIPE)
    while not runs.exists():
        assert running.poll() is None
        time.sleep(0.01)
    site.page("a", "4 + 4")
    edited.touch()
    running.communicate()
    assert b">6\n<" in site.published()["a.html"]
    assert site.ran() == {"a"}
    assert b">8\n<" in site.published()["a.html"]


def test_a_first_build_that_fails_promises_no_html(site):
    site.index("a")
    site.page("a", "1 / 0")
    done = site.build()
    assert done.returncode == 1 and not site.html.exists()
    assert "last good build" not in done.stderr
