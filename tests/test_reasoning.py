"""The model that learns in context: the seed's cells, no leak, packed queries."""
import math, sys, types

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import minitrain.all
from minitrain.core import ArgumentError, set_seed
from minitrain.reasoning import (LongConv, ReasoningModel, TransformerModel,
    TwoStreams, learning_curve)

def examples(b=3, n=7, d=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    xs = torch.randn(b, n, d, generator=g)
    return xs, torch.randint(0, 2, (b, n), generator=g).float()


class Recurrent(nn.Module):
    "A causal backbone of another kind"
    def __init__(self, d, **kwargs):
        super().__init__()
        width = d//2 if kwargs.get("bidirectional") else d
        self.rnn = nn.GRU(d, width, batch_first=True, **kwargs)
    def forward(self, x): return self.rnn(x)[0]


MODELS = dict(
    interleave=lambda: ReasoningModel(4, 9, 16, 2, 2),
    tart=lambda: TransformerModel(4, 9, 16, 2, 2),
    apart=lambda: ReasoningModel(4, 9, 16, 2, 2, encoding="apart", positions=False),
    pair=lambda: ReasoningModel(4, 9, 16, 2, 2, encoding="pair", init_std=None),
    pair_nowhere=lambda: ReasoningModel(
        4, 9, 16, 2, 2, encoding="pair", positions=False, init_std=None),
    product=lambda: ReasoningModel(4, 9, 16, 2, 2, encoding="product", init_std=None),
    streams=lambda: TwoStreams(4, 9, 16, 2, 2, encoding="product", init_std=None),
    streams_tart=lambda: TwoStreams(4, 9, 16, 2, 2, init_std=None),
    longconv=lambda: ReasoningModel(
        4, 9, 16, encoding="pair", positions=False, backbone=LongConv(16)),
    recurrent=lambda: ReasoningModel(4, 9, 16, backbone=Recurrent(16)))


@pytest.fixture(params=MODELS)
def model(request):
    set_seed(0)
    return MODELS[request.param]()


# --- the seed

CELLS = ['''
from reasoning_module.samplers import get_data_sampler
from reasoning_module.tasks import get_task_sampler
from reasoning_module.models import TransformerModel
n_dims = 16
n_positions=258
batch_size = 32
data_type = "gaussian"
training_task_type = "probabilistic_logistic_regression"
weight_multiplier = 5
variable_noise=False''', '''
n_positions = 258
n_layer=12
n_head=8
n_embd=256''', '''
data_sampler = get_data_sampler(data_type, n_dims=n_dims)
task_sampler = get_task_sampler(
            training_task_type,
            n_dims,
            batch_size,
            weight_multiplier=weight_multiplier,
            variable_noise=variable_noise,
            n_points=n_positions,
    )
task = task_sampler()''', '''
xs, _ = data_sampler.sample_xs(n_positions, batch_size, n_dims)
ys, _ = task.evaluate(xs)''', '''
reasoning_module = TransformerModel(
    n_dims=n_dims,
    n_positions=n_positions,
    n_embd=n_embd,
    n_layer=n_layer,
    n_head=n_head,
)''', '''
input_sequence = reasoning_module._combine(xs, ys)
output = reasoning_module._step(input_sequence)''', '''
loss_func = task.get_training_metric()
loss = loss_func(output, ys)''']


def test_the_cells_of_the_seed_run(monkeypatch):
    for name in ("", ".samplers", ".tasks", ".models"):
        module = types.ModuleType(f"reasoning_module{name}")
        public = {k: v for k, v in vars(minitrain.all).items() if k[0] != "_"}
        vars(module).update(public)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    ns = {}
    set_seed(0)
    with torch.no_grad():
        for cell in CELLS: exec(cell, ns)
    sequence, output, xs, ys = (ns[o] for o in ("input_sequence", "output", "xs", "ys"))
    assert xs.shape == (32, 258, 16) and sequence.shape == (32, 516, 16)
    assert ys.shape == output.shape == (32, 258) and 0.6 < ns["loss"] < 0.85
    assert torch.equal(sequence[:, ::2], xs) and torch.equal(sequence[:, 1::2, 0], ys)
    assert not sequence[:, 1::2, 1:].any()


def test_the_size_of_the_original_and_no_parameter_dead():
    set_seed(0)
    model = TransformerModel(16, 258, 256, 12, 8)
    assert sum(p.numel() for p in model.parameters()) == 9_614_337
    xs, ys = examples(2, 258, 16)
    nn.functional.binary_cross_entropy_with_logits(model(xs, ys), ys).backward()
    idle = {name: (p.grad == 0).sum().item() for name, p in model.named_parameters()}
    assert idle.pop("positions.weight") == 256  # nothing follows the last label
    assert not model.positions.weight.grad[515].any() and not any(idle.values())


def test_the_names_of_the_original():
    xs, ys = examples(1)
    set_seed(0)
    model = TransformerModel(n_dims=4, n_positions=9, n_embd=16, n_layer=2, n_head=2,
        n_y=1, model_name=None)
    sequence, z = TransformerModel._combine(xs, ys), model(xs, ys)
    assert torch.equal(model._combine(xs, ys), sequence)
    for step in (model._step, model.step): assert torch.equal(step(sequence), z)
    assert torch.equal(model(xs, ys, inds=[5, 2]), z[:, [5, 2]])
    assert model.predict(sequence) == int(z[0, -1].sigmoid() >= 0.5)
    with torch.no_grad(): model.read_out.bias += 100
    assert model.predict(sequence) == 1
    with pytest.raises(ArgumentError, match="`n_y`"): TransformerModel(4, 9, n_y=2)
    small = TransformerModel(4, 9)  # its defaults: 12 blocks of 4 heads, 128 wide
    assert (len(small.backbone.blocks), small.positions.embedding_dim) == (12, 128)
    assert small.backbone.blocks[0].attention.heads == 4


def gpt2(state, xs, ys, heads):
    "TART's model, written out: a GPT-2, whose layers multiply by their weights"
    def conv(name, x): return x @ state[f"{name}.weight"] + state[f"{name}.bias"]
    def norm(name, x):
        w, b = state[f"{name}.weight"], state[f"{name}.bias"]
        return nn.functional.layer_norm(x, x.shape[-1:], w, b, 1e-5)
    z = TransformerModel._combine(xs, ys)
    h = z @ state["_read_in.weight"].T + state["_read_in.bias"]
    h = h + state["_backbone.wpe.weight"][:h.shape[1]]
    b, n, d = h.shape
    past = torch.ones(n, n).tril().bool()
    for i in range(2):
        at = f"_backbone.h.{i}"
        qkv = conv(f"{at}.attn.c_attn", norm(f"{at}.ln_1", h)).split(d, -1)
        q, k, v = (o.view(b, n, heads, -1).transpose(1, 2) for o in qkv)
        scores = q @ k.mT/(d//heads)**0.5
        p = scores.masked_fill(~past, -torch.inf).softmax(-1)
        h = h + conv(f"{at}.attn.c_proj", (p @ v).transpose(1, 2).reshape(b, n, d))
        u = conv(f"{at}.mlp.c_fc", norm(f"{at}.ln_2", h))
        u = u/2*(1 + ((2/math.pi)**0.5*(u + 0.044715*u**3)).tanh())
        h = h + conv(f"{at}.mlp.c_proj", u)
    out = norm("_backbone.ln_f", h) @ state["_read_out.weight"].T
    return (out + state["_read_out.bias"])[:, ::2, 0]


def tart_state(n=9, d=16):
    "A head of TART's form, with what older versions of the library kept in it"
    g = torch.Generator().manual_seed(0)
    def both(name, weight, bias):
        return {f"{name}.weight": torch.randn(weight, generator=g)/2,
            f"{name}.bias": torch.randn(bias, generator=g)/2}
    state = both("_read_in", (d, 4), d) | both("_read_out", (1, d), 1)
    state |= {"_backbone.wte.weight": torch.randn(50, d, generator=g),
        "_backbone.wpe.weight": torch.randn(2*n, d, generator=g)}
    for i in range(2):
        at = f"_backbone.h.{i}"
        for name, o in (("attn.c_attn", 3*d), ("attn.c_proj", d), ("mlp.c_fc", 4*d)):
            state |= both(f"{at}.{name}", (d, o), o)
        state |= both(f"{at}.mlp.c_proj", (4*d, d), d)
        for name in ("ln_1", "ln_2"): state |= both(f"{at}.{name}", d, d)
        state |= {f"{at}.attn.bias": torch.ones(1, 1, 2*n, 2*n).tril(),
            f"{at}.attn.masked_bias": torch.tensor(-1e4)}
    return state | both("_backbone.ln_f", d, d)


@pytest.mark.parametrize("heads", [2, 4])
def test_a_head_of_the_original(heads):
    state, (xs, ys) = tart_state(), examples()
    model = ReasoningModel.from_tart(state, n_head=heads)
    want = gpt2(state, xs, ys, heads)
    with torch.no_grad(): got = model(xs, ys)
    assert_close(got, want, rtol=1e-5, atol=2e-5)
    for block in model.backbone.blocks: block.mlp[1] = nn.GELU()
    for other in (model(xs, ys), gpt2(state, xs, ys, 6 - heads)):  # the controls
        assert (other - want).abs().max() > 1e-4
    assert not model.training and model.n_positions == 9
    assert isinstance(TransformerModel.from_tart(state, heads), TransformerModel)
    for key in ("_backbone.h.1.ln_2.bias", "_read_out.weight"):
        with pytest.raises(KeyError, match=key):
            ReasoningModel.from_tart({k: v for k, v in state.items() if k != key})


# --- what a model may know

def test_no_output_knows_its_label_or_what_is_later(model):
    xs, ys = examples()
    exact = "longconv" not in type(model.backbone).__name__.lower()
    base = model(xs, ys)
    for j in range(7):
        flipped, moved = ys.clone(), xs.clone()
        flipped[:, j] = 1 - flipped[:, j]
        moved[:, j] += 1
        a, b = model(xs, flipped), model(moved, ys)
        tol = 0 if exact else 1e-5
        assert_close(a[:, :j + 1], base[:, :j + 1], rtol=0, atol=tol)
        assert_close(b[:, :j], base[:, :j], rtol=0, atol=tol)
        assert (a[:, j + 1:] != base[:, j + 1:]).any() or j == 6
        assert (b[:, j] != base[:, j]).all()


def test_the_control_leaks():
    model = MODELS["pair"]()
    for block in model.backbone.blocks: block.attention.causal = False
    xs, ys = examples()
    flipped = ys.clone()
    flipped[:, 6] = 1 - flipped[:, 6]
    assert ((model(xs, ys) - model(xs, flipped))[:, :7].abs() > 1e-4).any()


def test_forward_is_step_of_combine(model):
    xs, ys = examples()
    assert torch.equal(model(xs, ys), model.step(model.combine(xs, ys)))
    z = model(xs, ys)
    for labels in (ys.bool(), ys.long()): assert torch.equal(model(xs, labels), z)
    assert_close(z[:, :4], model(xs[:, :4], ys[:, :4]), rtol=1e-5, atol=1e-6)
    for wrong in ((xs, ys[:, :4]), (xs[..., :3], ys), (xs, ys[..., None])):
        with pytest.raises((RuntimeError, ValueError)): model(*wrong)


def test_tokens_with_a_coordinate_for_the_label():
    xs, ys = examples(1, 2, 4)
    signed = xs*(2*ys - 1)[..., None]
    for name, inputs in (("pair", xs), ("apart", 0*xs), ("product", signed)):
        s = MODELS[name]().combine(xs, ys)
        assert s.shape == (1, 4, 5) and torch.equal(s[:, ::2, :4], xs)
        assert torch.equal(s[:, 1::2, :4], inputs) and not s[:, ::2, 4].any()
        assert torch.equal(s[:, 1::2, 4], 2*ys - 1)
    with pytest.raises(ArgumentError, match="`encoding`"):
        ReasoningModel(4, 9, encoding="")


def test_without_positions_any_length():
    xs, ys = examples(1, 40, 4)
    assert MODELS["pair_nowhere"]()(xs, ys).shape == (1, 40)
    with pytest.raises(IndexError): MODELS["pair"]()(xs, ys)


def test_two_streams_is_a_mask_of_the_one_sequence():
    "The same weights, interleaved, where each input is seen by itself alone"
    set_seed(0)
    model, (xs, ys) = MODELS["streams"](), examples()
    mask = torch.ones(14, 14).tril().bool() & (torch.arange(14) % 2 == 1)
    mask |= torch.eye(14).bool()
    h = model.backbone(model.read_in(model.combine(xs, ys)), mask)
    one = model.read_out(model.norm(h[:, ::2])).squeeze(-1)
    assert_close(model(xs, ys), one, rtol=0, atol=1e-5)
    open_ended = model.step(model.combine(xs, ys)[:, :-1])  # the last has no label yet
    assert_close(open_ended, one, rtol=0, atol=1e-5)
    with pytest.raises(ArgumentError, match="`positions`"):
        TwoStreams(4, 9, 16, 2, 2, positions=True)


@pytest.mark.parametrize("std", [0.02, None])
def test_first_weights(std):
    set_seed(0)
    model, want = ReasoningModel(8, 64, 128, 8, 4, init_std=std), std or 128**-0.5
    block = model.backbone.blocks[3]
    for m, size in ((model.positions, want), (block.attention.qkv, want),
            (block.mlp[0], want), (block.attention.out, want/4),
            (block.mlp[-1], want/4)):
        assert math.isclose(m.weight.std().item(), size, rel_tol=0.03)
        if isinstance(m, nn.Linear): assert not m.bias.any()


# --- queries

@pytest.mark.parametrize("k", [0, 1, 7, 8])
def test_a_query_is_what_it_would_be_alone(model, k):
    model.eval()
    (xs, ys), (queries, _) = examples(3, k), examples(3, 5, seed=1)
    with torch.no_grad():
        labels = torch.cat([ys, torch.ones(3, 1)], 1)
        rows = [torch.cat([xs, o], 1) for o in queries.split(1, 1)]
        alone = [model(o, labels)[:, -1] for o in rows]
        got = model.query(xs, ys, queries)
        assert got.shape == (3, 5)
        assert_close(got, torch.stack(alone, 1), rtol=0, atol=1e-5)
        assert_close(model.query(xs, ys, queries, chunk=2), got, rtol=0, atol=1e-5)
        flipped = model.query(xs, ys, queries.flip(1)).flip(1)
        assert_close(flipped, got, rtol=0, atol=1e-5)
        assert model.query(xs, ys, queries[:, :0]).shape == (3, 0)


def test_positions_count_for_a_query():
    "Loud positions: a query has the place of the next example, however many there are"
    model = MODELS["pair"]().eval()
    with torch.no_grad(): model.positions.weight.mul_(20)
    (xs, ys), (queries, _) = examples(2, 5), examples(2, 4, seed=1)
    with torch.no_grad():
        one = model.query(xs, ys, queries[:, 3:])
        assert_close(model.query(xs, ys, queries)[:, 3:], one, rtol=0, atol=1e-5)
        model.positions.weight[11:] = 0  # the places of later tokens are not looked at
        assert_close(model.query(xs, ys, queries)[:, 3:], one, rtol=0, atol=1e-5)
        model.positions.weight[10] = 0
        assert (model.query(xs, ys, queries)[:, 3:] - one).abs().max() > 1e-3


def test_queries_that_do_not_fit_raise():
    model = MODELS["pair"]()
    (xs, ys), (queries, _) = examples(2, 8), examples(2, 4)
    with pytest.raises(ArgumentError, match="`ys`.*from 0 to 1"):
        model.query(xs, 2*ys - 1, queries)
    with pytest.raises(ArgumentError, match="at most 8 examples"):
        model.query(*examples(2, 9), queries)
    for wrong in (queries[:1], queries[0], queries[..., :3]):
        with pytest.raises((RuntimeError, IndexError)): model.query(xs, ys, wrong)


# --- backbones

class Chunked(nn.Module):
    "Sees the rest of its block of eight"
    def forward(self, x): return x + nn.functional.pad(x[:, 8:], (0, 0, 0, 8))


class Average(nn.Module):
    def forward(self, x): return x + 1e-3*x.mean(1, keepdim=True)


def test_backbones_that_see_the_future_raise():
    for bad in (Recurrent(16, bidirectional=True), Chunked(), Average(),
            minitrain.all.TransformerBlock(16, 2), nn.Conv1d(33, 33, 3, padding=1)):
        with pytest.raises(ArgumentError, match="`backbone`: expected a causal module"):
            ReasoningModel(4, 9, 16, backbone=bad)
    dropout = nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 16))
    for good in (Recurrent(16), LongConv(16), nn.Identity(), dropout):
        ReasoningModel(4, 9, 16, backbone=good)


