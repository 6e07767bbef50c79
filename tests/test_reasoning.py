"""The model that learns in context: the seed's cells, no leak, packed queries, and a job that repeats and resumes to the same bits."""
import json, math, os, random, signal, subprocess, sys, time, types
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

import minitrain.all
import minitrain.reasoning as m
from minitrain.core import ArgumentError, set_seed
from minitrain.reasoning import (LongConv, ReasoningConfig, ReasoningModel, TransformerModel, learning_curve, load_head, resume_reasoning, train_reasoning)
from minitrain.tasks import Curriculum, TaskLoader
from minitrain.runs import RunDir, load_config

SHORT = dict(n_embd=16, n_layer=2, n_head=2, n_positions=12, dims=Curriculum(1, 8, 2, 2), points=Curriculum(4, 12, 3, 2), steps=7, log_every=3,
             batch_size=6, warmup=2, valid_size=20, device="cpu")
FILES = {"config.yaml", "versions.json", "metrics.csv", "model.safetensors", "result.json", "loss.png", "learning_curve.csv", "learning_curve.png"}


def names(folder): return {o.name for o in Path(folder).iterdir() if not o.name.startswith("checkpoint-")}
def weights(run): return (run/"model.safetensors").read_bytes()


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
    with pytest.raises(ArgumentError, match="at most 18 tokens"): MODELS["pair"]().step(torch.randn(1, 19, 5))


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
    for args, words in (((torch.cat([xs, xs], 1), torch.cat([ys, ys], 1), queries), "at most 8 examples"), ((xs, ys, queries[:1]), r"`queries`: expected shape \(2, q, 4\)"),
                        ((xs, ys, queries[0]), "`queries`"), ((xs, ys, queries[..., :3]), "`queries`"), ((xs, 2*ys - 1, queries), "`ys`.*from 0 to 1"),
                        ((xs, ys[:, :3], queries), "one label for each input"), ((xs.tolist(), ys, queries), "`xs`: expected a tensor")):
        with pytest.raises(ArgumentError, match=words): model.query(*args)
    with pytest.raises(ArgumentError, match="`chunk`"): model.query(xs, ys, queries, chunk=0)


# --- backbones

class Chunked(nn.Module):
    "Sees the rest of its block of eight"
    def forward(self, x): return x + x.unflatten(1, (-1, 1)).cumsum(1).flatten(1, 2) + nn.functional.pad(x[:, 8:], (0, 0, 0, 8))


class Average(nn.Module):
    def forward(self, x): return x + 1e-3*x.mean(1, keepdim=True)


def test_backbones_that_see_the_future_are_refused():
    for bad in (Recurrent(16, bidirectional=True), Chunked(), Average(), minitrain.all.TransformerBlock(16, 2), nn.Conv1d(33, 33, 3, padding=1)):
        with pytest.raises(ArgumentError, match="`backbone`: expected a causal module"): ReasoningModel(4, 9, 16, backbone=bad)
    for bad, words in ((nn.GRU(16, 16, batch_first=True), "shape of its input"), (nn.Linear(16, 8), "shape of its input"), (nn.Linear, "an instance"), (lambda x: x, "an instance")):
        with pytest.raises(ArgumentError, match=words): ReasoningModel(4, 9, 16, backbone=bad)
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
    with pytest.raises(ArgumentError, match="`dim`"): LongConv(0)


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


def test_calibration_error():
    y = torch.tensor([1., 0, 1, 1])
    assert m._calibration_error(torch.full((4,), 0.75), y) == 0 and m._calibration_error(torch.ones(4), y) == 0.25
    assert math.isclose(m._calibration_error(torch.tensor([0.9, 0.1, 0.9, 0.9]), y), 0.1, rel_tol=1e-5)


# --- the job

@pytest.fixture(scope="module")
def run(tmp_path_factory): return train_reasoning(ReasoningConfig(**SHORT, ema=0.5), tmp_path_factory.mktemp("reasoning")/"run", progress=False)


