"""python -m rnn_examples: each module as one file that needs only torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_examples import __version__, one_file
from rnn_examples.__main__ import main

ROOT = Path(__file__).parents[2]
NAMES = list(one_file.modules())


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Every module's copy, each alone in a folder, as the command writes it."""
    root = tmp_path_factory.mktemp("copies")
    for name in NAMES:
        assert main(["copy", name, f"{root / name}/"]) == 0
    return root


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ALONE = """
import doctest, importlib, importlib.util, json, pickle, sys
from pathlib import Path
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])  # tools/
from doctest_checker import checker, flags
sys.path[:] = [p for p in sys.path if not Path(p, "rnn_examples").exists()]
assert importlib.util.find_spec("rnn_examples") is None
import torch
said = {}
for folder in sorted(Path(sys.argv[2]).iterdir()):
    (path,) = folder.glob("*.py")
    sys.path.insert(0, str(folder))
    module = importlib.import_module(path.stem)
    runner = doctest.DocTestRunner(checker(), verbose=False, optionflags=flags())
    out = []
    for test in doctest.DocTestFinder(recurse=False).find(module):
        torch.manual_seed(0)
        runner.run(test, out=out.append)
    said[folder.name] = [runner.tries, "".join(out)]
    for name in ("RNN", "LSTM", "GRU"):
        if name in vars(module):
            ours, theirs = vars(module)[name](3, 4), getattr(torch.nn, name)(3, 4)
            theirs.load_state_dict(ours.state_dict())
            x = torch.randn(5, 2, 3, requires_grad=True)
            torch.testing.assert_close(ours(x), theirs(x))
            pull = torch.randn(5, 2, 4)
            gradients = [
                torch.autograd.grad(f(x)[0], [x, *f.parameters()], pull)
                for f in (ours, theirs)
            ]
            torch.testing.assert_close(*gradients)
            again = pickle.loads(pickle.dumps(ours))
            torch.testing.assert_close(again(x), ours(x))
            said[folder.name] += [name]
    del sys.path[0]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(copies):
    """What the copies say where there is no rnn_examples."""
    return json.loads(python(ALONE, str(ROOT / "tools"), str(copies)))


@pytest.mark.parametrize("name", NAMES)
def test_the_doctests_of_a_copy_pass_where_the_package_is_not(said, name):
    tries, failures = said[name][:2]
    assert tries > 1
    assert not failures, failures


@pytest.mark.parametrize(
    ("name", "layer"),
    [("gates.lstm", "LSTM"), ("gates.gru", "GRU"), ("recurrence.layers", "RNN")],
)
def test_a_copied_layer_is_torchs_and_can_be_pickled(said, name, layer):
    assert layer in said[name]


def test_a_copy_names_the_package_in_its_origin_alone(copies):
    for path in copies.rglob("*.py"):
        code = re.sub(r'^r?""".*?"""', "", path.read_text(), count=1, flags=re.S)
        assert "import rnn_examples" not in code and "from rnn_examples" not in code


def test_a_copy_says_whence_it_is_and_its_licence():
    words = " ".join(one_file.one_file("gates.lstm").split())
    assert (
        f"From rnn_examples {__version__}, gates.lstm; MIT licence, copyright" in words
    )
    license = (ROOT / "LICENSE").read_text()
    assert one_file.COPYRIGHT.lower() in license.lower()


def test_a_copy_imports_itself_under_the_name_of_its_file(tmp_path):
    assert main(["copy", "gates.lstm", str(tmp_path / "mine.py")]) == 0
    assert ">>> from mine import LSTM" in (tmp_path / "mine.py").read_text()


def test_ruff_has_nothing_to_say_of_a_copy(copies):
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["check"], ["format", "--diff"]):
        command = [*ruff, *words, "--config", str(ROOT / "pyproject.toml"), str(copies)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_type_checker_has_nothing_to_say_of_a_copy(copies):
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += ["--untyped-calls-exclude=torch", "--explicit-package-bases"]
    command += ["--config-file=", "--cache-dir", str(Path(sys.prefix) / "mypy")]
    files = [str(path) for path in sorted(copies.rglob("*.py"))]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_a_copy_brings_the_data_that_it_reads(copies):
    names = {path.name for path in (copies / "data.loaders").iterdir()}
    assert names == {"loaders.py", "co2.csv", "sunspots.csv"}
    assert len(list((copies / "gates.lstm").iterdir())) == 1


def test_a_copy_takes_only_what_it_uses():
    text = one_file.one_file("recurrence.elman")
    assert "Step: TypeAlias" in text
    assert "class Params" not in text and "dataclass" not in text


# ------------------------------------------------------------ how it is inlined


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the test's own: package(a="source of part.a", ...)."""
    monkeypatch.setattr(one_file, "HERE", tmp_path)

    def package(**sources):
        (tmp_path / "part").mkdir(exist_ok=True)
        for name, text in sources.items():
            (tmp_path / "part" / f"{name}.py").write_text(f'"""Title."""\n\n{text}')

    return package


