"""rnn_examples.recurrence.limits: what torch's layers do today, and what ours do.

Red when torch catches up: correct TRIALS then, and the page says so by itself.
"""

import ast
import dataclasses
import functools
import json
import logging
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples import GRU, LSTM, RNN
from rnn_examples.recurrence.limits import (
    KINDS,
    TRIALS,
    agrees,
    as_said,
    outcome,
    works_for,
)

ROOT = Path(__file__).parents[2]
OURS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
# What each release says is its own affair; the site's is pinned.
SITES = torch.__version__.startswith("2.13.")
pytestmark = [
    pytest.mark.skipif(not SITES, reason="the table is that of torch 2.13"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),
    # torch's exporter, of torch's own list of weights.
    pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights"),
]


@pytest.fixture(autouse=True)
def quiet():
    """Dynamo and the exporters log what they refuse."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
    torch._dynamo.reset()


def layers(kind, seed=0):
    torch.manual_seed(seed)
    return getattr(nn, kind)(3, 4), OURS[kind](3, 4)


@functools.cache
def outcomes(what, kind):
    """What torch's layer says to a trial, and what ours does."""
    theirs, ours = layers(kind)
    return outcome(TRIALS[what].run, theirs), outcome(TRIALS[what].run, ours)


@pytest.mark.claim(
    "limits-whole-tables",
    kind="exhaustive",
    budget="23 trials, three kinds of layer, torch's and ours",
    false="test_a_table_that_says_otherwise_is_seen",
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TRIALS)
def test_each_cell_of_the_tables_is_what_happens(what, kind):
    trial, (theirs, ours) = TRIALS[what], outcomes(what, kind)
    assert agrees(trial, ours, trial.ours.get(kind, "")), ours
    why = f"torch has changed? {theirs!r}: correct TRIALS"
    assert agrees(trial, theirs, trial.torchs.get(kind, "")), why


@pytest.mark.parametrize("what", TRIALS)
def test_a_table_that_says_otherwise_is_seen(what):
    trial = TRIALS[what]
    for kind in KINDS:
        for got, said in zip(
            outcomes(what, kind), (trial.torchs, trial.ours), strict=True
        ):
            other = "" if kind in said else "another error"
            if not trial.onednn or torch.backends.mkldnn.is_available():
                assert not agrees(trial, got, other)


def test_a_trial_that_gives_other_numbers_fails():
    class Other(RNN):
        def forward(self, input, hx=None):
            output, h_n = super().forward(input, hx)
            return (2 * output, h_n) if input.dim() == 2 else (output, h_n)

    trial = TRIALS["vmap over the sequences of a batch"]
    assert outcome(trial.run, Other(3, 4)).startswith("AssertionError")


def test_without_onednn_nothing_is_said_of_it(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    trial = TRIALS["forward-mode derivative, `jvp`"]
    wrong = {"RNN": "no such error"}
    assert as_said(trial, nn.RNN(3, 4), wrong)
    assert not as_said(dataclasses.replace(trial, onednn=False), nn.RNN(3, 4), wrong)


def test_works_for_in_words():
    assert works_for({}) == "all"
    assert works_for(dict.fromkeys(KINDS, "an error")) == "none"
    assert works_for({"LSTM": "an error"}) == "RNN, GRU"
    assert works_for({"RNN": "an error", "GRU": "an error"}) == "LSTM"


def test_each_thread_is_one_at_github():
    for trial in TRIALS.values():
        assert re.fullmatch(r"([\w-]+/[\w-]+#\d+)?", trial.thread)
    assert sum(bool(t.thread) for t in TRIALS.values()) >= 12


# -------------------------------------------------------- what the page says besides


def compilations(cls, lengths):
    """How often a layer is compiled for batches of these lengths; all are right."""
    torch._dynamo.reset()
    layer, counter = cls(3, 4), torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(layer, backend=counter)
    for T in lengths:
        x = torch.randn(T, 2, 3)
        assert_close(compiled(x), layer(x))
    return counter.frame_count


@pytest.mark.claim(
    "limits-compiled-anew",
    kind="exhaustive",
    budget="RNN, LSTM, GRU; lengths 3 to 13",
    false="test_another_limit_is_seen",
)
@pytest.mark.parametrize("kind", KINDS)
def test_each_length_is_compiled_anew_up_to_eight(kind):
    assert compilations(OURS[kind], range(3, 8)) == 5
    assert compilations(OURS[kind], range(3, 14)) == 8
    assert compilations(getattr(nn, kind), range(3, 8)) == 0


def test_another_limit_is_seen():
    with torch._dynamo.config.patch(recompile_limit=4):
        assert compilations(RNN, range(3, 14)) == 4


def exported(layer, sizes):
    any_B = {"input": {1: torch.export.Dim("B", min=2, max=50)}}
    x = torch.randn(5, 4, 3)
    program = torch.export.export(layer, (x,), dynamic_shapes=any_B)
    for shape in sizes:
        x = torch.randn(*shape, 3)
        assert_close(program.module()(x), layer(x))


@pytest.mark.claim(
    "limits-export-batch",
    kind="exhaustive",
    budget="three kinds, torch's and ours; exported with 4 sequences, run with 3 and 7",
    false="test_another_length_is_refused_by_what_was_exported",
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_layer_takes_any_batch_size(kind):
    for layer in layers(kind):
        exported(layer, [(5, 3), (5, 7)])


@pytest.mark.parametrize("kind", KINDS)
def test_another_length_is_refused_by_what_was_exported(kind):
    for layer in layers(kind):
        with pytest.raises(AssertionError, match="Guard failed"):
            exported(layer, [(6, 4)])


# --------------------------------------------------------------- the page's speed


def speeds_of(page):
    """The rows of the page's table, which its cell holds as a literal."""
    cell = re.search(r"^speeds = (\[.*?^\])$", page, re.M | re.S)
    return ast.literal_eval(cell[1])


def test_the_page_quotes_the_benchmark_that_was_run():
    page = (ROOT / "docs" / "reference" / "limits.md").read_text()
    kept = json.loads((ROOT / "tests" / "benchmarks" / "packed.json").read_text())
    assert speeds_of(page) == kept["rows"]
    where, words = kept["where"], " ".join(page.split())
    assert f"torch {where['torch'].partition('+')[0]}" in words
    for word in (where["date"], where["processor"].replace("(R)", "")):
        assert word in words
    assert where["sizes"] == {"B": 16, "I": 32, "H": 64} and where["threads"] == 1
