"""rnn_examples.sequences.time_series against numpy and a closed form."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rnn_examples.sequences.time_series import autocorrelation, resample


def readings(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    times = torch.rand(n, generator=g, dtype=torch.float64).cumsum(0) - 3
    return times, torch.randn(n, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 3, 50])
def test_resample_equals_numpy(n):
    times, values = readings(n)
    share = torch.rand(200, dtype=torch.float64)
    at = torch.cat([times, times[0] + share * (times[-1] - times[0])])
    theirs = np.interp(at.numpy(), times.numpy(), values.numpy())
    assert_close(resample(times, values, at), torch.from_numpy(theirs))


def test_resample_keeps_the_readings_and_a_straight_line():
    times, values = readings(20)
    assert_close(resample(times, values, times), values)
    middle = (times[1:] + times[:-1]) / 2
    assert_close(resample(times, 2 * times + 1, middle), 2 * middle + 1)


def test_the_comparison_can_fail():
    times, values = readings(20)
    wrong = np.interp(times.numpy() + 1e-3, times.numpy(), values.numpy())
    with pytest.raises(AssertionError):
        assert_close(resample(times, values, times), torch.from_numpy(wrong))


@pytest.mark.parametrize("n", [2, 7, 60])
def test_autocorrelation_equals_numpy(n):
    x = readings(n)[1] + 5
    d = x.numpy() - x.numpy().mean()
    full = np.correlate(d, d, mode="full")[n - 1 :] / (d @ d)
    assert_close(autocorrelation(x, n - 1), torch.from_numpy(full))
    assert_close(autocorrelation(x, 1), torch.from_numpy(full[:2]))


def test_autocorrelation_of_a_long_sine_is_a_cosine():
    n, period = 12_000, 12
    t = torch.arange(n, dtype=torch.float64)
    r = autocorrelation(torch.sin(2 * torch.pi * t / period), 24)
    k = torch.arange(25, dtype=torch.float64)
    fade = 1 - k / n  # fewer products at a larger lag
    assert_close(r, torch.cos(2 * torch.pi * k / period) * fade, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("times", "values", "at", "message"),
    [
        ([0.0], [1.0], [0.0], r"shapes \(1,\) and \(1,\); need \(n,\), n >= 2"),
        ([0.0, 1.0], [1.0], [0.0], r"shapes \(2,\) and \(1,\)"),
        ([[0.0, 1.0]], [[1.0, 2.0]], [0.0], r"shapes \(1, 2\) and \(1, 2\)"),
        ([0.0, 0.0], [1.0, 2.0], [0.0], "times do not increase"),
        ([1.0, 0.0], [1.0, 2.0], [0.0], "times do not increase"),
        ([0.0, 1.0], [1.0, float("nan")], [0.0], "values hold nan"),
        ([0.0, 1.0], [1.0, 2.0], [-1.0], "at runs from -1 to -1; times from 0 to 1"),
        ([0.0, 1.0], [1.0, 2.0], [0.5, 2.0], "at runs from 0.5 to 2; times from 0"),
    ],
)
def test_resample_names_what_does_not_fit(times, values, at, message):
    with pytest.raises(ValueError, match=message):
        resample(*map(torch.tensor, (times, values, at)))


@pytest.mark.parametrize(
    ("x", "lags", "message"),
    [
        (torch.ones(3, 2), 1, r"shape \(3, 2\); need \(n,\), n > lags=1"),
        (torch.ones(3), 3, r"shape \(3,\); need \(n,\), n > lags=3"),
        (torch.ones(3), -1, "lags=-1"),
        (torch.ones(3), 1, "x is constant"),
    ],
)
def test_autocorrelation_names_what_does_not_fit(x, lags, message):
    with pytest.raises(ValueError, match=message):
        autocorrelation(x, lags)


def test_lag_zero_and_two_values_are_allowed():
    assert_close(autocorrelation(torch.tensor([1.0, 2.0]), 0), torch.ones(1))
