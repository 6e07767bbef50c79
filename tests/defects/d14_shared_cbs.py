"""Defect 14 of miniai: the list of callbacks is shared, so what is added to one Learner is added to another."""
from torch import nn

from minitrain.learner import Callback, Learner, TrainCB


class faulty:
    def __init__(self, model, cbs=[]): self.model, self.cbs = model, cbs


def ours(model, cbs=None): return Learner(model, cbs=cbs)


def check(make):
    mine = [TrainCB()]
    one, two = make(nn.Linear(1, 1), cbs=mine), make(nn.Linear(1, 1), cbs=mine)
    one.cbs.append(Callback())
    assert len(two.cbs) == len(mine) == 1, "a callback got into another list"
    one, two = make(nn.Linear(1, 1)), make(nn.Linear(1, 1))
    one.cbs.append(Callback())
    assert not two.cbs