def test_the_folder_is_complete_and_readable(run):
    assert names(run.path) == FILES and load_config(run/"config.yaml", ReasoningConfig) == ReasoningConfig(**SHORT, ema=0.5)
    assert list(run.metrics.columns) == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy"] and len(run.metrics) == 3
    result = json.loads((run/"result.json").read_text())
    assert result["problems"] == 42 and result["cpu_seconds"] > 0 and result["valid_loss"] == run.metrics["valid_loss"].iloc[-1]
    for o in ("loss.png", "learning_curve.png"): assert (run/o).read_bytes().startswith(b"\x89PNG") and (run/o).stat().st_size > 5000


def test_the_head_is_what_was_validated(run):
    head = load_head(run.path)
    assert not head.training and not any(p.requires_grad for p in head.parameters()) and head.config.steps == 7
    xs, ys = map(torch.cat, zip(*m._validation(head.config)))
    assert math.isclose(learning_curve(head, xs, ys).loss.mean(), run.metrics["valid_loss"].iloc[-1], rel_tol=1e-5)  # the averages, not the last weights


def test_same_seed_same_weights(run, tmp_path, capsys):
    torch.rand(7)
    again, other = (train_reasoning(ReasoningConfig(**SHORT, ema=0.5, **o), tmp_path/str(i)) for i, o in enumerate(({}, dict(seed=1))))
    assert weights(again) == weights(run) != weights(other)
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["accuracy", "loss", "epoch", "train"] and err == ""


def test_parts_of_a_batch_make_the_update_of_the_whole(tmp_path):
    runs = [train_reasoning(ReasoningConfig(**SHORT, micro_batch=o), tmp_path/str(o), progress=False) for o in (0, 4, 1)]
    a, b, c = (load_file(o/"model.safetensors") for o in runs)
    for k in a:
        keep = torch.cat([torch.ones(16), torch.zeros(16), torch.ones(16)]).bool() if k.endswith("qkv.bias") else ...  # a bias of the keys has no gradient but rounding
        for o in (b, c): assert_close(o[k][keep], a[k][keep], rtol=1e-3, atol=1e-4)
    assert weights(runs[0]) != weights(runs[1])
    assert_close(torch.tensor(runs[1].metrics.values), torch.tensor(runs[0].metrics.values), rtol=1e-3, atol=1e-4)


def test_problems_follow_seed_step_and_curriculum():
    c = ReasoningConfig(**SHORT, micro_batch=4)
    loader = m._Problems(c)
    epochs = [list(loader) for _ in range(3)]
    assert [len(o) for o in epochs] == [6, 6, 2], "three steps of two parts, and one step in the last epoch"
    whole = [tuple(map(torch.cat, zip(*o[i:i + 2]))) for o in epochs for i in range(0, len(o), 2)]
    assert [x.shape for x, _ in whole] == [(6, n, 8) for n in (4, 4, 7, 7, 10, 10, 12)]
    assert [x.any(0).any(0).sum().item() for x, _ in whole] == [1, 1, 3, 3, 5, 5, 7]
    late = m._Problems(replace(c, log_every=1, micro_batch=0))
    late.set_epoch(5)
    assert torch.equal(next(iter(late))[0], whole[5][0])
    one, other = (map(torch.cat, zip(*m._validation(replace(c, **o)))) for o in ({}, dict(seed=5, batch_size=2, micro_batch=1, steps=50)))
    for a, b in zip(one, other): assert torch.equal(a, b) and len(a) == 20


@pytest.mark.parametrize("more", [dict(), dict(save_every=1, micro_batch=4)])
def test_killed_and_resumed_is_never_stopped(more, run, tmp_path):
    config = {**SHORT, "ema": 0.5, **more}
    straight = run if not more else train_reasoning(ReasoningConfig(**config), tmp_path/"straight", progress=False)
    slow = "import time; from minitrain.all import *; C = Curriculum\nclass Slow(Callback):\n  order = 2000\n  def after_batch(self, learn): time.sleep(0.1)\n"
    slow += "import minitrain.reasoning as m\nold = m._reasoning_learner\ndef new(c): l = old(c); l.cbs.append(Slow()); return l\nm._reasoning_learner = new\n"
    values = ", ".join(f"{k}={'C' + str((v.start, v.end, v.inc, v.interval)) if isinstance(v, Curriculum) else repr(v)}" for k, v in config.items())
    child = subprocess.Popen([sys.executable, "-c", f"{slow}train_reasoning(ReasoningConfig({values}), {str(tmp_path/'run')!r})"], stdout=subprocess.DEVNULL, env=dict(os.environ, OMP_NUM_THREADS="1"))
    while child.poll() is None and not list((tmp_path/"run").glob("checkpoint-*")): time.sleep(0.01)
    time.sleep(random.random()*0.3)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    resumed = resume_reasoning(tmp_path/"run", progress=False)
    assert weights(resumed) == weights(straight) and resumed.metrics.equals(straight.metrics) and names(resumed.path) == FILES
    assert json.loads((resumed/"result.json").read_text())["problems"] == 42


