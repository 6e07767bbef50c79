"""The seed hands the sets of random_split where loaders are meant: it trains on one sample at a time, in order, or fails in the model."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.core import ArgumentError
from minitrain.learner import TrainLearner


def faulty(model, dls):
    "An epoch of training"
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for i in range(len(dls[0])):  # what `for batch in dataset` does
        x, y = dls[0][i]
        F.mse_loss(model(x), y).backward()
        opt.step()
        opt.zero_grad()


def ours(model, dls): TrainLearner(model, dls, F.mse_loss).fit(1)


def check(fit):
    x = torch.linspace(-1, 1, 10)[:, None]
    sets = torch.utils.data.random_split(torch.utils.data.TensorDataset(x, x.sin()), [8, 2])
    try: fit(nn.Linear(1, 1), sets)
    except ArgumentError as e: assert "a dataset needs a DataLoader" in str(e)
    else: raise AssertionError("datasets passed for loaders")
    fit(nn.Linear(1, 1), [torch.utils.data.DataLoader(o, 4) for o in sets])
