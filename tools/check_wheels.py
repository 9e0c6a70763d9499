"""Find a wheel of every pin for every Python and platform that the README names.

    make check-wheels

pip resolves constraints.txt for each as if it ran there, from the index and the
wheels' metadata alone: nothing is built, nothing is installed, no wheel is
fetched whole. What those wheels depend on must be pinned too, and within the
range that they ask for; otherwise two installations could differ.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.11.0", "3.12.0", "3.13.0", "3.14.0"]
GLIBC = range(28, 4, -1)  # 2.28, which torch asks for, and all before it
PLATFORMS = {
    "Linux x86_64": [f"manylinux_2_{n}_x86_64" for n in GLIBC] + ["manylinux1_x86_64"],
    "Linux aarch64": [f"manylinux_2_{n}_aarch64" for n in GLIBC],
    "macOS arm64": ["macosx_14_0_arm64"],  # torch asks for 14
}
Wheels = dict[str, dict]  # by name, pip's report on each


def lines_of(name: str) -> list[str]:
    """The requirements of a file, without comments and options."""
    text = (ROOT / name).read_text()
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def resolve(pins: list[str], python: str, tags: list[str]) -> tuple[Wheels, list[str]]:
    """The wheels that pip would install there, and what it has no wheel of."""
    options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
    options += ["--only-binary", ":all:", "--use-feature", "fast-deps"]
    options += ["--target", "not-made", "--report", "-", "--python-version", python]
    for tag in tags:
        options += ["--platform", tag]
    left, misses = list(pins), []
    while True:  # pip stops at the first miss
        command = [sys.executable, "-m", "pip", "install", *options, *left]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            wheels = json.loads(done.stdout)["install"]
            return {name_of(wheel["metadata"]): wheel for wheel in wheels}, misses
        found = re.search(r"No matching distribution found for (\S+)", done.stderr)
        if not found or found[1] not in left:
            sys.exit(f"check-wheels: pip failed:\n{done.stderr}")
        left.remove(found[1])
        misses.append(f"{found[1]} has no wheel")


def name_of(metadata: dict) -> str:
    return canonicalize_name(metadata["name"])


def dependencies(metadata: dict, extras: set[str], environment: dict[str, str]):
    """What a package with these extras depends on in this environment."""
    for line in metadata.get("requires_dist", []):
        need = Requirement(line)
        if need.marker is None or any(
            need.marker.evaluate({**environment, "extra": extra})
            for extra in {"", *extras}
        ):
            yield need


def unpinned(wheels: Wheels, needs: list[str], environment: dict[str, str]):
    """What ``needs`` bring along that has no pin, or one out of range."""
    todo = [("requirements.txt", Requirement(line)) for line in needs]
    seen = set()
    while todo:
        by, need = todo.pop()
        if (by, str(need)) in seen:
            continue
        seen.add((by, str(need)))
        name = canonicalize_name(need.name)
        if name not in wheels:
            if by != "torch":  # whose CUDA libraries are its own choice
                yield f"{by} needs {need.name}, which has no pin"
            continue
        metadata = wheels[name]["metadata"]
        if not need.specifier.contains(metadata["version"], prereleases=True):
            yield f"{by} needs {need}, the pin is {metadata['version']}"
        more = dependencies(metadata, need.extras, environment)
        todo += [(name, inner) for inner in more]


def environment(python: str, platform: str) -> dict[str, str]:
    """What a marker of a requirement can ask about."""
    system, machine = platform.split()
    return {
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "platform_system": {"macOS": "Darwin"}.get(system, system),
        "sys_platform": {"macOS": "darwin"}.get(system, "linux"),
        "platform_machine": machine,
    }


def main() -> None:
    pins, needs = lines_of("constraints.txt"), lines_of("requirements.txt")
    misses = []
    print(f"check-wheels: {len(pins)} pins; wheels found, and the one of torch")
    for python in PYTHONS:
        for platform, tags in PLATFORMS.items():
            wheels, missing = resolve(pins, python, tags)
            missing += unpinned(wheels, needs, environment(python, platform))
            misses += [f"{python}, {platform}: {line}" for line in missing]
            url = wheels["torch"]["download_info"]["url"] if "torch" in wheels else ""
            torch = unquote(url.rpartition("/")[2])
            print(f"{python:8}{platform:14}{len(wheels):5}  {torch}", flush=True)
    for line in misses:
        print(line)
    if misses:
        sys.exit(f"check-wheels: {len(misses)} misses")


if __name__ == "__main__":
    main()
