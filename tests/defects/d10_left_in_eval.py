"""Defect 10 of miniai: after fit the model stands in evaluation mode, its dropout off."""
import torch
from torch import nn

from minitrain.learner import TrainLearner


def faulty(model, batches):
    "An epoch of training, and one of validation"
    for training in (True, False):
        model.train(training)
        for x, y in batches: model(x)


def ours(model, batches): TrainLearner(model, (batches, batches)).fit(1)


def check(fit):
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5), nn.Dropout(0.5))
    model[1].eval()  # on purpose
    fit(model, [(torch.ones(2, 1), torch.zeros(2, 1))])
    assert [m.training for m in model.modules()] == [True, True, False, True]
