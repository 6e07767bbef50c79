"""One loop that calls out at every step, so that nobody has to copy it again."""
# Made by tools/make_stubs.py: do not edit
import torch
import torch.nn.functional as F
from collections.abc import Callable
from minitrain.diagnose import _Summary
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['CancelFitException', 'CancelEpochException', 'CancelBatchException',
           'CancelStepException', 'Callback', 'TrainCB', 'Learner', 'TrainLearner',
           'MomentumLearner', 'SingleBatchCB']

class CancelFitException(Exception):
    """Ends the fit: after_fit is skipped"""

class CancelEpochException(Exception):
    """Ends the epoch: after_epoch is skipped"""

class CancelBatchException(Exception):
    """Ends the batch: after_batch is skipped"""

class CancelStepException(Exception):
    """Puts off the update: the gradients stay"""

class Callback:
    """Base of callbacks: a method named after an event is called with the Learner

    before_fit: once, before the first epoch
    before_epoch: an epoch begins; `learn.training` is False in validation
    before_batch: `learn.batch` is there, and may be replaced
    after_predict: `learn.preds` is there
    after_loss: `learn.loss` is there; what it is now is what `backward` sees
    after_backward: in training; the gradients are there
    after_step: in training; the weights have changed, the gradients are still
    there
    after_batch: the batch is done, and was not cancelled
    cleanup_batch: the batch is over, whatever happened
    after_epoch: the epoch is done, and was not cancelled
    cleanup_epoch: the epoch is over, whatever happened
    after_fit: the fit is done, and was not cancelled
    cleanup_fit: the fit is over, whatever happened
    """
    order = 0
    only_in_fit = False

CANCELS: Any

def as_list(cbs)->list:
    """Callbacks as a list

    Args:
        cbs: None, one callback, or an iterable of them

    Returns:
        A list of its own
    """

def batch_parts(batch)->tuple:
    """The parts of a batch in order

    Args:
        batch: A tensor, a sequence or a mapping

    Returns:
        A tensor is one part, a mapping has its values
    """

class TrainCB(Callback):
    """Trains: the first parts of a batch go into the model, the others into the loss

    Args:
        n_inp: How many parts of a batch are inputs
    """
    n_inp = 1
    def __init__(self, n_inp:int=1)->None: ...
    def predict(self, learn)->None:
        """Run the model

        Args:
            learn: Gets `preds`
        """
    def get_loss(self, learn)->None:
        """Run the loss

        Args:
            learn: Gets `loss`
        """
    def backward(self, learn)->None:
        """Add to the gradients

        Args:
            learn: Its model gets gradients
        """
    def step(self, learn)->None:
        """Update the weights

        Args:
            learn: Its model is changed
        """
    def zero_grad(self, learn)->None:
        """Forget the gradients

        Args:
            learn: Its model loses its gradients
        """

