"""Fixtures that tests of more than one folder use."""

import pytest

from tests.sites import Site


@pytest.fixture
def site(tmp_path):
    """A small site in a folder of its own, built by the same driver."""
    return Site(tmp_path / "site")
