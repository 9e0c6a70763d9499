"""rnn_examples.gates.custom_cells against ONNX, torch.nn and their papers."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence
from torch.testing import assert_close

from rnn_examples.gates.custom_cells import (
    LayerNormLSTM,
    MinimalGatedUnit,
    PeepholeLSTM,
    VariationalLSTM,
    ZoneoutLSTM,
)
from rnn_examples.recurrence.layers import weights_of
from tests import oracles

LSTMS = [LayerNormLSTM, PeepholeLSTM, VariationalLSTM, ZoneoutLSTM]
F64 = oracles.F64


def by_hand(layer, x, hx, step):
    """The equation of a one-layer cell in a plain loop: all h_t, last state."""
    p = {n.removesuffix("_l0"): v for n, v in layer.named_parameters()}
    state, hs = tuple(v[0] for v in hx), []
    for x_t in x:
        state = step(x_t, *state, p)
        hs.append(state[0])
    return torch.stack(hs), tuple(v[None] for v in state)


def case(cls, **options):
    torch.manual_seed(0)
    layer = cls(3, 4, **options, **F64)
    _, x, hx = oracles.input_of(layer, "padded", 5, 2)
    return layer, x, hx


def gates_of(x_t, h, p):
    x_side = x_t @ p["weight_ih"].T + p["bias_ih"]
    return (x_side + h @ p["weight_hh"].T + p["bias_hh"]).chunk(4, dim=-1)


def normed(v):  # Ba et al., equation 4, without gain and bias
    return (v - v.mean(-1, True)) / (
        v.var(-1, unbiased=False, keepdim=True) + 1e-5
    ).sqrt()


def test_layer_norm_as_its_equation():
    layer, x, hx = case(LayerNormLSTM)
    for gain in (layer.g_ih_l0, layer.g_hh_l0, layer.g_c_l0):
        assert (gain == 1).all()
        nn.init.normal_(gain)

    def step(x_t, h, c, p):
        a = normed(x_t @ p["weight_ih"].T) * p["g_ih"] + p["bias_ih"]
        a = a + normed(h @ p["weight_hh"].T) * p["g_hh"] + p["bias_hh"]
        i, f, g, o = a.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * (normed(c) * p["g_c"] + p["b_c"]).tanh(), c

    assert_close(layer(x, hx), by_hand(layer, x, hx, step))


def test_peepholes_as_onnx_and_as_their_equation():
    def make(attributes, I, H, **options):
        layer = PeepholeLSTM(I, H, **options)
        for name in ("p_i", "p_f", "p_o"):
            nn.init.zeros_(getattr(layer, name + "_l0"))
            if layer.bidirectional:
                nn.init.zeros_(getattr(layer, name + "_l0_reverse"))
        return layer

    order = [0, 2, 3, 1]  # ONNX has i o f c
    assert oracles.assert_passes_onnx("LSTM", make, order, peepholes=True) > 0
    layer, x, hx = case(PeepholeLSTM)

    def step(x_t, h, c, p):
        i, f, g, o = gates_of(x_t, h, p)
        new = (f + p["p_f"] * c).sigmoid() * c + (i + p["p_i"] * c).sigmoid() * g.tanh()
        return (o + p["p_o"] * new).sigmoid() * new.tanh(), new

    assert_close(layer(x, hx), by_hand(layer, x, hx, step))


def test_minimal_gated_unit_as_its_equation():
    layer, x, hx = case(MinimalGatedUnit)

    def step(x_t, h, p):
        (W_f, W_n), (U_f, U_n) = p["weight_ih"].split(4), p["weight_hh"].split(4)
        (b_f, b_n), (d_f, d_n) = p["bias_ih"].split(4), p["bias_hh"].split(4)
        f = torch.sigmoid(x_t @ W_f.T + b_f + h @ U_f.T + d_f)
        n = torch.tanh(x_t @ W_n.T + b_n + (f * h) @ U_n.T + d_n)
        return ((1 - f) * h + f * n,)

    output, (h_n,) = by_hand(layer, x, hx, step)
    assert_close(layer(x, hx[0]), (output, h_n))


def test_variational_dropout_keeps_one_mask_for_a_pass():
    layer, x, hx = case(VariationalLSTM, recurrent_dropout=0.5)
    assert_close(layer.eval()(x, hx), oracles.torch_twin(layer)(x, hx))
    layer.train()
    torch.manual_seed(1)
    got = layer(x, hx)
    torch.manual_seed(1)
    keep = nn.functional.dropout(torch.ones(2, 4, **F64), 0.5)
    assert set(keep.flatten().tolist()) == {0.0, 2.0}

    def step(x_t, h, c, p):
        i, f, g, o = gates_of(x_t, h * keep, p)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    assert_close(got, by_hand(layer, x, hx, step))


def test_zoneout_keeps_units_and_averages_in_eval_mode():
    layer, x, hx = case(ZoneoutLSTM, zoneout_h=0.3, zoneout_c=0.6)

    def step(x_t, h, c, p):
        i, f, g, o = gates_of(x_t, h, p)
        new = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h_new = o.sigmoid() * new.tanh()
        return 0.3 * h + 0.7 * h_new, 0.6 * c + 0.4 * new

    assert_close(layer.eval()(x, hx), by_hand(layer, x, hx, step))
    layer.train()
    wide = ZoneoutLSTM(1, 5000, zoneout_h=0.3, zoneout_c=0.6, **F64)
    h_0, c_0 = torch.randn(2, 1, 1, 5000, **F64)
    _, (h_n, c_n) = wide(torch.zeros(1, 1, 1, **F64), (h_0, c_0))
    assert abs((h_n == h_0).double().mean() - 0.3) < 0.05
    assert abs((c_n == c_0).double().mean() - 0.6) < 0.05


def test_with_nothing_dropped_they_are_torchs():
    for cls in (VariationalLSTM, ZoneoutLSTM):
        layer, x, hx = case(cls, num_layers=2, proj_size=2, bidirectional=True)
        theirs = oracles.torch_twin(layer)
        oracles.assert_same(layer, theirs, x, x, hx)


@pytest.mark.parametrize("cls", [*LSTMS, MinimalGatedUnit])
def test_every_cell_gets_layers_directions_packing_and_gradients(cls):
    torch.manual_seed(0)
    layer = cls(3, 4, num_layers=2, bidirectional=True, **F64)
    xs = [torch.randn(n, 3, **F64, requires_grad=True) for n in (2, 5, 1)]
    packed, last = layer(pack_sequence(xs, enforce_sorted=False))
    output, _ = pad_packed_sequence(packed)
    last = last if isinstance(last, tuple) else (last,)
    for b, x in enumerate(xs):
        alone, state = layer(x)
        state = state if isinstance(state, tuple) else (state,)
        assert_close(output[: len(x), b], alone)
        assert_close([s[:, b] for s in last], list(state))
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], xs[0])


@pytest.mark.parametrize("cls", [*LSTMS, MinimalGatedUnit])
def test_a_step_works_on_the_last_axis_whatever_stands_before_it(cls):
    torch.manual_seed(0)
    layer = cls(3, 5, **F64).eval()
    x_t, *state = torch.randn(2, 4, 3, **F64), *torch.randn(2, 2, 4, 5, **F64)
    state, p = tuple(state[: len(layer.state_sizes)]), weights_of(layer)
    got = layer.step(x_t, layer.begin(state), p)
    rows = layer.begin(tuple(s.flatten(0, 1) for s in state))
    want = layer.step(x_t.flatten(0, 1), rows, p)
    assert_close([v.flatten(0, 1) for v in got], list(want))


def test_the_projection_is_refused_where_there_is_none():
    for cls in (LayerNormLSTM, PeepholeLSTM, MinimalGatedUnit):
        with pytest.raises(ValueError, match=f"proj_size is 2; {cls.__name__} has no"):
            cls(3, 4, proj_size=2)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_is_a_probability(rate):
    with pytest.raises(ValueError, match=f"between 0 and 1, but got {rate}"):
        VariationalLSTM(3, 4, recurrent_dropout=rate)
    for name in ("zoneout_h", "zoneout_c"):
        with pytest.raises(ValueError, match=f"{name} is {rate}; need 0 to 1"):
            ZoneoutLSTM(3, 4, **{name: rate})
    edges = ZoneoutLSTM(3, 4, zoneout_h=0, zoneout_c=1)
    assert (edges.zoneout_h, edges.zoneout_c) == (0, 1)


def test_the_comparison_can_fail():
    layer, x, hx = case(PeepholeLSTM)
    with pytest.raises(AssertionError, match="not close"):
        assert_close(layer(x, hx), oracles.torch_twin(layer)(x, hx))
