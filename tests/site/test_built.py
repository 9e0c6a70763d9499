"""The built files: the same from every build, and nothing from elsewhere."""

import hashlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> dict[str, str]:
    """Path -> sha256 of everything that a server would publish."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".buildinfo"
    }


def test_the_published_site_is_what_any_folder_and_one_build_make(html, html_elsewhere):
    ours, theirs = files(html), files(html_elsewhere)
    left = sorted(set(ours) - set(theirs))
    assert not left, f"of a page that is gone; make clean html: {left}"
    assert ours == theirs
    assert len(ours) > 50


def test_no_page_names_a_folder_of_this_machine(html):
    for page in html.rglob("*.html"):
        assert str(ROOT) not in page.read_text()


def test_nothing_is_loaded_from_elsewhere(html):
    for page in html.rglob("*.html"):
        loads = (
            r"""<(?:script|img|source|iframe)[^>]*src=["']([^"']*)|<link[^>]*href="""
        )
        loads += r"""["']([^"']*)"""
        for found in re.findall(loads, page.read_text()):
            assert not re.match(r"(https?:)?//", "".join(found)), found


def test_every_asset_has_its_version_licence_and_hash():
    assets = tomllib.loads((ROOT / "docs" / "_vendor" / "ASSETS.toml").read_text())
    known = {}
    for package in assets.values():
        assert package["version"] and package["licence"] and package["use"]
        known |= dict(package["files"])
    folders = [ROOT / "docs" / "_vendor", ROOT / "docs" / "_static" / "vendor"]
    there = {
        str(p.relative_to(ROOT)): f"sha256:{hashlib.sha256(p.read_bytes()).hexdigest()}"
        for folder in folders
        for p in folder.rglob("*")
        if p.is_file() and p.name != "ASSETS.toml"
    }
    assert there == known
