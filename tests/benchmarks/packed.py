"""Training on packed batches: the time here as a share of torch.nn's.

    .venv/bin/python tests/benchmarks/packed.py [--repeats 5] [--write]

One thread, float32, forward and backward of one layer, B = 16 sequences with
lengths from T down to T/4, or all T for a padded batch. A ratio is the least of
interleaved repeats here, divided by that of torch.nn: below 1 is faster than
torch. --write keeps the table, with machine, versions and date, in packed.json,
which docs/reference/limits.md quotes.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnn_examples import GRU, LSTM, RNN

B, I, H = 16, 32, 64
LENGTHS = 64, 256, 1024
KEPT = Path(__file__).with_name("packed.json")


def seconds(layer, batch) -> float:
    start = time.perf_counter()
    output, _ = layer(batch)
    data = output if isinstance(output, torch.Tensor) else output.data
    data.backward(torch.ones_like(data))
    return time.perf_counter() - start


def ratio(cls, batch, repeats: int) -> float:
    ours, theirs = cls(I, H), getattr(nn, cls.__name__)(I, H)
    theirs.load_state_dict(ours.state_dict())
    best = {ours: 1e9, theirs: 1e9}
    for layer in [theirs, ours] * (repeats + 1):
        best[layer] = min(best[layer], seconds(layer, batch))
    return best[ours] / best[theirs]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.split(": ")[1] for line in lines if line.startswith("model name"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in ("packed", "padded"):
        for T in LENGTHS:
            x, row = torch.randn(T, B, I), {"batch": name, "T": T}
            lengths = torch.linspace(T, T // 4, B).long()
            batch = pack_padded_sequence(x, lengths) if name == "packed" else x
            for cls in (RNN, LSTM, GRU):
                count = options.repeats * LENGTHS[-1] // T  # short ones are noisier
                row[cls.__name__] = round(ratio(cls, batch, count), 2)
            rows.append(row)
            print(row, flush=True)
    if options.write:
        where = {"processor": processor(), "threads": 1, "torch": torch.__version__}
        where |= {"python": platform.python_version()}
        where |= {"date": datetime.now(UTC).date().isoformat()}
        where |= {"sizes": {"B": B, "I": I, "H": H}, "repeats": options.repeats}
        KEPT.write_text(json.dumps({"where": where, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
