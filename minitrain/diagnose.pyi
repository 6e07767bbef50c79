"""Shapes and multiply-adds of any model, the module in which a NaN was born, and a
table of symptoms.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.learner import Callback, Learner
from torch import nn
from typing import Any

__all__ = ['summary', 'NaNStopCB']

class _Summary:
    """The table of `summary`, which shows itself

    Args:
        rows: Dicts: Module, Input, Output, Num params, MFLOPS
        params: Parameters of the model, shared ones once
        trainable: Those of them that require a gradient
        mflops: Millions of multiply-adds for one sample, of the whole model
    """
    rows: list
    params: int
    trainable: int
    mflops: float
    def __init__(self, rows:list, params:int, trainable:int, mflops:float)->None: ...
    @property
    def total(self)->str:
        """Sums over the whole model

        Returns:
            One line
        """
    def __repr__(self): ...

def summary(model:nn.Module, *inputs, depth:int=1)->_Summary:
    """Shapes, parameters and multiply-adds of the parts of a model, in one forward
    pass

    Args:
        model: Any, if its lazy layers have run; it and random numbers are kept
        *inputs: One batch, as `model` is called with it; the first axis counts
            samples
        depth: 1 for the children of `model`, 2 for their children too, and so on

    Returns:
        Shows itself; has `.rows`, `.params`, `.trainable` and `.mflops`
    """

class NaNStopCB(Callback):
    """Stops a fit at a loss or gradient that is not finite, and names the module

    Args:
        size: Weight of a batch, from its targets; None: as the loss
    """
    order, only_in_fit = (15, True)
    size: Callable | None
    report: Any
    def __init__(self, size:Callable | None=None)->None: ...
    def before_batch(self, learn:Learner)->None:
        """Note the random numbers, so that the batch can be run again as it was

        Args:
            learn: Not looked at
        """
    def after_loss(self, learn:Learner)->None:
        """Check the loss, unless it is of a batch that weighs nothing

        Args:
            learn: Its loss is read
        """
    def after_backward(self, learn:Learner)->None:
        """Check the gradients

        Args:
            learn: Its gradients are read, unless a scaler looks after them
        """
