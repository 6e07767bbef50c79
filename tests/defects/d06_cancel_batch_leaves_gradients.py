"""Defect 6 of miniai: a CancelBatchException after backward leaves the gradients, and the next step adds them to its own."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import CancelBatchException, Learner, TrainCB


def faulty(model, batches, cb, lr):
    "One epoch of training"
    opt = torch.optim.SGD(model.parameters(), lr)
    for x, y in batches:
        try:
            F.mse_loss(model(x), y).backward()
            cb.after_backward(None)
            opt.step()
            opt.zero_grad()
        except CancelBatchException: pass


def ours(model, batches, cb, lr): Learner(model, batches, F.mse_loss, lr, cbs=[TrainCB(), cb]).fit(1)


def check(train):
    class SkipFirst:
        n = 0
        def after_backward(self, learn):
            self.n += 1
            if self.n == 1: raise CancelBatchException()
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1)
    train(model, [(torch.full((1, 1), 10.), torch.zeros(1, 1)), (torch.ones(1, 1), torch.zeros(1, 1))], SkipFirst(), 0.25)
    assert model.weight.item() == 0.5, f"w - lr*2*w = 0.5 by the second batch alone, got {model.weight.item()}"
