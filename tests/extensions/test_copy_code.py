"""What a block needs of a page, from the names that it reads."""

import ast

import pytest
from copy_code import cell_block, changed, complete, reads_and_binds, shown_setup


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("x = 1\nx + y", {"y"}),
        ("x + 1\nx = 1", {"x"}),
        ("x += 1", {"x"}),
        ("for i in xs:\n    i", {"xs"}),
        ("[f(i) for i in xs if i > low]", {"f", "xs", "low"}),
        ("def f(a, b=c):\n    return a + d + e\ne = 1", {"c", "d"}),
        ("def f(x: Tensor) -> Tensor: ...", {"Tensor"}),
        ("g = lambda a: a + b", {"b"}),
        ("print(len(x))", {"x"}),
        ("class A(B):\n    y = x", {"B", "x"}),
        ("f'{x:{width}}'", {"x", "width"}),
        ("with a() as b:\n    b", {"a"}),
    ],
)
def test_what_a_block_reads(source, reads):
    found = reads_and_binds(source)[0] - {"__name__", "__module__", "__qualname__"}
    assert found == reads


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x[0] = 1", {"x"}),
        ("x.a.b = 1", {"x"}),
        ("del x[0]", {"x"}),
        ("x += 1", {"x"}),
        ("x.zero_()", {"x"}),
        ("x.weight.data[0].mul_(2)", {"x"}),
        ("nn.init.zeros_(x.weight)", {"nn", "x"}),
        ("x.load_state_dict(y.state_dict())", {"x"}),
        ("x.mean()", set()),
        ("f(x)", set()),
        ("x.__len__()", set()),
    ],
)
def test_what_a_block_changes(source, names):
    assert changed(ast.parse(source)) == names


def page(*sources, raises=()):
    """The blocks of a page, each with what it needs."""
    blocks = []
    for number, source in enumerate(sources):
        block = cell_block(str(number), source, number in raises)
        complete(block, blocks)
        blocks.append(block)
    return blocks


def test_a_block_needs_who_bound_and_who_changed_its_names():
    *_, last = page("x = [1]", "y = 2", "x.append(3)", "z = y", "print(x)")
    assert last.needs == ["0", "2"]


def test_a_block_needs_the_last_that_bound_a_name():
    *_, last = page("x = 1", "x = 2", "print(x)")
    assert last.needs == ["1"]


def test_a_block_needs_what_the_others_need():
    *_, last = page("a = 1", "b = a", "def f():\n    return b", "f()")
    assert last.needs == ["0", "1", "2"]


def test_imports_come_along_and_not_their_block():
    _, last = page("import torch\nfrom math import pi as p\nz = 1", "torch.ones(p)")
    assert last.needs == []
    assert last.setup == "from math import pi as p\n\nimport torch"


def test_a_block_that_stands_alone_gets_nothing():
    _, last = page(
        "import torch\ntorch.manual_seed(0)", "import torch\nprint(torch.randn(1))"
    )
    assert (last.setup, last.needs) == ("", [])


def test_the_seed_and_the_dtype_come_along_to_what_runs():
    first = "import torch\ntorch.manual_seed(0)\ntorch.set_default_dtype(torch.float64)"
    _, definition, call = page(first, "def f():\n    return torch.randn(1)", "f()")
    assert definition.setup == "import torch"
    assert call.needs == ["1"]
    assert call.setup == (
        "import torch\n\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(0)"
    )


def test_the_seed_of_a_needed_block_is_not_set_twice():
    _, last = page("import torch\ntorch.manual_seed(0)\nx = 1", "torch.ones(x)")
    assert last.needs == ["0"]
    assert "manual_seed" not in last.setup


def test_nothing_goes_on_from_a_block_that_raises():
    *_, last = page("x = 1", "x = 2\n1 / 0", "print(x)", raises={1})
    assert last.needs == ["0"]


def test_a_shown_function_gets_the_imports_of_its_module():
    source = "def f(x: Tensor, s: State) -> Tensor:\n    return lstm_step(linear(x), s)"
    assert shown_setup(source, "gates.lstm").splitlines() == [
        "from torch import Tensor",
        "from torch.nn.functional import linear",
        "",
        "from rnn_examples.gates.lstm import lstm_step",
        "from rnn_examples.recurrence.sweep import State",
    ]


def test_a_shown_function_gets_the_names_of_its_variables_and_quotes():
    source = 'def f(x: "Params") -> None:\n    y: State = x'
    setup = shown_setup(source, "gates.lstm")
    assert setup == "from rnn_examples.recurrence.sweep import Params, State"


def test_a_page_of_the_site_gets_ids_and_attributes(site):
    conf = (site.root / "conf.py").read_text()
    site.conf(conf.replace('"katex_math"]', '"katex_math", "copy_code"]'))
    site.index("a")
    site.page("a", "import math\nx = 1", "print(math.pi, x)")
    done = site.build()
    assert done.returncode == 0, done.stderr
    text = site.published()["a.html"].decode()
    assert 'id="code-2" data-setup="import math" data-needs="code-1"' in text
