"""`minitrain reasoning train` from inside: a job that repeats and resumes to the same bits."""
import json, math, os, random, shutil, signal, time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

import minitrain.all
from child import Child
from minitrain.core import ArgumentError
from minitrain.experiments.reasoning import (Problems, ReasoningConfig, evaluate_reasoning, predict_reasoning,
    reasoning, validation_problems)
from minitrain.reasoning import learning_curve, load_head
from minitrain.runs import RunDir, load_config
from minitrain.tasks import Curriculum

SHORT = dict(n_embd=16, n_layer=2, n_head=2, n_positions=12, dims=Curriculum(1, 8, 2, 2), points=Curriculum(4, 12, 3, 2), steps=7, log_every=3,
             batch_size=6, warmup=2, valid_size=20, device="cpu")
FILES = {"config.yaml", "versions.json", "metrics.csv", "model.safetensors", "result.json", "loss.png", "learning_curve.csv", "learning_curve.png"}

HEADS = sorted(Path(minitrain.all.__file__).parent.glob("assets/heads/*.safetensors"))


def train(config, out=None, progress=True): return reasoning.run(config, out, progress)[0]
def resume(run, progress=True): return reasoning.resume(run, progress)[0]
def names(folder): return {o.name for o in Path(folder).iterdir() if not o.name.startswith("checkpoint-")}
def weights(run): return (run/"model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def run(tmp_path_factory): return train(ReasoningConfig(**SHORT, ema=0.5), tmp_path_factory.mktemp("reasoning")/"run", progress=False)


def test_the_folder_is_complete_and_readable(run):
    assert names(run.path) == FILES and load_config(run/"config.yaml", ReasoningConfig) == ReasoningConfig(**SHORT, ema=0.5)
    assert list(run.metrics.columns) == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy"] and len(run.metrics) == 3
    result = json.loads((run/"result.json").read_text())
    assert result["samples"] == 42 and result["cpu_seconds"] > 0 and result["valid_loss"] == run.metrics["valid_loss"].iloc[-1]
    for o in ("loss.png", "learning_curve.png"): assert (run/o).read_bytes().startswith(b"\x89PNG") and (run/o).stat().st_size > 5000


def test_the_head_is_what_was_validated(run):
    head = load_head(run.path)
    assert not head.training and not any(p.requires_grad for p in head.parameters()) and head.config.steps == 7
    xs, ys = map(torch.cat, zip(*validation_problems(load_config(run/"config.yaml", ReasoningConfig))))
    assert math.isclose(learning_curve(head, xs, ys).loss.mean(), run.metrics["valid_loss"].iloc[-1], rel_tol=1e-5)  # the averages, not the last weights


def test_same_seed_same_weights(run, tmp_path, capsys):
    torch.rand(7)
    again, other = (train(ReasoningConfig(**SHORT, ema=0.5, **o), tmp_path/str(i)) for i, o in enumerate(({}, dict(seed=1))))
    assert weights(again) == weights(run) != weights(other)
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["epoch", "train", "loss", "accuracy"] and err == ""


def test_parts_of_a_batch_make_the_update_of_the_whole(tmp_path):
    runs = [train(ReasoningConfig(**SHORT, micro_batch=o), tmp_path/str(o), progress=False) for o in (0, 4, 1)]
    a, b, c = (load_file(o/"model.safetensors") for o in runs)
    for k in a:
        keep = torch.cat([torch.ones(16), torch.zeros(16), torch.ones(16)]).bool() if k.endswith("qkv.bias") else ...  # a bias of the keys has no gradient but rounding
        for o in (b, c): assert_close(o[k][keep], a[k][keep], rtol=1e-3, atol=1e-4)
    assert weights(runs[0]) != weights(runs[1])
    assert_close(torch.tensor(runs[1].metrics.values), torch.tensor(runs[0].metrics.values), rtol=1e-3, atol=1e-4)


def test_problems_follow_seed_step_and_curriculum():
    c = ReasoningConfig(**SHORT, micro_batch=4)
    loader = Problems(c)
    epochs = [list(loader) for _ in range(3)]
    assert [len(o) for o in epochs] == [6, 6, 2], "three steps of two parts, and one step in the last epoch"
    whole = [tuple(map(torch.cat, zip(*o[i:i + 2]))) for o in epochs for i in range(0, len(o), 2)]
    assert [x.shape for x, _ in whole] == [(6, n, 8) for n in (4, 4, 7, 7, 10, 10, 12)]
    assert [x.any(0).any(0).sum().item() for x, _ in whole] == [1, 1, 3, 3, 5, 5, 7]
    late = Problems(replace(c, log_every=1, micro_batch=0))
    late.set_epoch(5)
    assert torch.equal(next(iter(late))[0], whole[5][0])
    one, other = (map(torch.cat, zip(*validation_problems(replace(c, **o)))) for o in ({}, dict(seed=5, batch_size=2, micro_batch=1, steps=50)))
    for a, b in zip(one, other): assert torch.equal(a, b) and len(a) == 20


class Slow(minitrain.all.Callback):
    order = 2000
    def after_batch(self, learn): time.sleep(0.1)


def train_slowly(config, out):
    old = reasoning.make
    def make(c):
        learn = old(c)
        learn.cbs.append(Slow())
        return learn
    reasoning.make = make
    train(config, out)


@pytest.mark.parametrize("more", [dict(), dict(save_every=1, micro_batch=4)])
def test_killed_and_resumed_is_never_stopped(more, run, tmp_path):
    config = {**SHORT, "ema": 0.5, **more}
    straight = run if not more else train(ReasoningConfig(**config), tmp_path/"straight", progress=False)
    child = Child(train_slowly, ReasoningConfig(**config), tmp_path/"run")
    while child.poll() is None and not list((tmp_path/"run").glob("checkpoint-*")): time.sleep(0.01)
    time.sleep(random.random()*0.3)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    resumed = resume(tmp_path/"run", progress=False)
    assert weights(resumed) == weights(straight) and resumed.metrics.equals(straight.metrics) and names(resumed.path) == FILES
    assert json.loads((resumed/"result.json").read_text())["samples"] == 42


def test_ctrl_c_leaves_a_run_to_go_on_with(run, tmp_path, monkeypatch):
    config, old = ReasoningConfig(**SHORT, ema=0.5), reasoning.make
    class Stop(minitrain.all.Callback):
        def after_batch(self, learn):
            if learn.training and (learn.epoch, learn.iter) == (1, 1): os.kill(os.getpid(), signal.SIGINT)
    def stopping(c):
        learn = old(c)
        learn.cbs.append(Stop())
        return learn
    monkeypatch.setattr(reasoning, "make", stopping)
    with pytest.raises(KeyboardInterrupt) as e: train(config, tmp_path/"run", progress=False)
    assert any(f"minitrain reasoning train --resume {tmp_path/'run'}" in o for o in e.value.__notes__) and names(tmp_path/"run") == FILES - {"result.json"}
    monkeypatch.setattr(reasoning, "make", old)
    resumed = resume(tmp_path/"run", progress=False)
    assert weights(resumed) == weights(run) and resumed.metrics.equals(run.metrics)


def test_a_run_that_is_over_stays_as_it_is(run, capsys):
    before = {o: o.read_bytes() for o in run.path.iterdir() if o.suffix in (".safetensors", ".csv", ".yaml", ".json")}
    resume(run.path)
    assert "nothing left to do" in capsys.readouterr().out and all(o.read_bytes() == old for o, old in before.items())


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ArgumentError, match="`WORLD_SIZE`: expected one process"): train(ReasoningConfig(**SHORT), tmp_path/"run")
    assert not (tmp_path/"run").exists()


