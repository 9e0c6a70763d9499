"""Readable recurrent networks in PyTorch, each proven equal to torch.nn.

>>> from rnn_examples import LSTM  # or RNN, GRU
>>> LSTM(3, 4)
LSTM(3, 4)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnn_examples.gates.gru import GRU
    from rnn_examples.gates.lstm import LSTM
    from rnn_examples.recurrence.layers import RNN

__version__ = "0.1.0"
__all__ = ["GRU", "LSTM", "RNN"]

MODULES = {"GRU": "gates.gru", "LSTM": "gates.lstm", "RNN": "recurrence.layers"}

if not TYPE_CHECKING:  # else a type checker would take any name for a layer

    def __getattr__(name: str) -> type:
        """Import a layer when it is first asked for: torch takes seconds."""
        if name not in MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        layer = getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
        globals()[name] = layer
        return layer


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
