"""Defect 20 of miniai: a metric that the user calls `loss` is overwritten without a word, and a plain function as a metric fails."""
from contextlib import redirect_stdout
from io import StringIO

import torch
from torch import nn

from minitrain.core import ArgumentError
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.loop import Mean, accuracy
from minitrain.metrics import MetricsCB


class faulty(Callback):
    def __init__(self, *ms, **metrics):
        self.rows, self.loss = [], Mean()
        self.all_metrics = {**{type(m).__name__: m for m in ms}, **metrics, "loss": self.loss}
    def before_epoch(self, learn):
        for m in self.all_metrics.values(): m.reset()
    def after_batch(self, learn):
        for m in self.all_metrics.values():
            if m is not self.loss: m.update(learn.preds, learn.batch[1])
        self.loss.update(learn.loss, len(learn.batch[0]))
    def after_epoch(self, learn): self.rows.append({k: m.compute() for k, m in self.all_metrics.items()})


ours = MetricsCB


class Two:  # a metric that is always 2
    def reset(self): pass
    def update(self, preds, target): pass
    def compute(self): return 2.


def check(subject):
    def run(cb):
        torch.manual_seed(0)
        learn = Learner(nn.Linear(4, 3), ([(torch.randn(6, 4), torch.arange(6) % 3)],), nn.functional.cross_entropy, cbs=[TrainCB(), cb])
        with redirect_stdout(StringIO()): learn.fit(1)
        return cb.rows[-1], learn
    try: cb = subject(loss=Two())
    except ArgumentError as e: assert "loss" in str(e)
    else: assert 2. in run(cb)[0].values(), "the metric called loss is gone"
    try: row, learn = run(subject(accuracy))
    except AttributeError as e: raise AssertionError(f"a function as metric: {e}")
    assert abs(row["accuracy"] - accuracy(learn.preds, learn.batch[1]).item()) < 1e-6
