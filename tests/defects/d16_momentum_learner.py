"""Defect 16 of miniai: MomentumLearner leaks gradients into the next fit, and fails on a missing gradient and with its default lr."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import MomentumLearner


class faulty:
    def __init__(self, model, batches, lr=None, mom=0.85): self.model, self.batches, self.lr, self.mom = model, batches, lr, mom
    def fit(self):
        opt = torch.optim.SGD(self.model.parameters(), self.lr)
        for x, y in self.batches:
            F.mse_loss(self.model(x), y).backward()
            opt.step()
            for p in self.model.parameters(): p.grad *= self.mom


def ours(model, batches, **kwargs): return MomentumLearner(model, batches, **kwargs)


def check(make):
    batches = [(torch.ones(2, 1), torch.zeros(2, 1))]
    problems = []
    model = nn.Linear(1, 1)
    make(model, batches, lr=0.1).fit()
    if any(p.grad is not None and p.grad.any() for p in model.parameters()): problems.append("gradients are left for the next fit")
    try: make(nn.Linear(1, 1), batches).fit()
    except Exception as e: problems.append(f"default lr: {e}")
    model.unused = nn.Parameter(torch.ones(1))
    try: make(model, batches, lr=0.1).fit()
    except Exception as e: problems.append(f"a parameter without a gradient: {e}")
    assert not problems, problems
    def path(mom, n):  # by hand: the gradient of w**2 is 2w, kept in part
        w = g = torch.tensor(1.)
        g = 0.0
        for _ in range(n): g = mom*g + 2*w; w = w - 0.1*g
        return w
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1)
    make(model, batches*3, lr=0.1, mom=0.5).fit()
    torch.testing.assert_close(model.weight.detach().squeeze(), path(0.5, 3))
