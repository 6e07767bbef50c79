"""12a. `lr_find` leaves the model with the weights that exploded, and returns nothing."""
import torch
from torch import nn

from minitrain.learner import Callback, CancelFitException, TrainLearner
from minitrain.schedule import LRFinderCB  # noqa: F401, adds `lr_find` to the Learner


class Finder(Callback):
    def before_fit(self, learn): self.low = float("inf")
    def after_batch(self, learn):
        self.low = min(self.low, learn.loss.item())
        if not learn.loss <= 3*self.low: raise CancelFitException()
        learn.opt.param_groups[0]["lr"] *= 1.3


def faulty(learn): learn.fit(10, valid=False, lr=1e-5, cbs=Finder())


def ours(learn): return learn.lr_find(plot=False)


def check(subject):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, generator=g)
    y = x @ torch.tensor([[1.], [2.], [-1.], [0.5]])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    learn = TrainLearner(model, [(a, b) for a, b in zip(x.split(20), y.split(20))], lr=0.01)
    before, rng = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    found = subject(learn)
    for k, v in model.state_dict().items(): assert torch.equal(v, before[k]), f"{k} was changed"
    assert torch.equal(torch.get_rng_state(), rng)
    assert isinstance(found, float) and 1e-3 < found < 1
