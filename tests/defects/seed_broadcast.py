"""The seed's data: float64 and 1-d, which Linear refuses obscurely; as a column beside a flat target mse_loss compares all with all, with a warning."""
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import TrainLearner


def faulty(model, batches):
    "An epoch of training"
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches:
        F.mse_loss(model(x), y).backward()
        opt.step()
        opt.zero_grad()


def ours(model, batches): TrainLearner(model, batches, F.mse_loss).fit(1)


def check(fit):
    x = torch.linspace(-1, 1, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try: fit(nn.Linear(1, 1), [(x[:, None], x.sin())])
        except ValueError as e: assert "the shape of the target, (10,)" in str(e)
        else: raise AssertionError("trained on a 10 by 10 table of differences")
    try: fit(nn.Linear(1, 1), [(x.double(), x.sin().double())])
    except RuntimeError as e: assert any("float64 (10,)" in o for o in getattr(e, "__notes__", ())), "the message does not say what the batch was"
    fit(nn.Linear(1, 1), [(x[:, None], x.sin()[:, None])])
