"""Load the small data sets of this package; nothing is downloaded.

>>> from rnn_examples.data.loaders import co2, sunspots
>>> sunspots()[0, 0].item(), sunspots()[-1, 0].item()  # years
(1700.0, 2008.0)
>>> day, ppm = co2()
>>> ppm.isnan().sum().item()  # weeks without a measurement
59
"""

import csv
from datetime import date
from pathlib import Path

import torch
from torch import Tensor

HERE = Path(__file__).parent


def rows_of(name: str) -> list[list[str]]:
    """The rows of a csv file of this folder, without its header."""
    with (HERE / name).open(newline="") as f:
        return list(csv.reader(f))[1:]


def sunspots() -> Tensor:
    """Yearly mean sunspot number, 1700 to 2008: (309, 2) of year, number.

    float64. Source: National Geophysical Data Center; public domain.
    """
    return torch.tensor(
        [[float(v) for v in row] for row in rows_of("sunspots.csv")],
        dtype=torch.float64,
    )


def co2() -> tuple[Tensor, Tensor]:
    """Weekly CO2 at Mauna Loa, 1958 to 2001: day (2284,), ppm (2284,).

    float64. Days count from the first row, parts per million by volume; 59
    weeks have no measurement and are nan.
    Source: Keeling and Whorf (2004); public domain.
    """
    rows = rows_of("co2.csv")
    days = [date.fromisoformat(day).toordinal() for day, _ in rows]
    day = torch.tensor(days, dtype=torch.float64) - days[0]
    ppm = [float(value or "nan") for _, value in rows]
    return day, torch.tensor(ppm, dtype=torch.float64)
