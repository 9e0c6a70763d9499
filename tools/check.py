"""Everything that continuous integration runs: python tools/check.py [STEP]

    make check          every step, and a table of what each took
    make test           one step, as make lint, make types and make test-browser

A step that has passed for exactly these files and packages is not run again
by `make check`; one that is asked for by its name always is. A step that fails
does not keep the others from running: one run should tell all.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from build import what_is_read

ROOT = Path(__file__).resolve().parent.parent
# Step -> what Python runs for it, one after another.
STEPS = {
    "html": [["tools/build.py"]],
    "test-browser": [["-m", "pytest", "-m", "browser", "tests/site"]],
    "lint": [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "codespell_lib"],
    ],
    "types": [["-m", "mypy"]],
    "test": [["-m", "pytest", "-n", "auto"]],
    "mutants": [["tools/mutate.py", "--sample", "60"]],
    "page-mutants": [["tools/mutate_pages.py", "--sample", "60"]],
}
NEEDS = {"test-browser": "html"}
# It waits for pages to settle more than it computes, so it runs beside the rest.
BESIDE = ("test-browser",)
KNOWS_ITSELF = ("html",)  # whether there is anything to do


class Result(NamedTuple):
    good: bool
    said: str
    seconds: float = 0.0


class Passed:
    """Which steps have passed with these files and packages."""

    def __init__(self, root: Path):
        self.folder = root / "docs" / "_build" / "passed"
        self.these = what_is_read(root)  # an edit while a step runs is not in it

    def holds(self, step: str) -> bool:
        note = self.folder / step
        return note.exists() and note.read_text() == self.these

    def note(self, step: str, good: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / step).write_text(self.these if good else "")


class Step:
    """A step that has been started; output: a file, or None for the terminal."""

    def __init__(self, root: Path, commands: list[list[str]], output=None):
        self.root = root
        self.rest = list(commands)
        self.output = output
        self.begun = time.monotonic()
        self.start_next()

    def start_next(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *self.rest.pop(0)],
            cwd=self.root,
            stdout=self.output,
            stderr=self.output,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def end(self) -> Result:
        good = self.process.wait() == 0
        while self.rest:  # each of them has something to say
            self.start_next()
            good = self.process.wait() == 0 and good
        seconds = time.monotonic() - self.begun
        return Result(good, "ok" if good else "FAILED", seconds)


def say(line: str) -> None:
    print(f"check: {line}", flush=True)


def check(root: Path, steps: dict, again: bool = False) -> dict[str, Result]:
    """Run the steps, with again also those that have passed; how each ended."""
    passed, results = Passed(root), {}
    beside: dict[str, Step] = {}
    with contextlib.ExitStack() as files:
        for number, (step, commands) in enumerate(steps.items(), 1):
            where = f"{step}, {number} of {len(steps)}"
            needed = results.get(NEEDS.get(step))
            if needed and not needed.good:
                results[step] = Result(False, f"not run, needs {NEEDS[step]}")
            elif passed.holds(step) and step not in KNOWS_ITSELF and not again:
                say(f"{where}: passed before, nothing has changed")
                results[step] = Result(True, "passed before")
            elif step in BESIDE and len(steps) > 1:
                say(f"{where}: runs beside the next steps, its output after theirs")
                output = files.enter_context(tempfile.TemporaryFile())
                beside[step] = Step(root, commands, output)
            else:
                say(where)
                results[step] = Step(root, commands).end()
                passed.note(step, results[step].good)
        for step, running in beside.items():
            results[step] = running.end()
            passed.note(step, results[step].good)
            say(f"{step}, {results[step].said}; its output:")
            running.output.seek(0)
            print(running.output.read().decode(), flush=True)
    return results


def main() -> None:
    names = sys.argv[1:]
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        sys.exit(f"check: no step {unknown[0]}; there are {', '.join(STEPS)}")
    begun = time.monotonic()
    chosen = {step: STEPS[step] for step in names or STEPS}
    try:
        results = check(ROOT, chosen, again=bool(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\ncheck: interrupted")
    if len(results) > 1:
        for step in chosen:
            _, said, seconds = results[step]
            say(f"{step:14} {seconds:6.1f} s  {said}")
        say(f"{'in all':14} {time.monotonic() - begun:6.1f} s")
    sys.exit(not all(result.good for result in results.values()))


if __name__ == "__main__":
    main()
