"""The loop of lesson 05 taken apart until a callback can reach every step of it, and
put together so that nothing is left behind.
"""
# Made by tools/make_stubs.py: do not edit
import torch
import torch.nn.functional as F
from collections.abc import Callable
from minitrain.diagnose import _Summary
from torch import nn
from typing import Any

__all__ = ['CancelFitException', 'CancelEpochException', 'CancelBatchException',
           'CancelStepException', 'Callback', 'Learner', 'TrainCB', 'TrainLearner',
           'MomentumLearner', 'SingleBatchCB']

class CancelFitException(Exception):
    """Raised by a callback to end the fit: after_fit is skipped, cleanup_fit runs"""

class CancelEpochException(Exception):
    """Raised by a callback to end the epoch: after_epoch is skipped, cleanup_epoch
    runs
    """

class CancelBatchException(Exception):
    """Raised by a callback to end the batch: after_batch is skipped, cleanup_batch
    runs, its gradients are dropped
    """

class CancelStepException(Exception):
    """Raised in after_backward or in `step` to put off the update: the gradients
    stay for the next batch, after_batch follows
    """

CANCELS: Any

class Callback:
    """Base of callbacks: a method named after an event is called with the Learner
    when the event happens
    """
    order = 0
    only_in_fit = False

def as_list(cbs)->list:
    """Callbacks as a list

    Args:
        cbs: None, one callback, or an iterable of them

    Returns:
        A list of its own
    """

class Learner:
    """Trains a model: calls callbacks at every event of the loop, and leaves nothing
    behind

    Args:
        model: What is trained; moved only by a callback such as `DeviceCB`
        dls: `DataLoaders`, a pair, one loader, or a dict with "train" and "valid"
        loss_func: Called by the trainer with (preds, *targets), gives a tensor
            without axes
        lr: Learning rate given to `opt_func`
        cbs: A callback or several; a list is copied
        opt_func: Called with (parameters, lr); None keeps the optimizer put into
            `.opt`; by default plain SGD
    """
    events: Any
    cbs: Any
    opt: Any
    dl: Any
    batch: Any
    preds: Any
    loss: Any
    trains: Any
    validates: Any
    first_iter: Any
    model: nn.Module
    dls: Any
    loss_func: Callable
    lr: float
    opt_func: Callable | None
    n_epochs: Any
    epochs: Any
    epoch: Any
    iter: Any
    data: Any
    metrics: Any
    def __init__(
        self,
        model:nn.Module,
        dls=(),
        loss_func:Callable=F.mse_loss,
        lr:float=0.1,
        cbs=None,
        opt_func:Callable | None=...,
    )->None: ...
    @property
    def training(self)->bool:
        """Whether the model is in training mode

        Returns:
            False in validation
        """
    @property
    def is_main(self)->bool:
        """Whether this process is the one that prints and writes

        Returns:
            True in a single process
        """
    def reduce(self, total:torch.Tensor)->torch.Tensor:
        """What all processes have together

        Args:
            total: A sum over the samples of this process

        Returns:
            The sum over the samples of all processes; the same in a single
                process
        """
    def callback(self, method_nm:str, begun:list | None=None)->None:
        """Call every callback that has a method of this name, the lowest `order`
        first

        Args:
            method_nm: An event, one of `Learner.events`
            begun: Takes in the callbacks that did not fail
        """
    def one_epoch(self, training:bool)->None:
        """Go through one of the two loaders once

        Args:
            training: Train on `dls.train`, or only measure on `dls.valid`
        """
    def fit(
        self,
        n_epochs:int=1,
        train:bool=True,
        valid:bool=True,
        cbs=None,
        lr:float | None=None,
    )->None:
        """Train and validate; whatever ends it, modes, gradients and callbacks are
        as they were, and no graph is alive

        Args:
            n_epochs: How often to go through the data
            train: With training epochs
            valid: With validation epochs, where there is a loader for them
            cbs: Callbacks for this fit alone
            lr: Learning rate for this fit alone
        """
    def show_training_loop(self)->None:
        """Print the events of a fit in their order, with the callbacks that answer
        to each
        """
    def show_image_batch(self, max_n:int=9, cbs=None, **kwargs)->None:
        """Show the first training batch as the model would get it, transformed;
        nothing is trained, and the data's order stays

        Args:
            max_n: How many pictures at most
            cbs: Callbacks for this alone, such as a BatchTransformCB
            **kwargs: Passed on to `show_images`
        """
    def summary(self, depth:int=1)->_Summary:
        """The table of `summary` for a batch of the Learner's own data; nothing is
        changed

        Args:
            depth: 1 for the children of the model, 2 for their children too, and
                so on

        Returns:
            A table that shows itself
        """
    def capture_preds(self, cbs=None, inps:bool=False)->tuple:
        """Predictions for the validation data, with the optimizer left alone

        Args:
            cbs: Callbacks for this alone, such as a BatchTransformCB
            inps: Give the inputs too

        Returns:
            (predictions, targets) or (predictions, targets, inputs), on the CPU
        """
    def lr_find(
        self,
        gamma:float=1.3,
        max_mult:float=3,
        start_lr:float=1e-05,
        max_epochs:int=10,
        plot:bool=True,
    )->float | None:
        """Try learning rates from low to high; model, optimizer, random numbers and
        loaders are as before, however it ends

        Args:
            gamma: Factor from one update to the next
            max_mult: Stop when the loss, a mean over three updates, is this many
                times the smallest so far
            start_lr: The first learning rate
            max_epochs: How often to go through the data at most
            plot: Draw loss against learning rate

        Returns:
            The suggestion; None, with a warning, where the loss fell by no more
                than its noise
        """

