"""Another sweep in the place of the readable one: the seam for a fast layer.

These layers hand one layer in one direction to torch's kernels, padded or packed,
and take everything else from the driver: stacking, directions, dropout, layouts,
names. A reader who writes a faster sweep relies on that being enough.
"""

import pytest
import torch
from torch import _VF

from rnn_examples.gates.gru import GRU
from rnn_examples.gates.lstm import LSTM
from rnn_examples.recurrence.layers import RNN
from tests import oracles

KERNELS = {RNN: _VF.rnn_tanh, GRU: _VF.gru, LSTM: _VF.lstm}


def with_torchs_kernel(readable):
    class Swept(readable):
        taken = 0

        def sweep(self, data, sizes, state, p, reverse):
            if sizes is not None and reverse:  # torch turns over inside its kernel
                return super().sweep(data, sizes, state, p, reverse)
            type(self).taken += 1
            four = [p.W_ih, p.W_hh, p.b_ih, p.b_hh, p.extras.get("W_hr")]
            weights = [w for w in four if w is not None]
            hx = oracles.as_given(tuple(s[None] for s in state))
            x = data.flip(0) if reverse else data
            more = (self.bias, 1, 0.0, self.training, False)
            if sizes is None:
                hs, *last = KERNELS[readable](x, hx, weights, *more, False)
            else:
                hs, *last = KERNELS[readable](x, sizes, hx, weights, *more)
            return hs.flip(0) if reverse else hs, tuple(s[0] for s in last)

    return Swept


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@pytest.mark.parametrize(
    ("readable", "options"),
    [(RNN, {}), (GRU, {}), (LSTM, {}), (LSTM, {"proj_size": 2})],
)
def test_the_whole_option_matrix_with_another_sweep(readable, options, layout):
    torch.manual_seed(0)
    cls = with_torchs_kernel(readable)
    for T, B, I, H in oracles.SIZES:
        sizes = T, B, I, H + options.get("proj_size", 0)
        oracles.assert_same_everywhere(cls, layout, sizes, **options)
    assert cls.taken > 0


def test_a_wrong_sweep_is_seen():
    class Wrong(LSTM):
        def sweep(self, data, sizes, state, p, reverse):
            return super().sweep(data, sizes, state, p, False)

    with pytest.raises(AssertionError, match="not close"):
        oracles.assert_same_everywhere(Wrong, "padded", (5, 2, 3, 4))


def test_every_sweep_gets_the_sizes_that_it_is_promised():
    seen = []

    class Spy(LSTM):
        def sweep(self, data, sizes, state, p, reverse):
            seen.append((data.dim(), sizes, reverse, state[0].shape))
            return super().sweep(data, sizes, state, p, reverse)

    layer = Spy(3, 4, num_layers=2, bidirectional=True, batch_first=True, **oracles.F64)
    _, x, _ = oracles.input_of(layer, "padded", 5, 2)
    layer(x)
    assert seen == [(3, None, d, (2, 4)) for _ in range(2) for d in (False, True)]
    seen.clear()
    _, x, _ = oracles.input_of(layer, "packed", 5, 2, [5, 3])
    layer(x)
    dims, sizes, reverse, shapes = zip(*seen, strict=True)
    assert set(dims) == {2} and reverse == (False, True) * 2
    assert all(s.tolist() == [2, 2, 2, 1, 1] for s in sizes)
    assert set(shapes) == {(2, 4)}
