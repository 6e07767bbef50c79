"""23. `RecorderCB.plot` raises NameError: the module never imports what it plots with."""
from functools import partial

import matplotlib
matplotlib.use("Agg")
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from minitrain.learner import Callback, TrainLearner
from minitrain.schedule import BatchSchedCB
from minitrain.progress import RecorderCB


class faulty(Callback):
    def __init__(self, **d): self.d = d
    def before_fit(self, learn): self.recs, self.pg = {k: [] for k in self.d}, learn.opt.param_groups[0]
    def after_batch(self, learn):
        for k, v in self.d.items(): self.recs[k].append(v(self))
    def plot(self):
        for k, v in self.recs.items(): plt.plot(v, label=k)  # noqa: F821, the defect


ours = RecorderCB


def check(subject):
    import matplotlib.pyplot as plt
    rec = subject(lr=lambda cb: cb.pg["lr"], mom=lambda cb: cb.pg["momentum"])
    batches = [(torch.ones(2, 3), torch.ones(2, 1))]*5
    learn = TrainLearner(nn.Linear(3, 1), batches, lr=0.01, cbs=[rec, BatchSchedCB(partial(OneCycleLR, max_lr=0.1, total_steps=5))], opt_func=torch.optim.SGD)
    learn.fit(1)
    assert len(rec.recs["lr"]) == len(rec.recs["mom"]) == 5
    plt.close("all")
    try:
        rec.plot()
        drawn = [list(line.get_ydata()) for ax in plt.gcf().axes for line in ax.lines]
        assert drawn == [rec.recs["lr"], rec.recs["mom"]]
    finally: plt.close("all")
