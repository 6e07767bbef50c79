"""The seed's `.item()` for each module in each batch: every one of them makes the program wait for the device."""
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from minitrain.all import ActivationStats, Callback, Hooks, Learner, TrainCB


class Faulty(Callback):
    def __init__(self): self.means = []
    def before_fit(self, learn): self.hooks = Hooks(learn.model, lambda h, m, inp, out: self.means.append(out.mean().item()))
    def cleanup_fit(self, learn): self.hooks.remove()


faulty, ours = Faulty, ActivationStats


class Fetches(TorchDispatchMode):
    "Counts the operations that bring a number from the device to Python"
    n = 0
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.is_nonzero, torch.ops.aten.nonzero)
        return func(*args, **(kwargs or {}))


def check(subject):
    batch = torch.ones(4, 2), torch.ones(4, 1)
    def fetched(cbs):
        learn = Learner(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), ([batch]*5,), cbs=[TrainCB(), *cbs])
        with Fetches() as counter: learn.fit(1)
        return counter.n
    more = fetched([subject()]) - fetched([])
    assert not more, f"{more} numbers were fetched for 5 batches and 3 modules"