class Learner:
    """Trains a model, and calls its callbacks at every event of the loop

    Args:
        model: What is trained
        dls: `DataLoaders`, a pair, one loader, or a dict of "train" and "valid"
        loss_func: Called with (preds, *targets)
        lr: Learning rate
        cbs: A callback or several; a list is copied
        opt_func: Called with (parameters, lr); None: set `.opt`
    """
    events: Any
    opt: Any
    dl: Any
    batch: Any
    preds: Any
    loss: Any
    iter: Any
    first_iter: Any
    trains: Any
    validates: Any
    training: bool
    model: nn.Module
    dls: Any
    loss_func: Callable
    lr: float
    opt_func: Callable | None
    cbs: Any
    epochs: Any
    n_epochs: Any
    epoch: Any
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
    def fit(
        self,
        n_epochs:int=1,
        train:bool=True,
        valid:bool=True,
        cbs=None,
        lr:float | None=None,
    )->None:
        """Train and validate

        Args:
            n_epochs: How often to go through the data
            train: With training epochs
            valid: With validation epochs, if there is a loader for them
            cbs: Callbacks for this fit alone
            lr: Learning rate for this fit alone
        """
    def one_epoch(self, training:bool)->None:
        """Go through one of the two loaders

        Args:
            training: Train, or measure on `dls.valid`
        """
    def callback(self, method_nm:str)->None:
        """Call each callback that has a method of this name, the lowest `order`
        first

        Args:
            method_nm: An event
        """
    def add_cb(self, cb)->None:
        """Add a callback, whose methods must be what they look like

        Args:
            cb: A callback
        """
    def show_training_loop(self)->None:
        """Print the events of a fit in order, with the callbacks that answer to each"""
    def remove_cb(self, cb)->None:
        """Take a callback out

        Args:
            cb: One of its callbacks
        """
    def __repr__(self): ...
    def validate(self)->dict:
        """Measure on the validation loader; weights, history and random numbers stay

        Returns:
            "loss", and what a MetricsCB measures
        """
    @property
    def is_main(self)->bool:
        """Whether this process is the one that prints and writes

        Returns:
            True in a single process
        """
    def reduce(self, total:torch.Tensor)->torch.Tensor:
        """What all processes have together; in a single one `total` itself

        Args:
            total: A sum over the samples of this process

        Returns:
            The sum over the samples of all processes
        """
    def show_image_batch(self, max_n:int=9, cbs=None, **kwargs)->None:
        """Show the first training batch as the model would get it; nothing is
        trained

        Args:
            max_n: How many pictures at most
            cbs: Callbacks for this alone, such as a BatchTransformCB
            **kwargs: Passed on to `show_images`
        """
    def save(self, path:str | Path)->None:
        """Write the weights, to use the model elsewhere; a run is saved by
        `CheckpointCB`

        Args:
            path: File to write, such as "digits.safetensors"
        """
    def load(self, path:str | Path)->None:
        """Fill the model with weights that `save` or `CheckpointCB(best=...)` has
        written

        Args:
            path: A safetensors file with weights of such a model
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
    def get_preds(self, dl=None, cbs=None, inps:bool=False)->tuple:
        """Predictions for every sample, in evaluation mode; without `cbs` all else
        stays

        Args:
            dl: A loader; None for that of validation
            cbs: Callbacks for this alone, such as a BatchTransformCB
            inps: Return the inputs too

        Returns:
            (predictions, targets) and, with `inps`, inputs; on the CPU
        """
    def capture_preds(self, cbs=None, inps:bool=False)->tuple:
        """Predictions for the validation data

        Args:
            cbs: Callbacks for this alone, such as a BatchTransformCB
            inps: Return the inputs too

        Returns:
            (predictions, targets), or (predictions, targets, inputs), on the CPU
        """
    def predict(self, x=None)->torch.Tensor:
        """Predictions for one batch of inputs; without it, the trainer's part of a
        step

        Args:
            x: A batch of inputs (b, ...), a tuple of several, or a dict

        Returns:
            What the model says, on the CPU
        """
    def fit_one_cycle(
        self,
        n_epochs:int,
        lr_max:float | None=None,
        cbs=None,
        valid:bool=True,
        **options,
    )->None:
        """Train with one cycle as long as the fit; groups keep the ratio of their
        rates

        Args:
            n_epochs: How often to go through the data
            lr_max: Peak of the fastest group; None takes the Learner's `lr`
            cbs: Callbacks for this fit alone
            valid: With validation epochs
            **options: For `one_cycle`: `pct_start`, `div_factor` and so on
        """
    def lr_find(
        self,
        gamma:float=1.3,
        max_mult:float=3,
        start_lr:float=1e-05,
        max_epochs:int=10,
        plot:bool=True,
    )->float | None:
        """Try learning rates from low to high, and leave all as it was, however it
        ends

        Args:
            gamma: Factor from one update to the next
            max_mult: Stop when the loss is this many times the smallest so far
            start_lr: The first learning rate
            max_epochs: How often to go through the data at most
            plot: Draw loss against learning rate

        Returns:
            The suggestion; None, with a warning, if the loss did not really fall
        """

class TrainLearner(Learner):
    """A Learner that trains by itself: batches have one input"""
    n_inp = 1
    def get_loss(self)->None:
        """Run the loss"""
    def backward(self)->None:
        """Add to the gradients"""
    def step(self)->None:
        """Update the weights"""
    def zero_grad(self)->None:
        """Forget the gradients"""
    def predict(self, x=None)->torch.Tensor:
        """As `Learner.predict`, for a Learner that is its own trainer

        Args:
            x: As for `Learner.predict`

        Returns:
            As for `Learner.predict`
        """

class MomentumLearner(TrainLearner):
    """Momentum by gradients that fade instead of being zeroed

    Args:
        *args: As for `Learner`
        mom: Share of the gradients that stays, from 0 to below 1
        **kwargs: As for `Learner`
    """
    mom: float
    def __init__(self, *args, mom:float=0.85, **kwargs)->None: ...
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
