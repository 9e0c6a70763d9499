"""The package as others get it: a wheel, a copied folder, its names."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import rnn_examples
from tests.sites import CONF

ROOT = Path(__file__).parents[2]
NO_CACHE = shutil.ignore_patterns("__pycache__")


def python(code: str, *options: str) -> str:
    """What a Python prints that knows of no folder but those the code names."""
    done = subprocess.run(
        [sys.executable, "-I", *options, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built without the network from a copy: setuptools writes where it reads."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("rnn_examples", "tests", "tools"):
        shutil.copytree(ROOT / name, folder / "project" / name, ignore=NO_CACHE)
    for name in ("pyproject.toml", "README.md", "LICENSE", "conf.py"):
        shutil.copy(ROOT / name, folder / "project")
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-q"]
    command += ["--no-build-isolation", "-w", str(folder), str(folder / "project")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "unpacked")
    return wheel.parent / "unpacked"


def test_the_wheel_holds_the_package_and_nothing_else(unpacked):
    def files(folder):
        paths = (p for p in folder.rglob("*") if p.is_file())
        names = {p.relative_to(folder).as_posix() for p in paths}
        return {name for name in names if "__pycache__" not in name}

    assert files(unpacked / "rnn_examples") == files(ROOT / "rnn_examples")
    assert {"py.typed", "data/co2.csv"} < files(unpacked / "rnn_examples")
    assert {p.name.partition("-")[0] for p in unpacked.iterdir()} == {"rnn_examples"}


def test_an_installation_keeps_the_torch_that_is_there(unpacked):
    """torch alone is needed, without an upper bound, the site's release among them."""
    (folder,) = unpacked.glob("*.dist-info")
    metadata = importlib.metadata.PathDistribution(folder).metadata
    (needs,) = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    assert needs.name == "torch" and {s.operator for s in needs.specifier} == {">="}
    (pin,) = re.findall(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert needs.specifier.contains(pin)
    assert metadata["Requires-Python"] == ">=3.11"
    assert "# Recurrent networks in PyTorch" in metadata.get_payload()


def test_the_version_is_the_same_everywhere(wheel):
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {rnn_examples.__version__}\n" in citation
    assert wheel.name.startswith(f"rnn_examples-{rnn_examples.__version__}-")


def test_torch_is_imported_with_the_first_layer(unpacked):
    said = python(f"""
import sys
sys.path.insert(0, {str(unpacked)!r})
import rnn_examples
assert rnn_examples.__file__.startswith({str(unpacked)!r}), rnn_examples.__file__
assert "torch" not in sys.modules and "LSTM" in dir(rnn_examples)
from rnn_examples import GRU, LSTM, RNN
from rnn_examples.data.loaders import sunspots
import torch
for layer in RNN(3, 4), LSTM(3, 4), GRU(3, 4):
    print(*layer(torch.randn(5, 2, 3))[0].shape, end=", ")
print(*sunspots().shape)
""")
    assert said == "5 2 4, 5 2 4, 5 2 4, 309 2"


def test_a_copied_folder_knows_its_version(tmp_path):
    """Without an installation, without torch: -S leaves site-packages out."""
    shutil.copytree(ROOT / "rnn_examples", tmp_path / "rnn_examples", ignore=NO_CACHE)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import rnn_examples"
    code += "; print(rnn_examples.__version__, rnn_examples.__file__)"
    version, file = python(code, "-S").split()
    assert version == rnn_examples.__version__ and file.startswith(str(tmp_path))


def test_an_unknown_name_is_refused_as_python_does():
    with pytest.raises(AttributeError) as ours:
        rnn_examples.LTSM  # noqa: B018
    with pytest.raises(AttributeError) as theirs:
        ast.LTSM  # noqa: B018
    assert str(ours.value) == str(theirs.value).replace("ast", "rnn_examples")
    with pytest.raises(ImportError, match="cannot import name 'LTSM' from 'rnn_ex"):
        exec("from rnn_examples import LTSM")


def test_a_type_checker_reads_the_modules_that_python_imports():
    tree = ast.parse(Path(rnn_examples.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    seen = {a.name: f"{i.module}" for i in imports for a in i.names}
    del seen["import_module"], seen["TYPE_CHECKING"]
    found = {name: getattr(rnn_examples, name) for name in rnn_examples.__all__}
    assert seen == {name: layer.__module__ for name, layer in found.items()}
    assert [layer.__name__ for layer in found.values()] == rnn_examples.__all__


def test_a_copy_of_the_site_shows_its_own_package(site):
    """Though the environment has this project installed: its pages would lie."""
    site.conf(CONF.replace("[ROOT, ", "["))  # as conf.py, which names no package
    site.write("rnn_examples/__init__.py", "WHOSE = 'of the copy'")
    site.index("a")
    site.page("a", "import rnn_examples\nrnn_examples.WHOSE")
    site.ran()
    assert "of the copy" in site.published()["a.html"].decode()
