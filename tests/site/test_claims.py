"""Every check of a claim refuses the false version of its sentence."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_check_fails_on_the_false_version_of_its_sentence():
    command = [sys.executable, ROOT / "tools" / "mutate_pages.py", "--claims"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    refused, number = re.search(r"refused (\d+) of (\d+)", done.stdout).groups()
    assert refused == number and int(number) > 0, "no page has a claim"
