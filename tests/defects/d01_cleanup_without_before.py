"""Defect 1 of miniai: cleanup_X runs for callbacks whose before_X never did, fails there, and hides the real error."""
import torch
from torch import nn

from minitrain.learner import Learner, TrainCB


def faulty(cbs):
    "A fit of no epochs with these callbacks"
    try:
        for cb in cbs: cb.before_fit(None)
    finally:
        for cb in cbs: cb.cleanup_fit(None)


def ours(cbs): Learner(nn.Linear(1, 1), [(torch.zeros(1, 1), torch.zeros(1, 1))], cbs=[TrainCB(), *cbs]).fit(0)


def check(fit):
    class Opens:
        def before_fit(self, learn): self.file = []
        def cleanup_fit(self, learn): self.file.append("closed")
    class Fails:
        def before_fit(self, learn): raise OSError("the disk is full")
        def cleanup_fit(self, learn): raise AssertionError("what failed to begin was cleaned up")
    first, last = Opens(), Opens()
    try: fit([first, Fails(), last])
    except OSError: pass
    else: raise AssertionError("the error is lost")
    assert first.file == ["closed"] and not hasattr(last, "file")
