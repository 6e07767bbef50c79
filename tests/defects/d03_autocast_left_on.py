"""Defect 3 of miniai: autocast is entered in one event and left in another, so it stays on for the whole program if the loss raises."""
import torch
from torch import nn

from minitrain.callbacks import MixedPrecision
from minitrain.learner import Callback, Learner, TrainCB


class faulty(TrainCB):
    def before_batch(self, learn):
        self.autocast = torch.autocast("cpu", dtype=torch.bfloat16)
        self.autocast.__enter__()

    def after_loss(self, learn): self.autocast.__exit__(None, None, None)


ours = MixedPrecision


class Raises(Callback):
    def __init__(self, event): setattr(self, event, self.fail)
    def fail(self, learn): raise ZeroDivisionError


def nesting():
    "How many autocasts have been entered and not left"
    n = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return n


def check(trainer):
    before = nesting()
    batches = [(torch.ones(2, 3), torch.zeros(2, 1))]
    def broken(preds, target): raise ZeroDivisionError
    try:
        dtypes = []
        class See(Callback):
            def after_predict(self, learn): dtypes.append(learn.preds.dtype)
        Learner(nn.Linear(3, 1), batches, cbs=[trainer(), See()]).fit(1)
        assert dtypes == [torch.bfloat16], "the model is not run in half precision at all"
        for loss, extra in ((broken, []), (nn.functional.mse_loss, [Raises("after_predict")])):
            try: Learner(nn.Linear(3, 1), batches, loss, cbs=[trainer(), *extra]).fit(1)
            except ZeroDivisionError: pass
            else: raise AssertionError("the error is lost")
            assert not torch.is_autocast_enabled("cpu"), "autocast is still on"
    finally:  # whoever comes next computes in float32
        torch.set_autocast_enabled("cpu", False)
        while nesting() > before: torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()