def batch_parts(batch)->tuple:
    """The parts of a batch in order: a tensor is one part, a mapping has its values

    Args:
        batch: A tensor, a sequence or a mapping

    Returns:
        Its parts
    """

class TrainCB(Callback):
    """Trains as most models are trained: the first `n_inp` parts of a batch go into
    the model, the others into the loss

    Args:
        n_inp: How many parts of a batch are inputs; the values of a dict are
            counted in their order
    """
    n_inp = 1
    def __init__(self, n_inp:int=1)->None: ...
    def predict(self, learn:Learner)->None:
        """Run the model

        Args:
            learn: Its `batch` is read, its `preds` are set
        """
    def get_loss(self, learn:Learner)->None:
        """Run the loss; shapes that an elementwise loss would broadcast are refused

        Args:
            learn: Its `preds` and `batch` are read, its `loss` is set
        """
    def backward(self, learn:Learner)->None:
        """Add to the gradients

        Args:
            learn: Its `loss` is read
        """
    def step(self, learn:Learner)->None:
        """Update the weights

        Args:
            learn: Its optimizer is used
        """
    def zero_grad(self, learn:Learner)->None:
        """Forget the gradients

        Args:
            learn: Its optimizer is used
        """

class TrainLearner(Learner):
    """A Learner that trains by itself, on batches of one input and its targets"""
    def predict(self)->None:
        """Run the model"""
    def get_loss(self)->None:
        """Run the loss"""
    def backward(self)->None:
        """Add to the gradients"""
    def step(self)->None:
        """Update the weights"""
    def zero_grad(self)->None:
        """Forget the gradients"""

class MomentumLearner(TrainLearner):
    """Momentum by gradients that fade instead of being zeroed

    Args:
        model: As for `Learner`
        dls: As for `Learner`
        loss_func: As for `Learner`
        lr: As for `Learner`
        cbs: As for `Learner`
        opt_func: As for `Learner`
        mom: Share of the gradients that stays for the next batch, from 0 to below
            1
    """
    mom: float
    def __init__(
        self,
        model:nn.Module,
        dls=(),
        loss_func:Callable=F.mse_loss,
        lr:float=0.1,
        cbs=None,
        opt_func:Callable | None=...,
        mom:float=0.85,
    )->None: ...
    def zero_grad(self)->None:
        """Let the gradients fade"""

class SingleBatchCB(Callback):
    """Ends the fit after the first batch"""
    order, only_in_fit = (1, True)
    def after_batch(self, learn:Learner):
        """Cancel the fit

        Args:
            learn: Not looked at
        """
