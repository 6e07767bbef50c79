"""Defect 9 of miniai: a misspelt event is ignored for ever; a class for an instance gives an obscure TypeError."""
import torch
from torch import nn

from minitrain.core import ArgumentError
from minitrain.learner import Callback, Learner, TrainCB


def faulty(cbs):
    "A fit of no epochs with these callbacks"
    for event in ("before_fit", "after_fit", "cleanup_fit"):
        for cb in cbs:
            if hasattr(cb, event): getattr(cb, event)(None)


def ours(cbs): Learner(nn.Linear(1, 1), [(torch.zeros(1, 1), torch.zeros(1, 1))], cbs=[TrainCB(), *cbs]).fit(0)


def check(fit):
    class Early(Callback):
        def before_fit(self, learn): pass
    class Misspelt(Callback):
        def befor_fit(self, learn): pass
    for bad, hint in ((Misspelt(), "did you mean 'before_fit'"), (Early, "write Early()")):
        try: fit([bad])
        except ArgumentError as e: assert hint in str(e)
        except TypeError as e: raise AssertionError(f"obscure: {e}")
        else: raise AssertionError("ignored in silence")
    fit([Early()])
