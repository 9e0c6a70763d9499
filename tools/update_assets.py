"""Fetch the third-party files that the site serves or a test uses.

    python tools/update_assets.py

To move to a new release, edit its version in docs/_vendor/ASSETS.toml and run
this: it fetches each package with ``npm pack``, copies the files, and writes
their sha256 beside the version and the licence. Needs npm and the network;
building and testing need neither, since the files are committed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "docs" / "_vendor" / "ASSETS.toml"
# package: (path in it, folder here)
COPIES = {
    "katex": [
        ("dist/katex.min.js", "docs/_vendor"),
        ("dist/katex.min.css", "docs/_static/vendor/katex"),
        ("dist/fonts/*.woff2", "docs/_static/vendor/katex/fonts"),
        ("LICENSE", "docs/_static/vendor/katex"),
    ],
    "axe-core": [
        ("axe.min.js", "docs/_vendor/axe"),
        ("LICENSE", "docs/_vendor/axe"),
    ],
    "minisearch": [
        ("dist/umd/index.js", "docs/_static/vendor/minisearch"),
        ("LICENSE.txt", "docs/_static/vendor/minisearch"),
    ],
    "@fortawesome/fontawesome-free": [
        ("LICENSE.txt", "docs/_static/vendor/icons"),
        ("webfonts/fa-solid-900.woff2", "docs/_static/vendor/icons"),
    ],
}
# The theme's icons that its templates and style sheet use, by code point: the
# whole font weighs 115 kB, these weigh 2.
ICONS = """f002 search  f185 sun  f186 moon  f042 half circle  f0c9 bars  f03a list
f104 left  f105 right  f054 f077 f078 chevrons  f058 check  f05a info  f071 warning
f06a exclamation  f057 times  f0eb light bulb  f019 download  f35d external
f010 search minus  f064 share  f0f3 bell  f303 pencil  f00d close"""


def pack(package: str, version: str, folder: Path) -> Path:
    """Download and unpack one npm package; the folder of its files."""
    spec = f"{package}@{version}"
    done = subprocess.run(
        ["npm", "pack", "--silent", spec], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"assets: npm could not fetch {spec}: {done.stderr.strip()[-300:]}")
    shutil.unpack_archive(folder / done.stdout.split()[-1], folder)
    return folder / "package"


def subset(font: Path, tmp: Path) -> None:
    """Keep only ICONS; the page asks for this font under the theme's name."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", tmp / "pip"]
    subprocess.run([*pip, "brotli"], check=True)
    sys.path.append(str(tmp / "pip"))
    from fontTools.subset import main

    codes = ",".join(re.findall(r"\bf[0-9a-f]{3}\b", ICONS))
    small = tmp / "small.woff2"
    main([str(font), f"--unicodes={codes}", "--flavor=woff2", f"--output-file={small}"])
    shutil.copy(small, font)


def main() -> None:
    if not shutil.which("npm"):
        sys.exit("assets: this needs npm, which fetches the packages; found none")
    known = tomllib.loads(ASSETS.read_text())
    text = "# Written by tools/update_assets.py; edit a version and run it again.\n"
    for package, copies in COPIES.items():
        version = known[package]["version"]
        files = []
        print(f"assets: {package} {version}", flush=True)
        with tempfile.TemporaryDirectory() as tmp:
            source = pack(package, version, Path(tmp))
            for pattern, folder in copies:
                target = ROOT / folder
                target.mkdir(parents=True, exist_ok=True)
                for path in sorted(source.glob(pattern)):
                    shutil.copy(path, target)
                    files.append(target / path.name)
                    if path.name == "fa-solid-900.woff2":
                        subset(files[-1], Path(tmp))
        text += f'\n["{package}"]\nversion = "{version}"\n'
        text += f'licence = "{known[package]["licence"]}"\n'
        text += f'use = "{known[package]["use"]}"\nfiles = [\n'
        for path in sorted(files):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            text += f'  ["{path.relative_to(ROOT)}", "sha256:{digest}"],\n'
        text += "]\n"
    ASSETS.write_text(text)


if __name__ == "__main__":
    main()
