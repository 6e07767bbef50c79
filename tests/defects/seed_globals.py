"""The seed takes `model` and `lr` from globals instead of `self`: a second Learner trains the first one's model."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import TrainLearner

model = nn.Linear(1, 1)
lr = 0.1


class faulty:
    def __init__(self, model, batches, lr): self.model, self.batches, self.lr = model, batches, lr
    def fit(self):
        opt = torch.optim.SGD(model.parameters(), lr=lr)
        for x, y in self.batches:
            F.mse_loss(model(x), y).backward()
            opt.step()
            opt.zero_grad()


def ours(model, batches, lr): return TrainLearner(model, batches, F.mse_loss, lr)


def check(make):
    mine = nn.Linear(1, 1, bias=False)
    mine.weight.data.fill_(1)
    make(mine, [(torch.ones(2, 1), torch.zeros(2, 1))], 0.25).fit()
    assert mine.weight.item() == 0.5, f"w - lr*2*w = 0.5, got {mine.weight.item()}"
