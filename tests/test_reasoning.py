"""The model that learns in context: the seed's cells, no leak, packed queries."""
import math, sys, types

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import minitrain.all
import minitrain.reasoning as m
from minitrain.core import ArgumentError, set_seed
from minitrain.reasoning import LongConv, ReasoningModel, TransformerModel, learning_curve
from minitrain.tasks import TaskLoader

def examples(b=3, n=7, d=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(b, n, d, generator=g), torch.randint(0, 2, (b, n), generator=g).float()


class Recurrent(nn.Module):
    "A causal backbone of another kind"
    def __init__(self, d, **kwargs):
        super().__init__()
        self.rnn = nn.GRU(d, d//(2 if kwargs.get("bidirectional") else 1), batch_first=True, **kwargs)
    def forward(self, x): return self.rnn(x)[0]


MODELS = dict(
    interleave=lambda: ReasoningModel(4, 9, 16, 2, 2),
    nowhere=lambda: ReasoningModel(4, 9, 16, 2, 2, positions=False, init_std=None),
    pair=lambda: ReasoningModel(4, 9, 16, 2, 2, encoding="pair", init_std=None),
    pair_nowhere=lambda: ReasoningModel(4, 9, 16, 2, 2, encoding="pair", positions=False, init_std=None),
    longconv=lambda: ReasoningModel(4, 9, 16, encoding="pair", positions=False, backbone=LongConv(16)),
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
    for name in ("reasoning_module", "reasoning_module.samplers", "reasoning_module.tasks", "reasoning_module.models"):
        module = types.ModuleType(name)
        vars(module).update({k: v for k, v in vars(minitrain.all).items() if not k.startswith("_")})
        monkeypatch.setitem(sys.modules, name, module)
    ns = {}
    set_seed(0)
    with torch.no_grad():
        for cell in CELLS: exec(cell, ns)
    assert ns["xs"].shape == (32, 258, 16) and ns["ys"].shape == (32, 258) and ns["input_sequence"].shape == (32, 516, 16)
    assert ns["output"].shape == (32, 258) and 0.6 < ns["loss"] < 0.85
    sequence, xs, ys = ns["input_sequence"], ns["xs"], ns["ys"]
    assert torch.equal(sequence[:, ::2], xs) and torch.equal(sequence[:, 1::2, 0], ys) and not sequence[:, 1::2, 1:].any()


def test_the_size_of_the_original_and_no_parameter_dead():
    set_seed(0)
    model = TransformerModel(16, 258, 256, 12, 8)
    assert sum(p.numel() for p in model.parameters()) == 9_614_337
    xs, ys = examples(2, 258, 16)
    nn.functional.binary_cross_entropy_with_logits(model(xs, ys), ys).backward()
    idle = {name: (p.grad == 0).sum().item() for name, p in model.named_parameters()}
    assert idle.pop("positions.weight") == 256 and not model.positions.weight.grad[515].any()  # nothing follows the last label
    assert not any(idle.values())


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
    assert torch.equal(model(xs, ys), model.step(model.combine(xs, ys))) and torch.equal(model._combine(xs, ys), model.combine(xs, ys))
    assert torch.equal(model._step(model.combine(xs, ys)), model(xs, ys))
    assert torch.equal(model(xs, ys.bool()), model(xs, ys)) and torch.equal(model(xs, ys.long()), model(xs, ys))
    assert_close(model(xs, ys)[:, :4], model(xs[:, :4], ys[:, :4]), rtol=1e-5, atol=1e-6)


def test_pair_tokens_hold_the_example():
    xs, ys = examples(1, 2, 4)
    s = MODELS["pair"]().combine(xs, ys)
    assert s.shape == (1, 4, 5) and torch.equal(s[:, ::2, :4], xs) and torch.equal(s[:, 1::2, :4], xs)
    assert not s[:, ::2, 4].any() and torch.equal(s[:, 1::2, 4], 2*ys - 1)


def test_without_positions_any_length():
    xs, ys = examples(1, 40, 4)
    assert MODELS["pair_nowhere"]()(xs, ys).shape == (1, 40)
    with pytest.raises(ArgumentError, match="at most 9 examples"): MODELS["pair"]()(xs, ys)
    with pytest.raises(IndexError): MODELS["pair"]().step(torch.randn(1, 19, 5))


@pytest.mark.parametrize("std", [0.02, None])
def test_first_weights(std):
    set_seed(0)
    block = ReasoningModel(8, 64, 128, 8, 4, init_std=std).backbone.blocks[3]
    want = std or 128**-0.5
    assert math.isclose(block.attention.qkv.weight.std().item(), want, rel_tol=0.03) and math.isclose(block.mlp[0].weight.std().item(), want, rel_tol=0.03)
    assert math.isclose(block.attention.out.weight.std().item(), want/4, rel_tol=0.03) and math.isclose(block.mlp[-1].weight.std().item(), want/4, rel_tol=0.03)
    assert not block.attention.qkv.bias.any() and not block.mlp[-1].bias.any()


# --- queries

@pytest.mark.parametrize("k", [0, 1, 7, 8])
def test_a_query_is_what_it_would_be_alone(model, k):
    model.eval()
    (xs, ys), (queries, _) = examples(3, k), examples(3, 5, seed=1)
    with torch.no_grad():
        alone = [model(torch.cat([xs, queries[:, j:j + 1]], 1), torch.cat([ys, torch.ones(3, 1)], 1))[:, -1] for j in range(5)]
        got = model.query(xs, ys, queries)
        assert got.shape == (3, 5)
        assert_close(got, torch.stack(alone, 1), rtol=0, atol=1e-5)
        assert_close(model.query(xs, ys, queries, chunk=2), got, rtol=0, atol=1e-5)
        assert_close(model.query(xs, ys, queries.flip(1)).flip(1), got, rtol=0, atol=1e-5)
        assert model.query(xs, ys, queries[:, :0]).shape == (3, 0)


def test_the_packed_way_is_taken_and_counts_positions():
    "Controls: a mask that lets queries see each other, and positions that run on, are both noticed"
    model = MODELS["pair"]().eval()
    with torch.no_grad(): model.positions.weight.mul_(20)
    (xs, ys), (queries, _) = examples(2, 5), examples(2, 4, seed=1)
    with torch.no_grad():
        right = model._query_each(xs, ys, queries)
        tokens = torch.cat([model.combine(xs, ys), model._tokens(queries)], 1)
        def wrong(at=None, mask=None): return model.read_out(model._hidden(tokens, at, mask)[:, 10:]).squeeze(-1)
        at, mask = torch.arange(14).clamp(max=10), m._query_mask(5, 4)
        assert_close(wrong(at, mask), right, rtol=0, atol=1e-5)
        assert (wrong(None, mask) - right).abs().max() > 1e-3 and (wrong(at, None) - right).abs().max() > 1e-3


def test_queries_that_do_not_fit_are_refused():
    model = MODELS["pair"]()
    (xs, ys), (queries, _) = examples(2, 8), examples(2, 4)
    for args, words in (((torch.cat([xs, xs], 1), torch.cat([ys, ys], 1), queries), "at most 8 examples"), ((xs, 2*ys - 1, queries), "`ys`.*from 0 to 1"),
                        ((xs, ys[:, :3], queries), "for labels")):
        with pytest.raises(ArgumentError, match=words): model.query(*args)
    for wrong in (queries[:1], queries[0], queries[..., :3]):
        with pytest.raises((RuntimeError, IndexError)): model.query(xs, ys, wrong)


# --- backbones

class Chunked(nn.Module):
    "Sees the rest of its block of eight"
    def forward(self, x): return x + x.unflatten(1, (-1, 1)).cumsum(1).flatten(1, 2) + nn.functional.pad(x[:, 8:], (0, 0, 0, 8))


class Average(nn.Module):
    def forward(self, x): return x + 1e-3*x.mean(1, keepdim=True)


def test_backbones_that_see_the_future_are_refused():
    for bad in (Recurrent(16, bidirectional=True), Chunked(), Average(), minitrain.all.TransformerBlock(16, 2), nn.Conv1d(33, 33, 3, padding=1)):
        with pytest.raises(ArgumentError, match="`backbone`: expected a causal module"): ReasoningModel(4, 9, 16, backbone=bad)
    for good in (Recurrent(16), LongConv(16), nn.Linear(16, 16), nn.Identity(), nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 16))): ReasoningModel(4, 9, 16, backbone=good)


def test_trying_a_backbone_changes_nothing():
    backbone = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(33).eval(), nn.Linear(16, 16))
    before, state = {k: v.clone() for k, v in backbone.state_dict().items()}, torch.get_rng_state()
    m._causal(backbone, 16)
    assert torch.equal(torch.get_rng_state(), state) and [o.training for o in backbone] == [True, False, True] and backbone.training
    assert all(torch.equal(o, before[k]) for k, o in backbone.state_dict().items()) and all(p.grad is None for p in backbone.parameters())


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
    assert_close(torch.tensor(rows.loss.values), nn.functional.binary_cross_entropy_with_logits(z, ys, reduction="none").mean(0), rtol=1e-5, atol=1e-6)
    assert_close(torch.tensor(rows.accuracy.values), ((z > 0) == (ys > 0)).float().mean(0))
    with pytest.raises(ArgumentError, match="from 0 to 1"): learning_curve(model, xs, 2*ys - 1)
