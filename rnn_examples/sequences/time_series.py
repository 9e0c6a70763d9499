"""A series has a clock: steps between times, values between times, echoes.

    dt_i = t_i - t_{i-1}
    r_k = sum_t (x_t - m)(x_{t+k} - m) / sum_t (x_t - m)^2,  m the mean of x

Shapes: times (n,) increasing, values (n,), at (m,)
Page:   docs/sequences/time_series.md, docs/sequences/autocorrelation.md
Test:   tests/sequences/test_time_series.py
Source: r_k as in Box and Jenkins (1976), Time Series Analysis;
        linear interpolation as numpy.interp

A reading at 0 h, at 2 h and at 3 h, and the values on the hour between them:

>>> import torch
>>> from rnn_examples.sequences.time_series import resample
>>> times = torch.tensor([0.0, 2.0, 3.0])
>>> values = torch.tensor([10.0, 14.0, 20.0])
>>> times.diff().tolist()  # dt
[2.0, 1.0]
>>> resample(times, values, at=torch.arange(4.0)).tolist()
[10.0, 12.0, 14.0, 20.0]

A wave of period 4 is its own opposite two steps later, and echoes after four:

>>> from rnn_examples.sequences.time_series import autocorrelation
>>> wave = torch.tensor([1.0, 0.0, -1.0, 0.0]).repeat(25)
>>> r = autocorrelation(wave, lags=4)
>>> [round(v, 2) for v in r.tolist()]  # lag 0, 1, 2, 3, 4
[1.0, 0.0, -0.98, 0.0, 0.96]
"""

import torch
from torch import Tensor


def resample(times: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation: times (n,), values (n,), at (m,) -> (m,).

    Raises ValueError when times do not increase, when a value is nan, or when
    at leaves the range of times: between readings we guess, beyond we do not.
    """
    if times.shape != values.shape or times.dim() != 1 or len(times) < 2:
        shapes = f"{tuple(times.shape)} and {tuple(values.shape)}"
        raise ValueError(f"times and values have shapes {shapes}; need (n,), n >= 2")
    if not (times.diff() > 0).all():
        raise ValueError("times do not increase; sort them and drop repeats")
    if values.isnan().any():
        raise ValueError("values hold nan; drop those readings with their times")
    if at.min() < times[0] or at.max() > times[-1]:
        raise ValueError(
            f"at runs from {at.min():g} to {at.max():g}; "
            f"times from {times[0]:g} to {times[-1]:g}"
        )
    right = torch.searchsorted(times, at).clamp(min=1)
    left = right - 1
    share = (at - times[left]) / (times[right] - times[left])
    return values[left] + share * (values[right] - values[left])


def autocorrelation(x: Tensor, lags: int) -> Tensor:
    """How much x resembles itself k steps later: (n,) -> r_0 .. r_lags.

    Raises ValueError unless 0 <= lags < n, and for a constant x.
    """
    if x.dim() != 1 or not 0 <= lags < len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}; need (n,), n > lags={lags}")
    d = x - x.mean()
    power = d @ d
    if power == 0:
        raise ValueError("x is constant; its autocorrelation is not defined")
    return torch.stack([d[: len(d) - k] @ d[k:] for k in range(lags + 1)]) / power
