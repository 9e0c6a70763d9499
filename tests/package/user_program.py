"""A program of somebody who has installed the package; test_types.py checks it."""

import torch
from torch import Tensor, nn

from rnn_examples import GRU, LSTM, RNN, __version__
from rnn_examples.recurrence.layers import Recurrent
from rnn_examples.recurrence.sweep import Params, State


class Leaky(Recurrent[Tensor]):
    def extras(self) -> dict[str, tuple[int, ...]]:
        return {"leak": (self.hidden_size,)}

    def step(self, x_t: Tensor, state: State, p: Params) -> State:
        (h,), a = state, p.leak.sigmoid()
        new = nn.functional.linear(x_t, p.W_ih, p.b_ih) + h @ p.W_hh.T
        return ((1 - a) * h + a * new.tanh(),)


def last_states(x: Tensor) -> Tensor:
    lstm = LSTM(3, 4, num_layers=2, batch_first=True, dtype=torch.float64)
    output, (h_n, c_n) = lstm(x, None)
    packed = nn.utils.rnn.pack_sequence(list(x))
    packed_output, _ = lstm(packed, (h_n, c_n))
    _, h_gru = GRU(3, 4, reset_after=False).double()(x, None)
    others = [cell(3, 4).double()(x)[1] for cell in (RNN, Leaky)]
    return torch.cat([output[:, -1], packed_output.data, h_gru[0], *others[0]])


if __name__ == "__main__":
    print(__version__, last_states(torch.randn(2, 5, 3, dtype=torch.float64)).shape)
