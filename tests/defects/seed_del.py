"""The seed's `__del__` for hooks: the module keeps the hook alive through its function, so it never fires."""
import gc

import torch
from torch import nn

from minitrain.all import Hook


class Faulty:
    def __init__(self, m, f): self.handle = m.register_forward_hook(lambda *args: f(self, *args))
    def __del__(self): self.handle.remove()
    def __enter__(self): return self
    def __exit__(self, *args): pass


faulty, ours = Faulty, Hook


def check(subject):
    lin, calls = nn.Linear(2, 2), []
    try:
        with subject(lin, lambda *args: calls.append(1)) as h:
            lin(torch.ones(1, 2))
            raise KeyError
    except KeyError: pass
    del h
    gc.collect()
    lin(torch.ones(1, 2))
    assert len(lin._forward_hooks) == 0 and calls == [1], f"{len(lin._forward_hooks)} hooks left, which were called {len(calls)} times"
