"""How fast the readable layers are: a table of ratios to torch.nn.

    .venv/bin/python tests/benchmarks/layers.py [--repeats 5]

Forward and backward of one layer in float32 on one thread, least of interleaved
repeats, as time here / time of torch.nn: below 1 is faster than torch. padded
is a batch of equal lengths, packed has lengths from T down to T/4.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnn_examples.gates.gru import GRU
from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import RNN

SIZES = [(100, 32, 64, 128), (1000, 1, 32, 64), (1024, 16, 32, 64)]  # T, B, I, H


def seconds(layer, x, backward: bool) -> float:
    start = time.perf_counter()
    with torch.set_grad_enabled(backward):
        output, _ = layer(x)
        if backward:
            data = output if isinstance(output, torch.Tensor) else output.data
            data.backward(torch.ones_like(data))
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print("T, B, I, H             layer  batch     forward  forward and backward")
    for T, B, I, H in SIZES:
        for cls in (RNN, LSTM, GRU):
            ours, theirs = cls(I, H), getattr(nn, cls.__name__)(I, H)
            theirs.load_state_dict(ours.state_dict())
            x = torch.randn(T, B, I)
            batches = {"padded": x}
            if B > 1:
                lengths = torch.linspace(T, T // 4, B).long()
                batches["packed"] = pack_padded_sequence(x, lengths)
            for name, batch in batches.items():
                ratios = []
                for backward in (False, True):
                    best = {ours: 1e9, theirs: 1e9}
                    for layer in [theirs, ours] * (repeats + 1):
                        best[layer] = min(best[layer], seconds(layer, batch, backward))
                    ratios.append(best[ours] / best[theirs])
                sizes = f"{T}, {B}, {I}, {H}"
                print(f"{sizes:22} {cls.__name__:6} {name:8} {ratios[0]:8.2f}", end="")
                print(f" {ratios[1]:21.2f}", flush=True)


if __name__ == "__main__":
    main()