def test_other_folders_are_refused(run, tmp_path):
    with pytest.raises(ArgumentError, match="a folder that holds a run"): resume(tmp_path)
    RunDir(tmp_path/"other", dict(epochs=1, canvases=5))
    with pytest.raises(ArgumentError, match="minitrain reasoning train"): resume(tmp_path/"other")
    with pytest.raises(ArgumentError, match="new or empty folder"): train(ReasoningConfig(**SHORT), run.path)
    RunDir(tmp_path/"begun", asdict(ReasoningConfig(**SHORT)))
    with pytest.raises(ArgumentError, match="that is done"): load_head(tmp_path/"begun")
    with pytest.raises(ArgumentError, match="`head`: expected one of"): load_head("no such head")


@pytest.mark.parametrize("where", ["run", "packaged"])
def test_a_head_with_a_flipped_bit(where, run, tmp_path):
    files = run.path.iterdir() if where == "run" else HEADS[0].parent.glob(f"{HEADS[0].stem}.*")
    for o in files: shutil.copy(o, tmp_path)
    head, file = tmp_path if where == "run" else tmp_path/f"{HEADS[0].stem}.yaml", next(tmp_path.glob("*.safetensors"))
    data = file.read_bytes()
    assert load_head(head)
    for at in (len(data)//2, len(data) - 1):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        with pytest.raises(ArgumentError, match="by their digest"): load_head(head)


def test_a_head_whose_configuration_was_edited(run, tmp_path):
    for o in ("config.yaml", "model.safetensors"): shutil.copy(run/o, tmp_path)
    text = (tmp_path/"config.yaml").read_text()
    (tmp_path/"config.yaml").write_text(text.replace("encoding: pair", "encoding: apart"))
    with pytest.raises(ArgumentError, match="`head`: expected weights and the configuration"): load_head(tmp_path)


@pytest.mark.parametrize("more", [dict(precision="bf16"), dict(backbone="streams", encoding="product"), dict(backbone="longconv", valid_size=0), dict(encoding="interleave", positions=True, init_std=0.02, variable_noise=True, clip=0., weight_decay=0.)])
def test_other_choices_train(more, tmp_path):
    run = train(ReasoningConfig(**{**SHORT, "steps": 3, "log_every": 5, **more}), tmp_path/"run", progress=False)
    assert run.metrics["train_loss"].between(0.3, 1.2).all() and len(run.metrics) == 1
    assert names(run.path) == FILES - ({"learning_curve.csv", "learning_curve.png"} if "valid_size" in more else set())


C = Curriculum
@pytest.mark.parametrize("kwargs, name", [
    (dict(n_embd=15), "n_embd"), (dict(n_dims=0), "n_dims"), (dict(n_layer=2.5), "n_layer"), (dict(n_head=True), "n_head"), (dict(encoding="both"), "encoding"), (dict(init_std=0.), "init_std"),
    (dict(init_std=math.nan), "init_std"), (dict(steps=0), "steps"), (dict(batch_size=0), "batch_size"), (dict(log_every=0), "log_every"), (dict(micro_batch=7), "micro_batch"),
    (dict(warmup=7), "warmup"), (dict(save_every=-1), "save_every"), (dict(valid_size=-1), "valid_size"), (dict(seed=2**32), "seed"), (dict(lr=-1.), "lr"), (dict(lr_end=1.5), "lr_end"),
    (dict(beta2=1.), "beta2"), (dict(ema=1.), "ema"), (dict(clip=math.inf), "clip"), (dict(weight_decay="x"), "weight_decay"), (dict(dims=C(1, 9)), "dims.end"), (dict(points=C(1, 13)), "points.end"),
    (dict(backbone="mamba"), "backbone"), (dict(backbone="streams", positions=True), "positions"), (dict(precision="half"), "precision"), (dict(weight_multiplier=0.), "weight_multiplier"), (dict(weight_multiplier=1.5, variable_noise=True), "weight_multiplier"),
    (dict(device="nowhere"), "device"), (dict(device="meta"), "device")])
def test_a_bad_config_is_refused_and_makes_no_folder(kwargs, name, tmp_path):
    with pytest.raises(ArgumentError, match=f"`{name}`: expected") as e: train(ReasoningConfig(**{**SHORT, **kwargs}), tmp_path/"run")
    assert not (tmp_path/"run").exists() and "\n" not in str(e.value)


@pytest.mark.parametrize("text, words", [
    ("stepz: 3", "`stepz`: expected only the keys"), ("steps: many", "`steps`: expected int, got 'many'"), ("dims: {start: a}", "`dims.start`: expected int, got 'a'"), ("dims: {stop: 3}", "dims.stop"),
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


def test_there_is_a_head(): assert HEADS


@pytest.mark.parametrize("path", HEADS, ids=lambda p: p.stem)
def test_a_packaged_head(path):
    assert path.stat().st_size < 2e6 and path.with_suffix(".csv").is_file()
    assert "python bench/reasoning.py head" in path.with_suffix(".yaml").read_text()
    head, log = load_head(path.stem), minitrain.all.load_results(path.with_suffix(".csv"))
    config = replace(load_config(path.with_suffix(".yaml"), ReasoningConfig), valid_size=128)
    xs, ys = map(torch.cat, zip(*validation_problems(config)))
    rows = learning_curve(head, xs, ys)
    assert rows.loss[0] > 0.68 and rows.loss[32:].mean() < rows.loss[8:16].mean() - 0.1
    assert abs(rows.loss.mean() - log["valid_loss"].iloc[-1]) < 0.03  # other problems than those of the log, as their number differs


def test_tables_of_strangers(tmp_path):
    def predict(test, **kw):
        train = pd.DataFrame(dict(x=[1, 2, 3, 4], y=[0, 0, 1, 1]))
        (tmp_path/"t.csv").write_text(test)
        return predict_reasoning("reasoning_d8", train, tmp_path/"t.csv", "y", **kw)
    assert len(predict("x\n1\n\n3\n\n", fill=True)) == 3, "a blank line of one column is an empty cell"
    assert len(predict("x,y\n1,\n\n3,\n")) == 2, "of two columns it is none"
    with pytest.raises(ArgumentError, match="t.csv line 3, column x"): predict("x\n1\n\n3\n")
    assert predict("x,y\n0,0\n0,?\n9,NA\n").attrs["accuracy"] == 1, "a gap is no label"
    table = pd.DataFrame(dict(auto=[1, 2, 3, 4], probability=0, y=[0, 0, 1, 1]))
    ask = partial(predict_reasoning, "reasoning_d8", table, table, "y")
    assert "auto" not in ask() and "auto" not in ask(id="none")
    with pytest.raises(ArgumentError, match="`id`"): ask(id="probability")


def test_a_folder_of_figures_is_given_back(tmp_path):
    evaluate_reasoning("reasoning_d8", tmp_path/"out", problems=2, queries=2)
    RunDir(tmp_path/"out").hold()
