"""Exposure bias in twenty networks, by three ways to train and two ways back.

A reader would lose the ground under the sentences of docs/recurrence/teacher_forcing.md
on scheduled sampling and on what a state is good for. Each loop is compared with torch.
"""

from functools import cache
from math import pi

import pytest
import torch
from torch import nn
from torch.testing import assert_close

LAP, H, NETWORKS = 60, 8, 20
ANGLE = 2 * pi * torch.arange(2 * LAP + 1, dtype=torch.float64) / LAP
CIRCLE = torch.stack([ANGLE.cos(), ANGLE.sin()], dim=1)  # (T + 1, 2)
BATCH = CIRCLE[:, None, None].expand(-1, NETWORKS, 1, 2)


def start(seed):
    torch.manual_seed(seed)
    shapes = {"W_hh": (H, H), "W_yh": (H, 2), "b_h": (1, H)}
    shapes |= {"W_hy": (2, H), "b_y": (1, 2)}
    return {
        name: torch.empty(NETWORKS, *shape, dtype=torch.float64)
        .uniform_(-(H**-0.5), H**-0.5)
        .requires_grad_()
        for name, shape in shapes.items()
    }


def run(w, steps, keep_state, ratio):
    """Outputs (T, N, 1, 2); with probability ratio a step is fed the true point."""
    h = torch.zeros(NETWORKS, 1, H, dtype=torch.float64)
    y, ys = BATCH[0], []
    for t in range(steps):
        a = y @ w["W_yh"].mT + w["b_h"]
        if keep_state:
            a = a + h @ w["W_hh"].mT
        h = torch.tanh(a)
        ys.append(h @ w["W_hy"].mT + w["b_y"])
        y = BATCH[t + 1] if torch.rand(()) < ratio else ys[-1]
    return torch.stack(ys)


@cache
def real_error(keep_state, ratio, steps=200, seed=0):
    """The mean distance over two laps without a teacher, of each network: (N,)."""
    w = start(seed)
    optimizer = torch.optim.Adam(w.values(), lr=0.02)
    for _ in range(steps):
        off = run(w, LAP, keep_state, ratio) - BATCH[1 : LAP + 1]
        optimizer.zero_grad()
        off.square().mean(dim=(0, 2, 3)).sum().backward()
        optimizer.step()
    with torch.no_grad():
        free = run(w, 2 * LAP, keep_state, ratio=0)
    return (free - BATCH[1:]).norm(dim=-1).mean(dim=(0, 2))


@pytest.mark.parametrize("keep_state", [False, True])
@pytest.mark.parametrize("ratio", [0, 1])
def test_the_loop_is_torchs_cell(keep_state, ratio):
    w = start(1)
    cell, head = nn.RNNCell(2, H).double(), nn.Linear(H, 2).double()
    taken = [w[k][3] for k in ("W_yh", "W_hh", "b_h", "W_hy", "b_y")]
    W_yh, W_hh, b_h, W_hy, b_y = taken
    for mine, weight in zip(
        [*cell.parameters(), *head.parameters()],
        [W_yh, W_hh, b_h[0], torch.zeros(H).double(), W_hy, b_y[0]],
        strict=True,
    ):
        mine.data = weight.detach()
    h, y, theirs = None, CIRCLE[:1], []
    for t in range(10):
        h = cell(y, h if keep_state else None)
        theirs.append(head(h))
        y = CIRCLE[t + 1 : t + 2] if ratio else theirs[-1]
    assert_close(run(w, 10, keep_state, ratio)[:, 3], torch.stack(theirs))


def state_helps(seed=0, kept=True):
    with_state = real_error(kept, ratio=1, seed=seed)
    assert with_state.median() < real_error(False, ratio=1, seed=seed).median() / 2


@pytest.mark.claim(
    "teacher-forcing-state-helps", kind="measured", false="test_no_state_no_help"
)
def test_a_state_halves_the_real_error():
    state_helps()


def test_no_state_no_help():
    with pytest.raises(AssertionError):
        state_helps(kept=False)


def sampling_brings_nothing(sampled=0.5, free=0):
    forced = real_error(False, ratio=1).median()
    assert real_error(False, ratio=sampled).median() > 1.1 * forced
    assert real_error(False, ratio=free).median() > 0.5


@pytest.mark.claim(
    "teacher-forcing-sampling-circle",
    kind="measured",
    false="test_the_same_ratio_brings_the_same",
)
def test_scheduled_sampling_brings_nothing_on_the_circle():
    sampling_brings_nothing()


def test_the_same_ratio_brings_the_same():
    for wrong in ({"sampled": 1}, {"free": 1}):
        with pytest.raises(AssertionError):
            sampling_brings_nothing(**wrong)
