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


def test_python_too_old(tmp_path):
    said = run(tmp_path / "p", "sys.version_info = (3, 8, 0, 'final', 0)")
    assert "Python 3.8 is too old; this project needs 3.11" in said


def test_no_pip_or_venv(tmp_path):
    said = run(tmp_path / "p", "sys.modules['ensurepip'] = None")
    assert "no ensurepip" in said and "apt install python3-venv" in said


def test_no_network(tmp_path):
    dead = "--index-url http://127.0.0.1:9/simple --retries 0 --no-cache-dir"
    said = run(tmp_path / "p", PIP_ARGS=dead, PIP_FIND_LINKS="", PIP_NO_INDEX="")
    assert "pip could not install" in said and "needs the network" in said
