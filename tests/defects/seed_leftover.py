"""The seed's second Learner: metrics have moved to a callback, but fit still makes their lists and one_epoch still sums them
(`n = sum(self.ns)`, a sum over nothing that nobody reads): a Learner without metrics goes on carrying their state."""
from types import SimpleNamespace

import torch
from torch import nn

from minitrain.learner import Learner, TrainCB


class faulty:
    def __init__(self, model, dls, loss_func): self.model, self.dls, self.loss_func = model, dls, loss_func
    def one_epoch(self, dl):
        for self.batch in dl: self.loss_func(self.model(self.batch[0]), self.batch[1]).backward()
        n = sum(self.ns)  # noqa: F841
    def fit(self, n_epochs):
        self.losses, self.ns, self.accs = [], [], []
        for self.epoch in range(n_epochs): self.one_epoch(self.dls.train)


def ours(model, dls, loss_func): return Learner(model, dls, loss_func, cbs=TrainCB())


def check(subject):
    batch = (torch.ones(2, 1), torch.zeros(2, 1))
    learn = subject(nn.Linear(1, 1), SimpleNamespace(train=[batch], valid=None), nn.functional.mse_loss)
    learn.fit(1)
    left = {"losses", "ns", "accs", "metrics"} & vars(learn).keys()
    assert not left, f"a Learner without metrics has {sorted(left)}"
