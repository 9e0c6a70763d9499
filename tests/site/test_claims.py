"""Every check of a claim refuses the false version of its sentence."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = """
import json, sys
from pathlib import Path
sys.path.insert(0, "tools")
import mutate_pages as m

root, found = Path.cwd(), {}
m.prepare()
pages = [p for p in m.pages_of(root) if ":fails-if:" in p.read_text()
         or "\\nfails-if:" in p.read_text()]
m.each_page(lambda page: m.false_versions(page, root), pages,
            lambda page, what: found.update({str(page.relative_to(root)): what}))
print(json.dumps(found))
"""


def test_each_check_fails_on_the_false_version_of_its_sentence():
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    pages = json.loads(done.stdout.splitlines()[-1])
    assert pages, "no page has a claim"
    for page, found in pages.items():
        assert found.get("failed") is None, f"{page}: {found}"
        assert found["left"] == [], f"{page}: the check holds for what is false"
