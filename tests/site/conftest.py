"""The published site, and one built from a copy of the project elsewhere."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, **env: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | env,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def html():
    """The folder that `make html` publishes, built where that is needed."""
    folder = ROOT / "docs" / "_build"
    folder.mkdir(exist_ok=True)
    with (folder / ".tests").open("w") as mine:  # one test process at a time
        fcntl.flock(mine, fcntl.LOCK_EX)
        run(ROOT / "tools" / "build.py")
    return folder / "html"


@pytest.fixture(scope="session")
def html_elsewhere(tmp_path_factory):
    """The whole site, built at once, from a copy of the project."""
    root = tmp_path_factory.mktemp("elsewhere") / "a" / "copy"
    skip = shutil.ignore_patterns("_build", "__pycache__")
    for folder in ("docs", "rnn_examples"):
        shutil.copytree(ROOT / folder, root / folder, ignore=skip)
    shutil.copy(ROOT / "conf.py", root)
    docs, out = root / "docs", root / "docs" / "_build"
    sphinx = ["-m", "sphinx", "-q", "-W", "-c", root, "-d", out / "doctrees"]
    # The copy's own modules, where Python would take the installed ones.
    env = {"PYTHONPATH": str(root), "PYTHONHASHSEED": "random"}
    run(*sphinx, docs, out / "html", **env)
    return out / "html"
