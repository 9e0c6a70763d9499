"""What other people's programs do with a layer besides calling it.

Small stand-ins for patterns of public code: a reader who puts our layer in the
place of torch's in such a program must find that it works, or is told so here and
on docs/recurrence/drop_in.md.
"""

import inspect
import os
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.testing import assert_close

from rnn_examples import GRU, LSTM, RNN
from rnn_examples.gates import custom_cells
from rnn_examples.recurrence.layers import Recurrent, weights_of
from tests.oracles import F64, as_given, input_of, tensors, torch_twin

# torch 2.13 scripts functions of its own when vmap or jvp first needs them.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")

LAYERS = [RNN, LSTM, GRU]
CELLS = [
    custom_cells.LayerNormLSTM,
    custom_cells.PeepholeLSTM,
    custom_cells.VariationalLSTM,
    custom_cells.ZoneoutLSTM,
    custom_cells.MinimalGatedUnit,
]


class Described(nn.RNNBase):
    """A base that adds a method to any recurrent layer."""

    def describe(self) -> str:
        return f"{self.mode} {self.input_size} {self.hidden_size}"


class Before(Described, LSTM):
    pass


class Behind(LSTM, Described):
    pass


@pytest.mark.parametrize("cls", [Before, Behind])
def test_a_class_with_two_bases_over_rnnbase(cls):
    layer = cls(3, 4, num_layers=2, **F64)
    assert layer.describe() == "LSTM 3 4"
    _, x, hx = input_of(layer, "padded", 5, 2)
    assert_close(layer(x, hx), torch_twin(layer)(x, hx))


@pytest.mark.parametrize("cls", LAYERS)
def test_mode_and_lists_of_weights_are_torchs(cls):
    for options in ({}, {"num_layers": 2, "bidirectional": True, "bias": False}):
        ours = cls(3, 4, **options)
        theirs = torch_twin(ours)
        assert ours.mode == theirs.mode
        assert ours._all_weights == theirs._all_weights
        assert ours._flat_weights_names == theirs._flat_weights_names
        assert_close(ours.all_weights, theirs.all_weights, rtol=0, atol=0)
        for a, b in zip(ours.parameters(), ours._flat_weights, strict=True):
            assert a is b
        ours.double()  # torch makes the list anew
        assert all(v.dtype == torch.float64 for v in ours._flat_weights)


