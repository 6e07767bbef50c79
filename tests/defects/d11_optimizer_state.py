"""Defect 11 of miniai: the optimizer is built anew at every fit, and its moments are lost (by capture_preds too)."""
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import TrainLearner


class faulty:
    def __init__(self, model, batches, lr, opt_func): self.model, self.batches, self.lr, self.opt_func = model, batches, lr, opt_func
    def fit(self, n, train=True):
        self.opt = self.opt_func(self.model.parameters(), self.lr)
        for x, y in self.batches*n:
            if train: F.mse_loss(self.model(x), y).backward(); self.opt.step(); self.opt.zero_grad()


def ours(model, batches, lr, opt_func): return TrainLearner(model, (batches, batches), F.mse_loss, lr, opt_func=opt_func)


def check(make):
    def after(*fits):
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        learn = make(model, [(torch.ones(2, 1), torch.zeros(2, 1))], 0.1, partial(torch.optim.SGD, momentum=0.9))
        for n, train in fits: learn.fit(n, train=train)
        return model.weight.item()
    assert after((4, True)) == after((2, True), (2, True)), "two fits of two epochs are not one of four"
    assert after((4, True)) == after((2, True), (1, False), (2, True)), "a look at the validation data changed the training"
