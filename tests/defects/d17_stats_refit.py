"""17. ActivationStats loses its history when the Learner is fitted again: each fit makes new hooks."""
import torch
from torch import nn

from minitrain.all import ActivationStats, Callback, Hooks, Learner, TrainCB, append_stats


class Faulty(Callback):
    def __init__(self, mod_filter): self.mod_filter = mod_filter
    def before_fit(self, learn): self.hooks = Hooks([m for m in learn.model.modules() if self.mod_filter(m)], append_stats)
    def cleanup_fit(self, learn): self.hooks.remove()
    def __iter__(self): return iter(self.hooks)


faulty, ours = Faulty, ActivationStats


def check(subject):
    batch = torch.ones(4, 2), torch.ones(4, 1)
    stats = subject(lambda m: isinstance(m, nn.Linear))
    learn = Learner(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), ([batch]*3,), cbs=[TrainCB(), stats])
    learn.fit(2)
    learn.fit(1)
    got = [[len(o) for o in h.stats] for h in stats]
    assert got == [[9]*3]*2, f"two modules with 9 batches each, got {got}"
