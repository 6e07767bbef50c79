"""Defect 13 of miniai: preds and loss keep the graph of the last batch, and all its activations, alive after fit."""
import gc, weakref

import torch
import torch.nn.functional as F
from torch import nn

from minitrain.learner import TrainLearner


class faulty:
    def __init__(self, model, batches): self.model, self.batches = model, batches
    def fit(self):
        for self.batch in self.batches:
            self.preds = self.model(self.batch[0])
            self.loss = F.mse_loss(self.preds, self.batch[1])
            self.loss.backward()


def ours(model, batches): return TrainLearner(model, batches)


def check(make):
    class Tag: pass
    refs = []
    def follow(module, args, out):
        tag = Tag()
        out.grad_fn.register_prehook(lambda *a, tag=tag: None)  # lives as long as the graph
        refs.append(weakref.ref(tag))
    model = nn.Linear(1, 1)
    model.register_forward_hook(follow)
    learn = make(model, [(torch.ones(2, 1), torch.zeros(2, 1))])
    learn.fit()
    gc.collect()
    assert len(refs) == 1 and refs[0]() is None, "the graph is still there"
    assert learn.preds.shape == (2, 1) and learn.loss.item() >= 0 and len(learn.batch) == 2  # readable all the same
