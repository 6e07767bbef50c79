"""The seed picks the validation loader and then walks through the training loader in both epochs."""
import torch
from torch import nn

from minitrain.learner import TrainLearner


def faulty(model, train, valid):
    "An epoch of training, and one of validation"
    for training in (True, False):
        dl = train if training else valid
        for x, y in train: model(x)


def ours(model, train, valid): TrainLearner(model, (train, valid)).fit(1)


def check(fit):
    model, sizes = nn.Linear(1, 1), []
    model.register_forward_pre_hook(lambda m, args: sizes.append(len(args[0])))
    fit(model, *([(torch.ones(n, 1), torch.zeros(n, 1))] for n in (3, 2)))
    assert sizes == [3, 2], sizes
