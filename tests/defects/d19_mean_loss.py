"""Defect 19 of miniai: the mean loss of an epoch weights batches by their rows, wrong with ignore_index, with class weights and with reduction="sum"."""
from contextlib import redirect_stdout
from functools import partial
from io import StringIO

import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import Callback, Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.metrics import MetricsCB


class faulty(Callback):
    def __init__(self): self.rows = []
    def before_epoch(self, learn): self.total, self.n = 0., 0
    def after_batch(self, learn):
        self.total += learn.loss.item()*len(learn.batch[0])
        self.n += len(learn.batch[0])
    def after_epoch(self, learn): self.rows.append(dict(loss=self.total/self.n))


ours = MetricsCB


def check(subject):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 4, generator=g)*3, torch.randint(3, (60,), generator=g)
    y_some = y.masked_fill(torch.rand(60, generator=g) < torch.linspace(0.9, 0., 60), -100)
    w = torch.tensor([1., 10., 0.1])
    for loss_func, target, whole in ((F.cross_entropy, y_some, F.cross_entropy), (nn.CrossEntropyLoss(w), y, nn.CrossEntropyLoss(w)),
            (partial(cross_entropy, reduction="sum"), y, cross_entropy), (nn.CrossEntropyLoss(reduction="sum", ignore_index=1), y, nn.CrossEntropyLoss(ignore_index=1))):
        torch.manual_seed(0)
        cb, model = subject(), nn.Linear(4, 3)
        learn = Learner(model, ([(x[:1], target[:1])], list(zip(x.split(16), target.split(16)))), loss_func, cbs=[TrainCB(), cb])
        with redirect_stdout(StringIO()): learn.fit(1, train=False)
        with torch.no_grad(): want = whole(model(x), target).item()
        assert abs(cb.rows[-1]["loss"] - want) < 1e-5, f"{loss_func}: {cb.rows[-1]['loss']:.3f} instead of {want:.3f}"
