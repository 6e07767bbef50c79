"""Defect 4 of miniai: a fit that a callback cancels leaves no row of metrics, because rows are made in after_epoch alone."""
from contextlib import redirect_stdout
from io import StringIO

import torch
from torch import nn

from minitrain.learner import Callback, CancelEpochException, CancelFitException, Learner, TrainCB
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
    class Cancel(Callback):
        order = 1
        def __init__(self, kind): self.kind = kind
        def after_batch(self, learn):
            if learn.iter == 1: raise self.kind
    for kind in (CancelFitException, CancelEpochException):
        cb, batch = subject(), (torch.ones(2, 1), torch.ones(2, 1))
        model = nn.Linear(1, 1)
        with redirect_stdout(StringIO()):
            Learner(model, ([batch]*3,), nn.functional.mse_loss, 0.0, cbs=[TrainCB(), cb, Cancel(kind)]).fit(1)
        assert len(cb.rows) == 1, f"{kind.__name__} after two batches: {len(cb.rows)} rows"
        assert abs(cb.rows[0]["loss"] - nn.functional.mse_loss(model(batch[0]), batch[1]).item()) < 1e-6
