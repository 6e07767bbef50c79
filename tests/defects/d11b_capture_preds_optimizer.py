"""Defect 11 of miniai, second half: capture_preds is a fit, which makes a new optimizer, so that the moments of the training are gone."""
import torch
from torch import nn

import minitrain.predict  # adds Learner.capture_preds
from minitrain.data import DataLoaders
from minitrain.learner import Learner, TrainCB
from minitrain.optim import AdamW


def faulty(learn):
    learn.opt = learn.opt_func(learn.model.parameters(), learn.lr)
    preds = [(learn.model(xb).detach(), yb) for xb, yb in learn.dls.valid]
    return tuple(torch.cat(o) for o in zip(*preds))


def ours(learn): return learn.capture_preds()


def check(capture):
    torch.manual_seed(0)
    x, y = torch.randn(12, 3), torch.randn(12, 1)
    batches = list(zip(x.split(5), y.split(5)))
    learn = Learner(nn.Linear(3, 1), DataLoaders(batches, batches), cbs=TrainCB(), lr=0.01, opt_func=AdamW)
    learn.fit(2)
    opt, weights = learn.opt, [p.detach().clone() for p in learn.model.parameters()]
    moments = [learn.opt.state[p]["exp_avg"].clone() for p in learn.model.parameters()]
    preds, targs = capture(learn)
    assert targs.equal(y) and torch.allclose(preds, learn.model(x).detach())
    assert all(p.equal(w) for p, w in zip(learn.model.parameters(), weights))
    now = [learn.opt.state[p].get("exp_avg") for p in learn.model.parameters()]
    assert all(m is not None and m.equal(o) for m, o in zip(now, moments)), "the optimizer has forgotten its moments"
    assert learn.opt is opt
