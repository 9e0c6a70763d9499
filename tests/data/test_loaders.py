"""rnn_examples.data: every file has its provenance, and loads as numpy reads it."""

import hashlib
import tomllib

import numpy as np
import pytest

from rnn_examples.data import loaders

FILES = tomllib.loads((loaders.HERE / "PROVENANCE.toml").read_text())["file"]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_each_file_has_provenance_and_each_provenance_a_file():
    ours = {"__init__.py", "loaders.py", "PROVENANCE.toml"}
    there = {p.name for p in loaders.HERE.iterdir() if p.is_file()} - ours
    assert there == {f["name"] for f in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f["name"])
def test_each_file_is_the_one_that_was_taken(file):
    data = (loaders.HERE / file["name"]).read_bytes()
    assert digest(data) == file["sha256"]
    assert digest(data.replace(b"5", b"6", 1)) != file["sha256"]
    header, *rows = data.decode().replace('"', "").splitlines()
    assert header.split(",") == list(file["columns"])
    assert len(rows) == file["rows"]
    assert sum(row.endswith(",") for row in rows) == file["missing"]
    for key in ("what", "package", "version", "path", "source", "licence"):
        assert file[key]


def test_sunspots_equal_numpy():
    theirs = np.genfromtxt(loaders.HERE / "sunspots.csv", delimiter=",", skip_header=1)
    assert loaders.sunspots().shape == (309, 2)
    np.testing.assert_array_equal(loaders.sunspots().numpy(), theirs)


def test_co2_equals_numpy():
    theirs = np.genfromtxt(
        loaders.HERE / "co2.csv", delimiter=",", skip_header=1, dtype="U8,f8"
    )
    dates = np.array(
        [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in theirs["f0"]], dtype="datetime64[D]"
    )
    day, ppm = loaders.co2()
    np.testing.assert_array_equal(day.numpy(), (dates - dates[0]).astype(float))
    np.testing.assert_array_equal(ppm.numpy(), theirs["f1"])
    assert set(np.diff(day.numpy())) == {7.0}


def test_the_comparison_can_fail():
    wrong = loaders.sunspots()
    wrong[3, 1] += 1e-9
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(loaders.sunspots().numpy(), wrong.numpy())
