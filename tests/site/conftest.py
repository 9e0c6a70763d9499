"""The whole site, built once for the tests that read it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(root: Path, out: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(root)]
        + ["-d", str(out / "doctrees"), str(root / "docs"), str(out / "html")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "random"},
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The folder that ``make html`` would publish."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def html_elsewhere(tmp_path_factory):
    """The same, from a copy of the project in another folder."""
    root = tmp_path_factory.mktemp("elsewhere") / "a" / "copy"
    skip = shutil.ignore_patterns("_build", "__pycache__")
    shutil.copytree(ROOT / "docs", root / "docs", ignore=skip)
    shutil.copytree(ROOT / "rnn_examples", root / "rnn_examples", ignore=skip)
    shutil.copy(ROOT / "conf.py", root)
    return build(root, root / "docs" / "_build")
