"""tools/check.py: what passed is not run twice, and a failure hides nothing."""

import re
from pathlib import Path

import check
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    (tmp_path / "page.md").write_text("one")

    def run(again=False, **codes):
        steps = {name: [["-c", code]] for name, code in codes.items()}
        return {k: r.said for k, r in check.check(tmp_path, steps, again).items()}

    run.root = tmp_path
    return run


def test_what_passed_for_these_files_is_not_run_again(run, capfd):
    code = "print('it ran')"
    assert run(test=code) == {"test": "ok"}
    assert run(test=code) == {"test": "passed before"}
    assert capfd.readouterr().out.count("it ran") == 1
    assert run(test=code, again=True) == {"test": "ok"}
    (run.root / "page.md").write_text("two")
    assert run(test=code) == {"test": "ok"}


def test_a_failure_is_run_again_and_the_rest_runs_too(run):
    assert run(lint="exit(3)", test="") == {"lint": "FAILED", "test": "ok"}
    assert run(lint="exit(3)", test="") == {"lint": "FAILED", "test": "passed before"}
    assert run(test="exit(1)", again=True) == {"test": "FAILED"}
    assert run(test="") == {"test": "ok"}


def test_an_edit_while_a_step_runs_counts(run):
    edit = "open('page.md', 'w').write('in the middle')"
    assert run(test=edit) == {"test": "ok"}
    assert run(test="") == {"test": "ok"}


def test_every_command_of_a_step_runs_and_one_failure_is_enough(tmp_path, capfd):
    commands = [["-c", "exit(1)"], ["-c", "print('the second')"]]
    assert not check.check(tmp_path, {"lint": commands})["lint"].good
    assert "the second" in capfd.readouterr().out


def test_the_browser_runs_beside_the_others_and_is_shown_after_them(run, capfd):
    wait = "import pathlib, time\nwhile not pathlib.Path('docs/_build/go').exists():"
    wait += " time.sleep(0.01)\nprint('seen')"
    go = "import pathlib\npathlib.Path('docs/_build/go').touch()\nprint('went')"
    steps = {"html": "", "test-browser": wait, "test": go}
    assert set(run(**steps).values()) == {"ok"}
    assert re.search("went.*seen", capfd.readouterr().out, re.S)


def test_without_a_site_the_browser_has_nothing_to_look_at(run):
    results = run(html="exit(1)", **{"test-browser": ""}, lint="")
    assert results == {
        "html": "FAILED",
        "test-browser": "not run, needs html",
        "lint": "ok",
    }


def test_a_step_that_does_not_exist(monkeypatch):
    monkeypatch.setattr("sys.argv", ["check.py", "tset"])
    with pytest.raises(SystemExit, match="no step tset; there are html, "):
        check.main()


def test_the_end_is_a_table_and_an_exit_code(monkeypatch, tmp_path, capfd):
    steps = {"lint": [["-c", "exit(1)"]], "test": [["-c", ""]]}
    monkeypatch.setattr(check, "STEPS", steps)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["check.py"])
    with pytest.raises(SystemExit) as end:
        check.main()
    assert end.value.code == 1
    lines = capfd.readouterr().out.splitlines()[-3:]
    wanted = [r"lint +\d+\.\d s  FAILED", r"test +\d+\.\d s  ok", r"in all +\d+\.\d s"]
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.search(pattern, line)


def test_each_step_has_a_target_of_its_name():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.M))
    assert set(check.STEPS) <= targets
