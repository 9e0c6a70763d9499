"""Every block of code, as the copy button gives it, runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]


def blocks_of(page: Path) -> dict:
    """id: (setup, ids of the blocks before, code, may raise) of a built page."""
    soup = BeautifulSoup(page.read_text(), "html.parser")
    blocks = {}
    for block in soup.select("[id^=code-]:has(> div.highlight)"):
        cell = block.find_parent("div", class_="cell")
        raises = bool(cell) and "tag_raises-exception" in cell["class"]
        code = block.select_one("pre").get_text().rstrip()
        needs = block.get("data-needs", "").split()
        blocks[block["id"]] = (block.get("data-setup", ""), needs, code, raises)
    return blocks


def copied(blocks: dict, name: str) -> str:
    """What copy.js puts on the clipboard."""
    setup, needs, code, _ = blocks[name]
    return (
        "\n\n".join(filter(None, [setup, *(blocks[n][2] for n in needs), code])) + "\n"
    )


@pytest.fixture(scope="module")
def pages(html):
    paths = [p for p in sorted(html.rglob("*.html")) if "_modules" not in p.parts]
    found = {str(p.relative_to(html)): blocks_of(p) for p in paths}
    # tests/package/test_one_file.py runs this one's, beside the file that it needs.
    del found["reference/code.html"]
    return {name: blocks for name, blocks in found.items() if blocks}


def test_a_copied_block_knows_each_of_its_names(pages, tmp_path):
    for page, blocks in pages.items():
        for name in blocks:
            file = tmp_path / f"{page.replace('/', '-')}-{name}.py"
            file.write_text(copied(blocks, name))
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821"]
    done = subprocess.run([*command, "-q", tmp_path], capture_output=True, text=True)
    assert done.stdout == ""


RUN = Path(__file__).with_name("run_copied.py")


def test_every_copied_block_runs(pages):
    jobs = {
        page: [
            [name, setup, [[blocks[n][2], blocks[n][3]] for n in [*needs, name]]]
            for name, (setup, needs, _, _) in blocks.items()
        ]
        for page, blocks in pages.items()
    }
    done = subprocess.run(
        [sys.executable, RUN],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout, done.stdout
