"""`minitrain multilabel` from inside: a whole run that repeats, resumes, and draws training from training digits alone."""
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import minitrain.experiments.multilabel as m
from minitrain.binary import binary_cross_entropy_with_logits as bce
from minitrain.core import ArgumentError, Digits, load_digits
from minitrain.data import DataLoader
from minitrain.experiments.multilabel import MultilabelConfig, canvas_data, canvas_model, multilabel
from minitrain.learner import Callback
from minitrain.multilabel import test_loop as judge_loop
from minitrain.runs import RunDir, load_config

TINY = dict(canvases=40, valid_canvases=30, batch_size=15, epochs=2, width=4, device="cpu")
FILES = {"config.yaml", "versions.json", "metrics.csv", "labels.csv", "model.safetensors", "result.json", "loss.png", "accuracy.png", "predictions.png"}


def train(config, out): return multilabel.run(config, out, progress=False)[0]
def names(path): return {o.name for o in path.iterdir() if not o.name.startswith("checkpoint-")}


def test_job_leaves_a_whole_run_and_repeats(tmp_path):
    config = MultilabelConfig(**TINY)
    runs = [train(config, tmp_path/name) for name in "ab"]
    assert all(names(run.path) == FILES for run in runs)
    assert multilabel.read(tmp_path/"a")[1] == config
    pd.testing.assert_frame_equal(*(run.metrics for run in runs))
    assert runs[0].metrics.columns.tolist() == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy"] and len(runs[0].metrics) == 2
    assert (runs[0]/"model.safetensors").read_bytes() == (runs[1]/"model.safetensors").read_bytes()
    model = canvas_model(config)
    model.load_state_dict(load_file(runs[0]/"model.safetensors"))
    scores = judge_loop(model, DataLoader(canvas_data(config)[1], 7), bce)
    result = multilabel.result(runs[0])
    for k in ("loss", "accuracy", "exact", "precision", "recall", "f1"): assert scores[k] == pytest.approx(result[f"valid_{k}"], rel=1e-5)
    pd.testing.assert_frame_equal(pd.read_csv(runs[0]/"labels.csv", index_col="label"), pd.DataFrame(scores["labels"]), check_names=False, rtol=1e-5)
    assert all((runs[0]/name).read_bytes().startswith(b"\x89PNG") for name in FILES if name.endswith("png"))


def test_seed_and_weight_matter(tmp_path):
    losses = [train(MultilabelConfig(**{**TINY, **o}), tmp_path/str(i)).metrics.train_loss[0]
              for i, o in enumerate([{}, dict(seed=1), dict(pos_weight=0.), dict(dropout=0.9)])]
    assert len(set(losses)) == 4 and losses[2] < 0.75 < losses[0]


@pytest.mark.parametrize("batches, rows", [(0, 0), (3, 1)])
def test_ctrl_c_leaves_a_readable_run_or_none(tmp_path, monkeypatch, batches, rows):
    class Stop(Callback):
        n = 0
        def before_batch(self, learn):
            if learn.training and Stop.n == batches: raise KeyboardInterrupt
            Stop.n += learn.training
    make = multilabel.make
    def stopping(c):
        learn = make(c)
        learn.cbs.append(Stop())
        return learn
    monkeypatch.setattr(multilabel, "make", stopping)
    with pytest.raises(KeyboardInterrupt): train(MultilabelConfig(**TINY), tmp_path/"run")
    if not rows: assert not (tmp_path/"run").exists(); return
    run = RunDir(tmp_path/"run")
    assert len(run.metrics) >= rows and names(run.path) == FILES - {"result.json"}
    monkeypatch.setattr(multilabel, "make", make)
    resumed, whole = multilabel.resume(tmp_path/"run", progress=False)[0], train(MultilabelConfig(**TINY), tmp_path/"whole")
    assert (resumed/"model.safetensors").read_bytes() == (whole/"model.safetensors").read_bytes() and resumed.metrics.equals(whole.metrics)


@pytest.mark.parametrize("change", [dict(epochs=0), dict(batch_size=0), dict(batch_size=6000), dict(canvases=0), dict(valid_canvases=0), dict(width=0), dict(dropout=1.0),
    dict(dropout=-0.1), dict(rare=-1.), dict(pos_weight=-1.), dict(pos_weight=float("nan")), dict(lr=-1.), dict(lr=float("inf")), dict(weight_decay=-1.), dict(seed=-1), dict(seed=2**32)])
def test_bad_settings_are_refused(change):
    with pytest.raises(ArgumentError, match=f"`{next(iter(change))}`"): MultilabelConfig(**change)


def test_nothing_is_written_for_a_device_that_is_not_there(tmp_path):
    with pytest.raises(ArgumentError, match="`device`"): train(MultilabelConfig(**{**TINY, "device": "abacus"}), tmp_path/"run")
    assert not list(tmp_path.iterdir())
    (tmp_path/"full").mkdir(); (tmp_path/"full"/"mine.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="`out`"): train(MultilabelConfig(**TINY), tmp_path/"full")
    assert names(tmp_path/"full") == {"mine.txt"}


def test_packaged_config_is_the_default(): assert load_config("multilabel", MultilabelConfig) == MultilabelConfig()


def coded(n, lo=0., hi=1., size=28):
    "n images, each of one gray of its own in (lo, hi], and labels 0 to 9 in turn"
    gray = lo + (hi - lo)*torch.arange(1, n + 1)/n
    return gray[:, None, None].expand(n, size, size).clone(), torch.arange(n) % 10


def test_no_validation_digit_on_a_training_canvas(monkeypatch):
    train, valid = coded(50, 0, 0.5), coded(20, 0.5, 1)
    monkeypatch.setattr(m, "load_digits", lambda: Digits(*train, *valid))
    a, b = canvas_data(MultilabelConfig(canvases=60, valid_canvases=60))
    assert a.x.max() <= 0.5 and b.x[b.x > 0].min() > 0.5
    again = canvas_data(MultilabelConfig(canvases=60, valid_canvases=60, seed=9))
    assert torch.equal(b.x, again[1].x) and not torch.equal(a.x, again[0].x)
