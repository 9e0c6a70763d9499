"""rnn_examples.recurrence.output_recurrence against torch.nn.

torch's cell becomes a Jordan network when it is given the last output as part
of its input and never a state.
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rnn_examples.recurrence.output_recurrence import (
    JordanParams,
    as_elman,
    jordan_forward,
    jordan_step,
)

# T, B, I, H, O
SIZES = [(1, 1, 1, 1, 1), (5, 2, 3, 4, 6), (4, 1, 5, 2, 3), (2, 6, 1, 3, 2)]


def case(T, B, I, H, O):
    torch.manual_seed(T + 10 * B + 100 * I + 1000 * H)
    cell = nn.RNNCell(I + O, H, dtype=torch.float64)
    head = nn.Linear(H, O, dtype=torch.float64)
    x, y_0, targets = (
        torch.randn(s, dtype=torch.float64, requires_grad=True)
        for s in [(T, B, I), (B, O), (T, B, O)]
    )
    W_ih, W_yh = cell.weight_ih.split([I, O], dim=1)
    p = JordanParams(W_ih, W_yh, cell.bias_ih + cell.bias_hh, head.weight, head.bias)
    return cell, head, p, x, y_0, targets


def by_cell(cell, head, x, y_0, targets=None):
    y, ys = y_0, []
    for t in range(len(x)):
        y = head(cell(torch.cat([x[t], y], dim=1)))
        ys.append(y)
        if targets is not None:
            y = targets[t]
    return torch.stack(ys)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("forced", [False, True])
def test_values_and_gradients_equal_torch(sizes, forced):
    cell, head, p, x, y_0, targets = case(*sizes)
    targets = targets if forced else None
    ours = jordan_forward(x, y_0, p, targets)
    theirs = by_cell(cell, head, x, y_0, targets)
    assert_close(ours, theirs)
    used = [cell.weight_ih, cell.bias_ih, cell.bias_hh, head.weight, head.bias]
    leaves = [x, y_0, *used] + ([targets] if forced else [])
    pull = torch.randn_like(ours)
    assert_close(
        torch.autograd.grad(ours, leaves, pull, materialize_grads=True),
        torch.autograd.grad(theirs, leaves, pull, materialize_grads=True),
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_step_equals_cell_and_linear(sizes):
    cell, head, p, x, y_0, _ = case(*sizes)
    y = head(cell(torch.cat([x[0], y_0], dim=1)))
    assert_close(jordan_step(x[0], (y_0,), p), (y,))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_as_elman_has_the_same_outputs_in_torchs_rnn(sizes):
    _, head, p, x, _, _ = case(*sizes)
    _, B, I, H, _ = sizes
    rnn = nn.RNN(I, H, dtype=torch.float64)
    for mine, weight in zip(rnn.parameters(), as_elman(p), strict=True):
        mine.data = weight.detach()
    h_0 = torch.randn(1, B, H, dtype=torch.float64)
    output, _ = rnn(x, h_0)
    assert_close(jordan_forward(x, head(h_0[0]), p), head(output))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_teacher_forcing_is_one_batched_call(sizes):
    cell, head, p, x, y_0, targets = case(*sizes)
    T, B = sizes[:2]
    y_prev = torch.cat([y_0[None], targets[:-1]])
    flat = torch.cat([x, y_prev], dim=2).flatten(0, 1)  # (T*B, I+O)
    at_once = head(cell(flat)).unflatten(0, (T, B))
    assert_close(jordan_forward(x, y_0, p, targets), at_once)


def test_the_comparison_can_fail():
    cell, head, p, x, y_0, targets = case(5, 2, 3, 4, 6)
    theirs = by_cell(cell, head, x, y_0)
    for ours in (
        jordan_forward(x, y_0, p._replace(W_yh=2 * p.W_yh)),
        jordan_forward(x, 2 * y_0, p),
        jordan_forward(x, y_0, p, targets),
    ):
        with pytest.raises(AssertionError, match="not close"):
            assert_close(ours, theirs)


def test_the_last_target_is_never_fed():
    _, _, p, x, y_0, targets = case(5, 2, 3, 4, 6)
    ys = jordan_forward(x, y_0, p, targets)
    (gradient,) = torch.autograd.grad(ys, targets, torch.randn_like(ys))
    assert not gradient[-1].any() and gradient[:-1].any(dim=2).all()


@pytest.mark.parametrize(
    ("x", "y_0", "targets", "message"),
    [
        ((5, 2, 9), (2, 6), None, r"x has shape \(5, 2, 9\); need \(T, B, 3\)"),
        ((5, 3), (3, 6), None, r"x has shape \(5, 3\); need \(T, B, 3\)"),
        ((0, 2, 3), (2, 6), None, r"x has shape \(0, 2, 3\).*T >= 1"),
        ((5, 2, 3), (1, 6), None, r"y_0 has shape \(1, 6\).*\(B, O\) = \(2, 6\)"),
        ((5, 2, 3), (2, 6), (4, 2, 6), r"targets has.*\(T, B, O\) = \(5, 2, 6\)"),
        ((5, 2, 3), (2, 6), (5, 2, 1), r"targets has shape \(5, 2, 1\); need"),
    ],
)
def test_errors_name_what_does_not_fit(x, y_0, targets, message):
    p = case(5, 2, 3, 4, 6)[2]
    targets = None if targets is None else torch.zeros(targets)
    with pytest.raises(ValueError, match=message):
        jordan_forward(torch.zeros(x), torch.zeros(y_0), p, targets)
