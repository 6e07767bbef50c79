"""From one batch and a hand-made update to `train_epoch`, `evaluate` and `fit`, by
way of the bugs that everyone writes once.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from torch import nn
from typing import Any

__all__ = ['accuracy', 'report', 'Mean', 'train_epoch', 'evaluate', 'fit']

def accuracy(out:torch.Tensor, yb:torch.Tensor)->torch.Tensor:
    """Share of the samples whose highest score is at the right class

    Args:
        out: Scores, (b, k) or (b, k, d1, ...)
        yb: Class numbers, (b,) or (b, d1, ...), of an integer dtype

    Returns:
        A float32 tensor without axes, from 0 to 1
    """

def report(loss:torch.Tensor | float, preds:torch.Tensor, yb:torch.Tensor)->None:
    """Print a loss and the accuracy of `preds`, with two decimals

    Args:
        loss: A loss
        preds: Scores, (b, k)
        yb: Class numbers, (b,)
    """

class Mean:
    """A running mean in which each value counts as often as it has samples"""
    def __init__(self)->None: ...
    def reset(self)->None:
        """Forget everything"""
    def update(self, value:torch.Tensor | float, n:torch.Tensor | float=1)->None:
        """Take in the mean of a batch

        Args:
            value: The mean over a batch: a number or a tensor without axes
            n: Samples in that batch; 0 leaves the mean as it is, whatever `value`
        """
    def compute(self)->float:
        """The mean over all samples so far

        Returns:
            Sum of value*n over the sum of n
        """

@contextmanager
def model_mode(model:Callable, training:bool)->Iterator[Any]:
    """Put `model` in a mode inside the block; each of its modules gets its own mode
    back, whatever happens

    Args:
        model: A module, or any other callable (which has no mode)
        training: True inside the block for training, False for evaluation
    """

def count_samples(x)->int | None:
    """How many samples a nested batch holds

    Args:
        x: Any nesting of tensors

    Returns:
        Length of the first axis of the first tensor in it; None where there is no
            tensor
    """

def checked_batches(
    model:Callable,
    dl:Iterable,
    device:str | torch.device | None,
)->Iterable:
    """Walk through a loader: each batch checked, counted and moved

    Args:
        model: Its first parameter says where to, when `device` is None
        dl: Gives pairs (inputs, targets)
        device: Where the batches go

    Returns:
        Generator of (inputs, targets, number of samples)
    """

def need_mean(loss_func:Callable)->None:
    """Refuse a loss that says of itself that it does not average over the batch

    Args:
        loss_func: A loss; modules and `partial`s say how they reduce
    """

def batch_loss(loss_func:Callable, preds, yb)->torch.Tensor:
    """The loss of a batch, refused when it still has axes

    Args:
        loss_func: Called with (preds, yb)
        preds: Output of the model
        yb: Targets

    Returns:
        A tensor without axes
    """

def train_epoch(
    model:nn.Module,
    dl:Iterable,
    loss_func:Callable,
    opt,
    device:str | torch.device | None=None,
    *,
    size:Callable | None=None,
)->float:
    """Go through `dl` once, with an update after each batch; no gradient is left
    behind

    Args:
        model: In training mode during the epoch; a model that is in it already is
            left as it is
        dl: Gives pairs (inputs, targets), each a tensor or a nesting of tensors
        loss_func: Called with (preds, yb), averages over the batch (a sum that
            does not say so cannot be noticed)
        opt: An optimizer, ours or torch's: `step()` and `zero_grad()`
        device: Where batches go; None takes that of the model's first parameter
        size: Called with yb, gives the batch's weight in the mean, 0 to skip it;
            None counts samples

    Returns:
        Mean training loss over all samples, each batch seen before its own update
    """

def evaluate(
    model:Callable,
    dl:Iterable,
    loss_func:Callable,
    device:str | torch.device | None=None,
    metrics:Iterable[Callable]=(accuracy,),
    *,
    size:Callable | None=None,
)->dict[str, float]:
    """Mean loss and metrics over all samples, whatever the batch size

    Args:
        model: In evaluation mode inside; each of its modules gets its own mode
            back
        dl: Gives pairs (inputs, targets), each a tensor or a nesting of tensors
        loss_func: Called with (preds, yb), averages over the batch (a sum that
            does not say so cannot be noticed)
        device: Where batches go; None takes that of the model's first parameter
        metrics: Each called with (preds, yb), averages over the batch; named by
            `__name__`
        size: Called with yb, gives the batch's weight in the mean loss; None
            counts samples

    Returns:
        "loss" and each metric by name, as means over all samples
    """

def fit(
    epochs:int,
    model:nn.Module,
    loss_func:Callable,
    opt,
    train_dl:Iterable,
    valid_dl:Iterable,
    device:str | torch.device | None=None,
    metrics:Iterable[Callable]=(accuracy,),
    *,
    size:Callable | None=None,
    on_epoch:Callable | None=None,
)->list[dict]:
    """Train for some epochs and evaluate after each

    Args:
        epochs: Times to go through `train_dl`
        model: Changed in place
        loss_func: Called with (preds, yb), averages over the batch
        opt: An optimizer of the model's parameters
        train_dl: Gives pairs (inputs, targets); shuffled anew each time, one
            hopes
        valid_dl: Gives pairs (inputs, targets)
        device: Where batches go; None takes that of the model's first parameter
        metrics: As for `evaluate`
        size: As for `train_epoch`
        on_epoch: Called with each row as soon as it is there, to print or to
            store it

    Returns:
        One row an epoch: "epoch" (from 0), "train_loss", "loss" and each metric,
            the last ones on `valid_dl`
    """