def test_ctrl_c_leaves_a_run_to_go_on_with(run, tmp_path, monkeypatch):
    config, old = ReasoningConfig(**SHORT, ema=0.5), m._reasoning_learner
    class Stop(minitrain.all.Callback):
        def after_batch(self, learn):
            if learn.training and (learn.epoch, learn.iter) == (1, 1): os.kill(os.getpid(), signal.SIGINT)
    def stopping(c):
        learn = old(c)
        learn.cbs.append(Stop())
        return learn
    monkeypatch.setattr(m, "_reasoning_learner", stopping)
    with pytest.raises(KeyboardInterrupt) as e: train_reasoning(config, tmp_path/"run", progress=False)
    assert any(f"minitrain reasoning train --resume {tmp_path/'run'}" in o for o in e.value.__notes__) and names(tmp_path/"run") == FILES
    monkeypatch.setattr(m, "_reasoning_learner", old)
    resumed = resume_reasoning(tmp_path/"run", progress=False)
    assert weights(resumed) == weights(run) and resumed.metrics.equals(run.metrics)


def test_a_run_that_is_over_stays_as_it_is(run, capsys):
    before = {o: o.read_bytes() for o in run.path.iterdir() if o.suffix in (".safetensors", ".csv", ".yaml", ".json")}
    resume_reasoning(run.path)
    assert "nothing left to do" in capsys.readouterr().out and all(o.read_bytes() == old for o, old in before.items())


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ArgumentError, match="`WORLD_SIZE`: expected one process"): train_reasoning(ReasoningConfig(**SHORT), tmp_path/"run")
    assert not (tmp_path/"run").exists()


def test_other_folders_are_refused(run, tmp_path):
    with pytest.raises(ArgumentError, match="a folder that holds a run"): resume_reasoning(tmp_path)
    RunDir(tmp_path/"other", dict(epochs=1, canvases=5))
    with pytest.raises(ArgumentError, match="canvases"): resume_reasoning(tmp_path/"other")
    with pytest.raises(ArgumentError, match="new or empty folder"): train_reasoning(ReasoningConfig(**SHORT), run.path)
    RunDir(tmp_path/"begun", asdict(ReasoningConfig(**SHORT)))
    with pytest.raises(ArgumentError, match="come to its end"): load_head(tmp_path/"begun")
    with pytest.raises(ArgumentError, match="`name`: expected one of"): load_head("no such head")


@pytest.mark.parametrize("more", [dict(precision="bf16"), dict(backbone="longconv", valid_size=0), dict(encoding="interleave", positions=True, init_std=0.02, variable_noise=True, clip=0., weight_decay=0.)])
def test_other_choices_train(more, tmp_path):
    run = train_reasoning(ReasoningConfig(**{**SHORT, "steps": 3, "log_every": 5, **more}), tmp_path/"run", progress=False)
    assert run.metrics["train_loss"].between(0.3, 1.2).all() and len(run.metrics) == 1
    assert names(run.path) == FILES - ({"learning_curve.csv", "learning_curve.png"} if "valid_size" in more else set())


