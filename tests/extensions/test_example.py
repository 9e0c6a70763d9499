"""{example} MODULE [N] is the docstring's code, cut where it prints."""

import example
import pytest

MODULE = '''"""Title.

>>> x = 1
>>> x + 1
2
>>> for i in range(2):
...     print(i)
0
1

More words start a new block:

>>> y = 3
"""
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text(MODULE)
    (tmp_path / "pkg" / "bare.py").write_text('"""No doctest."""\n')
    return tmp_path


def test_a_cell_ends_where_the_docstring_prints(root):
    assert example.cells_of("pkg.mod", root) == [
        ("x = 1\nx + 1\n", "2\n", "example-pkg.mod-1-0"),
        ("for i in range(2):\n    print(i)\n", "0\n1\n", "example-pkg.mod-1-1"),
        ("y = 3\n", "", "example-pkg.mod-2-2"),
    ]


def test_one_block(root):
    (cell,) = example.cells_of("pkg.mod", root, 2)
    assert cell.source == "y = 3\n"


def test_a_fence_becomes_code_cells_and_a_dependency(root):
    noted = []
    text = example.expand("a\n\n```{example} pkg.mod 2\n```\n\nb", root, noted.append)
    assert text == (
        "a\n\n```{code-cell}\n:tags: [example-pkg.mod-2-2]\ny = 3\n```\n\nb"
    )
    assert noted == [str(root / "pkg" / "mod.py")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pkg.none", "no module pkg.none"),
        ("pkg.bare", "the docstring of pkg.bare holds no doctest"),
        ("pkg.mod 3", "pkg.mod has 2 blocks; got block 3"),
        ("pkg.mod 0", "pkg.mod has 2 blocks; got block 0"),
        ("pkg.mod two", r"needs MODULE \[N\]; got 'pkg.mod two'"),
        ("", r"needs MODULE \[N\]"),
    ],
)
def test_errors(root, words, message):
    with pytest.raises(example.ExampleError, match=message):
        example.expand(f"```{{example}} {words}\n```\n", root)


def test_the_error_names_the_page(site):
    site.index("a")
    site.page("a", prose="```{example} pkg.none\n```")
    assert "html: docs/a.md: no module pkg.none" in site.build().stderr
