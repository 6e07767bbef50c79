"""Shapes and sizes of any module, and where a NaN was born."""
# Made by tools/make_stubs.py: do not edit
from minitrain.learner import Callback, Learner
from torch import nn

__all__ = ['summary', 'NaNStopCB']

class _Summary:
    """The table of `summary`: `print` shows it, and so does Jupyter

    Args:
        rows: Dicts with the columns as keys
        params: Parameters of the model, shared ones once
        trainable: Those of them that require a gradient
        mflops: Of the whole model
    """
    columns = ('Module', 'Input', 'Output', 'Num params', 'MFLOPS')
    note = 'MFLOPS: millions of multiply-adds for one sample, forward, in convolutions, matrix products and attention. Not counted: biases, activations, normalisation, pooling, everything elementwise.'
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
    def __str__(self): ...

def summary(model:nn.Module, *inputs, depth:int=1)->_Summary:
    """Shapes, parameters and multiply-adds of the parts of a model, from one forward
    pass in evaluation mode

    Args:
        model: Any module; weights, buffers, modes and random numbers are as
            before afterwards
        *inputs: One batch, as `model` is called with it; the first axis counts
            the samples
        depth: 1 for the children of `model`, 2 for their children too, and so on

    Returns:
        A table that prints well, with `.rows`, `.params`, `.trainable` and
            `.mflops`
    """

class NaNStopCB(Callback):
    """Stops a fit at the first loss or gradient that is not finite, before the
    update, and names the module it came from
    """
    order, only_in_fit, report = (15, True, None)
    def before_batch(self, learn:Learner)->None:
        """Note the random numbers, so that the batch can be run again as it was

        Args:
            learn: Not looked at
        """
    def after_loss(self, learn:Learner)->None:
        """Check the loss

        Args:
            learn: Its loss is read
        """
    def after_backward(self, learn:Learner)->None:
        """Check the gradients

        Args:
            learn: Its gradients are read, unless a gradient scaler looks after
                them
        """
