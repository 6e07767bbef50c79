"""Defect 21 of miniai: a loss that is no number any more trains on in silence, to the last epoch."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.diagnose import NaNStopCB
from minitrain.learner import TrainLearner


def faulty(model, batches, epochs, lr, seen):
    "Train; `seen` is called before each batch"
    opt = torch.optim.SGD(model.parameters(), lr)
    for x, y in batches*epochs:
        seen()
        F.mse_loss(model(x), y).backward()
        opt.step()
        opt.zero_grad()


def ours(model, batches, epochs, lr, seen):
    class Seen:
        def before_batch(self, learn): seen()
    TrainLearner(model, batches, F.mse_loss, lr, cbs=[Seen(), NaNStopCB()]).fit(epochs)


def check(train):
    n = []
    try: train(nn.Linear(1, 1), [(torch.ones(2, 1), torch.zeros(2, 1))]*10, 50, 1e15, lambda: n.append(1))
    except FloatingPointError: pass
    assert len(n) <= 20, f"{len(n)} batches with weights that are no numbers"