def test_the_forums_forget_bias_by_all_weights():
    layer = LSTM(3, 4, num_layers=2, bidirectional=True)
    for names in layer._all_weights:
        for name in filter(lambda n: "bias" in n, names):
            bias = getattr(layer, name)
            n = bias.size(0)
            bias.data[n // 4 : n // 2].fill_(1.0)
    for k in range(2):
        for d in range(2):
            p = weights_of(layer, k, d)
            assert (p.b_ih[4:8] == 1).all() and (p.b_hh[4:8] == 1).all()
            assert not (p.b_ih == 1).all()


def test_initialization_by_isinstance_of_rnnbase():
    def start(module):
        if isinstance(module, nn.RNNBase):
            for name, value in module.named_parameters():
                if "weight_hh" in name:
                    nn.init.orthogonal_(value)

    model = nn.ModuleList([LSTM(3, 4), GRU(3, 4), custom_cells.MinimalGatedUnit(3, 4)])
    model.apply(start)
    for layer in model:
        W = layer.weight_hh_l0
        assert_close(W.T @ W, torch.eye(4))


@pytest.mark.parametrize("cls", LAYERS)
def test_a_subclass_with_attribute_names_of_its_own(cls):
    class Mine(cls):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.step = 0
            self.params = self.stack = self.shapes = self.ends = self.run = 1
            self.weights = self.layers = self.cells = self.data = []

        def forward(self, input, hx=None):
            self.step += 1
            return super().forward(input, hx)

    layer = Mine(3, 4, num_layers=2, bidirectional=True, **F64)
    for _ in range(2):
        _, x, hx = input_of(layer, "unsorted", 5, 3)
        got = tensors(layer(x, as_given(hx)))
        assert_close(got, tensors(torch_twin(layer)(x, as_given(hx))))
    assert layer.step == 2


@pytest.mark.parametrize("name", ["step", "blocks", "extras", "sweep"])
def test_a_module_under_a_name_of_the_cell_is_refused(name):
    layer = LSTM(3, 4)
    message = f"^LSTM.{name} is the layer's own; choose another name for this module$"
    with pytest.raises(AttributeError, match=message):
        setattr(layer, name, nn.Linear(4, 4))
    layer.head = nn.Linear(4, 4)
    assert "head.weight" in layer.state_dict()


# ------------------------------------------------------ weights that are computed


class Counted(nn.Module):
    """A parametrization that counts how often the weight is computed."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, W):
        self.count += 1
        return 2 * W


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("given", [False, True])
def test_a_parametrized_weight_is_computed_once_a_call(cls, given):
    layer = cls(3, 4, **F64)
    twin = torch_twin(layer)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0"):
            getattr(twin, name).mul_(2)
            parametrize.register_parametrization(layer, name, Counted())
    counters = [layer.parametrizations[name][0] for name in layer.parametrizations]
    _, x, hx = input_of(twin_of_sizes(layer), "padded", 5, 2)
    before = [c.count for c in counters]
    got = layer(x, as_given(hx)) if given else layer(x)
    assert [c.count for c in counters] == [n + 1 for n in before]
    want = twin(x, as_given(hx)) if given else twin(x)
    assert_close(tensors(got), tensors(want))


def twin_of_sizes(layer):
    """A plain layer of the same sizes, to draw an input for."""
    return type(layer).__mro__[1](layer.input_size, layer.hidden_size, **F64)


@pytest.mark.parametrize("cls", LAYERS)
def test_weight_norm_trains_as_with_torchs(cls):
    torch.manual_seed(0)
    ours = cls(3, 4, num_layers=2, **F64)
    theirs = torch_twin(ours)
    x, target = torch.randn(5, 2, 3, **F64), torch.randn(5, 2, 4, **F64)
    losses = []
    for layer in (ours, theirs):
        nn.utils.parametrizations.weight_norm(layer, "weight_hh_l1")
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
        for _ in range(3):
            loss = (layer(x)[0] - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss)
    assert_close(*losses)


def train_in_parallel(rank, rendezvous, results):
    """One process of two: a step of DDP on its half of the batch."""
    where = {"init_method": f"file://{rendezvous}", "rank": rank, "world_size": 2}
    torch.distributed.init_process_group("gloo", **where)
    found = []
    for cls in LAYERS:
        torch.manual_seed(0)
        layer, x = cls(3, 4, num_layers=2, **F64), torch.randn(5, 4, 3, **F64)
        parallel = nn.parallel.DistributedDataParallel(layer)
        parallel(x[:, 2 * rank : 2 * rank + 2])[0].square().mean().backward()
        found.append([p.grad.tolist() for p in layer.parameters()])
    if rank == 0:
        results.put(found)
    torch.distributed.barrier()
    os._exit(0)  # gloo of torch 2.14 may abort in a thread while Python ends


def test_two_processes_train_as_one(tmp_path):
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    arguments = (tmp_path / "rendezvous", results)
    torch.multiprocessing.spawn(train_in_parallel, arguments, nprocs=2)
    for cls, found in zip(LAYERS, results.get(), strict=True):
        torch.manual_seed(0)
        layer, x = cls(3, 4, num_layers=2, **F64), torch.randn(5, 4, 3, **F64)
        theirs = torch_twin(layer)
        loss = theirs(x)[0].square().mean()
        want = torch.autograd.grad(loss, list(theirs.parameters()))
        assert_close([torch.tensor(g, **F64) for g in found], list(want))
        both = nn.DataParallel(layer)(x)[0]  # on the CPU the layer itself
        assert_close(both, theirs(x)[0])


@pytest.mark.parametrize("cls", LAYERS)
def test_pruning_leaves_what_it_leaves_of_torchs(cls):
    ours = cls(3, 4, **F64)
    theirs = torch_twin(ours)
    for layer in (ours, theirs):
        prune.l1_unstructured(layer, "weight_hh_l0", amount=0.5)
    assert (ours.weight_hh_l0 == 0).double().mean() == 0.5
    x = torch.randn(5, 2, 3, **F64)
    assert_close(ours(x), theirs(x))


# ----------------------------------------------------------- what ours alone does


@pytest.mark.parametrize("cls", LAYERS)
def test_vmap_over_sequences_and_over_models(cls):
    torch.manual_seed(0)
    layers = [cls(3, 4, bidirectional=True, **F64) for _ in range(3)]
    x = torch.randn(5, 2, 3, **F64)
    alone = torch.vmap(lambda x: layers[0](x)[0], in_dims=1, out_dims=1)(x)
    assert_close(alone, torch_twin(layers[0])(x)[0])
    stacked, _ = torch.func.stack_module_state(layers)

    def run(weights):
        return torch.func.functional_call(layers[0], weights, (x,))[0]

    want = torch.stack([torch_twin(layer)(x)[0] for layer in layers])
    assert_close(torch.vmap(run)(stacked), want)
    theirs = torch_twin(layers[0])
    with pytest.raises(RuntimeError, match="Batching rule not implemented"):
        torch.vmap(lambda x: theirs(x)[0], in_dims=1)(x)


@pytest.mark.parametrize("cls", LAYERS)
def test_gradients_of_each_sequence_and_forward_mode(cls):
    torch.manual_seed(0)
    layer = cls(3, 4, **F64)
    twin, x = torch_twin(layer), torch.randn(5, 2, 3, **F64)
    weights = dict(layer.named_parameters())

    def loss(weights, x):
        return torch.func.functional_call(layer, weights, (x,))[0].square().sum()

    each = torch.vmap(torch.func.grad(loss), in_dims=(None, 1))(weights, x)
    for b in range(2):
        value = twin(x[:, b])[0].square().sum()
        want = torch.autograd.grad(value, list(twin.parameters()))
        assert_close([g[b] for g in each.values()], list(want))
    v = torch.randn_like(x)
    _, ours = torch.func.jvp(lambda x: layer(x)[0], (x,), (v,))
    eps = 1e-6  # differences are good to about 1e-9
    slope = (twin(x + eps * v)[0] - twin(x - eps * v)[0]) / (2 * eps)
    assert_close(ours, slope, rtol=1e-6, atol=1e-8)
    if cls is LSTM:  # torch's RNN and GRU have this one
        theirs, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
        with pytest.raises(NotImplementedError, match="forward AD"):
            torch.func.jvp(lambda x: theirs(x)[0], (x,), (x,))


@pytest.mark.parametrize("cls", LAYERS)
def test_torchs_layer_is_refused_by_a_compiler_that_wants_one_graph(cls):
    theirs = torch.compile(torch_twin(cls(3, 4)), fullgraph=True, backend="eager")
    with pytest.raises(torch._dynamo.exc.Unsupported, match=r"RNN, GRU,( or)? LSTM"):
        theirs(torch.randn(5, 2, 3))


@pytest.mark.parametrize("cls", LAYERS)
def test_skip_init(cls):
    layer = torch.nn.utils.skip_init(cls, 3, 4, num_layers=2)
    assert list(layer.state_dict()) == list(cls(3, 4, 2).state_dict())


# --------------------------------------------------------------- what it does not


@pytest.mark.parametrize("cls", LAYERS)
def test_what_does_not_work_is_what_the_page_says(cls):
    layer, x = cls(3, 4), torch.randn(5, 2, 3)
    theirs = type(torch_twin(layer))
    assert isinstance(layer, nn.RNNBase) and not isinstance(layer, theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in torch, and still in use
        with pytest.raises(
            Exception, match=r"(?i)not support|unknown type|expression of|redefine"
        ):
            torch.jit.script(layer)
        traced = torch.jit.trace(layer, (x,))
        assert_close(traced(x[:, :1]), layer(x[:, :1]))  # any B, and one T:
        with pytest.raises(RuntimeError):
            traced(x[:3])
        left = torch.ao.quantization.quantize_dynamic(nn.Sequential(layer), {theirs})
    with pytest.raises(TypeError, match="input is a Proxy"):
        torch.fx.symbolic_trace(nn.Sequential(layer))
    assert type(left[0]) is cls  # passed by, in silence


# ------------------------------------------------------------------ to be read


@pytest.mark.parametrize("cls", LAYERS)
def test_help_explains_every_argument_and_the_signature_shows_it(cls):
    names = list(inspect.signature(cls).parameters)
    assert not {"args", "kwargs", "a", "kw"} & set(names)
    words = cls.__doc__.replace(",", " ").replace(":", " ").split()
    assert [name for name in names if name not in words] == []
    for heading in ("Args:", "Inputs, with", "Outputs:", "Raises:", "Page:"):
        assert heading in cls.__doc__


@pytest.mark.parametrize(
    ("layer", "own"),
    [
        (GRU(3, 4, reset_after=False), "reset_after=False"),
        (RNN(3, 4, nonlinearity="relu"), "nonlinearity='relu'"),
        (
            custom_cells.ZoneoutLSTM(3, 4, zoneout_h=0.5),
            "zoneout_h=0.5, zoneout_c=0.0",
        ),
    ],
)
def test_repr_shows_what_is_not_torchs(layer, own):
    assert repr(layer) == f"{type(layer).__name__}(3, 4, {own})"


# ----------------------------------------------------------- a cell of one's own


@pytest.mark.parametrize("cls", [*LAYERS, *CELLS])
def test_without_bias_nothing_is_called_a_bias(cls):
    names = list(cls(3, 4, bias=False).state_dict())
    assert not [n for n in names if "bias" in n or n.startswith("b_")]
    layer = cls(3, 4, bias=False, **F64)
    _, x, hx = input_of(layer, "padded", 5, 2)
    assert torch.autograd.gradcheck(lambda x: layer.eval()(x, as_given(hx))[0], x)


def test_a_cell_without_a_step():
    class Empty(Recurrent):
        pass

    with pytest.raises(NotImplementedError, match=r"^Empty has no step\(x_t, state, p"):
        Empty(3, 4)(torch.zeros(5, 2, 3))


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda h: h.tanh(), TypeError, r"Cell.step returned a Tensor; .* comma\?$"),
        (
            lambda h: (h[:, 1:],),
            ValueError,
            r"that .*Cell.step returned has shape \(2, 3\); need",
        ),
        (lambda h: (h, h), ValueError, "Cell.step returned 2 tensors; need 1 Tensor"),
    ],
)
def test_a_mistake_in_a_cell_is_named(returned, error, message):
    class Cell(Recurrent):
        def step(self, x_t, state, p):
            return returned(state[0])

    with pytest.raises(error, match=message):
        Cell(3, 4)(torch.zeros(5, 2, 3))


@pytest.mark.parametrize("name", ["W_ih", "b_hh", "weight_hr", "extras"])
def test_a_name_that_is_taken_is_refused(name):
    class Cell(Recurrent):
        def extras(self):
            return {name: (1,)}

    with pytest.raises(ValueError, match=f"extras names {name}; choose"):
        Cell(3, 4)


def test_a_parameter_that_a_cell_does_not_have_is_named():
    class Cell(Recurrent):
        def step(self, x_t, state, p):
            return (state[0] * p.leek,)

    with pytest.raises(AttributeError, match=r"^p has no leek; it has W_ih, W_hh"):
        Cell(3, 4)(torch.zeros(5, 2, 3))


@pytest.mark.parametrize(("k", "d"), [(2, 0), (0, 1), (-1, 0)])
def test_weights_of_names_what_is_not_there(k, d):
    message = f"no layer k = {k}, direction d = {d}; need k < 2 and d < 1"
    with pytest.raises(ValueError, match=message):
        weights_of(LSTM(3, 4, num_layers=2), k, d)


@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
def test_weights_of_reads_torchs_layers_too(cls):
    layer = cls(3, 4, num_layers=2, bidirectional=True)
    p = weights_of(layer, 1, 1)
    assert p.W_ih is layer.weight_ih_l1_reverse and p.b_hh is layer.bias_hh_l1_reverse
    assert weights_of(nn.LSTM(3, 4, proj_size=2, bias=False)).W_hr.shape == (2, 4)
