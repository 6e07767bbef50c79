"""Defect 8 of miniai: without a TrainCB fit succeeds and trains nothing; with two the second backward fails obscurely."""
import torch
from torch import nn

from minitrain.core import ArgumentError
from minitrain.learner import Learner, TrainCB


class faulty:
    def __init__(self, model, batches, cbs): self.model, self.batches, self.cbs = model, batches, cbs
    def fit(self):
        self.opt = torch.optim.SGD(self.model.parameters(), 0.1)
        for self.batch in self.batches:
            for part in ("predict", "get_loss", "backward", "step", "zero_grad"):
                for cb in self.cbs:
                    if hasattr(cb, part): getattr(cb, part)(self)
    def loss_func(self, preds, y): return nn.functional.mse_loss(preds, y)


def ours(model, batches, cbs): return Learner(model, batches, cbs=cbs)


def check(make):
    batches = [(torch.ones(2, 1), torch.zeros(2, 1))]
    for n in (0, 2):
        try: make(nn.Linear(1, 1), batches, [TrainCB() for _ in range(n)]).fit()
        except ArgumentError as e: assert "train" in str(e)
        else: raise AssertionError(f"{n} trainers passed")
    model = nn.Linear(1, 1)
    before = model.weight.item()
    make(model, batches, [TrainCB()]).fit()
    assert model.weight.item() != before
