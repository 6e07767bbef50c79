"""The seed's first Learner: statistics are emptied in fit alone, so each epoch's mean takes in the epochs before, and validation the training."""
from contextlib import redirect_stdout
from io import StringIO

import torch
from torch import nn

from minitrain.learner import Callback, Learner, TrainCB
from minitrain.metrics import MetricsCB


class faulty(Callback):
    def before_fit(self, learn): self.rows, self.losses, self.ns = [], [], []
    def after_batch(self, learn):
        n = len(learn.batch[0])
        self.losses.append(learn.loss.item()*n)
        self.ns.append(n)
    def after_epoch(self, learn): self.rows.append(dict(loss=sum(self.losses)/sum(self.ns)))


ours = MetricsCB


def check(subject):
    class Turns:  # the n-th walk gives batches of n
        n = 0
        def __iter__(self):
            self.n += 1
            yield from [(torch.full((2, 1), float(self.n)), torch.zeros(2, 1))]*3
    cb, model, dl = subject(), nn.Linear(1, 1, bias=False), Turns()
    nn.init.ones_(model.weight)
    with redirect_stdout(StringIO()): Learner(model, (dl, dl), nn.functional.mse_loss, 0., cbs=[TrainCB(), cb]).fit(2)
    got = [row["loss"] for row in cb.rows]
    assert got == [1, 4, 9, 16], f"epochs of losses 1, 4, 9 and 16 have the means {got}"
