"""2. Hooks stay registered after an exception and after a cancel: they were removed in after_fit, which neither reaches."""
import torch
from torch import nn

from minitrain.all import Callback, CancelFitException, Hooks, HooksCallback, Learner, TrainCB, append_stats


class Faulty(Callback):
    def before_fit(self, learn): self.hooks = Hooks(learn.model, append_stats)
    def after_fit(self, learn): self.hooks.remove()


faulty = Faulty
ours = lambda: HooksCallback(append_stats)


def check(subject):
    class EndCB(Callback):
        def __init__(self, error): self.error = error
        def after_batch(self, learn): raise self.error

    for error in (CancelFitException(), ZeroDivisionError()):
        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        learn = Learner(model, [(torch.ones(4, 2), torch.ones(4, 1))], cbs=[TrainCB(), subject(), EndCB(error)])
        try: learn.fit(1)
        except ZeroDivisionError: pass
        left = sum(len(m._forward_hooks) for m in model.modules())
        assert not left, f"{left} hooks are left after {type(error).__name__}"
