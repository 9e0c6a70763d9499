"""The files that GitHub and Read the Docs read: valid, pinned, and only make."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "dependabot": [GITHUB / "dependabot.yml"],
    "github-issue-forms": sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")),
    "readthedocs": [ROOT / ".readthedocs.yaml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
}


def check(schema: str, *files: Path) -> subprocess.CompletedProcess:
    """Hold files against a schema that check-jsonschema brings along."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command += [f"vendor.{schema}", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_fits_its_schema(schema):
    done = check(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ("github-workflows", "runs-on: ubuntu", "run-on: ubuntu"),
        ("dependabot", "interval: monthly", "interval: sometimes"),
        ("readthedocs", "jobs:", "job:"),
    ],
)
def test_a_mistake_is_found(schema, right, wrong, tmp_path):
    text = SCHEMAS[schema][0].read_text()
    assert right in text
    copy = tmp_path / "copy.yml"
    copy.write_text(text.replace(right, wrong))
    assert check(schema, copy).returncode != 0


def jobs_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text())["jobs"]


def steps() -> list[tuple[str, dict]]:
    jobs = [(path.name, job) for path in WORKFLOWS for job in jobs_of(path).values()]
    return [(name, step) for name, job in jobs for step in job.get("steps", ())]


def targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_every_action_is_pinned_by_commit_and_names_its_release():
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines()]
    uses = [line.partition("uses:")[2].strip() for line in lines if "uses:" in line]
    others = [use for use in uses if not use.startswith("./")]
    assert len(others) > 5
    pins = {}
    for use in others:
        action, sha, release = re.fullmatch(
            r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", use
        ).groups()
        assert pins.setdefault(action, (sha, release)) == (sha, release)
    for use in set(uses) - set(others):
        assert (ROOT / use).is_file()


def test_a_step_calls_make_and_its_targets_exist():
    allowed = {"pages.yml": "git ", "weekly.yml": "gh issue create "}
    asked = set()
    for name, step in steps():
        command = step.get("run")
        if command and not command.startswith(allowed.get(name, "nothing else")):
            assert command.startswith("make "), f"{name}: {command}"
            words = command.split()[1:]
            asked.update(word for word in words if re.fullmatch(r"[\w-]+", word))
            assert not re.search(r"[;&|`$]", command.replace("${{ matrix.", ""))
    matrix = jobs_of(GITHUB / "workflows" / "weekly.yml")["long"]["strategy"]["matrix"]
    asked.update(matrix["target"])
    assert {"html", "test", "check", "test-torch", "weekly", "linkcheck"} <= asked
    assert asked <= targets()


def test_make_is_all_that_read_the_docs_builds_with():
    jobs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())["build"]["jobs"]
    assert jobs["install"] == ["make .venv/.installed"]
    build, *copies = jobs["build"]["html"]
    assert build.endswith("make html")
    assert all(command.startswith(("mkdir ", "cp ")) for command in copies)


def test_nobody_may_do_more_than_the_job_needs():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] in ({}, {"contents": "read"}), path.name
        assert "concurrency" in workflow, path.name
        for name, job in workflow["jobs"].items():
            assert "uses" in job or job["timeout-minutes"] <= 180, (path.name, name)
            if "pull_request" in workflow[True]:  # YAML's word for "on"
                rights = job.get("permissions", {})
                safe = all(right == "read" for right in rights.values())
                assert safe or job.get("needs") == "check", name
    assert all("secrets." not in path.read_text() for path in WORKFLOWS)
