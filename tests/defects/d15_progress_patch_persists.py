"""Defect 15 of miniai: ProgressCB replaces MetricsCB's `_log` and never puts it back, so later fits write into a table that is gone."""
import io
from contextlib import redirect_stdout

import torch
from torch import nn

from minitrain.progress import ProgressCB
from minitrain.data import DataLoaders
from minitrain.learner import Callback, CancelFitException, Learner, TrainCB
from minitrain.metrics import MetricsCB


class faulty(Callback):
    order = MetricsCB.order + 1
    def before_fit(self, learn):
        self.rows = []
        learn.metrics._log = self.rows.append


ours = ProgressCB


class Ends(Callback):
    def __init__(self, error): self.error = error
    def after_batch(self, learn):
        if self.error: raise self.error()


def check(progress):
    batches = [(torch.ones(2, 3), torch.zeros(2, 1))]
    for error in (None, CancelFitException, ZeroDivisionError):
        metrics = MetricsCB()
        learn = Learner(nn.Linear(3, 1), DataLoaders(batches, batches), cbs=[TrainCB(), metrics])
        with redirect_stdout(io.StringIO()) as during:
            try: learn.fit(1, cbs=[progress(), Ends(error)])
            except ZeroDivisionError: pass
        assert "{" not in during.getvalue(), "the rows were not taken over"
        with redirect_stdout(io.StringIO()) as later: learn.fit(1)
        assert later.getvalue().count("{") == 2, f"after {error}: a fit without a bar prints no rows"