def test_what_is_used_through_others_comes_first(package):
    package(
        a="import os\nimport sys\n\nONE = os.sep\nTWO = sys.path\n",
        b="from rnn_examples.part.a import ONE\n\n\ndef f():\n    return ONE\n",
        c="from rnn_examples.part.b import f\n\nTHREE = f()\n",
    )
    text = one_file.one_file("part.c")
    assert "import os" in text and "import sys" not in text and "TWO" not in text
    names = {}
    exec(text, names)
    assert names["THREE"] == names["ONE"] == "/"


def test_a_name_that_would_mean_two_things_is_refused(package):
    package(
        a="def f():\n    return g()\n\n\ndef g():\n    return 1\n",
        b="from rnn_examples.part.a import f\n\n\ndef g():\n    return f()\n",
    )
    with pytest.raises(ValueError, match=r"part\.b and part\.a both define g"):
        one_file.one_file("part.b")


def test_an_import_that_would_mean_two_things_is_refused(package):
    package(
        a="from math import floor as f\n\n\ndef g():\n    return f(1.5)\n",
        b="from math import ceil as f\nfrom rnn_examples.part.a import g\n\nX = f, g\n",
    )
    with pytest.raises(ValueError, match=r"f is .*floor.* and .*ceil"):
        one_file.one_file("part.b")


def test_a_renamed_neighbor_is_refused(package):
    package(a="ONE = 1\n", b="from rnn_examples.part.a import ONE as X\n\nY = X\n")
    with pytest.raises(ValueError, match="it renames"):
        one_file.one_file("part.b")


# ------------------------------------------------------------------ the command


def test_list_names_every_module_and_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; sys.path.insert(0, sys.argv[1])\n"
    code += "from rnn_examples.__main__ import main; main(['list'])"
    lines = python(code, str(ROOT)).splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert "gates.lstm" in NAMES and len(NAMES) > 15
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("word", ["gates/lstm.py", "rnn_examples.gates.lstm"])
def test_a_module_is_known_by_its_path_too(tmp_path, word):
    assert main(["copy", word, str(tmp_path / "x.py")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("copy lstm x.py", "no module 'lstm'; did you mean gates.lstm?"),
        ("copy gates.lstn x.py", "no module 'gates.lstn'; did you mean gates.lstm"),
        ("copy nothing x.py", "no module 'nothing'; python -m rnn_examples list names"),
        ("copy gates.lstm there.py", "there.py exists; --force writes over it"),
        ("copy gates.lstm gates.gru there.py", "is a file; 2 modules need a folder"),
        ("copy gates.lstm a-b.py", "need a folder (with a / at its end), or a file"),
        ("copy gates.lstm lstm", "need a folder (with a / at its end), or a file"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("there.py").write_text("mine")
    assert main(arguments.split()) == 1
    assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["there.py"]
    assert Path("there.py").read_text() == "mine"


def test_force_writes_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there.py").write_text("mine")
    assert main(["copy", "--force", "gates.lstm", "there.py"]) == 0
    assert "class LSTM" in Path("there.py").read_text()


def test_several_modules_go_into_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["copy", "gates.lstm", "gates.gru", "layers"]) == 0
    assert capsys.readouterr().out.split() == ["layers/lstm.py", "layers/gru.py"]
    assert Path("layers/gru.py").exists()


def test_the_commands_on_the_page_run(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "reference" / "code.md").read_text()
    commands = re.findall(r"^python -m rnn_examples (.*)$", page, re.M)
    assert len(commands) == 3
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert main(command.split()) == 0
    (program,) = re.findall(r"```python\n(.*?)```", page, re.S)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {}
    exec(program, names)
    assert names["LSTM"].__module__ == "my_lstm"


def test_a_banner_stands_above_each_module_of_several(copies):
    """And none above the only one."""
    found = [
        re.findall(r"^# -- ([\w.]+) -+$", path.read_text(), re.M)
        for path in copies.rglob("*.py")
    ]
    assert [] in found and all(len(names) != 1 for names in found)
