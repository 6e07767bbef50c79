"""Defect 5 of miniai: a CancelEpochException raised in before_fit escapes from fit as it is."""
import torch
from torch import nn

from minitrain.learner import CancelEpochException, CancelFitException, Learner, TrainCB


def faulty(cb):
    "A fit of no epochs with this callback"
    try: cb.before_fit(None)
    except CancelFitException: pass
    finally: cb.cleanup_fit(None)


def ours(cb): Learner(nn.Linear(1, 1), [(torch.zeros(1, 1), torch.zeros(1, 1))], cbs=[TrainCB(), cb]).fit(0)


def check(fit):
    class Skip:
        cleaned = 0
        def before_fit(self, learn): raise CancelEpochException()
        def cleanup_fit(self, learn): self.cleaned += 1
    cb, said = Skip(), ""
    try: fit(cb)
    except CancelEpochException: raise AssertionError("a signal of the loop came out of it")
    except RuntimeError as e: said = str(e)
    assert "CancelEpochException was raised where nothing of its kind was running" in said and cb.cleaned == 1
