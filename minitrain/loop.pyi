"""The loop of lesson 00 taken apart line by line, then put together as
`train_epoch`, `evaluate` and `fit`.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from torch import nn
from typing import Any

__all__ = ['accuracy', 'report', 'Mean', 'train_epoch', 'evaluate', 'fit']

def accuracy(out:torch.Tensor, yb:torch.Tensor)->torch.Tensor:
    """Share of the samples whose highest logit is at the right class

    Args:
        out: Logits, (b, k) or (b, k, d1, ...)
        yb: Class numbers, (b,) or (b, d1, ...)

    Returns:
        A float32 tensor without axes, from 0 to 1
    """

def report(loss:torch.Tensor | float, preds:torch.Tensor, yb:torch.Tensor)->None:
    """Print a loss and the accuracy of `preds`, with two decimals

    Args:
        loss: A loss
        preds: Logits, (b, k)
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
            value: The mean over a batch: a number
            n: Samples in that batch; with 0, `value` is not looked at
        """
    def compute(self)->float:
        """The mean over all samples so far

        Returns:
            Sum of value*n over the sum of n
        """

def tensors_in(x)->Iterator[torch.Tensor]:
    """The tensors in a nest of tuples, lists, dicts and dataclasses

    Args:
        x: Any nesting of tensors: an output, inputs, a batch

    Returns:
        All of them, in order
    """

def count_samples(x)->int | None:
    """How many samples a nested batch holds

    Args:
        x: Any nesting of tensors

    Returns:
        Length of the first axis of the first tensor that has one, or None
    """

def need_mean(loss_func:Callable)->None:
    """An ArgumentError for a loss that says of itself that it does not average

    Args:
        loss_func: A loss; torch's classes say how they reduce
    """

@contextmanager
def model_mode(model:Callable, training:bool)->Iterator[Any]:
    """Put `model` in a mode inside the block; afterwards each module is in its own
    again

    Args:
        model: A module; any other callable has no mode
        training: True for training, False for evaluation
    """

def checked_batches(
    model:Callable,
    dl:Iterable,
    device:str | torch.device | None=None,
)->Iterable:
    """Walk through a loader: each batch moved and counted

    Args:
        model: Its first parameter says where to, when `device` is None
        dl: Pairs (inputs, targets)
        device: Where the batches go

    Returns:
        Generator of (inputs, targets, number of samples)
    """

def train_epoch(
    model:nn.Module,
    dl:Iterable,
    loss_func:Callable,
    opt,
    device:str | torch.device | None=None,
)->float:
    """Go through `dl` once, a step after each batch; no gradient is left in the
    model

    Args:
        model: Changed in place; its frozen parts stay frozen
        dl: Pairs (inputs, targets), each a tensor or a nesting of tensors
        loss_func: Called with (preds, yb), averages over the batch
        opt: An optimizer of the model's parameters: `step()` and `zero_grad()`
        device: Where batches go; None: where the model is

    Returns:
        Mean training loss over all samples, each batch seen before its step
    """

def evaluate(
    model:Callable,
    dl:Iterable,
    loss_func:Callable,
    device:str | torch.device | None=None,
    metrics:tuple=(accuracy,),
)->dict[str, float]:
    """Mean loss and metrics over all samples, whatever the batch size

    Args:
        model: In evaluation mode inside; each of its modules gets its own back
        dl: Pairs (inputs, targets), each a tensor or a nesting of tensors
        loss_func: Called with (preds, yb), averages over the batch
        device: Where batches go; None: where the model is
        metrics: Functions of (preds, yb) that average, with a `__name__`

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
    metrics:tuple=(accuracy,),
    *,
    on_epoch:Callable | None=None,
)->list[dict]:
    """Train for some epochs and evaluate after each

    Args:
        epochs: Times to go through `train_dl`
        model: Changed in place
        loss_func: Called with (preds, yb), averages over the batch
        opt: An optimizer of the model's parameters
        train_dl: Pairs (inputs, targets)
        valid_dl: Pairs (inputs, targets)
        device: Where batches go; None: where the model is
        metrics: As for `evaluate`
        on_epoch: Called with each row at once, to print or to store it

    Returns:
        A row an epoch: "epoch" (from 0), "train_loss", then as from `evaluate`
    """
