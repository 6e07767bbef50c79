"""The seed sets `model.training = x`: the children keep their old mode, and dropout stays on in validation."""
import torch
from torch import nn

from minitrain.learner import TrainLearner


def faulty(model, batches):
    "An epoch of training, and one of validation"
    for training in (True, False):
        model.training = training
        for x, y in batches: model(x)


def ours(model, batches): TrainLearner(model, (batches, batches)).fit(1)


def check(fit):
    model, modes = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5)), []
    model.register_forward_hook(lambda m, args, out: modes.append([o.training for o in model.modules()]))
    fit(model, [(torch.ones(2, 1), torch.zeros(2, 1))])
    assert modes == [[True]*3, [False]*3], modes