def test_trying_a_backbone_changes_nothing():
    parts = nn.Dropout(0.5), nn.BatchNorm1d(33).eval(), nn.Linear(16, 16)
    backbone = nn.Sequential(*parts)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    ReasoningModel(4, 9, 16, backbone=backbone)
    assert backbone.training and [o.training for o in backbone] == [True, False, True]
    assert all(torch.equal(o, before[k]) for k, o in backbone.state_dict().items())
    assert all(p.grad is None for p in backbone.parameters())


def test_longconv_has_any_length_and_uses_all_it_has():
    set_seed(0)
    conv = LongConv(8, 2)
    x = torch.randn(2, 300, 8)
    assert_close(conv(x)[:, :50], conv(x[:, :50]), rtol=0, atol=1e-4)
    conv(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in conv.parameters())


# --- the learning curve

def test_learning_curve_by_hand():
    set_seed(0)
    model = MODELS["pair"]().train()
    xs, ys = examples(10)
    rows = learning_curve(model, xs, ys, batch_size=3)
    assert model.training and list(rows.examples) == list(range(7))
    z = model.eval()(xs, ys)
    loss = nn.functional.binary_cross_entropy_with_logits(z, ys, reduction="none")
    assert_close(torch.tensor(rows.loss.values), loss.mean(0), rtol=1e-5, atol=1e-6)
    right = ((z > 0) == (ys > 0)).float().mean(0)
    assert_close(torch.tensor(rows.accuracy.values), right)
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        learning_curve(model, xs, 2*ys - 1)
