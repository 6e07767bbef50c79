"""12, second half. `summary` takes a real step: it fits one batch with lr=1, which changes weights, buffers and order."""
import torch
from torch import nn

from minitrain.all import DataLoader, DataLoaders, Dataset, Hooks, Learner, SingleBatchCB, TrainCB, set_seed


def faulty(learn):
    rows = []
    with Hooks(learn.model, lambda h, m, inp, out: rows.append((type(m).__name__, tuple(out.shape)))):
        learn.fit(1, lr=1, cbs=SingleBatchCB())
    return rows


def ours(learn): return learn.summary().rows


def check(subject):
    set_seed(0)
    x = torch.randn(12, 4)
    dl = DataLoader(Dataset(x, x.sum(1, keepdim=True)), 4, shuffle=True, seed=1)
    learn = Learner(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 1)), DataLoaders(dl), cbs=TrainCB(), opt_func=torch.optim.Adam)
    learn.fit(1)
    def state(): return [*learn.model.state_dict().values(), *(v for s in learn.opt.state.values() for v in s.values()), torch.get_rng_state()]
    before, position, modes, opt = [o.clone() for o in state()], dl.state_dict(), [m.training for m in learn.model.modules()], learn.opt
    assert len(subject(learn)) == 4, "a row for each module"
    assert learn.opt is opt and all(torch.equal(a, b) for a, b in zip(before, state(), strict=True)), "weights, buffers, moments or random numbers have moved"
    assert dl.state_dict() == position, "the loader has moved"
    assert [m.training for m in learn.model.modules()] == modes
