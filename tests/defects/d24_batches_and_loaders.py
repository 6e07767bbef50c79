"""Defect 24 of miniai: batches that are dicts, a missing validation set, a single loader: all of them crash."""
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import Learner, TrainCB


def faulty(model, dls):
    "An epoch of training, and one of validation"
    for dl in (dls.train, dls.valid):
        for batch in dl: F.mse_loss(model(batch[0]), batch[1]).backward()


def ours(model, dls): Learner(model, dls, F.mse_loss, cbs=TrainCB()).fit(1)


def check(fit):
    class Loaders:
        def __init__(self, train, valid): self.train, self.valid = train, valid
    x, y = torch.ones(2, 1), torch.zeros(2, 1)
    for name, dls in {"usual": Loaders([(x, y)], [(x, y)]), "dicts": Loaders([{"x": x, "y": y}], [{"x": x, "y": y}]),
                      "no validation": Loaders([(x, y)], None), "one loader": [(x, y)], "a pair": ([(x, y)], [(x, y)])}.items():
        try: fit(nn.Linear(1, 1), dls)
        except Exception as e: raise AssertionError(f"{name}: {type(e).__name__}: {e}")