C = Curriculum
@pytest.mark.parametrize("kwargs, name", [
    (dict(n_embd=15), "n_embd"), (dict(n_dims=0), "n_dims"), (dict(n_layer=2.5), "n_layer"), (dict(n_head=True), "n_head"), (dict(encoding="both"), "encoding"), (dict(init_std=0.), "init_std"),
    (dict(init_std=math.nan), "init_std"), (dict(steps=0), "steps"), (dict(batch_size=0), "batch_size"), (dict(log_every=0), "log_every"), (dict(micro_batch=7), "micro_batch"),
    (dict(warmup=7), "warmup"), (dict(save_every=-1), "save_every"), (dict(valid_size=-1), "valid_size"), (dict(seed=2**32), "seed"), (dict(lr=-1.), "lr"), (dict(lr_end=1.5), "lr_end"),
    (dict(beta2=1.), "beta2"), (dict(ema=1.), "ema"), (dict(clip=math.inf), "clip"), (dict(weight_decay="0"), "weight_decay"), (dict(dims=C(1, 9)), "dims.end"), (dict(points=C(1, 13)), "points.end"),
    (dict(backbone="mamba"), "backbone"), (dict(precision="half"), "precision"), (dict(weight_multiplier=0.), "weight_multiplier"), (dict(weight_multiplier=1.5, variable_noise=True), "weight_multiplier"),
    (dict(device="nowhere"), "device"), (dict(device="meta"), "device")])
def test_a_bad_config_is_refused_and_makes_no_folder(kwargs, name, tmp_path):
    with pytest.raises(ArgumentError, match=f"`{name}`: expected") as e: train_reasoning(ReasoningConfig(**{**SHORT, **kwargs}), tmp_path/"run")
    assert not (tmp_path/"run").exists() and "\n" not in str(e.value)


@pytest.mark.parametrize("text, words", [
    ("stepz: 3", "`config`: expected only the keys"), ("steps: many", "`steps`: expected int, got 'many'"), ("dims: {start: a}", "`dims.start`: expected int, got 'a'"), ("dims: {stop: 3}", "dims.stop"),
    ("n_embd: 62", "`n_embd`: expected a multiple of n_head, 4, got 62"), ("points: {end: 65}", "`points.end`: expected at most n_positions, 64, got 65"), ("base: nowhere.yaml", "a file that exists"),
    ("steps: [", "valid YAML")])
def test_a_bad_file_is_one_clear_line(text, words, tmp_path):
    (tmp_path/"a.yaml").write_text(text)
    with pytest.raises(ArgumentError) as e: load_config(tmp_path/"a.yaml", ReasoningConfig)
    assert words in str(e.value) and "\n" not in str(e.value)


# --- what comes with the package

def test_the_packaged_configurations():
    assert load_config("reasoning", ReasoningConfig) == ReasoningConfig()
    live, s258, small, tiny, logreg = (load_config(o, ReasoningConfig) for o in ("reasoning_live", "reasoning_head_s258", "reasoning_small", "reasoning_tiny", "probabilistic_logistic_regression"))
    assert live == replace(ReasoningConfig(), device="cpu")
    assert (s258.n_dims, s258.n_positions, s258.batch_size, s258.micro_batch, s258.lr, s258.steps, s258.weight_multiplier) == (16, 258, 128, 32, 1e-4, 35_001, 10)
    assert (s258.dims, s258.points) == (C(4, 16, 4, 1000), C(18, 258, 30, 1000)) and (s258.encoding, s258.positions, s258.init_std, s258.lr_end, s258.warmup) == ("interleave", True, 0.02, 1, 0)
    sizes = [(o.n_layer, o.n_head, o.n_embd) for o in (tiny, small, s258)]
    assert sizes == [(3, 2, 64), (6, 4, 128), (12, 8, 256)]
    assert (logreg.n_positions, logreg.batch_size, logreg.steps, logreg.points) == (66, 128, 20_001, C(18, 66, 8, 1000))


HEADS = sorted(Path(m.__file__).parent.glob("assets/heads/*.safetensors"))


def test_there_is_a_head(): assert HEADS


@pytest.mark.parametrize("path", HEADS, ids=lambda p: p.stem)
def test_a_packaged_head(path):
    assert path.stat().st_size < 2e6 and path.with_suffix(".csv").is_file()
    assert "python bench/reasoning.py head" in path.with_suffix(".yaml").read_text()
    head, log = load_head(path.stem), minitrain.all.load_results(path.with_suffix(".csv"))
    xs, ys = map(torch.cat, zip(*m._validation(replace(head.config, valid_size=128))))
    rows = learning_curve(head, xs, ys)
    assert rows.loss[0] > 0.68 and rows.loss[32:].mean() < rows.loss[8:16].mean() - 0.1
    assert abs(rows.loss.mean() - log["valid_loss"].iloc[-1]) < 0.03  # other problems than those of the log, as their number differs
