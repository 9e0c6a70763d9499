"""How pytest compares what a doctest prints: one place for names it keeps private."""

import _pytest.doctest as pytests

FLAGS = ("NUMBER", "NORMALIZE_WHITESPACE", "ELLIPSIS")  # as in pyproject.toml
NEEDS = ("_get_checker", "_get_flag_lookup")

missing = [name for name in NEEDS if not hasattr(pytests, name)]
if missing:
    raise ImportError(
        f"_pytest.doctest has no {', '.join(missing)} any more; "
        "tools/doctest_checker.py needs what took its place"
    )


def flags() -> int:
    """FLAGS as one number, as doctest takes them."""
    lookup = pytests._get_flag_lookup()
    return sum(lookup[name] for name in FLAGS)


def checker():
    """pytest's doctest.OutputChecker, which knows NUMBER."""
    return pytests._get_checker()


def agrees(want: str, got: str) -> bool:
    """Whether a doctest that wants this passes when it gets that."""
    return checker().check_output(want, got, flags())
