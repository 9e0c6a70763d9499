"""tools/setup_env.py: what it says when it cannot set up, on any Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(root, before="", **env):
    """setup_env.py of a copy of the project, in a Python made to lack something."""
    (root / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup_env.py", root / "tools")
    for name in ("requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    code = f"import sys, runpy; {before}\n"
    code += f"runpy.run_path({str(root / 'tools/setup_env.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | env,
    )
    assert done.returncode == 1 and not (root / ".venv" / ".installed").exists()
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


OLD = "sys.version_info = (3, 8, 0, 'final', 0)"


def test_python_too_old(tmp_path):
    said = run(tmp_path / "p", OLD, PATH=str(tmp_path))
    assert "Python 3.8 is too old; this project needs 3.11" in said
    assert "Install one, then name it: make html PYTHON=python3.11" in said


def test_it_names_the_first_python_that_works(tmp_path):
    """python3.11 is there and lacks venv, as on Debian; 3.12 and 3.13 work."""
    for minor, status in [(11, 1), (12, 0), (13, 0)]:
        program = tmp_path / f"python3.{minor}"
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
    said = run(tmp_path / "p", OLD, PATH=str(tmp_path))
    assert "Use the one that is here: make html PYTHON=python3.12" in said


def test_no_pip_or_venv(tmp_path):
    said = run(tmp_path / "p", "sys.modules['ensurepip'] = None")
    assert "no ensurepip" in said and "apt install python3-venv" in said


def test_no_network(tmp_path):
    dead = "--index-url http://127.0.0.1:9/simple --retries 0 --no-cache-dir"
    said = run(tmp_path / "p", PIP_ARGS=dead, PIP_FIND_LINKS="", PIP_NO_INDEX="")
    assert "pip could not install" in said and "needs the network" in said
