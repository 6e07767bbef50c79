"""27. `summary` works for Sequential only: it walks through the model as if it were a list of layers."""
import torch
from torch import nn

from minitrain.all import Hooks, Learner, TrainCB
from minitrain.diagnose import summary


def faulty(model, x):
    rows = []
    def row(hook, m, inp, out): rows.append((type(m).__name__, tuple(out.shape), sum(p.numel() for p in m.parameters())))
    with Hooks(list(iter(model)), row): model(x)
    return rows


def ours(model, x):
    learn = Learner(model, [(x, x)], cbs=TrainCB())
    assert learn.summary().params == summary(model, x).params
    return [(r["Module"].split()[-1], r["Output"], r["Num params"]) for r in summary(model, x).rows]


def check(subject):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(3, 5, batch_first=True), nn.Linear(5, 2)
        def forward(self, x): return {"out": self.head(self.gru(x)[0])}
    try: got = subject(Net(), torch.randn(2, 4, 3))
    except TypeError as e: raise AssertionError("a model that is no Sequential is not summed up") from e
    assert [(name, params) for name, _, params in got] == [("GRU", 3*5*(3 + 5 + 2)), ("Linear", 12)], got
